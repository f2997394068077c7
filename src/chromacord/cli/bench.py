"""`chromacord bench`: measurements, as JSON with the command, the commit and the machine."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from chromacord.cli import bench_options
from chromacord.cli.bench_parts import cuts, flow, methods, quality, render
from chromacord.cli.bench_processes import batch, soak
from chromacord.cli.bench_report import give, measurement, tell
from chromacord.cli.help import Group, GroupedCommand

app = typer.Typer(
    help="Measure, and print JSON with the command, the commit and the machine.", cls=Group, rich_markup_mode=None
)


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Show the help where nothing is named to measure."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("video")
def video(
    *,
    size: bench_options.Size = "1080p",
    preset: bench_options.Preset = "ultrafast",
    foreground: bench_options.Foreground = 0.25,
    frames: Annotated[int, Option(help="Length of the clips.")] = 150,
    repeats: bench_options.Repeats = 3,
    method: bench_options.Method = None,
    output: bench_options.Output = None,
) -> None:
    """Measure harmonization against a plain transcode: CPU time of each stage, overhead and peak memory."""
    with measurement(output):
        from chromacord.evaluation.speed import Setting, measure_video
        from chromacord.methods import DEFAULT_METHOD

        setting = Setting(size, preset, foreground, frames, method or DEFAULT_METHOD, repeats=repeats)
        give(measure_video(setting, tell=tell), output)


@app.command("speed")
def speed(
    *,
    repeats: bench_options.Repeats = 3,
    check: Annotated[
        Path | None, Option(help="Instead: fail if overhead has grown by half over the first row of this file.")
    ] = None,
    output: bench_options.Output = None,
) -> None:
    """Measure the default method as `bench video` does, at 1080p with two presets, and at 4K."""
    with measurement(output):
        from chromacord.evaluation.speed_table import check_speed, measure_rows
        from chromacord.methods import DEFAULT_METHOD

        if check is not None:
            tell(check_speed(check, repeats=repeats, tell=tell))
            return
        give(measure_rows(DEFAULT_METHOD, repeats=repeats, tell=tell), output)


_PARTS = (methods, render, flow, cuts, quality, batch, soak)
for part in _PARTS:
    app.command(part.__name__, cls=GroupedCommand)(part)
