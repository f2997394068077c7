import json
from pathlib import Path

import pytest

from chromacord.evaluation.speed_clips import SIZES
from chromacord.types import Size
from tests.cli.conftest import Run


def test_a_whole_measurement_is_printed_and_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "1080p", Size(72, 128))
    done = run("bench", "video", "--frames", 12, "--repeats", 1, "-o", tmp_path / "speed.json")
    report = json.loads(done.out)
    assert done.code == 0
    assert json.loads((tmp_path / "speed.json").read_text()) == report
    assert set(report["stages_cpu_ms_per_frame"]) == {"decode_composite", "decode_mask", "analyse", "render", "encode"}
    assert report["command"].startswith("chromacord")
    assert {"machine", "versions", "commit"} <= set(report)
    assert report["peak_memory_mb"]["imports_alone"] > 50
    assert report["cpu_ms_per_frame"]["job"]["min"] > report["cpu_ms_per_frame"]["plain"]["min"]


def test_a_share_that_cannot_be_measured_is_one_line(run: Run) -> None:
    done = run("bench", "video", "--foreground", 0.9)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "foreground" in done.err


def test_bench_alone_shows_what_can_be_measured(run: Run) -> None:
    done = run("bench")
    assert done.code == 0
    assert "video" in done.out
