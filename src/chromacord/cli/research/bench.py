"""`chromacord bench`: measure methods and components, as JSON with the command, commit and machine."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Option

from chromacord.cli.arguments import values
from chromacord.cli.help import Group, GroupedCommand
from chromacord.cli.research.bench_report import Output, give, measurement, tell
from chromacord.errors import InputError

app = typer.Typer(
    help="Measure, and print JSON with the command, the commit and the machine.", cls=Group, rich_markup_mode=None
)


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Show the help if no measurement is named."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(cls=GroupedCommand)
def methods(
    *,
    method: Annotated[
        str | None, Option(metavar="A,B,C", help="Methods, see `chromacord methods`; default: all.")
    ] = None,
    table: Annotated[
        Literal["4"] | None,
        Option(help="Instead of --method: the paper's windows of 3, 5 and 7 frames, as its Table 4."),
    ] = None,
    frames: Annotated[int, Option(help="Length of the generated clip.")] = 16,
    repeats: Annotated[int, Option(help="Number of runs of each method.")] = 5,
    threads: Annotated[int, Option(help="Number of torch threads.")] = 1,
    device: Annotated[Literal["cpu", "cuda"], Option(help="Where the methods run.")] = "cpu",
    output: Output = None,
) -> None:
    """Measure each method alone at 256x256: CPU and wall time per window and frame, memory, parameters."""
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
            raise InputError("--table measures its own methods; omit --method")
        names = values.parse_names(method) if method is not None else tuple(METHODS)
        chosen = names if table is None else TABLE_4_METHODS
        report = measure_methods(MethodSetting(chosen, frames, repeats, threads, device), tell=tell)
        tell(markdown([speed_table(report) if table is None else window_table(report)]).rstrip())
        give(report, output)


@app.command(cls=GroupedCommand)
def flow(
    *,
    data: Annotated[Path, Option(help="Folder of clips with masks, with its manifest.csv.")],
    use: Annotated[str, Option(help="Use of the clips in manifest.csv; never one used for training.")] = "dev",
    source: Annotated[
        str | None, Option(metavar="A,B,C", help="Names, or files of SPyNet weights; default: all names.")
    ] = None,
    pairs: Annotated[int, Option(help="Number of pairs with known flow, synthesized from the clips' pictures.")] = 64,
    output: Output = None,
) -> None:
    """Measure flow sources at 256x256: error on synthetic pairs, warping error on real frames, CPU time."""
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
        str, Option(metavar="A,B,C", help="Uses of the clips in manifest.csv, measured separately.")
    ] = "train,dev",
    per_clip: Annotated[int, Option(help="Number of films of each kind that begin with each clip.")] = 9,
    output: Output = None,
) -> None:
    """Measure cut detection on films joined from the clips: cuts, dissolves, fades, flashes, repeated frames."""
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
    runs: Annotated[Path, Option(help="Folder for data sets and records; a stopped run continues there.")],
    sets: Annotated[
        str | None, Option(metavar="A,B,C", help="Data sets, such as pairs-dev,adjust-dev; default: all.")
    ] = None,
    method: Annotated[
        str | None,
        Option(metavar="A,B,C", help="Methods, see `chromacord methods`; default: those of the dev benchmark."),
    ] = None,
    jobs: Annotated[int, Option(min=0, help="Number of processes; 0: one per core.")] = 0,
    output: Annotated[
        Path | None,
        Option("--output", "-o", help="Also write the JSON to this file, and the tables to an .md beside it."),
    ] = None,
) -> None:
    """Measure the remaining error of methods on several kinds of mismatch, and their harm to matching clips."""
    with measurement(output):
        from chromacord.io.cores import all_cores
        from chromacord.io.writing.staging import write_text
        from chromacord.lab.evaluation.quality import METHODS, Setting, measure_quality, quality_report, quality_tables
        from chromacord.lab.reporting.tables import markdown

        setting = Setting(
            data,
            runs,
            values.parse_names(method) if method is not None else METHODS,
            values.parse_names(sets or ""),
            jobs=jobs or all_cores(),
            command=shlex.join(["chromacord", *sys.argv[1:]]),
        )
        summaries = measure_quality(setting, tell=tell)
        text = markdown(quality_tables(summaries, setting.methods))
        tell(text.rstrip())
        give(quality_report(summaries, setting), output)
        if output is not None:
            write_text(output.with_suffix(".md"), text, force=True)
