import json
from pathlib import Path

import pytest

from chromacord.evaluation import soak
from chromacord.evaluation.speed_clips import SIZES
from chromacord.types import Size
from tests.cli.conftest import Run


def test_two_clips_are_measured_against_one(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "1080p", Size(72, 128))
    path = tmp_path / "batch.json"
    options = ("--frames", 12, "--repeats", 1, "--method", "identity", "-o", path)
    done = run("bench", "batch", *options)
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
    done = run("bench", "soak", "--frames", 600, "--clips", 10)
    assert (done.code, json.loads(done.out)["leaks"]) == (code, leaks)
    assert asked == [soak.SoakSetting(600, 10, "shotgrade")]
    assert done.err == (
        "error: long: files grew; short: memory grew: look for what is not closed, or kept for each frame\n"
        if leaks
        else ""
    )
