"""ICC profiles of stills, as far as it takes to keep one, or to say which is lost (ICC.1:2022, clauses 7 and 10)."""

import struct
import warnings
from pathlib import Path

from chromacord.errors import ChromacordWarning
from chromacord.types import PixelFormat

_HEADER = 128
_MOST_TAGS = 100


def warn_of_lost_profile(profile: bytes | None, *, out: Path, why: str) -> None:
    """Say that colours will look different, unless the profile is the one that is assumed without any.

    Args:
        profile: of the source.
        out: the output.
        why: what stands against keeping it.

    Warns:
        ChromacordWarning: the profile is another than sRGB.
    """
    if profile is None or "srgb" in profile_name(profile).lower():
        return
    warnings.warn(
        f"{out}: {why}, so the source's ICC profile ({profile_name(profile)}) is lost and colours look different; "
        "convert the source to sRGB first",
        ChromacordWarning,
        stacklevel=2,
    )


def is_profile_of(profile: bytes, pixel_format: PixelFormat) -> bool:
    """Tell whether a profile is for pictures of this colour model: one of CMYK may have outlived a conversion."""
    return profile[16:20] == (b"GRAY" if pixel_format.model == "gray" else b"RGB ")


def profile_name(profile: bytes) -> str:
    """Return the description that a profile has of itself, or "unnamed"."""
    try:
        return _description(profile) or "unnamed"
    except (struct.error, UnicodeDecodeError):
        return "unnamed"


def _description(profile: bytes) -> str:
    (count,) = struct.unpack_from(">I", profile, _HEADER)
    for number in range(min(count, _MOST_TAGS)):
        name, start, length = struct.unpack_from(">4s2I", profile, _HEADER + 4 + 12 * number)
        if name == b"desc":
            return _text(profile[start : start + length])
    return ""


def _text(tag: bytes) -> str:
    if tag[:4] == b"desc":  # version 2: ASCII, with its length
        (length,) = struct.unpack_from(">I", tag, 8)
        return _one_line(tag[12 : 12 + length].decode("ascii"))
    if tag[:4] == b"mluc":  # version 4: UTF-16 in several languages, of which the first will do
        length, start = struct.unpack_from(">2I", tag, 20)
        return _one_line(tag[start : start + length].decode("utf-16-be"))
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.replace("\0", "").split())[:80]
