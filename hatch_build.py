"""Build hook of the wheel: compile the C sources with cffi, and generate the man page from the help.

Without a C compiler, or the headers of Python, the wheel is pure Python: it gives the same pictures, only slower. With
both, a failing compilation fails the installation, because it is a bug of ours or of the compiler.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("src/chromacord/render")
BINARY = FOLDER / "_native.abi3.so"
SOURCES = ("native.h", "samples.h", "native.c", "soften.c")
MANUAL = "chromacord.cli.screen.manual"

# No contraction of sums, so that all machines agree. Pictures and grades contain neither NaN nor infinity, and the code
# never reads the sign of a zero, errno or traps; these flags let compilers vectorize minima, maxima and selections.
FLAGS = (
    "-std=gnu11",
    "-O3",
    "-g0",
    "-ffp-contract=off",
    "-ffinite-math-only",
    "-fno-signed-zeros",
    "-fno-math-errno",
    "-fno-trapping-math",
)


class NativeHook(BuildHookInterface):
    """Adds the compiled renderer and the man page to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tag the wheel for this platform; without a compiler the wheel stays pure Python."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        # An editable installation runs from the sources; a wheel must not change what runs there.
        self._folder = None if version == "editable" else tempfile.TemporaryDirectory()
        if self._folder is not None:
            page = Path(self._folder.name) / "chromacord.1"
            write_man_page(root, page)
            build_data["shared_data"][str(page)] = f"share/man/man1/{page.name}"
        obstacle = find_obstacle()
        if obstacle:
            self.app.display_warning(f"chromacord gets no compiled renderer, and is slower: {obstacle}")
            return
        binary = root / BINARY if self._folder is None else Path(self._folder.name) / BINARY.name
        build(root / FOLDER, binary)
        if self._folder is not None:
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"cp311-abi3-{platform}"
            build_data["force_include"][str(binary)] = BINARY.relative_to("src").as_posix()


def write_man_page(root: Path, page: Path) -> None:
    """Write the man page, in a process of its own because the package is not installed yet.

    Args:
        root: folder of the project.
        page: the file.
    """
    # Not by PYTHONPATH: pip hides from a build what is installed, which may be this folder itself, if editable.
    code = f"import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_module({MANUAL!r}, run_name='__main__')"
    command = [sys.executable, "-c", code, str(root / "src")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    page.write_bytes(done.stdout)


def find_obstacle() -> str | None:
    """Return why this machine cannot compile an extension module; None if it can."""
    if sys.platform != "linux":
        return "it was tried on Linux only"
    if "CC" not in os.environ and find_compiler() is None:
        return "there is no C compiler (Debian: apt install gcc)"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return f"there are no headers of {sys.executable} (Debian: apt install python3-dev)"
    return None


def find_compiler() -> str | None:
    """Return the command of a compiler: the one that built this Python, or another one; None if there is none."""
    usual = sysconfig.get_config_var("CC") or "cc"
    candidates = (usual, "cc", "gcc", "clang")
    return next((each for each in candidates if shutil.which(shlex.split(each)[0])), None)


def build(folder: Path, binary: Path) -> None:
    """Compile the extension module.

    Args:
        folder: contains the sources.
        binary: the module, replaced once it is built.

    Raises:
        SystemExit: the compiler failed; its messages are above.
    """
    from cffi import FFI, VerificationError

    sources = [folder / name for name in SOURCES]
    checksum = zlib.crc32(b"".join(path.read_bytes() for path in sources))
    compiler = os.environ.get("CC") or find_compiler() or "cc"
    ffi = FFI()
    ffi.cdef(sources[0].read_text(encoding="utf-8"))
    ffi.set_source(
        "_native",
        '#include <stddef.h>\n#include <stdint.h>\n#include "native.h"',
        sources=[str(path.resolve()) for path in sources if path.suffix == ".c"],
        include_dirs=[str(folder.resolve())],
        extra_compile_args=list(FLAGS),
        define_macros=[("SOURCE", f"{checksum}u")],
    )
    with tempfile.TemporaryDirectory(dir=binary.parent) as temporary, environment(CC=compiler):
        try:
            made = ffi.compile(tmpdir=temporary, target=binary.name)
        except VerificationError as error:
            raise SystemExit(f"error: {folder}: {compiler} cannot compile its C files: {error}; see above") from error
        Path(made).replace(binary)


@contextmanager
def environment(**changes: str) -> Iterator[None]:
    """Change variables of the environment, which setuptools reads, for a while."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
