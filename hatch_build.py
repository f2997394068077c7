"""Build hook of the wheel: compile native.c if there is a C compiler, and generate the man page from the help.

Installations without the compiled renderer give the same pictures, only slower.
"""

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

# No contraction of sums, so that all machines agree. Pictures and grades contain neither NaN nor infinity, and the code
# never reads the sign of a zero, errno or traps; these flags let compilers vectorize minima, maxima and selections.
FLAGS = (
    "-std=gnu11 -O3 -shared -fPIC -ffp-contract=off -ffinite-math-only -fno-signed-zeros -fno-math-errno "
    "-fno-trapping-math"
)


class NativeHook(BuildHookInterface):
    """Adds the compiled renderer and the man page to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tag the wheel for this platform; without a compiler the wheel stays pure Python."""
        if self.target_name != "wheel" or sys.platform != "linux":
            return
        root = Path(self.root)
        # An editable installation runs from the sources; a wheel must not change what runs there.
        self._folder = None if version == "editable" else tempfile.TemporaryDirectory()
        if self._folder is not None:
            page = Path(self._folder.name) / "chromacord.1"
            write_man_page(root, page)
            build_data["shared_data"][str(page)] = f"share/man/man1/{page.name}"
        binary = root / BINARY if self._folder is None else Path(self._folder.name) / BINARY.name
        trouble = build(root / SOURCE, binary)
        if trouble:
            self.app.display_warning(f"chromacord is installed without its compiled renderer, and is slower: {trouble}")
        elif self._folder is not None:
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"
            build_data["force_include"][str(binary)] = BINARY.relative_to("src").as_posix()


def write_man_page(root: Path, page: Path) -> None:
    """Write the man page, in a process of its own because the package is not installed yet.

    Args:
        root: folder of the project.
        page: the file.
    """
    # pip makes the build's requirements known to child processes by this variable.
    path = os.pathsep.join(filter(None, (str(root / "src"), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "chromacord.cli.screen.manual"]
    page.write_bytes(subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE).stdout)


def build(source: Path, binary: Path) -> str | None:
    """Compile a shared library.

    Args:
        source: the C file.
        binary: replaced once it is built.

    Returns:
        What went wrong; None if it was built.
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
