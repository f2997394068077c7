"""`chromacord harmonize`: harmonize a composite with a mask, or layers."""

from chromacord.cli.asked import Given, takes


@takes()
def harmonize(given: Given) -> Given:
    """Harmonize clips: COMPOSITE with --mask, or --foreground over --background."""
    return given
