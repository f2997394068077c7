"""Figures that the literature reports for HYouTube, for comparison with our own on HYouTube.

Source: Chen, Fang, Ye and Zhang, "Deep video harmonization by improving spatial-temporal consistency", Machine
Intelligence Research 21(1):46-54, 2024, https://doi.org/10.1007/s11633-023-1447-3, Tables 1 to 4. All were measured at
256 x 256 by the definitions of chromacord's protocol `hyoutube`. TL used FlowNet2 and cannot be compared with TL from
another flow source.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chromacord.lab.reporting.tables import Column, Row, Table, Value

SOURCE = "Chen et al., Machine Intelligence Research 21(1), 2024"

PROTOCOL = "hyoutube"

NUM_CLIPS, NUM_FRAMES = 636, 12_720
"""Size of HYouTube's test set."""

_FMSE = Column("fmse", "fMSE", 2, "lower")
_MSE = Column("mse", "MSE", 2, "lower")
_PSNR = Column("psnr", "PSNR", 2, "higher")
_FSSIM = Column("fssim", "fSSIM", 4, "higher")
_TL = Column("tl", "TL (FlowNet2)", 4, "lower")

_TABLE_1 = (
    ("Composite", 1029.50, 151.20, 30.14, 0.7197, 2.5315),
    ("DoveNet", 347.73, 47.84, 35.06, 0.8392, 18.1533),
    ("IIH", 333.65, 45.91, 34.99, 0.8324, 3.3277),
    ("RainNet", 310.47, 42.52, 35.49, 0.8411, 4.5024),
    ("iS2AM", 203.78, 28.90, 37.38, 0.8817, 6.4765),
    ("Huang et al.", 198.86, 27.81, 37.47, 0.8824, 6.4893),
    ("CO2Net", 186.71, 26.50, 37.61, 0.8827, 5.1126),
    ("Chen et al.", 174.81, 24.20, 37.89, 0.8826, 5.0328),
)

_PARTS = ("base", "non-local", "unidirectional", "bidirectional", "pretrained flow", "aggregator")
"""Table 2's columns of ticks."""

_TABLE_2 = (
    ("1", "+", "", "", "", "", "", 203.78, 6.4765),
    ("2", "+", "+", "", "", "", "", 176.39, 6.5105),
    ("3", "+", "+", "+", "", "+", "+", 179.18, 5.6154),
    ("4", "+", "+", "", "+", "", "+", 180.83, 5.6093),
    ("5", "+", "+", "", "+", "+", "", 178.44, 5.5230),
    ("6", "+", "+", "", "+", "+", "+", 174.81, 5.0328),
)

_TABLE_3 = (
    ("0", 191.24, 25.11, 37.40),
    ("1", 179.89, 24.06, 37.60),
    ("2", 176.39, 23.32, 37.74),
    ("3", 180.25, 24.84, 37.62),
)

_TABLE_4 = (("3", 184.03, 0.8805, 0.168), ("5", 179.14, 0.8816, 0.187), ("7", 176.27, 0.8823, 0.298))


def paper_tables() -> tuple[Table, Table, Table, Table]:
    """Return Tables 1 to 4 of the paper."""
    return (
        _table(1, "methods", "method", (_FMSE, _MSE, _PSNR, _FSSIM, _TL), _TABLE_1),
        _table(2, "parts of the framework", "row", (*(Column(part, part) for part in _PARTS), _FMSE, _TL), _TABLE_2),
        _table(3, "number of scale levels with a non-local block", "levels", (_FMSE, _MSE, _PSNR), _TABLE_3),
        _table(
            4, "number of input frames", "frames", (_FMSE, _FSSIM, Column("time", "time (s)", 3, "lower")), _TABLE_4
        ),
    )


def compare(measured: Sequence[Table], *, is_hyoutube: bool) -> tuple[Table, ...]:
    """Return the paper's tables, with our figures where they are comparable.

    Args:
        measured: our tables.
        is_hyoutube: whether ours cover HYouTube's whole test set: then the rows of protocol `hyoutube` are added to
            Table 1. Otherwise our tables stay separate.
    """
    first, *others = paper_tables()
    if not is_hyoutube:
        note = "Measured on other data: not comparable with the literature's figures."
        return (first, *others, *(replace(table, notes=(note, *table.notes)) for table in measured))
    for table in measured:
        first = beside(first, table) if table.key == PROTOCOL else first
    return (first, *others, *(table for table in measured if table.key != PROTOCOL))


def beside(paper: Table, measured: Table) -> Table:
    """Append rows measured on HYouTube's test set, by the same protocol, to Table 1.

    Args:
        paper: a table from `paper_tables`.
        measured: our table; its columns that `paper` lacks are dropped, and missing ones stay empty.
    """
    places = {column.key: number for number, column in enumerate(measured.columns)}
    ours = [
        Row(
            f"chromacord {row.label}",
            tuple(row.values[places[column.key]] if column.key in places else None for column in paper.columns),
            row.is_reference,
        )
        for row in measured.rows
    ]
    return replace(paper, rows=(*paper.rows, *ours), notes=(*paper.notes, *measured.notes))


def _table(
    number: int, what: str, first: str, columns: tuple[Column, ...], rows: Iterable[tuple[str, *tuple[Value, ...]]]
) -> Table:
    return Table(
        key=f"paper{number}",
        title=f"HYouTube test set, protocol hyoutube, 256×256: {what} ({SOURCE}, Table {number})",
        columns=columns,
        rows=tuple(Row(label, tuple(values), label == "Composite") for label, *values in rows),
        first=first,
    )
