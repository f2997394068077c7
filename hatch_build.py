"""Compiles native.c where there is a C compiler. Installations without it render the same pictures, only slower."""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zlib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("src/chromacord/render/native.c")
BINARY = SOURCE.with_name("_native.so")

# No sum is contracted, so that all machines agree. Pictures and grades hold neither NaN nor infinity, and nobody asks
# for the sign of a zero, errno or traps: only then do compilers turn minima, maxima and choices into vectors.
FLAGS = (
    "-std=gnu11 -O3 -shared -fPIC -ffp-contract=off -ffinite-math-only -fno-signed-zeros -fno-math-errno "
    "-fno-trapping-math"
)


class NativeHook(BuildHookInterface):
    """Adds the compiled render to what is installed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and make the wheel one for this platform; no compiler and no success leave it as it is."""
        if self.target_name != "wheel" or sys.platform != "linux":
            return
        root = Path(self.root)
        # An editable installation runs where the sources lie; a wheel must not touch what runs there.
        self._folder = None if version == "editable" else tempfile.TemporaryDirectory()
        binary = root / BINARY if self._folder is None else Path(self._folder.name) / BINARY.name
        trouble = build(root / SOURCE, binary)
        if trouble:
            self.app.display_warning(f"chromacord is installed without its compiled render, and is slower: {trouble}")
        elif self._folder is not None:
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"
            build_data["force_include"][str(binary)] = BINARY.relative_to("src").as_posix()


def build(source: Path, binary: Path) -> str | None:
    """Compile a shared library.

    Args:
        source: the C file.
        binary: is replaced once it is built.

    Returns:
        What went wrong; None where it was built.
    """
    compiler = shlex.split(os.environ.get("CC", "")) or next(
        ([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), None
    )
    if compiler is None:
        return "there is no C compiler"
    checksum = f"-DSOURCE={zlib.crc32(source.read_bytes())}u"
    with tempfile.TemporaryDirectory(dir=binary.parent) as folder:
        unfinished = Path(folder) / binary.name
        command = [*compiler, *FLAGS.split(), checksum, "-o", str(unfinished), str(source)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            return (getattr(error, "stderr", None) or str(error)).strip()
        unfinished.replace(binary)
    return None
