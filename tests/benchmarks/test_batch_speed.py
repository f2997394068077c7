from pathlib import Path

import pytest

from benchmarks import batch_speed
from benchmarks.batch_speed import BatchSetting, Times, batch_line, free_cores, measure_batch
from benchmarks.speed_clips import SIZES
from chromacord.errors import InputError
from chromacord.lab.bench.fresh_process import MeasurementError
from chromacord.types import Size


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "1080p", Size(72, 128))
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1})


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let commands take made-up times: one clip 10 s on one core and 8 s on two, two clips 11 s; and one more a run."""
    times = (Times(wall, wall + 2) for wall in (10.0, 8.0, 11.0, 11.0, 9.0, 12.0))
    monkeypatch.setattr(batch_speed, "_run", lambda folder, setting, num_clips, cores: next(times))
    monkeypatch.setattr(batch_speed, "_make", lambda folder, setting, tell: None)
    return []


def test_the_ratio_is_of_the_least_times(monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    monkeypatch.setattr(batch_speed, "free_cores", lambda: 1.95)
    report = measure_batch(BatchSetting(repeats=2), tell=told.append)
    assert report["seconds"] == {
        "one_clip_one_core": {"min": 10, "median": 10.5},
        "one_clip_two_cores": {"min": 8, "median": 8.5},
        "two_clips_two_cores": {"min": 11, "median": 11.5},
    }
    assert (report["ratio"], report["gain"]) == (1.1, pytest.approx(16 / 11, abs=1e-3))
    assert report["cpu_seconds"]["two_clips_two_cores"] == {"min": 13, "median": 13.5}
    assert report["cpu_ratio"] == pytest.approx(13 / 2 / 12, abs=1e-3)
    assert report["note"] is None
    assert len(told) == 6
    assert "1.1 times as long" in batch_line(report)


def test_a_machine_that_is_busy_is_told(monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    monkeypatch.setattr(batch_speed, "free_cores", lambda: 0.4)
    report = measure_batch(BatchSetting(repeats=1), tell=told.append)
    assert report["note"] == "only 0.4 cores were idle at the start, so the ratio is unreliable"
    assert told[0] == f"warning: {report['note']}"


def test_free_cores_are_those_that_idle_or_wait_for_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    # user, nice, system, idle, iowait, irq, softirq, steal: 200 ticks have passed on two cores, 130 of them unused.
    readings = iter([[100, 0, 10, 1000, 50, 0, 0, 0], [140, 10, 20, 1120, 60, 5, 3, 2]])
    monkeypatch.setattr(batch_speed, "_times", lambda: next(readings))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert free_cores() == pytest.approx(2 * 130 / 200)


def test_two_clips_need_two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {3})
    with pytest.raises(InputError, match="two cores"):
        measure_batch(BatchSetting())


def test_a_command_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(batch_speed, "free_cores", lambda: 2.0)
    with pytest.raises(MeasurementError, match=r"harmonizing 1 clips failed: .*magic"):
        measure_batch(BatchSetting(num_frames=10, method="magic", repeats=1))
