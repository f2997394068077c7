"""Tables of figures as Markdown, LaTeX and JSON. A table contains figures of one protocol and names it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Value = float | str | None


class Column(NamedTuple):
    """One column: its key, title, format and direction."""

    key: str
    heading: str
    decimals: int = 2
    better: Literal["lower", "higher"] | None = None

    @property
    def title(self) -> str:
        """The heading with an arrow towards better values: "fMSE ↓"."""
        return self.heading + {"lower": " ↓", "higher": " ↑", None: ""}[self.better]

    def text(self, value: Value) -> str:
        """Format a value; "–" if there is none."""
        if value is None:
            return "–"
        if isinstance(value, str):
            return value
        return f"{value:.{self.decimals}f}" if math.isfinite(value) else ("∞" if value > 0 else "–∞")


class Row(NamedTuple):
    """Figures of one method, or of one setting."""

    label: str
    values: tuple[Value, ...]
    """Values in the order of the columns."""

    is_reference: bool = False
    """Whether the row is excluded from the comparison, like the composite's: it is never bold."""


@dataclass(frozen=True)
class Table:
    """Comparable rows: measured on the same frames by the same protocol."""

    key: str
    """Short unique key: the protocol's name, or "temporal"."""

    title: str
    """What was measured on which data: protocol, data set, size."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    first: str = "method"
    """Heading of the label column."""

    notes: tuple[str, ...] = ()
    """Lines below the table, such as skipped frames and the flow source."""

    grouped: bool = False
    """Compare only rows with the same label, such as a data set."""

    def best(self, number: int, label: str | None = None) -> str | None:
        """Return the best value of a column as printed; None if there is nothing to compare.

        Args:
            number: index of the column.
            label: label of the rows to compare; None: all.
        """
        column = self.columns[number]
        rows = [row for row in self.rows if label in (None, row.label)]
        values = [row.values[number] for row in rows if not row.is_reference]
        numbers = [value for value in values if isinstance(value, int | float) and not math.isnan(value)]
        if column.better is None or len(numbers) < 2:
            return None
        return column.text(min(numbers) if column.better == "lower" else max(numbers))


def markdown(tables: Sequence[Table]) -> str:
    """Format tables as Markdown with the best figure of each column in bold."""
    return "\n\n".join(_markdown_table(table) for table in tables) + "\n"


def latex(tables: Sequence[Table]) -> str:
    """Format tables as LaTeX (package booktabs) with the best figure of each column in bold."""
    return "\n\n".join(_latex_table(table) for table in tables) + "\n"


def as_values(tables: Sequence[Table]) -> list[dict[str, object]]:
    """Convert tables for JSON: rows by column key, unrounded; NaN and infinity become strings."""
    return [
        {
            "key": table.key,
            "title": table.title,
            "columns": [column._asdict() for column in table.columns],
            "rows": [
                {
                    "label": row.label,
                    **{column.key: _json_value(value) for column, value in zip(table.columns, row.values, strict=True)},
                }
                for row in table.rows
            ],
            "notes": list(table.notes),
        }
        for table in tables
    ]


def cells(table: Table) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Return the rows as printed: the label, then each cell's text and whether it is the column's best."""
    groups = {row.label if table.grouped else None for row in table.rows}
    best = {group: [table.best(number, group) for number in range(len(table.columns))] for group in groups}
    return [
        (
            row.label,
            [
                (text := column.text(value), not row.is_reference and text == winner)
                for column, value, winner in zip(
                    table.columns, row.values, best[row.label if table.grouped else None], strict=True
                )
            ],
        )
        for row in table.rows
    ]


def _markdown_table(table: Table) -> str:
    lines = [
        f"**{table.title}**",
        "",
        f"| {' | '.join([table.first, *(column.title for column in table.columns)])} |",
        f"|---|{''.join(_rule(table, number) for number in range(len(table.columns)))}",
    ]
    for label, values in cells(table):
        marked = [f"**{text}**" if is_best else text for text, is_best in values]
        lines.append(f"| {' | '.join([_escape_markdown(label), *marked])} |")
    if table.notes:
        lines += ["", *(f"{note}  " for note in table.notes[:-1]), table.notes[-1]]
    return "\n".join(lines)


def _rule(table: Table, number: int) -> str:
    """Return a column's alignment in Markdown: text left, figures right."""
    return "---|" if table.rows and all(isinstance(row.values[number], str) for row in table.rows) else "---:|"


def _latex_table(table: Table) -> str:
    heads = [_escape_latex(text) for text in [table.first, *(column.title for column in table.columns)]]
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_escape_latex(table.title)}}}",
        rf"  \begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"    \toprule",
        rf"    {' & '.join(heads)} \\",
        r"    \midrule",
    ]
    for label, values in cells(table):
        marked = [rf"\textbf{{{_escape_latex(text)}}}" if is_best else _escape_latex(text) for text, is_best in values]
        lines.append(rf"    {' & '.join([_escape_latex(label), *marked])} \\")
    lines += [r"    \bottomrule", r"  \end{tabular}"]
    lines += [rf"  \par\smallskip\footnotesize {_escape_latex(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"])


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "↓": r"$\downarrow$",
        "↑": r"$\uparrow$",
        "∞": r"$\infty$",
        "–": "--",
        "×": r"$\times$",
        "Δ": r"$\Delta$",
        "²": r"$^2$",
    }
)


def _escape_latex(text: str) -> str:
    return text.translate(_LATEX)


def _escape_markdown(text: str) -> str:
    return text.replace("|", r"\|").replace("*", r"\*").replace("_", r"\_")


def _json_value(value: Value) -> Value:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
