import json
from pathlib import Path

import pytest

from benchmarks import speed_table
from benchmarks.speed import Setting
from benchmarks.speed_table import TooSlowError, check_speed
from chromacord.errors import InputError


def report(job: float, plain: float, **setting: object) -> dict[str, object]:
    return {
        "setting": Setting()._replace(**setting)._asdict(),
        "cpu_ms_per_frame": {"job": {"min": job, "median": 99}, "plain": {"min": plain, "median": 1}},
    }


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Setting]:
    """Runs of 10 frames that take 30 and 32 ms a frame, and 10 and 12 in a plain transcode: a ratio of 2."""
    settings = []

    def measure(setting: Setting, jobs: tuple[str, ...], tell: object) -> dict[str, list[dict[str, float]]]:
        settings.append(setting)
        seconds = {"plain": (0.10, 0.12), "job": (0.32, 0.30)}
        return {job: [{"cpu_seconds": each, "frames": 10} for each in seconds[job]] for job in jobs}

    monkeypatch.setattr(speed_table, "measure_jobs", measure)
    return settings


@pytest.mark.parametrize("rows", [True, False])
def test_the_first_row_is_measured_as_it_was_and_compared(
    tmp_path: Path, measured: list[Setting], *, rows: bool
) -> None:
    first = report(44, 18, preset="fast")
    path = tmp_path / "speed.json"
    path.write_text(json.dumps({"rows": {"a": first, "b": report(1, 1)}} if rows else first))
    line = check_speed(path, repeats=2)
    assert measured == [Setting(preset="fast", repeats=2)]
    assert line == "overhead by plain transcode: 2.00, committed 1.44, limit 2.17"


def test_half_as_much_again_is_too_slow(tmp_path: Path, measured: list[Setting]) -> None:
    path = tmp_path / "speed.json"
    path.write_text(json.dumps(report(41.5, 18)))  # a ratio of 1.31
    with pytest.raises(TooSlowError, match=r"speed\.json: .*2\.00, committed 1\.31, limit 1\.96; find"):
        check_speed(path, repeats=2)
    assert measured


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": {}}', '{"rows": {"a": {"setting": {"speed": 1}}}}'])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "speed.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"speed\.json: is not a report of"):
        check_speed(path, repeats=1)
