"""Many clips with one command. Each test starts processes, so each checks many things."""

import json
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from chromacord.cli.batch.batch import Tally
from chromacord.cli.batch.clips import Clip
from chromacord.cli.batch.worker import Done, Failed
from chromacord.cli.batch.workers import Workers
from chromacord.cli.screen.display import Display
from chromacord.errors import ProcessDiedError
from chromacord.job.options import Options
from chromacord.render.compiled import MISSING
from chromacord.types import Progress
from tests.cli.conftest import Run
from tests.footage import make_composite, make_mask


@pytest.fixture
def shots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with three clips, of which the second one's mask is too short."""
    monkeypatch.chdir(tmp_path)
    for name in ("shots", "masks", "out", "single"):
        (tmp_path / name).mkdir()
    for name in ("a", "b", "c"):
        make_composite(tmp_path / f"shots/{name}.mp4", num_frames=6)
        make_mask(tmp_path / f"masks/{name}.mkv", num_frames=5 if name == "b" else 6)
    return tmp_path


SHOTS = ("shots/a.mp4", "shots/b.mp4", "shots/c.mp4")
NAMED = ("--mask", "masks/{name}.mkv", "-o", "out/{name}.mp4", "--grade-out", "out/{name}.json")
# With the slower presets the bytes of x264 differ from run to run, of a plain transcode too.
FAST = ("--preset", "ultrafast")


def test_a_clip_that_fails_stops_no_other_and_the_next_run_leaves_out_what_is_done(run: Run, shots: Path) -> None:
    done = run("harmonize", *SHOTS, *NAMED, *FAST, "--jobs", 2)
    assert done.code == 2
    errors = [line for line in done.err.splitlines() if not line.startswith("warning: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: shots/b.mp4: masks/b.mkv: the mask has 5 frames")
    *lines, last = done.out.splitlines()
    assert sorted(line[:10] for line in lines) == ["out/a.mp4,", "out/c.mp4,"]
    assert last.startswith("2 of 3 clips harmonized, 1 failed, 12 frames, ")
    assert sorted(path.name for path in (shots / "out").iterdir()) == ["a.json", "a.mp4", "c.json", "c.mp4"]
    for name in ("a", "c"):
        single = ("--mask", f"masks/{name}.mkv", "-o", f"single/{name}.mp4", "--grade-out", f"single/{name}.json")
        assert run("harmonize", f"shots/{name}.mp4", *single, *FAST).code == 0
        for file in (f"{name}.mp4", f"{name}.json"):
            assert (shots / "out" / file).read_bytes() == (shots / "single" / file).read_bytes()
    done = run("harmonize", *SHOTS, *NAMED, "--skip-existing", "--salvage", "--log-json")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, done.err) == (0, "")
    assert {event["clip"] for event in events[:-1]} == {"shots/b.mp4"}
    assert {event["event"] for event in events[:-1]} == {"progress", "warning", "summary"}
    assert events[-2]["outputs"] == ["out/b.mp4", "out/b.json"]
    whole = {"event": "summary", "clips": 3, "harmonized": 1, "left_out": 2, "failed": 0, "frames": 5}
    assert whole.items() <= events[-1].items()


def test_all_that_is_missing_is_said_before_anything_is_done(run: Run, shots: Path) -> None:
    (shots / "masks/a.mkv").unlink()
    (shots / "out/c.json").touch()
    done = run("harmonize", *SHOTS, *NAMED, "--jobs", 2)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        "error: shots/a.mp4: masks/a.mkv: no such file",
        "error: shots/c.mp4: out/c.json: exists already; use --force to replace it, or another name",
    ]
    assert [path.name for path in (shots / "out").iterdir()] == ["c.json"]


