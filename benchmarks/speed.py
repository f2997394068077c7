"""Measure the cost of harmonization over a plain transcode: CPU time and memory, in alternating fresh processes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.speed_clips import SIZES, make_clips
from chromacord.errors import InputError, counted
from chromacord.lab.bench.fresh_process import Report, run_fresh
from chromacord.lab.bench.provenance import provenance


class Setting(NamedTuple):
    """What to measure."""

    size: str = "1080p"
    """A key of `benchmarks.speed_clips.SIZES`."""

    preset: str = "ultrafast"
    """x264's preset, for the job and the plain transcode."""

    foreground: float = 0.25
    """Share of the picture that the mask covers."""

    num_frames: int = 150
    method: str = "mkl"
    crf: float = 23
    repeats: int = 3


def measure_video(setting: Setting, *, tell: Callable[[str], object] | None = None) -> Report:
    """Measure the whole job and a plain transcode of the same clip alternately.

    Args:
        setting: what to measure.
        tell: called with a progress line for each step.

    Returns:
        The output of `python -m benchmarks video`: CPU ms per frame, minimum and median of the repeats; peak memory in
        MB.

    Raises:
        InputError: a setting is invalid.
        MeasurementError: a measuring process failed; the message includes the last line of its output.
    """
    jobs = ("plain", "job", "stages", "nothing", "start")
    return summarize(setting, measure_jobs(setting, {job: (job, None) for job in jobs}, tell=tell))


def measure_jobs(
    setting: Setting, jobs: Mapping[str, tuple[str, Path | None]], *, tell: Callable[[str], object] | None = None
) -> dict[str, list[dict[str, float]]]:
    """Run jobs of `speed_worker` alternately, as often as the setting says.

    Args:
        setting: what to measure.
        jobs: by a title, a name of `benchmarks.speed_worker.JOBS`, and the folder of the code to run; None: of this.
        tell: called with a progress line for each step.

    Raises:
        InputError, MeasurementError: as `measure_video`.
    """
    check_setting(setting.size, setting.foreground, num_frames=setting.num_frames, repeats=setting.repeats)
    tell = tell or (lambda _: None)
    runs: dict[str, list[dict[str, float]]] = {title: [] for title in jobs}
    with TemporaryDirectory(prefix="chromacord-bench-") as name:
        folder = Path(name)
        tell(f"making {setting.num_frames} frames of {setting.size}")
        clips = make_clips(
            folder, size=SIZES[setting.size], num_frames=setting.num_frames, foreground=setting.foreground
        )
        work = {
            "composite": str(clips.composite),
            "mask": str(clips.mask),
            "output": str(folder / "out.mp4"),
            "method": setting.method,
            "crf": setting.crf,
            "preset": setting.preset,
        }
        for number in range(setting.repeats):
            for title, (job, code) in jobs.items():
                tell(f"run {number + 1} of {setting.repeats}: {title}")
                runs[title].append(run_fresh("benchmarks.speed_worker", job, work, folder=code))
    return runs


def summarize(setting: Setting, runs: dict[str, list[dict[str, float]]]) -> Report:
    """Convert the runs of `measure_video` to its report."""
    job = [1000 * run["cpu_seconds"] / run["frames"] for run in runs["job"]]
    plain = [1000 * run["cpu_seconds"] / run["frames"] for run in runs["plain"]]
    floor = min(run["peak_mb"] for run in runs["nothing"])
    peak = max(run["peak_mb"] for run in runs["job"])
    stages = [name for name in runs["stages"][0] if name not in ("frames", "seconds", "cpu_seconds", "peak_mb")]
    return {
        "setting": setting._asdict(),
        "cpu_ms_per_frame": {"job": spread(job), "plain": spread(plain)},
        "overhead_cpu_ms_per_frame": {
            "min": round(min(job) - min(plain), 2),
            "median": round(median(job) - median(plain), 2),
        },
        "overhead_by_plain": round((min(job) - min(plain)) / min(plain), 3),
        "projected_frames_per_second_on_two_cores": round(2000 / min(job), 1),
        "seconds_to_first_frame": spread([run["since_start"] for run in runs["start"]]),
        "stages_cpu_ms_per_frame": {name: spread([run[name] for run in runs["stages"]]) for name in stages},
        "frames_per_second": round(max(run["frames"] / run["seconds"] for run in runs["job"]), 2),
        "peak_memory_mb": {
            "job": round(peak, 1),
            "plain": round(max(run["peak_mb"] for run in runs["plain"]), 1),
            "imports_alone": round(floor, 1),
            "job_without_imports": round(peak - floor, 1),
        },
        **provenance(),
    }


def check_setting(size: str, foreground: float, *, num_frames: int, repeats: int, fewest_frames: int = 10) -> None:
    """Check the sizes of clips and of the measurement.

    Args:
        size: a key of `benchmarks.speed_clips.SIZES`.
        foreground: share of the picture that the mask covers.
        num_frames: length of the clips.
        repeats: number of repeats.
        fewest_frames: minimum number of frames.

    Raises:
        InputError: a value is invalid; names it.
    """
    if size not in SIZES:
        raise InputError(f"there is no size {size!r}; choose one of {', '.join(SIZES)}")
    if not 0 < foreground <= 0.5:
        raise InputError(f"foreground must lie above 0 and be at most 0.5, got {foreground}")
    if num_frames < fewest_frames or repeats < 1:
        raise InputError(f"a measurement needs at least {counted(fewest_frames, 'frame')} and 1 repeat")


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return minimum and median, rounded to hundredths."""
    return {"min": round(min(values), 2), "median": round(median(values), 2)}
