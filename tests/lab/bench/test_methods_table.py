"""The pages' tables of speed have the figures that were measured."""

import json

import pytest

from chromacord.lab.bench.method_speed import window_table
from chromacord.lab.reporting.literature import paper_tables
from chromacord.lab.reporting.tables import markdown
from chromacord.methods import METHODS
from tests.pages import ROOT, shown

MEASURED = {
    name: measured
    for file in ("methods_256", "methods_256_shotgrade")  # its network was added later, and measured separately
    for name, measured in json.loads((ROOT / f"benchmarks/results/{file}.json").read_text(encoding="utf-8"))[
        "methods"
    ].items()
}


SPEED = json.loads((ROOT / "benchmarks/results/speed.json").read_text(encoding="utf-8"))["rows"]


def rows(table: str = "systems") -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown(table).splitlines()[2:]]
    return {line[0].strip("`"): line for line in cells}


def test_every_system_of_table_1_has_a_row() -> None:
    assert len(rows()) == len([row for row in paper_tables()[0].rows if not row.is_reference])
    assert set(rows()) <= set(METHODS)


def test_every_method_stands_in_one_of_both_tables() -> None:
    assert sorted([*rows(), *rows("costs"), "identity"]) == sorted(METHODS)


@pytest.mark.parametrize("name", [*rows(), *rows("costs")])
def test_a_row_has_the_parameters_and_the_time_that_were_measured(name: str) -> None:
    *_, parameters, multiplications, time, memory = (rows() | rows("costs"))[name]
    found = MEASURED[name]
    assert parameters == f"{found['parameters']:,}"
    assert multiplications == f"{found['gmac_per_frame']:.1f}"
    assert time == f"{found['cpu_ms_per_frame']['median']:,.0f}"
    assert memory == f"{found['peak_memory_mb']['without_imports']:.0f}"


def test_the_page_shows_the_windows_that_were_measured() -> None:
    report = json.loads((ROOT / "benchmarks/results/windows_256.json").read_text(encoding="utf-8"))
    assert shown("windows") == markdown([window_table(report)]).strip()


def test_the_page_shows_the_speed_that_was_measured() -> None:
    for (name, *cells), measured in zip(rows("speed").values(), SPEED.values(), strict=True):
        setting = measured["setting"]
        assert name.lower() == f"{setting['size']}, preset {setting['preset']}"
        figures = (
            f"{measured['cpu_ms_per_frame']['job']['min']:.1f}",
            f"{measured['overhead_cpu_ms_per_frame']['min']:.1f}",
            f"{measured['seconds_to_first_frame']['min']:.1f}",
            f"{measured['peak_memory_mb']['job']:.0f}",
        )
        assert tuple(cells) == figures


def test_every_method_was_measured() -> None:
    assert set(METHODS) <= set(MEASURED)
