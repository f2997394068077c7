"""What is committed of the dev benchmark, and shown in the README, is one measurement."""

import json
from pathlib import Path
from typing import Any

import pytest

from chromacord.evaluation.tables import Column, Row, Table, markdown
from chromacord.methods import METHODS

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
VALUES: dict[str, Any] = json.loads((RESULTS / "davis-lut-dev.json").read_text(encoding="utf-8"))


def table_of(values: dict[str, Any]) -> Table:
    columns = tuple(Column(**column) for column in values["columns"])
    rows = tuple(
        Row(row["label"], tuple(row[column.key] for column in columns), row["label"] in ("composite", "identity"))
        for row in values["rows"]
    )
    return Table(values["key"], values["title"], columns, rows, notes=tuple(values["notes"]))


TABLES = [table_of(values) for values in VALUES["tables"]]


def test_the_markdown_has_the_figures_of_the_json() -> None:
    assert (RESULTS / "davis-lut-dev.md").read_text(encoding="utf-8") == markdown(TABLES)


def test_the_readme_shows_the_tables_that_were_measured() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("<!-- bench-quality:start -->")[2].partition("<!-- bench-quality:end -->")[0]
    assert shown.strip() == markdown(TABLES[:1]).strip()


def test_it_is_ten_clips_with_ten_luts_each_of_twenty_frames() -> None:
    assert (VALUES["clips"], VALUES["frames"], VALUES["size"]) == (10 * 10, 10 * 10 * 20, [256, 256])
    assert VALUES["commit"]
    assert "dirty" not in VALUES["commit"]


def test_the_composites_are_about_as_far_off_as_hyoutubes() -> None:
    """HYouTube's composites have an fMSE of 1029.5: the same order is a factor of 3 at the most."""
    fmse = next(row["fmse"] for row in VALUES["tables"][0]["rows"] if row["label"] == "composite")
    assert 1029.5 / 3 < fmse < 1029.5 * 3


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.key)
def test_identity_is_the_composite(table: Table) -> None:
    rows = {row.label: row.values for row in table.rows}
    assert rows["identity"] == rows["composite"]
    assert set(rows) - {"composite"} <= set(METHODS)


def test_the_figures_cost_little_beside_a_method() -> None:
    """At most 15 ms a frame and method on one core: what was measured, on the machine that the file names."""
    assert max(cost["figures"] for cost in VALUES["cpu_ms_per_frame"].values()) <= 15
