"""Call C library functions that Python lacks, to limit how much freed memory the allocator keeps."""

import ctypes
from typing import Any

_M_ARENA_MAX = -8
"""Parameter of glibc's `mallopt`, from <malloc.h>."""


def c_function(name: str) -> Any | None:
    """Return a C library function that sets ctypes' errno; None if this system's library lacks it."""
    try:
        return getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError, TypeError):  # Windows names its C library otherwise
        return None


def return_freed_memory() -> None:
    """Return freed memory to the system: glibc keeps gaps between live blocks and rarely reuses them.

    Takes a few milliseconds. Does nothing if the C library lacks glibc's `malloc_trim`.
    """
    trim = c_function("malloc_trim")
    if trim is not None:
        trim(0)


def share_freed_memory() -> None:
    """Make all threads allocate from one arena, because a frame is often freed by another thread than allocated it.

    This affects the whole process, so programs call it, not the library. Does nothing if the C library is not glibc.
    """
    setting = c_function("mallopt")
    if setting is not None:
        # By default each thread has its own arena. Frames are allocated by the decoder's thread and freed by
        # the encoder's, so every arena would keep gaps that no other thread can use.
        setting(_M_ARENA_MAX, 1)
