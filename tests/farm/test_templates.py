"""The job templates of docs/farm, run as their schedulers run them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import pytest

from tests.footage import make_composite, make_mask
from tests.integrations.results import record

FARM = Path(__file__).parents[2] / "docs/farm"
NUM_FRAMES = 12


@pytest.fixture
def shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with a clip, its mask, and `chromacord` on the path."""
    monkeypatch.chdir(tmp_path)
    make_composite(tmp_path / "a.mp4", num_frames=NUM_FRAMES)
    make_mask(tmp_path / "m.mkv", num_frames=NUM_FRAMES)
    command = tmp_path / "bin/chromacord"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from chromacord.cli import main; main()" "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    return tmp_path


def count(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_the_slurm_script_renders_chunks_and_joins_them(shot: Path) -> None:
    (shot / "work").mkdir()
    grade = ["chromacord", "grade", "a.mp4", "--mask", "m.mkv", "--method", "mkl", "-o", "work/grade.json"]
    subprocess.run(grade, check=True, capture_output=True)
    clip = {"COMPOSITE": "a.mp4", "MASK": "m.mkv", "OUTPUT": "out.mp4", "WORK": "work", "SLURM_ARRAY_TASK_COUNT": "3"}
    script = ["bash", str(FARM / "chromacord.sbatch")]
    for place in (3, 1, 2, 2):  # in any order, and one again, as after a requeue
        subprocess.run(script, check=True, env={**os.environ, **clip, "SLURM_ARRAY_TASK_ID": str(place)})
    subprocess.run(script, check=True, env={**os.environ, **clip, "STEP": "join"})
    assert count(shot / "out.mp4") == NUM_FRAMES


@pytest.mark.heavy
def test_the_openjd_template_renders_chunks_and_joins_them(shot: Path) -> None:
    openjd = shutil.which("openjd") or shutil.which("openjd", path=str(Path(sys.executable).parent))
    if openjd is None:
        pytest.skip("needs the program openjd (pip install openjd-cli)")
    (shot / "out").mkdir()
    given = {"Composite": shot / "a.mp4", "Mask": shot / "m.mkv", "OutputFolder": shot / "out"}
    given |= {"Suffix": "mp4", "Chunks": 2, "ChunkRange": "1-2"}
    parameters = [part for name, value in given.items() for part in ("-p", f"{name}={value}")]
    subprocess.run([openjd, "check", FARM / "chromacord.openjd.yaml"], check=True)
    subprocess.run([openjd, "run", FARM / "chromacord.openjd.yaml", *parameters], check=True)
    assert count(shot / "out/graded.mp4") == NUM_FRAMES
    record("openjd", sys.executable, "openjd-cli", chunks=2, frames=NUM_FRAMES)
