"""Find the compiled renderer: native.c and soften.c, built as an extension module for every Python from 3.11 on (abi3).

This module imports no library, so that `chromacord --version` starts fast.
"""

import warnings
import zlib
from functools import cache
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

from chromacord.errors import ChromacordWarning

SOURCES = tuple(Path(__file__).with_name(name) for name in ("native.h", "samples.h", "native.c", "soften.c"))
BINARY = Path(__file__).with_name("_native.abi3.so")
"""The extension module; installations without a C compiler lack it."""

REMEDY = "install a C compiler and the headers of Python, and reinstall chromacord"
MISSING = f"the compiled renderer is missing or out of date, so rendering takes about three times as long; {REMEDY}"


def checksum() -> int:
    """Return the checksum of the sources, which each build contains."""
    return zlib.crc32(b"".join(path.read_bytes() for path in SOURCES))


@cache
def opened(path: Path) -> Any | None:
    """Load the extension module; None if it is missing, broken, or was built from other sources.

    Args:
        path: path of the extension module.
    """
    if not path.is_file():
        return None
    # The last component must match the module's initializer, PyInit__native.
    loader = ExtensionFileLoader("chromacord.render._native", str(path))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    try:
        module = module_from_spec(spec)
        loader.exec_module(module)
        # A binary built from other sources may expect another struct layout, and would read arbitrary memory.
        return module if module.lib.chromacord_source() == checksum() else None
    except (ImportError, OSError, AttributeError):
        return None


def renderer_name() -> str:
    """Return which renderer common formats get: "compiled" or "portable"."""
    return "portable" if opened(BINARY) is None else "compiled"


@cache
def warn_once() -> None:
    """Warn that the compiled renderer is missing, once in a process."""
    warnings.warn(ChromacordWarning(MISSING), stacklevel=2)
