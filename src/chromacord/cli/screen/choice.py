"""Which display a command has."""

import sys

from chromacord.cli.screen.display import Display, JsonDisplay, LineDisplay, QuietDisplay


def choose_display(*, log_json: bool = False, quiet: bool = False) -> Display:
    """Return the display for the options, and for where the output goes."""
    if log_json:
        return JsonDisplay()
    if quiet:
        return QuietDisplay()
    if not sys.stderr.isatty():
        return LineDisplay()
    from chromacord.cli.screen.bars import BarDisplay

    return BarDisplay()
