"""The share of the composites' error that a method leaves, in total and per item.

An item is a clip or a still. Large errors dominate a ratio of sums; the median ratio and the share of worsened items
describe the rest. Items whose composite has no error have no ratio: any change a method makes to them is harm.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from chromacord.lab.reporting.tables import Column, Row, Table

COLUMNS = (
    Column("composite", "composite", 1),
    Column("result", "result", 1, "lower"),
    Column("ratio", "ratio", 2, "lower"),
    Column("median", "median ratio", 2, "lower"),
    Column("worse", "made worse, %", 0, "lower"),
    Column("harm", "harm", 1, "lower"),
)
"""Columns of a ratio table, in the order of `Ratios`."""

RATIO_NOTE = "Ratio: the sum of the results' errors over the sum of the composites'."
HARM_NOTE = "Harm: the error of what was not changed and should stay as it is."


class Ratios(NamedTuple):
    """Errors of many items before and after. A figure is None if no item counts towards it."""

    composite: float | None
    """Mean error of the composites, over items with an error."""

    result: float | None
    """Mean error of the results for the same items."""

    ratio: float | None
    """Sum of the results' errors over the sum of the composites'."""

    median: float | None
    """Median of the items' ratios."""

    worse: float | None
    """Percentage of items whose error grew."""

    harm: float | None
    """Mean error of the results whose composite has no error."""


def compare_errors(before: Sequence[float], after: Sequence[float]) -> Ratios:
    """Compare the composites' errors with the results'.

    Args:
        before: the composites' errors; NaN for items without foreground.
        after: the results' errors, in the same order.
    """
    pairs = [pair for pair in zip(before, after, strict=True) if not any(map(math.isnan, pair))]
    changed = [pair for pair in pairs if pair[0] > 0]
    harm = [result for composite, result in pairs if composite == 0]
    total = math.fsum(composite for composite, _ in changed)
    left = math.fsum(result for _, result in changed)
    if not changed:
        return Ratios(None, None, None, None, None, _mean(harm))
    return Ratios(
        total / len(changed),
        left / len(changed),
        left / total,
        statistics.median(result / composite for composite, result in changed),
        100 * sum(result > composite for composite, result in changed) / len(changed),
        _mean(harm),
    )


def compare_items(before: Mapping[str, float], after: Mapping[str, float]) -> Ratios:
    """Compare errors by item name.

    Args:
        before: composite error of each item.
        after: result error of the same items.
    """
    return compare_errors(list(before.values()), [after[item] for item in before])


def ratio_table(where: str, before: Mapping[str, float], after: Mapping[str, Mapping[str, float]], note: str) -> Table:
    """Make a table with a row for each method.

    Args:
        where: data set and size, for the title.
        before: composite error of each item.
        after: for each method, the result error of each item.
        note: names the error, for the caption.
    """
    found = {label: compare_items(before, errors) for label, errors in after.items()}
    rows = tuple(Row(label, tuple(ratios), label == "identity") for label, ratios in found.items())
    notes = (f"{note} {RATIO_NOTE} {HARM_NOTE}", f"Means over {len(before)} items.")
    return Table("ratio", f"{where}, what is left of the error", COLUMNS, rows, notes=notes)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
