"""What is committed of the dev benchmark, and shown on a page, is one measurement."""

import json
from typing import Any

import pytest

from chromacord.lab.reporting.tables import Column, Row, Table, markdown
from chromacord.methods import DEFAULT_METHOD, METHODS
from chromacord.methods.spec import base_name
from tests.pages import ROOT, shown

RESULTS = ROOT / "benchmarks" / "results"
MARKERS = {
    "davis-lut-dev": "bench-quality",
    "davis-lut-dev-full": "bench-quality-full",
    "davis-lut-dev-real": "bench-quality-real",
    "davis-lut-drift-dev-full": "bench-quality-drift",
}
"""Between which markers a page shows a run's first table."""

RUNS: dict[str, dict[str, Any]] = {
    name: json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    for name in (*MARKERS, "davis-lut-dev-twice", "davis-lut-known-dev")
}


def table_of(values: dict[str, Any]) -> Table:
    columns = tuple(Column(**column) for column in values["columns"])
    rows = tuple(
        Row(
            row["label"],
            tuple(row[column.key] for column in columns),
            row["label"] in ("composite", "identity", "real"),
        )
        for row in values["rows"]
    )
    return Table(values["key"], values["title"], columns, rows, notes=tuple(values["notes"]))


TABLES = {name: [table_of(values) for values in run["tables"]] for name, run in RUNS.items()}


@pytest.mark.parametrize("name", RUNS)
def test_the_markdown_has_the_figures_of_the_json(name: str) -> None:
    assert (RESULTS / f"{name}.md").read_text(encoding="utf-8") == markdown(TABLES[name])


@pytest.mark.parametrize("name", MARKERS)
def test_the_page_shows_the_tables_that_were_measured(name: str) -> None:
    assert shown(MARKERS[name]) == markdown(TABLES[name][:1]).strip()


@pytest.mark.parametrize(("name", "size"), [("davis-lut-dev", [256, 256]), ("davis-lut-dev-full", None)])
def test_it_is_ten_clips_with_ten_luts_each_of_twenty_frames(name: str, size: list[int] | None) -> None:
    run = RUNS[name]
    assert (run["clips"], run["frames"], run["size"]) == (10 * 10, 10 * 10 * 20, size)
    assert run["commit"]


@pytest.mark.parametrize("name", ["davis-lut-dev", "davis-lut-dev-full"])
def test_the_composites_are_about_as_far_off_as_hyoutubes(name: str) -> None:
    """HYouTube's composites have an fMSE of 1029.5: the same order is a factor of 3 at most."""
    fmse = next(row["fmse"] for row in RUNS[name]["tables"][0]["rows"] if row["label"] == "composite")
    assert 1029.5 / 3 < fmse < 1029.5 * 3


@pytest.mark.parametrize(
    "table", [table for tables in TABLES.values() for table in tables], ids=lambda table: table.title
)
def test_identity_is_the_composite(table: Table) -> None:
    rows = {row.label: row.values for row in table.rows}
    assert rows.get("identity", rows.get("composite")) == rows.get("composite")
    assert {base_name(label) for label in set(rows) - {"composite", "real"}} <= set(METHODS)


def figures(name: str, key: str) -> dict[str, dict[str, float]]:
    """Return the rows of one table of a run by their labels."""
    table = next(table for table in RUNS[name]["tables"] if table["key"] == key)
    return {row["label"]: row for row in table["rows"]}


def test_the_default_is_far_nearer_to_the_truth_than_the_composites_and_steadier() -> None:
    """What was measured of the weights that ship: new ones must not be worse."""
    rows, temporal = figures("davis-lut-dev", "hyoutube"), figures("davis-lut-dev", "temporal")
    single = f"{DEFAULT_METHOD}:per_frame=true"
    assert rows[DEFAULT_METHOD]["fmse"] <= 0.262 * rows["composite"]["fmse"]
    assert rows[DEFAULT_METHOD]["fmse"] < rows[single]["fmse"]
    assert temporal[DEFAULT_METHOD]["rtl"] <= 0.315 * temporal["composite"]["rtl"]
    assert temporal[DEFAULT_METHOD]["flicker"] < 0.5 * temporal[single]["flicker"]
    assert temporal[DEFAULT_METHOD]["tl"] <= 1.1 * figures("davis-lut-dev-real", "temporal")["real"]["tl"]


def test_the_papers_method_halves_the_error_after_a_short_training_and_its_second_stage_is_steadier() -> None:
    """The paper's own figures are of HYouTube, and of a training on GPUs."""
    rows, temporal = figures("davis-lut-dev", "hyoutube"), figures("davis-lut-dev", "temporal")
    for name in ("chen2024:stage=1", "chen2024"):
        assert rows[name]["fmse"] <= 0.36 * rows["composite"]["fmse"]
        assert temporal[name]["rtl"] <= 0.5 * temporal["composite"]["rtl"]
    assert temporal["chen2024"]["tl"] < temporal["chen2024:stage=1"]["tl"]


def test_the_default_leaves_real_frames_nearly_as_they_are() -> None:
    assert figures("davis-lut-dev-real", "hyoutube")[DEFAULT_METHOD]["fmse"] <= 40


def test_the_whole_pipeline_at_full_size_is_hardly_worse_than_single_frames_at_working_size() -> None:
    shares = []
    for name in ("davis-lut-dev", "davis-lut-dev-full"):
        rows = figures(name, "hyoutube")
        shares.append(rows[DEFAULT_METHOD]["fmse"] / rows["composite"]["fmse"])
    assert shares[1] <= 1.03 * shares[0]


def test_a_second_pass_changes_little_more_than_the_first() -> None:
    row = figures("davis-lut-dev-twice", "passes")[DEFAULT_METHOD]
    assert row["pass2"] <= 0.01 * row["pass1"]


def test_the_figures_cost_little_beside_a_method() -> None:
    """At most 15 ms per frame and method on one core, as measured on the machine that the file names."""
    assert max(cost["figures"] for cost in RUNS["davis-lut-dev"]["cpu_ms_per_frame"].values()) <= 15
