"""Choose a command's display."""

import sys

from chromacord.cli.screen.display import Display, JsonDisplay, LineDisplay, QuietDisplay


def choose_display(*, log_json: bool = False, quiet: bool = False, to_stderr: bool = False) -> Display:
    """Return the display for the options and the output stream.

    Args:
        log_json: print JSON lines.
        quiet: print only warnings and errors.
        to_stderr: print the result on stderr, because stdout is the result.
    """
    if log_json:
        return JsonDisplay()
    if quiet:
        return QuietDisplay()
    if not sys.stderr.isatty():
        return LineDisplay(to_stderr=to_stderr)
    from chromacord.cli.screen.bars import BarDisplay

    return BarDisplay(to_stderr=to_stderr)
