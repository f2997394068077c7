"""`chromacord harmonize`: a composite and a mask, or layers, go in; a harmonized clip comes out."""

from chromacord.cli.asked import Given, takes


@takes()
def harmonize(given: Given) -> Given:
    """Harmonize clips: COMPOSITE with --mask, or --foreground over --background."""
    return given
