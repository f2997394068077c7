"""The parts of `chromacord bench` that watch whole commands: several clips at once, and long runs."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from chromacord.cli.bench_report import give, tell
from chromacord.cli.display import choose_display
from chromacord.cli.job import job


def batch(
    *,
    size: Annotated[Literal["1080p", "4k"], Option(help="Of the clips that are made.")] = "1080p",
    preset: Annotated[str, Option(help="Of x264.")] = "veryfast",
    frames: Annotated[int, Option(help="Length of each clip.")] = 150,
    repeats: Annotated[int, Option(help="How often everything is run.")] = 3,
    method: Annotated[str | None, Option(help="See `chromacord methods`.")] = None,
    output: Annotated[Path | None, Option("--output", "-o", help="Also write the JSON to this file.")] = None,
) -> None:
    """Measure two clips in two processes on two cores against one clip on one core: wall time of whole commands."""
    with job(choose_display(quiet=True)):
        from chromacord.evaluation.batch_speed import BatchSetting, batch_line, measure_batch
        from chromacord.io.staging import check_output
        from chromacord.methods import DEFAULT_METHOD

        if output is not None:
            check_output(output, force=True)
        setting = BatchSetting(size, preset, frames, method or DEFAULT_METHOD, repeats=repeats)
        report = measure_batch(setting, tell=tell)
        tell(batch_line(report))
        give(report, output)


def soak(
    *,
    frames: Annotated[int, Option(help="Length of the long clip, of 320x180 pixels.")] = 10_000,
    clips: Annotated[int, Option(help="How many short clips are harmonized.")] = 50,
    method: Annotated[str | None, Option(help="See `chromacord methods`.")] = None,
    output: Annotated[Path | None, Option("--output", "-o", help="Also write the JSON to this file.")] = None,
) -> None:
    """Harmonize a very long clip and many short ones, and fail if memory, open files or threads grow."""
    with job(choose_display(quiet=True)):
        from chromacord.evaluation.soak import LeakError, SoakSetting, measure_soak
        from chromacord.io.staging import check_output
        from chromacord.methods import DEFAULT_METHOD

        if output is not None:
            check_output(output, force=True)
        report = measure_soak(SoakSetting(frames, clips, method or DEFAULT_METHOD), tell=tell)
        give(report, output)
        leaks = report["leaks"]
        assert isinstance(leaks, list)
        if leaks:
            raise LeakError(f"{'; '.join(leaks)}: look for what is not closed, or kept for each frame")
