"""`chromacord bench`: measurements, as JSON with the command, the commit and the machine."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Option

from chromacord.cli.bench_parts import flow, methods, render
from chromacord.cli.bench_processes import batch, soak
from chromacord.cli.bench_report import give, tell
from chromacord.cli.display import choose_display
from chromacord.cli.job import job

app = typer.Typer(help="Measure, and print JSON with the command, the commit and the machine.")


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Show the help where nothing is named to measure."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("video")
def video(
    *,
    size: Annotated[Literal["1080p", "4k"], Option(help="Of the clips that are made.")] = "1080p",
    preset: Annotated[str, Option(help="Of x264.")] = "ultrafast",
    foreground: Annotated[float, Option(help="Share of the frame that the mask covers, up to 0.5.")] = 0.25,
    frames: Annotated[int, Option(help="Length of the clips.")] = 150,
    repeats: Annotated[int, Option(help="How often everything is run.")] = 3,
    method: Annotated[str | None, Option(help="See `chromacord methods`.")] = None,
    output: Annotated[Path | None, Option("--output", "-o", help="Also write the JSON to this file.")] = None,
) -> None:
    """Measure harmonization against a plain transcode: CPU time of each stage, overhead and peak memory."""
    with job(choose_display(quiet=True)):
        from chromacord.evaluation.speed import Setting, measure_video
        from chromacord.io.staging import check_output
        from chromacord.methods import DEFAULT_METHOD

        if output is not None:
            check_output(output, force=True)
        setting = Setting(size, preset, foreground, frames, method or DEFAULT_METHOD, repeats=repeats)
        give(measure_video(setting, tell=tell), output)


@app.command("speed")
def speed(
    *,
    repeats: Annotated[int, Option(help="How often everything is run.")] = 3,
    check: Annotated[
        Path | None, Option(help="Instead: fail if overhead has grown by half over the first row of this file.")
    ] = None,
    output: Annotated[Path | None, Option("--output", "-o", help="Also write the JSON to this file.")] = None,
) -> None:
    """Measure the default method as `bench video` does, at 1080p with two presets, and at 4K."""
    with job(choose_display(quiet=True)):
        from chromacord.evaluation.speed_table import check_speed, measure_rows
        from chromacord.io.staging import check_output
        from chromacord.methods import DEFAULT_METHOD

        if output is not None:
            check_output(output, force=True)
        if check is not None:
            tell(check_speed(check, repeats=repeats, tell=tell))
            return
        give(measure_rows(DEFAULT_METHOD, repeats=repeats, tell=tell), output)


for name, part in (("methods", methods), ("render", render), ("flow", flow), ("batch", batch), ("soak", soak)):
    app.command(name)(part)
