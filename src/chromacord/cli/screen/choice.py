"""Choose a command's display."""

import sys

from chromacord.cli.screen.display import Display, JsonDisplay, LineDisplay, QuietDisplay


def choose_display(*, log_json: bool = False, quiet: bool = False) -> Display:
    """Return the display for the options and the output stream."""
    if log_json:
        return JsonDisplay()
    if quiet:
        return QuietDisplay()
    if not sys.stderr.isatty():
        return LineDisplay()
    from chromacord.cli.screen.bars import BarDisplay

    return BarDisplay()
