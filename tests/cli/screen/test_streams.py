import os
import subprocess
import sys
from pathlib import Path

import pytest

from chromacord.cli.screen import streams
from chromacord.errors import OutputError
from tests.footage import make_composite, make_mask

MAIN = "from chromacord.cli import main; main()"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    make_composite(tmp_path / "c.mkv")
    make_mask(tmp_path / "m.mkv")
    return tmp_path


def in_shell(folder: Path, arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as a shell does that redirects its streams."""
    line = f"{sys.executable} -c '{MAIN}' {arguments}"
    return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("redirections", ["2>&-", "0<&- >&- 2>&-", ">/dev/full", "--log-json >/dev/full", "| true"])
def test_a_clip_is_harmonized_wherever_its_report_goes(clip: Path, redirections: str) -> None:
    line = f"harmonize c.mkv --mask m.mkv --method mkl -o o.mkv {redirections}"
    done = in_shell(clip, f"{line}; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (0, "")
    assert (clip / "o.mkv").stat().st_size > 1000


@pytest.mark.parametrize(("redirections", "code"), [("2>&-", 2), (">/dev/full", 2), ("| head -1", 0)])
def test_a_result_that_is_printed_must_arrive(clip: Path, redirections: str, code: int) -> None:
    name = "none.mkv" if redirections == "2>&-" else "c.mkv"
    done = in_shell(clip, f"info {name} {redirections}; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == code
    full = "error: standard output: cannot be written: No space left on device; redirect it elsewhere\n"
    assert done.stderr == (full if "full" in redirections else "")


def test_a_report_may_be_lost_and_a_result_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stdout", streams._forgiving(full.fileno(), sys.stdout))
        streams.report("a report")
        streams.check_printed()
        print("a result")
        with pytest.raises(OutputError, match="No space left on device"):
            streams.check_printed()


def test_names_that_are_no_text_can_be_printed(clip: Path) -> None:
    name = os.fsdecode(b"x\xff.mkv")
    (clip / "c.mkv").rename(clip / name)
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "info", name], cwd=clip, capture_output=True, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"x\\udcff.mkv" in done.stdout
