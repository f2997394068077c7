"""Limit the memory that the C library keeps after it is freed."""

import ctypes

_M_ARENA_MAX = -8
"""Of glibc's `mallopt`, from <malloc.h>."""


def return_freed_memory() -> None:
    """Let the C library give freed memory back to the system; it keeps the gaps between what lives on, and fills few.

    Takes a few milliseconds. Does nothing where the C library cannot (it is glibc's `malloc_trim`).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def share_freed_memory() -> None:
    """Let threads take what others have freed, instead of keeping stores of their own: frames go from one to the next.

    For programs: it holds for the whole process, from now on. Does nothing where the C library is not glibc.
    """
    setting = getattr(ctypes.CDLL(None), "mallopt", None)
    if setting is not None:
        setting(_M_ARENA_MAX, 1)
