"""Limit the number of OpenBLAS threads, for which NumPy has no function.

Our matrices are small. With as many threads as cores, a job at 1080p took twice the CPU time and twice as long: the
threads spin while they wait for each other, on cores that decoders and encoders need.
"""

import ctypes
import sys
from functools import cache
from typing import NamedTuple

_SPELLINGS = ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads")
"""Function names in numpy's wheels, and in distributions' packages."""


class Blas(NamedTuple):
    """A library's functions to get and set its number of threads."""

    get_threads: "ctypes._NamedFuncPointer"
    set_threads: "ctypes._NamedFuncPointer"


@cache
def open_blas() -> Blas | None:
    """Return numpy's BLAS library; None if it is not OpenBLAS."""
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