def test_cuts_are_read_for_each_clip_or_refused_before_anything_is_done(run: Run, shots: Path) -> None:
    clips = ("shots/a.mp4", "shots/c.mp4", *NAMED, *FAST, "--jobs", 1, "--log-json")
    done = run("harmonize", *clips, "--cuts", "{name}.edl")
    assert done.code == 2
    assert done.out.count("edl: no such file") == 2
    assert not list((shots / "out").iterdir())
    for name, start in (("a", 2), ("c", 4)):
        times = ("00:00:00:00", f"00:00:00:{start:02}", "00:00:00:06")
        lines = [f"001 AX V C 00:00:00:00 00:00:01:00 {begin} {stop}" for begin, stop in pairwise(times)]
        (shots / f"{name}.edl").write_text("\n".join(lines))
    done = run("harmonize", *clips, "--cuts", "{name}.edl")
    assert done.code == 0, done.out
    summaries = [event for event in map(json.loads, done.out.splitlines()) if "cuts_are" in event]
    assert {event["clip"]: [cut["frame"] for cut in event["cuts"]] for event in summaries} == {
        "shots/a.mp4": [2],
        "shots/c.mp4": [4],
    }
    assert {event["cuts_are"] for event in summaries} == {"given"}
    done = run("harmonize", *clips, "--cuts", "4,2", "--force")
    assert (done.code, done.out.count("2 comes after 4")) == (2, 2)


def test_one_output_for_all_is_refused(run: Run, shots: Path) -> None:
    done = run("harmonize", *SHOTS, "--mask", "masks/{name}.mkv", "-o", "out.mp4")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("error: out.mp4: is one output for 3 clips; put {name}")


def test_one_clip_may_be_left_out_too(run: Run, shots: Path) -> None:
    (shots / "out/a.mp4").touch()
    done = run("harmonize", "shots/a.mp4", "--mask", "masks/{name}.mkv", "-o", "out/{name}.mp4", "--skip-existing")
    assert done == (0, "out/a.mp4: skipped, it exists\n", "")


def test_a_process_that_is_killed_takes_only_its_clip_with_it(shots: Path) -> None:
    make_composite(shots / "shots/a.mp4", num_frames=400)  # long enough to be killed before it is done
    make_mask(shots / "masks/a.mkv", num_frames=400)
    clips = [
        Clip(composite=f"shots/{name}.mp4", mask=f"masks/{name}.mkv", output=f"out/{name}.mp4") for name in ("a", "c")
    ]
    answers: dict[Clip, Done | Failed] = {}
    with Workers(1, Options(method="mkl")) as workers:
        for clip, told in workers.run(clips):
            if isinstance(told, Progress):
                if clip == clips[0] and not answers:
                    (busy, _), *_ = workers._busy.values()
                    os.kill(busy.process.pid or 0, signal.SIGKILL)
            else:
                assert isinstance(told, Done | Failed)
                answers.setdefault(clip, told)
    first, second = (answers[clip] for clip in clips)
    assert isinstance(first, Failed)
    assert isinstance(first.error, ProcessDiedError)
    assert "exit code -9" in str(first.error)
    assert isinstance(second, Done)
    assert second.line.startswith("out/c.mp4: 6 frames")


def test_a_worker_that_is_stopped_twice_still_removes_what_it_wrote() -> None:
    """When a command ends, the flag and the signal may both reach its workers, one while the other is obeyed."""
    script = """
import os, signal
from multiprocessing import Pipe
from chromacord.cli.batch import worker
from chromacord.cli.batch.clips import Clip
from chromacord.job.options import Options
from chromacord.types import Progress

def harmonize(clip, options, *, progress):
    try:
        theirs.close()
        while True:
            progress(Progress("render", 0, 1, 0.0))
    finally:
        for _ in range(100):
            os.kill(os.getpid(), signal.SIGTERM)
        print("removed")

worker.harmonize_clip = harmonize
ours, theirs = Pipe()
theirs.send(Clip())
worker.serve(ours, Options(), 1)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (143, "removed\n", "")


def test_what_every_worker_warns_of_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    tally = Tally(2, 0, "harmonized", display)
    for name in ("a", "b"):
        clip = Clip(composite=f"{name}.mp4", mask="mask.mkv", output=f"out/{name}.mp4")
        tally.take(clip, Done("done", {}, (MISSING, "the mask is empty")), display)
    shown = capsys.readouterr().err
    assert shown.count(MISSING) == 1
    assert shown.count("the mask is empty") == 2
