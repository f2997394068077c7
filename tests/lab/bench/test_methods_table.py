"""The README's tables of speed have the figures that were measured."""

import json
from pathlib import Path

import pytest

from chromacord.lab.bench.method_speed import window_table
from chromacord.lab.reporting.literature import paper_tables
from chromacord.lab.reporting.tables import markdown
from chromacord.methods import METHODS

ROOT = Path(__file__).parents[3]
MEASURED = {
    name: measured
    for file in ("methods_256", "methods_256_shotgrade")  # its network came later, and was measured by itself
    for name, measured in json.loads((ROOT / f"benchmarks/results/{file}.json").read_text(encoding="utf-8"))[
        "methods"
    ].items()
}


SPEED = json.loads((ROOT / "benchmarks/results/speed.json").read_text(encoding="utf-8"))["rows"]


def rows(table: str = "systems") -> dict[str, list[str]]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = text.partition(f"<!-- {table}:start -->")[2].partition(f"<!-- {table}:end -->")[0].strip().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
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


def test_the_readme_shows_the_windows_that_were_measured() -> None:
    report = json.loads((ROOT / "benchmarks/results/windows_256.json").read_text(encoding="utf-8"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.partition("<!-- windows:start -->")[2].partition("<!-- windows:end -->")[0]
    assert shown.strip() == markdown([window_table(report)]).strip()


def test_the_readme_shows_the_speed_that_was_measured() -> None:
    shown = rows("speed")
    for (name, *cells), measured in zip(shown.values(), SPEED.values(), strict=True):
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
