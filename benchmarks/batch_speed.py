"""Measure the benefit of a second core: one clip on one core against two clips in two processes on two cores."""

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.speed import check_setting, spread
from benchmarks.speed_clips import SIZES, make_clips
from chromacord.errors import InputError
from chromacord.lab.bench.fresh_process import Report, run_command
from chromacord.lab.bench.provenance import provenance

_COMMAND = (sys.executable, "-c", "from chromacord.cli import main; main()")
_WATCHED_SECONDS = 1.0

_FEWEST_FREE = 1.8
"""Idle cores below which a measurement of two processes is unreliable."""


class Times(NamedTuple):
    """Time of a command in seconds."""

    wall: float
    cpu: float
    """CPU time of all its processes."""


class BatchSetting(NamedTuple):
    """What to measure."""

    size: str = "1080p"
    """A key of `benchmarks.speed_clips.SIZES`."""

    preset: str = "veryfast"
    """x264's preset."""

    num_frames: int = 150
    """Length of each clip."""

    method: str = "shotgrade"
    foreground: float = 0.25
    repeats: int = 3


def measure_batch(setting: BatchSetting, *, tell: Callable[[str], object] | None = None) -> Report:
    """Run the command alternately for one clip and for two, including start and imports.

    Args:
        setting: what to measure.
        tell: called with a progress line for each step.

    Returns:
        The output of `python -m benchmarks batch`: wall seconds of one clip by a command with one core
        ("one_clip_one_core") and with two ("one_clip_two_cores"), and of two clips in two processes on two cores
        ("two_clips_two_cores"); "ratio": the minimum of the last over that of the first, 1 if processes did not slow
        each other down; "cpu_ratio": the same for CPU time per core, which a busy machine distorts less; "gain": the
        speed-up over harmonizing two clips one after another with both cores; and the number of idle cores at the
        start.

    Raises:
        InputError: a setting is invalid, or this process may use only one core.
        MeasurementError: a command failed; the message includes the last line of its output.
    """
    cores = _check(setting)
    tell = tell or (lambda _: None)
    free = free_cores()
    note = None
    if free < _FEWEST_FREE:
        note = f"only {free:.1f} cores were idle at the start, so the ratio is unreliable"
        tell(f"warning: {note}")
    runs: dict[str, list[Times]] = {"one_clip_one_core": [], "one_clip_two_cores": [], "two_clips_two_cores": []}
    with TemporaryDirectory(prefix="chromacord-bench-") as name:
        folder = Path(name)
        _make(folder, setting, tell)
        for number in range(setting.repeats):
            for what, times in runs.items():
                tell(f"run {number + 1} of {setting.repeats}: {what.replace('_', ' ')}")
                num_clips = 2 if what.startswith("two_clips") else 1
                times.append(_run(folder, setting, num_clips, cores[: 1 if what.endswith("one_core") else 2]))
    one, both, two = (Times(*map(min, zip(*times, strict=True))) for times in runs.values())
    return {
        "setting": setting._asdict(),
        "free_cores": round(free, 2),
        "note": note,
        "seconds": {what: spread([run.wall for run in times]) for what, times in runs.items()},
        "cpu_seconds": {what: spread([run.cpu for run in times]) for what, times in runs.items()},
        "ratio": round(two.wall / one.wall, 3),
        "cpu_ratio": round(two.cpu / 2 / one.cpu, 3),
        "gain": round(2 * both.wall / two.wall, 3),
        **provenance(),
    }


def free_cores() -> float:
    """Return the number of this machine's cores that were idle during one second (Linux: /proc/stat)."""
    before = _times()
    time.sleep(_WATCHED_SECONDS)
    past = [after - first for first, after in zip(before, _times(), strict=True)]
    idle = past[3] + past[4]  # waiting for a disk is idle too
    return (os.cpu_count() or 1) * idle / max(sum(past), 1)


def _times() -> list[int]:
    first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    return [int(ticks) for ticks in first.split()[1:9]]


def _check(setting: BatchSetting) -> list[int]:
    check_setting(setting.size, setting.foreground, num_frames=setting.num_frames, repeats=setting.repeats)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise InputError("two clips at once need two cores, and this process may use one")
    return cores


def _make(folder: Path, setting: BatchSetting, tell: Callable[[str], object]) -> None:
    """Write two clips with masks and equal pictures, so that both take equally long."""
    tell(f"making {setting.num_frames} frames of {setting.size}")
    clips = make_clips(folder, size=SIZES[setting.size], num_frames=setting.num_frames, foreground=setting.foreground)
    for kind, path in clips._asdict().items():
        for name in ("a", "b"):
            (folder / name).mkdir(exist_ok=True)
            shutil.copyfile(path, folder / name / f"{kind}.mp4")


def _run(folder: Path, setting: BatchSetting, num_clips: int, cores: list[int]) -> Times:
    """Time a command that is restricted to some cores."""
    composites = [str(folder / name / "composite.mp4") for name in ("a", "b")[:num_clips]]
    options = ["--mask", "{parent}/mask.mp4", "--output", "{parent}/out.mp4", "--force", "--quiet", "--jobs", "2"]
    options += ["--method", setting.method, "--codec", "h264", "--crf", "23", "--preset", setting.preset]
    started, before = time.perf_counter(), _cpu_of_children()
    run_command([*_COMMAND, "harmonize", *composites, *options], f"harmonizing {num_clips} clips", cores=cores)
    return Times(time.perf_counter() - started, _cpu_of_children() - before)


def _cpu_of_children() -> float:
    """Return the CPU seconds of all finished child processes and their children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def batch_line(report: Mapping[str, object]) -> str:
    """Format the report of `measure_batch` as one line."""
    return (
        f"two clips on two cores take {report['ratio']} times as long as one clip on one core (by CPU time "
        f"{report['cpu_ratio']}); they are done {report['gain']} times as soon as one after another"
    )
