"""`chromacord evaluate`: how near methods, and predictions of others, come to real clips."""

import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from chromacord.cli import options
from chromacord.cli.display import Values, choose_display
from chromacord.cli.job import job
from chromacord.errors import ChromacordWarning, InputError

if TYPE_CHECKING:
    from chromacord.evaluation.summary import Summary
    from chromacord.evaluation.tables import Table


Data = Annotated[
    Path | None,
    Option(help="Data set: HYouTube or one in its layout, iHarmony4, or clips with images, masks and real."),
]
Output = Annotated[
    Path | None, Option("--output", "-o", help="Folder for records, tables and the report; made if missing.")
]
Methods = Annotated[
    str | None,
    Option(
        "--method",
        metavar="A,B,C",
        help="See `chromacord methods`; options may follow a name, as mkl:max_gain=2. All, if not given.",
    ),
]
Predicted = Annotated[
    list[Path] | None,
    Option("--predictions", help="Folder of frames that another method made, named as in the data set; repeatable."),
]
Protocols = Annotated[str, Option("--protocol", metavar="A,B", help="Definitions of the figures.")]
Side = Annotated[int, Option("--size", min=16, help="Height and width that clips are resized to.")]
Full = Annotated[
    bool, Option("--full", help="Send clips through the whole pipeline, at their own size; no --size then.")
]
Split = Annotated[str, Option(help="Of a data set that has several.")]
Flow = Annotated[str, Option(help="Where temporal figures have their optical flow from.")]
NextFrames = Annotated[Path | None, Option(help="HYouTube's set for TL: the frames after those of the test set.")]
Given = Annotated[
    Literal["composite", "real"],
    Option("--input", help="What methods are given; real: the real frames, to see what they change of harmony."),
]
Passes = Annotated[int, Option(min=1, help="Run each method so often, each time on its own result.")]
Strips = Annotated[int, Option(min=0, help="Clips that the report shows pictures of.")]
Jobs = Annotated[int, Option(min=0, help="Processes; 0: one a core.")]
PaperTables = Annotated[
    bool, Option("--paper-tables", help="Print the literature's figures, and those of -o apart or beside.")
]


def evaluate(
    *,
    data: Data = None,
    output: Output = None,
    method: Methods = None,
    predictions: Predicted = None,
    protocol: Protocols = "hyoutube,clean",
    size: Side = 256,
    full: Full = False,
    split: Split = "test",
    flow: Flow = "dis",
    next_frames: NextFrames = None,
    given: Given = "composite",
    passes: Passes = 1,
    strips: Strips = 4,
    jobs: Jobs = 0,
    paper_tables: PaperTables = False,
    log_json: options.LogJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Score methods on a data set. Run again with the same -o to go on where a run was stopped, or to add methods."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display, stopped="run the command again to go on from what was measured"):
        from chromacord.evaluation.benchmark import evaluate as run
        from chromacord.evaluation.benchmark import read_summary
        from chromacord.evaluation.measuring import Plan
        from chromacord.evaluation.predictions import name_predictions
        from chromacord.types import Size

        summary = None
        if data is not None:
            if output is None:
                raise InputError("-o is missing: name a folder for the records, tables and the report")
            plan = Plan(
                data,
                methods=options.parse_names(method) if method is not None else _fitting(size, full=full),
                predictions=name_predictions(predictions or ()),
                split=split,
                size=None if full else Size(size, size),
                full=full,
                protocols=options.parse_names(protocol),
                flow=flow,
                next_frames=next_frames,
                input=given,
                passes=passes,
            )
            command = shlex.join(["chromacord", *sys.argv[1:]])
            cores = len(os.sched_getaffinity(0))
            summary = run(
                plan, output, jobs=jobs or cores, num_strips=strips, command=command, progress=display.progress
            )
        elif not paper_tables:
            raise InputError("--data is missing: name the data set's folder")
        elif output is not None:
            summary = read_summary(output)
        display.summary(_text(summary, output, paper_tables=paper_tables), _values(summary, output))


def _fitting(size: int, *, full: bool) -> tuple[str, ...]:
    """Return all methods that have weights and work at a size, and tell of those that work at another."""
    from chromacord.methods import METHODS, methods_with_weights

    names = methods_with_weights()
    others = [name for name in names if not full and METHODS[name].working_size not in (None, (size, size))]
    if others:
        message = f"left out, since they work at another size than {size}x{size}: {', '.join(others)}"
        warnings.warn(ChromacordWarning(message), stacklevel=2)
    return tuple(name for name in names if name not in others)


def _text(summary: "Summary | None", output: Path | None, *, paper_tables: bool) -> str:
    """Return what is printed: the tables, and last where everything lies."""
    from chromacord.evaluation.feeding import is_usual, tables_of
    from chromacord.evaluation.literature import compare
    from chromacord.evaluation.tables import markdown

    tables: Sequence[Table] = tables_of(summary) if summary is not None else ()
    if paper_tables:
        is_hyoutube = summary is not None and summary.is_hyoutube and is_usual(summary.header)
        tables = compare(tables, is_hyoutube=is_hyoutube)
    text = markdown(tables)
    if summary is not None and output is not None:
        text += f"\n{output}: {summary.header.num_clips} clips, {summary.num_frames} frames; see {output}/report.html"
    return text


def _values(summary: "Summary | None", output: Path | None) -> Values:
    from chromacord.evaluation.feeding import tables_of
    from chromacord.evaluation.tables import as_values

    if summary is None:
        return {}
    return {
        "output": str(output),
        "clips": summary.header.num_clips,
        "frames": summary.num_frames,
        "tables": as_values(tables_of(summary)),
    }
