"""Encode image files in memory, so that Python writes them and reports every error.

Linux has files in memory, and names for open files and pipes. Elsewhere files pass through a temporary folder; if that
is full, libjpeg ends the process.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO

import numpy.typing as npt
import OpenImageIO as oiio

from chromacord.io.stills.image_attributes import error_reason
from chromacord.io.stills.png_chunks import has_end

Part = tuple[oiio.ImageSpec, npt.NDArray[Any]]
"""Header and pixels of one part of a file."""

OPEN_FILES = Path("/proc/self/fd")
"""Linux: the names of this process's open files."""

_PIPE_BYTES = 1 << 20


def encode_in_memory(format_name: str, parts: Sequence[Part]) -> tuple[BinaryIO, str]:
    """Encode an image file; return it with the reason of a failure, or an empty string.

    Args:
        format_name: OpenImageIO's name of the format.
        parts: header and pixels of each part. Shape of the pixels (H, W, C).
    """
    if not hasattr(os, "memfd_create") or not OPEN_FILES.exists():
        return _encode_in_folder(format_name, parts)
    # libjpeg calls exit() on a write error. Pipes have no size limit, so writing to one does not fail.
    if format_name == "jpeg" and _is_limited():
        return _encode_through_pipe(format_name, parts)
    encoded = os.fdopen(os.memfd_create("image"), "rb")
    path = OPEN_FILES / str(encoded.fileno())
    reason = _encode(path, format_name, parts)
    # The file-size limit (RLIMIT_FSIZE) applies to memory files too.
    return encoded, reason or ("" if has_end(path) else os.strerror(errno.EFBIG))


def _is_limited() -> bool:
    """Whether the system limits file sizes."""
    import resource  # Windows lacks it

    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY


def _encode_in_folder(format_name: str, parts: Sequence[Part]) -> tuple[BinaryIO, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image"
        reason = _encode(path, format_name, parts)
        if not reason and not has_end(path):
            reason = os.strerror(errno.ENOSPC)
        return BytesIO(path.read_bytes() if path.exists() else b""), reason


def _encode_through_pipe(format_name: str, parts: Sequence[Part]) -> tuple[BinaryIO, str]:
    """Encode through a pipe, for systems that limit file sizes: pipes have no limit."""
    import fcntl  # Windows lacks it

    encoded = BytesIO()
    reader, writer = os.pipe()
    drain = Thread(target=_drain, args=(reader, encoded))
    drain.start()
    try:
        # If libjpeg calls exit(), the reading thread no longer runs, so the output must fit into the pipe.
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        for spec, _ in parts:
            # libjpeg writes a progressive file at once at the end, and it might not fit into the pipe.
            spec.erase_attribute("jpeg:progressive")
        reason = _encode(OPEN_FILES / str(writer), format_name, parts)
    finally:
        os.close(writer)
        drain.join()
    encoded.seek(0)
    return encoded, reason


def _drain(reader: int, encoded: BinaryIO) -> None:
    with os.fdopen(reader, "rb") as pipe:
        shutil.copyfileobj(pipe, encoded)


def _encode(path: Path, format_name: str, parts: Sequence[Part]) -> str:
    """Encode an image file; return the reason of a failure, or an empty string."""
    output = oiio.ImageOutput.create(format_name)
    assert output is not None, "every format of IMAGE_FORMATS is built in"
    specs = [spec for spec, _ in parts]
    done = output.open(str(path), specs[0]) if len(specs) == 1 else output.open(str(path), specs)
    for index, (spec, samples) in enumerate(parts):
        # A failure of one part must still reach close(), which releases the file and reports its own error.
        done = done and (index == 0 or output.open(str(path), spec, "AppendSubimage")) and output.write_image(samples)
    done = output.close() and done
    return "" if done else error_reason(output)
