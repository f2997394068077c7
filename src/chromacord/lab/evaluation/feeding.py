"""Describe what methods were given: composites, real frames, or their own results.

`Summary` has the figures. Here tables of them get titles and notes that say what was not the usual.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from chromacord.lab.evaluation.measuring import COMPOSITE
from chromacord.lab.evaluation.records import Header
from chromacord.lab.metrics.protocols import METRICS, aggregate
from chromacord.lab.reporting.results import Summary
from chromacord.lab.reporting.tables import Column, Row, Table

_FIGURE = "fmse"


def is_usual(header: Header) -> bool:
    """Whether methods were given composites, once: only then may figures stand beside the literature's."""
    return (header.input, header.passes) == (COMPOSITE, 1)


def row_name(label: str, header: Header) -> str:
    """Return what tables call a row: the one before any method after what methods were given."""
    return header.input if label == COMPOSITE else label


def tables_of(summary: Summary) -> tuple[Table, ...]:
    """Return the tables of a summary, with what methods were given in titles and notes; of several passes one more."""
    header = summary.header
    tables = summary.tables()
    if is_usual(header):
        return tables
    changes = (_change_table(summary),) if header.passes > 1 else ()
    return tuple(_told(table, header) for table in (*tables, *changes))


def change_by_pass(summary: Summary) -> dict[str, list[float | None]]:
    """Return how far each pass of each method moved the foreground; nothing where there was but one pass.

    Returns:
        For each method and pass the mean fMSE, by protocol `clean`, between what the pass was given and what it made,
        over all frames with foreground; None where there is none.
    """
    if summary.header.passes == 1:
        return {}
    return {label: list(_changes(summary, label)) for label in summary.labels if label != COMPOSITE}


def _changes(summary: Summary, label: str) -> Iterator[float | None]:
    records = {record.clip: record for record in summary.records if record.method == label}
    for number in range(summary.header.passes):
        means = aggregate({_FIGURE: record.change_by_pass[number]} for record in records.values())
        yield None if math.isnan(means[_FIGURE].mean) else means[_FIGURE].mean


def _change_table(summary: Summary) -> Table:
    columns = tuple(
        Column(f"pass{number}", f"pass {number}", METRICS[_FIGURE].decimals)
        for number in range(1, summary.header.passes + 1)
    )
    rows = tuple(Row(label, tuple(values)) for label, values in change_by_pass(summary).items())
    note = "fMSE (protocol clean) between what a pass was given and what it made, mean over all frames with foreground."
    return Table("passes", f"{summary.where}, change by pass", columns, rows, notes=(note,))


def _told(table: Table, header: Header) -> Table:
    title, notes = table.title, table.notes
    rows = tuple(row._replace(label=row_name(row.label, header)) for row in table.rows)
    if header.passes > 1:
        title += f", {header.passes} passes"
        notes = (
            f"Each method was run {header.passes} times, each time on its own result; errors are the last's.",
            *notes,
        )
    if header.input != COMPOSITE:
        title += ", real frames in place of composites"
        told = "Methods were given the real frames themselves: errors are what they change that is in harmony already."
        notes = (told, *notes)
    return replace(table, title=title, rows=rows, notes=notes)
