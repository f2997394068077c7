"""The benchmark: measure every method on every clip, and write resumable records, tables and a report page."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from chromacord.errors import InputError, counted
from chromacord.io.writing.staging import check_folder, output_errors, write_text
from chromacord.job.threads import single_threaded
from chromacord.lab.bench.provenance import code_version, provenance
from chromacord.lab.data.files import FileDataset, PictureFiles
from chromacord.lab.data.item import frame_keys
from chromacord.lab.data.pool import HERE, Engine, run_all
from chromacord.lab.evaluation.feeding import change_by_pass, row_name, tables_of
from chromacord.lab.evaluation.measuring import COMPOSITE, INPUTS, Measurer, Plan, Task, measure
from chromacord.lab.evaluation.records import Header, RecordFile, open_records, read_records
from chromacord.lab.metrics.protocols import PROTOCOLS
from chromacord.lab.metrics.temporal import FLOW_SOURCES
from chromacord.lab.reporting.report import Strip, page
from chromacord.lab.reporting.results import Summary
from chromacord.lab.reporting.tables import as_values, latex, markdown
from chromacord.methods import load_method
from chromacord.types import Progress

RECORDS = "records.jsonl"


def evaluate(
    plan: Plan,
    output: Path,
    *,
    engine: Engine = HERE,
    num_strips: int = 4,
    command: str = "",
    progress: Callable[[Progress], object] | None = None,
) -> Summary:
    """Measure a plan, and write records, tables and a report page to a folder.

    Clips already in the folder's records are not measured again.

    Args:
        plan: data set, methods and protocols.
        output: result folder, created if missing. Receives records.jsonl, table.md, table.tex, table.json and
            report.html.
        engine: where the clips are measured.
        num_strips: number of clips whose pictures the page shows.
        command: the command line, for the tables.
        progress: called after each clip with the number of frames scored, counted once per method.

    Raises:
        InputError: a method, a protocol or the data set is invalid, frames of predictions are missing, or the folder
            holds records of another measurement.
        OutputError: the folder cannot be written to.
    """
    dataset = plan.open(size=plan.size)
    _check(plan, dataset)
    header = _header(plan, dataset)
    make_folder(output)
    with open_records(output / RECORDS, header) as records:
        _measure(plan, dataset, records, engine=engine, progress=progress)
        summary = Summary(header, tuple(records.records))
        _write(summary, _strips(plan, dataset, summary, num_strips), output, command)
    return summary


def read_summary(output: Path) -> Summary:
    """Read the summary of a folder's records.

    Raises:
        InputError: the folder has no records, or they are incomplete.
        UnreadableFileError: a record cannot be read.
    """
    header, records = read_records(output / RECORDS)
    summary = Summary(header, tuple(records))
    if COMPOSITE not in summary.labels:
        raise InputError(f"{output / RECORDS}: clips are missing, the run was stopped; run the same command again")
    return summary


def _check(plan: Plan, dataset: FileDataset) -> None:
    if not plan.protocols:
        raise InputError(f"no protocol is given; choose one of {', '.join(PROTOCOLS)}")
    chosen = [("protocol", name, tuple(PROTOCOLS)) for name in plan.protocols]
    for what, name, known in (*chosen, ("flow source", plan.flow, tuple(FLOW_SOURCES)), ("input", plan.input, INPUTS)):
        if name not in known:
            raise InputError(f"there is no {what} {name!r}; choose one of {', '.join(known)}")
    if plan.passes < 1:
        raise InputError(f"passes must be 1 or more, got {plan.passes}")
    if plan.predictions and (plan.input, plan.passes) != (INPUTS[0], 1):
        raise InputError(
            f"{plan.predictions[0].folder}: predictions were made from the composites, once; omit --predictions, or "
            "measure them without --input and --passes"
        )
    for name in plan.methods:
        load_method(name)
    for name in plan.labels:
        if plan.labels.count(name) > 1:
            raise InputError(f"two rows would be called {name!r}; name each method once, or rename a folder")
    pictures = [files for files in dataset.clips if isinstance(files, PictureFiles)]
    keys = [key for files in pictures for key in frame_keys(files.name, files.frames)]
    for predictions in plan.predictions:
        predictions.check(keys)


def make_folder(output: Path) -> None:
    """Create a folder for measurements if it does not exist.

    Raises:
        OutputError: it cannot be created or written to.
    """
    check_folder(output if output.exists() else output.absolute().parent, wanted=output)
    with output_errors(output):
        output.mkdir(exist_ok=True)


def _header(plan: Plan, dataset: FileDataset) -> Header:
    next_frames = plan.open_next_frames()
    return Header(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        num_clips=len(dataset),
        protocols=plan.protocols,
        size=plan.size,
        full=plan.full,
        flow=plan.flow,
        next_frames=next_frames.fingerprint if next_frames is not None else None,
        version=code_version(),
        input=plan.input,
        passes=plan.passes,
    )


def _measure(
    plan: Plan,
    dataset: FileDataset,
    records: RecordFile,
    *,
    engine: Engine,
    progress: Callable[[Progress], object] | None,
) -> None:
    records.check_predictions({each.name: str(each.folder.resolve()) for each in plan.predictions})
    fingerprint = dataset.fingerprint
    wanted = [
        Task(plan, fingerprint, index, tuple(label for label in plan.labels if (clip, label) not in records))
        for index, clip in enumerate(dataset.names)
    ]
    tasks = [task for task in wanted if task.labels]
    total = _count_frames(dataset, tasks)
    started, done = time.perf_counter(), 0
    with single_threaded(), closing(run_all(measure, tasks, engine=engine)) as results:
        for measured in results:
            for record in measured:
                records.append(record)
                done += record.num_frames
            if progress is not None:
                progress(Progress("evaluate", done, total, done / max(time.perf_counter() - started, 1e-9)))


def _count_frames(dataset: FileDataset, tasks: Sequence[Task]) -> int | None:
    """Return the number of frames to measure, counted once per method; None if a clip's length is unknown."""
    counts = [(dataset.clips[task.clip].num_frames, len(task.labels)) for task in tasks]
    known = [count * rows for count, rows in counts if count is not None]
    return sum(known) if len(known) == len(tasks) else None


