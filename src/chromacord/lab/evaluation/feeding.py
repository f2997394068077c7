"""Describe the input of methods: composites, real frames, or their own results.

`Summary` has the figures. This module gives their tables titles and notes that mention unusual input.
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
    """Whether methods were run once on composites: only such figures can be compared with the literature."""
    return (header.input, header.passes) == (COMPOSITE, 1)


def row_name(label: str, header: Header) -> str:
    """Return a row's name in tables; the first row is named after the input."""
    return header.input if label == COMPOSITE else label


def tables_of(summary: Summary) -> tuple[Table, ...]:
    """Return the tables of a summary, with the input in titles and notes; several passes add a table."""
    header = summary.header
    tables = summary.tables()
    if is_usual(header):
        return tables
    changes = (_change_table(summary),) if header.passes > 1 else ()
    return tuple(_told(table, header) for table in (*tables, *changes))


def change_by_pass(summary: Summary) -> dict[str, list[float | None]]:
    """Return how much each pass of each method changed the foreground; empty for a single pass.

    Returns:
        For each method and pass the mean fMSE (protocol `clean`) between the pass's input and output, over all frames
        with foreground; None if there are none.
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
        note = "Methods were given the real frames themselves: errors are what they change that is in harmony already."
        notes = (note, *notes)
    return replace(table, title=title, rows=rows, notes=notes)
