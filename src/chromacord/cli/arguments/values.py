"""Parse and complete option values."""

from chromacord.errors import InputError


def complete_method(incomplete: str) -> list[str]:
    """Complete the name of a method."""
    from chromacord.methods import METHODS

    return [name for name in METHODS if name.startswith(incomplete)]


def complete_codec(incomplete: str) -> list[str]:
    """Complete the name of a codec."""
    from chromacord.io.video.codecs import CODECS

    return [name for name in CODECS if name.startswith(incomplete.lower())]


def complete_space(incomplete: str) -> list[str]:
    """Complete the name of a built-in colour space."""
    from chromacord.color.management.config import space_names

    return [name for name in space_names() if name.lower().startswith(incomplete.lower())]


def parse_names(text: str) -> tuple[str, ...]:
    """Split a comma-separated list of names, dropping empty ones and duplicates."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def parse_frames(text: str | None) -> tuple[int | None, int | None] | None:
    """Parse a half-open range of frames, "A:B", ":B" or "A:".

    Returns:
        First frame and end (half-open), None where omitted; None for None.

    Raises:
        InputError: the text is not a range, or the range is empty.
    """
    if text is None:
        return None
    first, colon, last = text.partition(":")
    if not colon or not all(part == "" or part.isdecimal() for part in (first, last)):
        raise InputError(
            f"--frames {text}: is not a range; write A:B, A: or :B with frame numbers from 0, such as 0:100"
        )
    start, stop = (int(part) if part else None for part in (first, last))
    if stop is not None and stop <= (start or 0):
        raise InputError(f"--frames {text}: is empty; B is the frame after the last, so it must be above A")
    return start, stop
