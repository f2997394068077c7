"""The parts of `chromacord bench` that watch whole commands: several clips at once, and long runs."""

from typing import Annotated

from typer import Option

from chromacord.cli import bench_options
from chromacord.cli.bench_report import give, measurement, tell


def batch(
    *,
    size: bench_options.Size = "1080p",
    preset: bench_options.Preset = "veryfast",
    frames: Annotated[int, Option(help="Length of each clip.")] = 150,
    repeats: bench_options.Repeats = 3,
    method: bench_options.Method = None,
    output: bench_options.Output = None,
) -> None:
    """Measure two clips in two processes on two cores against one clip on one core: wall time of whole commands."""
    with measurement(output):
        from chromacord.evaluation.batch_speed import BatchSetting, batch_line, measure_batch
        from chromacord.methods import DEFAULT_METHOD

        setting = BatchSetting(size, preset, frames, method or DEFAULT_METHOD, repeats=repeats)
        report = measure_batch(setting, tell=tell)
        tell(batch_line(report))
        give(report, output)


def soak(
    *,
    frames: Annotated[int, Option(help="Length of the long clip, of 320x180 pixels.")] = 10_000,
    clips: Annotated[int, Option(help="How many short clips are harmonized.")] = 50,
    method: bench_options.Method = None,
    output: bench_options.Output = None,
) -> None:
    """Harmonize a very long clip and many short ones, and fail if memory, open files or threads grow."""
    with measurement(output):
        from chromacord.evaluation.soak import LeakError, SoakSetting, measure_soak
        from chromacord.methods import DEFAULT_METHOD

        report = measure_soak(SoakSetting(frames, clips, method or DEFAULT_METHOD), tell=tell)
        give(report, output)
        leaks = report["leaks"]
        assert isinstance(leaks, list)
        if leaks:
            raise LeakError(f"{'; '.join(leaks)}: look for what is not closed, or kept for each frame")
