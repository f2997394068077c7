"""Check and name the ICC profiles of stills (ICC.1:2022, clauses 7 and 10)."""

import struct
import warnings
from pathlib import Path

from chromacord.errors import ChromacordWarning
from chromacord.types import PixelFormat

_HEADER = 128
_MOST_TAGS = 100


def warn_of_lost_profile(profile: bytes | None, *, out: Path, why: str) -> None:
    """Warn that colours will look different without their profile, unless it is sRGB.

    Args:
        profile: the source's profile.
        out: path of the output.
        why: why it cannot be kept.

    Warns:
        ChromacordWarning: the profile is not sRGB.
    """
    if profile is None or "srgb" in profile_name(profile).lower():
        return
    warnings.warn(
        f"{out}: {why}, so the source's ICC profile ({profile_name(profile)}) is lost and colours look different; "
        "convert the source to sRGB first",
        ChromacordWarning,
        stacklevel=2,
    )


def sound_profile(profile: bytes | None, path: Path) -> bytes | None:
    """Return a source's profile, or None if it is damaged, because programs differ in reading such profiles.

    Args:
        profile: the embedded profile.
        path: path of the source.

    Warns:
        ChromacordWarning: it is damaged.
    """
    if profile is None or is_sound(profile):
        return profile
    warnings.warn(f"{path}: its ICC profile is damaged and was dropped", ChromacordWarning, stacklevel=2)
    return None


def is_sound(profile: bytes) -> bool:
    """Whether a profile's header and tag table agree with its content.

    This includes what PNG writers require (libpng, `png_icc_check_header`): they would refuse the whole picture.
    """
    if len(profile) < _HEADER + 4:
        return False
    length, version, kind, space = struct.unpack_from(">I4xB3x4s4s", profile)
    (intent,), (count,) = struct.unpack_from(">I", profile, 64), struct.unpack_from(">I", profile, _HEADER)
    is_header = (
        (length, profile[36:40]) == (len(profile), b"acsp")
        # libpng's own conditions; a profile that other formats accept may fail one of them.
        and (version < 4 or length % 4 == 0)
        and kind not in (b"abst", b"link", b"nmcl")
        and space != bytes(4)
        and profile[20:24] in (b"XYZ ", b"Lab ")
        and intent < 1 << 16
    )
    if not is_header or count > (length - _HEADER - 4) // 12:
        return False
    tags = struct.iter_unpack(">4x2I", profile[_HEADER + 4 : _HEADER + 4 + 12 * count])
    return all(start <= length and size <= length - start for start, size in tags)


def is_profile_of(profile: bytes, pixel_format: PixelFormat) -> bool:
    """Whether a profile is for this colour model; a CMYK profile may have survived a conversion."""
    return profile[16:20] == (b"GRAY" if pixel_format.model == "gray" else b"RGB ")


def profile_name(profile: bytes) -> str:
    """Return the description in a profile, or "unnamed"."""
    try:
        return _description(profile) or "unnamed"
    except (struct.error, UnicodeDecodeError):
        return "unnamed"


def _description(profile: bytes) -> str:
    (count,) = struct.unpack_from(">I", profile, _HEADER)
    # A damaged file may state four billion tags.
    for number in range(min(count, _MOST_TAGS)):
        name, start, length = struct.unpack_from(">4s2I", profile, _HEADER + 4 + 12 * number)
        if name == b"desc":
            return _text(profile[start : start + length])
    return ""


def _text(tag: bytes) -> str:
    if tag[:4] == b"desc":  # version 2: ASCII, with its length
        (length,) = struct.unpack_from(">I", tag, 8)
        return _one_line(tag[12 : 12 + length].decode("ascii"))
    if tag[:4] == b"mluc":  # version 4: UTF-16 in several languages; take the first
        length, start = struct.unpack_from(">2I", tag, 20)
        return _one_line(tag[start : start + length].decode("utf-16-be"))
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.replace("\0", "").split())[:80]
