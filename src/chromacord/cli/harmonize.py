"""`chromacord harmonize`: harmonize a composite with a mask, or layers."""

from chromacord.cli.arguments.asked import Given, takes
from chromacord.errors import InputError


@takes(optional=("output",))
def harmonize(given: Given) -> Given:
    """Harmonize clips: COMPOSITE with --mask, or --foreground over --background."""
    if given["output"] is None and given["manifest"] is None:
        raise InputError("--output is missing; name the clip to write")
    return given
