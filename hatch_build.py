"""Compiles native.c where there is a C compiler. Installations without it render the same pictures, only slower."""

import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("src/chromacord/pipeline/native.c")
LIBRARY = SOURCE.with_name("_native.so")

# No sum is contracted, so that all machines agree. Pictures and grades hold neither NaN nor infinity, and nobody asks
# for the sign of a zero, errno or traps: only then do compilers turn minima, maxima and choices into vectors.
FLAGS = (
    "-std=gnu11 -O3 -shared -fPIC -ffp-contract=off -ffinite-math-only -fno-signed-zeros -fno-math-errno "
    "-fno-trapping-math"
)


class NativeHook(BuildHookInterface):
    """Adds the compiled render to what is installed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile, and make the wheel one for this platform; no compiler and no success leave it as it is."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        trouble = build(root / SOURCE, root / LIBRARY)
        if trouble:
            self.app.display_warning(f"chromacord is installed without its compiled render, and is slower: {trouble}")
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["artifacts"].append(LIBRARY.as_posix())


def build(source: Path, library: Path) -> str | None:
    """Compile a shared library.

    Args:
        source: the C file.
        library: is replaced, or removed where nothing can be built.

    Returns:
        What went wrong; None where it was built.
    """
    library.unlink(missing_ok=True)
    compiler = shlex.split(os.environ.get("CC", "")) or next(
        ([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), None
    )
    if compiler is None:
        return "there is no C compiler"
    unfinished = library.with_suffix(".part")
    try:
        subprocess.run(
            [*compiler, *FLAGS.split(), "-o", str(unfinished), str(source)], check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        unfinished.unlink(missing_ok=True)
        return (getattr(error, "stderr", None) or str(error)).strip()
    unfinished.replace(library)
    return None
