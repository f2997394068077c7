"""`chromacord bench`: measurements, as JSON with the command, the commit and the machine."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Option

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
        from chromacord.io.staging import check_output, write_text
        from chromacord.methods import DEFAULT_METHOD

        if output is not None:
            check_output(output, force=True)
        setting = Setting(size, preset, foreground, frames, method or DEFAULT_METHOD, repeats=repeats)
        report = measure_video(setting, tell=lambda line: print(line, file=sys.stderr))
        command = shlex.join(["chromacord", *sys.argv[1:]])
        text = json.dumps({"command": command, **report}, indent=2)
        print(text)
        if output is not None:
            write_text(output, text + "\n", force=True)