def _strips(plan: Plan, dataset: FileDataset, summary: Summary, count: int) -> Iterator[Strip]:
    figures = {label: summary.by_clip(label) for label in plan.labels}
    measurer = Measurer(plan)
    for clip in summary.examples(count):
        captions = {label: f"fMSE {by_clip[clip]:.0f}" for label, by_clip in figures.items()}
        with single_threaded():
            strip = measurer.strip(dataset.names.index(clip), captions)
        yield strip


def _write(summary: Summary, strips: Iterator[Strip], output: Path, command: str) -> None:
    tables = tables_of(summary)
    header = summary.header
    facts = [
        f"{counted(header.num_clips, 'clip')}, {counted(summary.num_frames, 'frame')} of {summary.where}; "
        f"data set {header.fingerprint[:12]}, chromacord {header.version}.",
        *([f"Made by: {command}"] if command else []),
    ]
    values = {
        "command": command,
        "dataset": header.dataset,
        "fingerprint": header.fingerprint,
        "clips": header.num_clips,
        "frames": summary.num_frames,
        "size": header.size,
        "full": header.full,
        "flow": header.flow,
        "input": header.input,
        "passes": header.passes,
        "tables": as_values(tables),
        "change_by_pass": change_by_pass(summary),
        "cpu_ms_per_frame": {row_name(label, header): cost for label, cost in summary.cost().items()},
        **provenance(),
    }
    html = page(
        f"Harmonization of {header.dataset}",
        facts,
        tables=tables,
        # Real frames have no error to compare with.
        scatters=summary.scatters() if header.input == COMPOSITE else (),
        strips=list(strips),
        figure=f"fMSE ({header.protocols[0]})",
    )
    texts = {
        "table.md": markdown(tables),
        "table.tex": latex(tables),
        "table.json": json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "report.html": html,
    }
    for name, text in texts.items():
        write_text(output / name, text, force=True)
