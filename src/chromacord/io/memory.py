"""Memory that this process has freed, but not given back."""

import ctypes


def return_freed_memory() -> None:
    """Let the C library give freed memory back to the system; it keeps the gaps between what lives on, and fills few.

    Takes a few milliseconds. Does nothing where the C library cannot (it is glibc's `malloc_trim`).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
