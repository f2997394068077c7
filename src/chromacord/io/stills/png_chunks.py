"""PNG facts that OpenImageIO does not report: the sRGB chunk, and whether the file is complete.

libpng prints to standard error if a file is truncated; checking first keeps the command's output to one clear line.
Source: W3C, "Portable Network Graphics (PNG) Specification", third edition, section 5.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\x00\x00\x00\x00IEND\xaeB\x60\x82"


def has_end(path: Path) -> bool:
    """Whether a PNG is complete; True for all other files."""
    try:
        with path.open("rb") as file:
            if file.read(8) != _SIGNATURE:
                return True
            # IEND is always the same twelve bytes, so one seek to the end usually decides.
            if file.seek(0, 2) >= 20:
                file.seek(-12, 2)
                if file.read(12) == _END:
                    return True
            # Data may follow the end; only then walk the chunks.
            return any(kind == b"IEND" for kind in _chunks(file))
    except OSError:
        return True


def has_srgb(path: Path) -> bool:
    """Whether a file is a PNG that states sRGB (an sRGB chunk before its pixels)."""
    return _has_before_pixels(path, b"sRGB")


def is_animated(path: Path) -> bool:
    """Whether a file is a PNG with several frames (an acTL chunk before its pixels)."""
    return _has_before_pixels(path, b"acTL")


def _has_before_pixels(path: Path, wanted: bytes) -> bool:
    try:
        with path.open("rb") as file:
            if file.read(8) != _SIGNATURE:
                return False
            for kind in _chunks(file):
                if kind in (wanted, b"IDAT"):
                    return kind == wanted
    except OSError:
        return False
    return False


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the types of the complete chunks."""
    size = file.seek(0, 2)
    position = 8
    while position + 12 <= size:
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        position += 12 + length
        if position <= size:
            yield kind
