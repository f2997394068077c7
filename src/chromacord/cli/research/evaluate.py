"""`chromacord evaluate`: score methods, and predictions by other software, against real clips."""

import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chromacord.cli.arguments import engine_options, output_options, values
from chromacord.cli.research import engines, evaluate_options
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.display import Display, Values
from chromacord.cli.screen.exits import job
from chromacord.errors import ChromacordWarning, InputError, counted

if TYPE_CHECKING:
    from chromacord.lab.evaluation.measuring import Plan
    from chromacord.lab.reporting.results import Summary
    from chromacord.lab.reporting.tables import Table


def evaluate(
    *,
    data: evaluate_options.Data = None,
    output: evaluate_options.Output = None,
    method: evaluate_options.Methods = None,
    predictions: evaluate_options.Predicted = None,
    protocol: evaluate_options.Protocols = "hyoutube,clean",
    size: evaluate_options.Side = 256,
    full: evaluate_options.Full = False,
    split: evaluate_options.Split = "test",
    use: evaluate_options.Use = None,
    stills: evaluate_options.Stills = False,
    frames: evaluate_options.NumFrames = None,
    adjust: evaluate_options.Adjust = None,
    flow: evaluate_options.Flow = "dis",
    next_frames: evaluate_options.NextFrames = None,
    given: evaluate_options.Given = "composite",
    passes: evaluate_options.Passes = 1,
    strips: evaluate_options.Strips = 4,
    jobs: evaluate_options.Jobs = 0,
    engine: engine_options.TaskEngine = "local",
    address: engine_options.Address = None,
    retries: engine_options.Retries = 3,
    paper_tables: evaluate_options.PaperTables = False,
    log_json: output_options.LogJson = False,
    quiet: output_options.Quiet = False,
) -> None:
    """Score methods on a data set. The same -o continues a stopped run, or adds methods."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display, stopped="run the command again to continue from what was measured"):
        from chromacord.lab.evaluation.measuring import Plan
        from chromacord.lab.evaluation.predictions import name_predictions
        from chromacord.types import Size

        if data is None:
            summary = _read(output, paper_tables=paper_tables)
        else:
            plan = Plan(
                data,
                methods=values.parse_names(method) if method is not None else _fitting(size, full=full),
                predictions=name_predictions(predictions or ()),
                split=split,
                size=None if full else Size(size, size),
                full=full,
                protocols=values.parse_names(protocol),
                use=use,
                stills=stills,
                num_frames=frames,
                adjustments=_adjustments(adjust),
                flow=flow,
                next_frames=next_frames,
                input=given,
                passes=passes,
            )
            summary = _measured(plan, output, engines.Chosen(engine, jobs, address, retries), strips, display)
        display.summary(_text(summary, output, paper_tables=paper_tables), _values(summary, output))


def _read(output: Path | None, *, paper_tables: bool) -> "Summary | None":
    from chromacord.lab.evaluation.benchmark import read_summary

    if not paper_tables:
        raise InputError("--data is missing: name the data set's folder")
    return None if output is None else read_summary(output)


def _measured(plan: "Plan", output: Path | None, chosen: engines.Chosen, strips: int, display: Display) -> "Summary":
    from chromacord.lab.evaluation.benchmark import evaluate as run

    if output is None:
        raise InputError("-o is missing: name a folder for the records, tables and the report")
    with engines.opened(chosen) as where:
        return run(plan, output, engine=where, num_strips=strips, command=_command(), progress=display.progress)


def _command() -> str:
    return shlex.join(["chromacord", *sys.argv[1:]])


def _adjustments(text: str | None) -> tuple[str, ...]:
    from chromacord.lab.color.adjustments import ADJUSTMENTS

    if text is None:
        return ()
    return tuple(ADJUSTMENTS) if text == "all" else values.parse_names(text)


def _fitting(size: int, *, full: bool) -> tuple[str, ...]:
    """Return all methods that have weights and support a size, and report the others."""
    from chromacord.methods import METHODS, methods_with_weights

    names = methods_with_weights()
    others = [name for name in names if not full and METHODS[name].working_size not in (None, (size, size))]
    if others:
        message = f"skipped, because they work at another size than {size}x{size}: {', '.join(others)}"
        warnings.warn(ChromacordWarning(message), stacklevel=2)
    return tuple(name for name in names if name not in others)


def _text(summary: "Summary | None", output: Path | None, *, paper_tables: bool) -> str:
    """Return the printed text: the tables, followed by the paths of all files."""
    from chromacord.lab.evaluation.feeding import is_usual, tables_of
    from chromacord.lab.reporting.literature import compare
    from chromacord.lab.reporting.tables import markdown

    tables: Sequence[Table] = tables_of(summary) if summary is not None else ()
    if paper_tables:
        is_hyoutube = summary is not None and summary.is_hyoutube and is_usual(summary.header)
        tables = compare(tables, is_hyoutube=is_hyoutube)
    text = markdown(tables)
    if summary is not None and output is not None:
        clips, frames = counted(summary.header.num_clips, "clip"), counted(summary.num_frames, "frame")
        text += f"\n{output}: {clips}, {frames}; see {output}/report.html"
    return text


def _values(summary: "Summary | None", output: Path | None) -> Values:
    from chromacord.lab.evaluation.feeding import tables_of
    from chromacord.lab.reporting.tables import as_values

    if summary is None:
        return {}
    return {
        "output": str(output),
        "clips": summary.header.num_clips,
        "frames": summary.num_frames,
        "tables": as_values(tables_of(summary)),
    }
