"""Clips and the command for the tests of integrations."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.footage import make_composite, make_mask
from tests.pages import ROOT

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


def python_of(variable: str, program: str) -> str:
    """Return the Python that an environment variable names; without it, skip the test."""
    python = os.environ.get(variable)
    if python is None or not Path(python).exists():
        pytest.skip(f"needs {variable}, a Python with {program}; `make test-all` makes one where it can")
    return python


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `chromacord` and `python`, both from this source tree."""
    folder = tmp_path_factory.mktemp("bin")
    for name, start in (("chromacord", '-c "from chromacord.cli import main; main()"'), ("python", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} {start} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def shell(program: Path) -> Shell:
    """Return a function that runs a command in a folder as bash would, and stops at the first failure."""
    environment = os.environ | {
        "PATH": f"{program}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}",
    }

    def run(command: str, folder: Path, *, code: int = 0) -> "subprocess.CompletedProcess[str]":
        script = ["bash", "-c", f"set -euo pipefail\n{command}\nwait\n"]
        options = {"cwd": folder, "env": environment, "capture_output": True, "text": True, "timeout": 300}
        done = subprocess.run(script, check=False, **options)  # type: ignore[call-overload]
        assert done.returncode == code, done.stderr
        return done  # type: ignore[no-any-return]

    return run


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with rgb.mkv, lossless R'G'B' of 10 bits, and mask.mkv."""
    folder = tmp_path_factory.mktemp("clips")
    make_composite(folder / "rgb.mkv", "gbrp10le", num_frames=6, codec="ffv1")
    make_mask(folder / "mask.mkv", num_frames=6)
    return folder
