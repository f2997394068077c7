"""Functions of the C library that Python lacks: limit the freed memory that it keeps."""

import ctypes
from typing import Any

_M_ARENA_MAX = -8
"""Parameter of glibc's `mallopt`, from <malloc.h>."""


def c_function(name: str) -> Any | None:
    """Return a function of the C library, which sets ctypes' errno; None if this system has none of that name."""
    try:
        return getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError, TypeError):  # Windows names its C library otherwise
        return None


def return_freed_memory() -> None:
    """Return freed memory to the system, because glibc keeps gaps between live blocks and rarely reuses them.

    Takes a few milliseconds. Does nothing if the C library lacks glibc's `malloc_trim`.
    """
    trim = c_function("malloc_trim")
    if trim is not None:
        trim(0)


def share_freed_memory() -> None:
    """Let all threads share one arena instead of keeping their own, because frames are freed by other threads.

    For programs: this affects the whole process from now on. Does nothing if the C library is not glibc.
    """
    setting = c_function("mallopt")
    if setting is not None:
        # glibc gives each thread an arena of its own. Frames are allocated by the decoder's thread and freed by
        # the encoder's, so every arena would keep gaps that no other thread can use.
        setting(_M_ARENA_MAX, 1)
