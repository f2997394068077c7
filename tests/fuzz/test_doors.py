"""No file that is handed to the command crashes it, hangs it, or leaves a part of an output.

Each kind gets a few damaged files here. `make fuzz` tries 500 of each, and records the outcomes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chromacord.io.stills.icc import is_sound
from tests.fuzz.attack import is_bad
from tests.fuzz.doors import CLIPS, STILLS, icc_profile

ROOT = Path(__file__).parent.parent.parent
TEXTS = ("cube", "zip", "grade", "edl", "recipe", "csv", "checkpoint", "safetensors")
KINDS = (*STILLS, *CLIPS, "grade command", "look", "icc", *TEXTS)


@pytest.mark.slow
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    """In a separate process: this one has threads, and must not be forked."""
    attack = [sys.executable, "-m", "tests.fuzz.attack", "--part", "files", "--examples", "6"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*attack, "--output", tmp_path / "a.json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "a.json").read_text())["files"]
    assert [row["kind"] for row in rows] == list(KINDS)
    assert not any(is_bad("files", row) for row in rows)


def test_the_good_profile_is_sound() -> None:
    assert is_sound(icc_profile())
