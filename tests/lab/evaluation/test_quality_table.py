"""The table of quality that is committed, and shown on a page, is one measurement of every set."""

import json
from dataclasses import replace
from itertools import product

from chromacord.lab.evaluation.quality import METHODS, SETS
from chromacord.lab.reporting.tables import Table, markdown
from chromacord.methods import DEFAULT_METHOD
from tests.lab.evaluation.test_dev_benchmark import table_of
from tests.pages import ROOT, shown

REPORT = json.loads((ROOT / "benchmarks" / "results" / "quality.json").read_text(encoding="utf-8"))


def tables() -> tuple[Table, Table]:
    whole, adjustments = (table_of(values) for values in REPORT["tables"])
    rows = tuple(row._replace(is_reference=row.values[0] == "identity") for row in whole.rows)
    return replace(whole, rows=rows, first="data set", grouped=True), replace(adjustments, first="adjustment")


def test_the_markdown_has_the_figures_of_the_json() -> None:
    text = (ROOT / "benchmarks" / "results" / "quality.md").read_text(encoding="utf-8")
    assert text == markdown(tables())


def test_the_page_shows_the_table_that_was_measured() -> None:
    assert shown("quality") == markdown(tables()[:1]).strip()


def test_every_set_has_every_method_and_says_what_was_measured() -> None:
    rows = [(row.label, row.values[0]) for row in tables()[0].rows]
    methods = list(dict.fromkeys(method for _, method in rows))
    assert rows == list(product(REPORT["sets"], methods))
    assert list(REPORT["sets"]) == [name for name in SETS if name in REPORT["sets"]]
    assert {"identity", DEFAULT_METHOD} <= set(methods) <= set(METHODS)
    assert REPORT["commit"]
    assert not REPORT["commit"].endswith("-dirty")
    assert REPORT["command"].startswith("chromacord bench quality")
    items = {"davis-lut-dev": 100, "pairs-dev": 17, "adjust-dev": 120, "real-dev": 10, "davis-lut-drift-dev": 10}
    assert {name: found["items"] for name, found in REPORT["sets"].items()}.items() <= items.items()


def test_identity_leaves_all_of_the_error_and_does_no_harm() -> None:
    for row in tables()[0].rows:
        if row.values[0] == "identity":
            composite, result, *rest = row.values[1:]
            assert result == composite
            assert rest == ([1, 1, 0] if composite else [None, None, None])


def test_the_sum_over_the_adjustments_is_that_of_the_set() -> None:
    whole, adjustments = tables()
    methods = [column.key for column in adjustments.columns[1:]]
    composites = [float(row.values[0] or 0) for row in adjustments.rows]
    for number, method in enumerate(methods, start=1):
        left = [
            before * float(row.values[number] or 0) for before, row in zip(composites, adjustments.rows, strict=True)
        ]
        (row,) = (row for row in whole.rows if (row.label, row.values[0]) == ("adjust-dev", method))
        assert abs(sum(left) / sum(composites) - float(row.values[3] or 0)) < 1e-9
