import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from benchmarks import soak, speed_table
from benchmarks.__main__ import PROGRAM, app
from benchmarks.speed import Setting
from benchmarks.speed_clips import SIZES
from chromacord.types import Size
from tests.cli.conftest import Run, running


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Return a function that runs `python -m benchmarks` with arguments."""
    with running(capsys, app=app, name=PROGRAM) as command:
        yield command


def test_two_clips_are_measured_against_one(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "1080p", Size(72, 128))
    path = tmp_path / "batch.json"
    options = ("--frames", 12, "--repeats", 1, "--method", "identity", "-o", path)
    done = run("batch", *options)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert json.loads(path.read_text()) == report
    assert {"machine", "versions", "commit", "command", "free_cores", "ratio", "gain"} <= set(report)
    assert [times["min"] > 0.1 for times in report["seconds"].values()] == [True] * 3
    assert f"take {report['ratio']} times as long as one clip on one core" in done.err


@pytest.mark.parametrize(("leaks", "code"), [([], 0), (["long: files grew", "short: memory grew"], 2)])
def test_a_soak_that_finds_a_leak_fails_and_shows_its_figures(
    run: Run, monkeypatch: pytest.MonkeyPatch, leaks: list[str], code: int
) -> None:
    asked = []

    def measured(setting: soak.SoakSetting, **_: object) -> dict[str, object]:
        asked.append(setting)
        return {"leaks": leaks}

    monkeypatch.setattr(soak, "measure_soak", measured)
    done = run("soak", "--frames", 600, "--clips", 10)
    assert (done.code, json.loads(done.out)["leaks"]) == (code, leaks)
    assert asked == [soak.SoakSetting(600, 10, "shotgrade")]
    assert done.err == (
        "error: long: files grew; short: memory grew: look for unclosed resources or data kept per frame\n"
        if leaks
        else ""
    )


def test_a_whole_measurement_is_printed_and_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "1080p", Size(72, 128))
    done = run("video", "--frames", 12, "--repeats", 1, "-o", tmp_path / "speed.json")
    report = json.loads(done.out)
    assert done.code == 0
    assert json.loads((tmp_path / "speed.json").read_text()) == report
    assert set(report["stages_cpu_ms_per_frame"]) == {"decode_composite", "decode_mask", "analyse", "render", "encode"}
    assert report["command"].startswith("python -m benchmarks")
    assert {"machine", "versions", "commit"} <= set(report)
    assert report["peak_memory_mb"]["imports_alone"] > 50
    assert report["seconds_to_first_frame"]["min"] > 0.1
    assert report["cpu_ms_per_frame"]["job"]["min"] > report["cpu_ms_per_frame"]["plain"]["min"]


def test_all_rows_of_speed_are_written_and_can_be_checked(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(setting: Setting, **_: object) -> dict[str, object]:
        return {"setting": setting._asdict(), "commit": "abc1234"}

    def run_again(
        setting: Setting, jobs: Mapping[str, tuple[str, Path | None]], **_: object
    ) -> dict[str, list[dict[str, float]]]:
        return {title: [{"cpu_seconds": seconds[title], "frames": 10}] for title in jobs}

    monkeypatch.setattr(speed_table, "measure_video", measured)
    monkeypatch.setattr(speed_table, "install", lambda commit, folder: True)
    monkeypatch.setattr(speed_table, "measure_jobs", run_again)
    path = tmp_path / "speed.json"
    done = run("speed", "-o", path)
    rows = json.loads(done.out)["rows"]
    assert done.code == 0
    assert json.loads(path.read_text())["rows"] == rows
    assert [row["setting"]["size"] for row in rows.values()] == ["1080p", "1080p", "4k"]
    assert {row["setting"]["method"] for row in rows.values()} == {"shotgrade"}
    seconds = {"plain": 0.1, "job of abc1234": 0.2}
    for seconds["job"], code in ((0.2, 0), (0.3, 2)):
        done = run("speed", "--check", path)
        assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
        assert "with commit abc1234 20.0" in done.err


def test_a_share_that_cannot_be_measured_is_one_line(run: Run) -> None:
    done = run("video", "--foreground", 0.9)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "foreground" in done.err
