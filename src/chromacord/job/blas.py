"""Limit OpenBLAS threads, for which NumPy has no function.

Ours are small. With as many threads as cores, a job at 1080p was measured to take twice the CPU time and twice as long:
the threads wait for each other in a loop, on cores that decoders and encoders need.
"""

import ctypes
import sys
from functools import cache
from typing import NamedTuple

_SPELLINGS = ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads")
"""As numpy's wheels have it, and distributions."""


class Blas(NamedTuple):
    """The functions of a library that say with how many threads it works."""

    get_threads: "ctypes._NamedFuncPointer"
    set_threads: "ctypes._NamedFuncPointer"


@cache
def open_blas() -> Blas | None:
    """Return what numpy multiplies matrices with; None where it is no OpenBLAS."""
    file = getattr(sys.modules.get("numpy._core._multiarray_umath"), "__file__", None)
    if file is None:
        return None
    library = ctypes.CDLL(file)  # also finds symbols of the libraries it links to
    for spelling in _SPELLINGS:
        try:
            return Blas(getattr(library, spelling.format("get")), getattr(library, spelling.format("set")))
        except AttributeError:
            continue
    return None
