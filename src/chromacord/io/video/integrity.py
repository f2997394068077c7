"""Detect truncated files from their structure and stated frame counts."""

import os
import re
import struct
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from av.video.stream import VideoStream

from chromacord.errors import MissingFileError

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def is_cut_off(path: Path) -> bool:
    """Whether the file is shorter than its parts declare, or lacks an index that reading requires.

    Supports MP4 and QuickTime (ISO/IEC 14496-12, boxes), Matroska and WebM (RFC 8794, elements) and AVI (RIFF). For
    other files, only the decoder can detect truncation, and the result is False.

    Raises:
        MissingFileError: the file was removed after it was opened.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise MissingFileError(f"{path}: was removed while it was being read; keep it until the run ends") from None
    with file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(12)
        file.seek(0)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _lacks_boxes(file, size)
        if head[:4] == _EBML:
            return _lacks_segment(file, size)
        if head[:4] == b"RIFF" and len(head) == 12:
            # The size does not count these eight bytes. AVI files of more than 1 GB have further RIFF chunks, so this
            # bound is a low one.
            return int(struct.unpack("<I", head[4:8])[0]) + 8 > size
    return False


def _lacks_boxes(file: BinaryIO, size: int) -> bool:
    """Walk the top-level boxes of an MP4 or QuickTime file."""
    position, has_index = 0, False
    while position + 8 <= size:
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        # A length of 1 announces a 64-bit one, 0 that the box reaches to the end of the file (ISO/IEC 14496-12,
        # 4.2).
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))
        elif length == 0:
            length = size - position
        if length < 8 or position + length > size:
            return True
        has_index = has_index or kind == b"moov"
        position += length
    # Recorders write the index last, so an interrupted recording has none.
    return not has_index


def _lacks_segment(file: BinaryIO, size: int) -> bool:
    """Compare a Matroska segment's declared size with the file; an unknown size (a live recording) passes."""
    file.seek(4)
    header = _element_size(file)
    if header is None:
        return False
    if header > size:  # beyond any readable file
        return True
    file.seek(header, 1)
    if file.read(4) != _SEGMENT:
        return False
    segment = _element_size(file)
    return segment is not None and file.tell() + segment > size


def _element_size(file: BinaryIO) -> int | None:
    """Read an EBML variable-length size (RFC 8794, section 6); None for "unknown" or at the end of the file."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    # The position of the first set bit tells how many bytes follow.
    length = 9 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0xFF >> length)]) + file.read(length - 1), "big")
    return None if value == (1 << (7 * length)) - 1 else value


def is_animated_webp(path: Path) -> bool:
    """Whether a WebP declares an animation (RFC 9649, section 2.7), which libav cannot decode."""
    with path.open("rb") as file:
        header = file.read(21)
    return header[:4] + header[8:16] == b"RIFFWEBPVP8X" and bool(header[20:] and header[20] & 2)


def stated_num_frames(stream: VideoStream) -> int | None:
    """Return the container's frame count minus frames hidden by its edit list."""
    stated = stream.frames
    for name, value in stream.metadata.items():
        if name.upper().startswith("NUMBER_OF_FRAMES") and value.isdigit():
            stated = stated or int(value)
    # Only the count of MP4 and QuickTime, which have edit lists, includes hidden frames.
    hidden = sum(entry.is_discard for entry in stream.index_entries) if stream.frames else 0
    return stated - hidden if stated else None


def stated_end(stream: VideoStream) -> Fraction | None:
    """Return a stream's length in seconds as stated by Matroska ("00:00:01.200000000")."""
    found = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "").strip("\0 "))
    return None if found is None else 3600 * int(found[1]) + 60 * int(found[2]) + Fraction(found[3])
