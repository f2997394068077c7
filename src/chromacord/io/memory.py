"""Limit the freed memory that the C library keeps."""

import ctypes

_M_ARENA_MAX = -8
"""Parameter of glibc's `mallopt`, from <malloc.h>."""


def return_freed_memory() -> None:
    """Return freed memory to the system, because glibc keeps gaps between live blocks and rarely reuses them.

    Takes a few milliseconds. Does nothing if the C library lacks glibc's `malloc_trim`.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def share_freed_memory() -> None:
    """Let all threads share one arena instead of keeping their own, because frames are freed by other threads.

    For programs: this affects the whole process from now on. Does nothing if the C library is not glibc.
    """
    setting = getattr(ctypes.CDLL(None), "mallopt", None)
    if setting is not None:
        setting(_M_ARENA_MAX, 1)
