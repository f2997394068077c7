"""`chromacord bench`: measurements of methods and of parts, as JSON with the command, the commit and the machine."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Option

from chromacord.cli import values
from chromacord.cli.help import Group, GroupedCommand
from chromacord.cli.research.bench_report import Output, give, measurement, tell
from chromacord.errors import InputError

app = typer.Typer(
    help="Measure, and print JSON with the command, the commit and the machine.", cls=Group, rich_markup_mode=None
)


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Show the help where nothing is named to measure."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(cls=GroupedCommand)
def methods(
    *,
    method: Annotated[str | None, Option(metavar="A,B,C", help="See `chromacord methods`; all, if not given.")] = None,
    table: Annotated[
        Literal["4"] | None,
        Option(help="Instead of --method: the paper's windows of 3, 5 and 7 frames, as its Table 4."),
    ] = None,
    frames: Annotated[int, Option(help="Length of the clip that is made.")] = 16,
    repeats: Annotated[int, Option(help="How often each method is run over the clip.")] = 5,
    threads: Annotated[int, Option(help="Of torch.")] = 1,
    device: Annotated[Literal["cpu", "cuda"], Option(help="Where the methods run.")] = "cpu",
    output: Output = None,
) -> None:
    """Measure each method alone at 256x256: CPU and wall time a window and a frame, memory, parameters."""
    with measurement(output):
        from chromacord.lab.bench.method_speed import (
            TABLE_4_METHODS,
            MethodSetting,
            measure_methods,
            speed_table,
            window_table,
        )
        from chromacord.lab.reporting.tables import markdown
        from chromacord.methods import METHODS

        if table is not None and method is not None:
            raise InputError("--table measures methods of its own; leave out --method")
        names = values.parse_names(method) if method is not None else tuple(METHODS)
        chosen = names if table is None else TABLE_4_METHODS
        report = measure_methods(MethodSetting(chosen, frames, repeats, threads, device), tell=tell)
        tell(markdown([speed_table(report) if table is None else window_table(report)]).rstrip())
        give(report, output)


@app.command(cls=GroupedCommand)
def flow(
    *,
    data: Annotated[Path, Option(help="Folder of clips with masks, with its manifest.csv.")],
    use: Annotated[str, Option(help="Of the clips in manifest.csv; never those that were trained on.")] = "dev",
    source: Annotated[
        str | None, Option(metavar="A,B,C", help="Names, or files of SPyNet's weights; all names, if not given.")
    ] = None,
    pairs: Annotated[int, Option(help="Pairs of known flow that are made of the clips' pictures.")] = 64,
    output: Output = None,
) -> None:
    """Measure sources of optical flow at 256x256: error on made pairs, warping error on real frames, CPU time."""
    with measurement(output):
        from chromacord.job.threads import single_threaded
        from chromacord.lab.bench.flow_error import FlowSetting, flow_table, measure_flow
        from chromacord.lab.reporting.tables import markdown

        setting = FlowSetting(data, use, num_pairs=pairs)
        if source is not None:
            setting = setting._replace(sources=values.parse_names(source))
        with single_threaded():
            report = measure_flow(setting, tell=tell)
        tell(markdown([flow_table(report)]).rstrip())
        give(report, output)


@app.command(cls=GroupedCommand)
def cuts(
    *,
    data: Annotated[Path, Option(help="Folder of clips with masks, with its manifest.csv.")],
    use: Annotated[
        str, Option(metavar="A,B,C", help="Of the clips in manifest.csv; each has figures of its own.")
    ] = "train,dev",
    per_clip: Annotated[int, Option(help="Films of each kind that begin with each clip.")] = 9,
    output: Output = None,
) -> None:
    """Measure how cuts are found, in films made of the clips: hard cuts, dissolves, fades, flashes, repeated frames."""
    with measurement(output):
        from chromacord.lab.bench.cut_detection import CutSetting, cut_tables, measure_cuts
        from chromacord.lab.reporting.tables import markdown

        report = measure_cuts(CutSetting(data, values.parse_names(use), per_clip), tell=tell)
        tell(markdown(cut_tables(report)).rstrip())
        give(report, output)


@app.command(cls=GroupedCommand)
def quality(
    *,
    data: Annotated[
        Path, Option(help="Folder with clips and masks, manifest.csv, luts/dev.zip and pairs_dev.", show_default=False)
    ],
    runs: Annotated[Path, Option(help="Folder for data sets and records; a stopped run goes on there.")],
    sets: Annotated[
        str | None, Option(metavar="A,B,C", help="Data sets, as pairs-dev,adjust-dev; all, if not given.")
    ] = None,
    method: Annotated[
        str | None, Option(metavar="A,B,C", help="See `chromacord methods`; all of the dev benchmark, if not given.")
    ] = None,
    jobs: Annotated[int, Option(min=0, help="Processes; 0: one a core.")] = 0,
    output: Annotated[
        Path | None,
        Option("--output", "-o", help="Also write the JSON to this file, and the tables to an .md beside it."),
    ] = None,
) -> None:
    """Measure methods on mismatches of several kinds and on clips that match: one table of what error is left."""
    with measurement(output):
        from chromacord.io.writing.staging import write_text
        from chromacord.lab.evaluation.quality import METHODS, Setting, measure_quality, quality_report, quality_tables
        from chromacord.lab.reporting.tables import markdown

        setting = Setting(
            data,
            runs,
            values.parse_names(method) if method is not None else METHODS,
            values.parse_names(sets or ""),
            jobs=jobs or len(os.sched_getaffinity(0)),
            command=shlex.join(["chromacord", *sys.argv[1:]]),
        )
        summaries = measure_quality(setting, tell=tell)
        text = markdown(quality_tables(summaries, setting.methods))
        tell(text.rstrip())
        give(quality_report(summaries, setting), output)
        if output is not None:
            write_text(output.with_suffix(".md"), text, force=True)
