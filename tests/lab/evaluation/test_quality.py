import json
from pathlib import Path

import pytest

from chromacord.errors import InputError
from chromacord.lab.color.adjustments import ADJUSTMENTS
from chromacord.lab.evaluation.quality import (
    SETS,
    Setting,
    measure_quality,
    quality_report,
    quality_table,
    quality_tables,
)
from chromacord.lab.reporting.tables import Column, Row, Table, markdown
from tests.lab.evaluation.scored_set import make_quality_footage

QUICK = ("pairs-dev", "adjust-dev", "real-dev")


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_quality_footage(tmp_path_factory.mktemp("data") / "footage")


def test_every_set_is_measured_and_the_table_says_of_each_what_is_left(footage: Path, tmp_path: Path) -> None:
    setting = Setting(footage, tmp_path / "runs", ("identity", "mkl"))
    summaries = measure_quality(setting)
    assert list(summaries) == list(SETS)
    items = {name: summary.header.num_clips for name, summary in summaries.items()}
    assert list(items.values()) == [2 * 10, 3, 2 * 12, 2, 2]
    assert summaries["adjust-dev"].num_frames == 2 * 12 * 4
    rows = {(row.label, row.values[0]): row.values[1:] for row in quality_table(summaries, setting.methods).rows}
    assert list(rows) == [(name, method) for name in SETS for method in setting.methods]
    for name in SETS:
        composite, result, *rest = rows[name, "identity"]
        assert composite == result
        assert rest == ([None] * 3 if name == "real-dev" else [1, 1, 0])
    # Each pair is 16 levels too bright; resizing mixes the mask's border with correct pixels.
    assert 200 < rows["pairs-dev", "identity"][0] < 16**2  # type: ignore[operator]
    assert rows["real-dev", "identity"][1] == 0
    assert rows["real-dev", "mkl"][1] > 0  # type: ignore[operator]


def test_a_run_goes_on_with_what_was_measured(footage: Path, tmp_path: Path) -> None:
    setting = Setting(footage, tmp_path / "runs", ("mkl",), QUICK)
    first = measure_quality(setting)
    records = (tmp_path / "runs" / "pairs-dev-run" / "records.jsonl").read_text()
    again = measure_quality(setting)
    assert (tmp_path / "runs" / "pairs-dev-run" / "records.jsonl").read_text() == records
    assert quality_tables(again, ("mkl",)) == quality_tables(first, ("mkl",))


def test_the_ratio_of_each_adjustment_is_shown(footage: Path, tmp_path: Path) -> None:
    summaries = measure_quality(Setting(footage, tmp_path / "runs", ("identity", "mkl"), ("adjust-dev",)))
    whole, by_adjustment = quality_tables(summaries, ("identity", "mkl"))
    assert [row.label for row in by_adjustment.rows] == list(ADJUSTMENTS)[:-1]
    assert all(row.values[1] == 1 for row in by_adjustment.rows)
    composites = [row.values[0] for row in by_adjustment.rows]
    assert whole.rows[0].values[1] == pytest.approx(sum(composites) / 12)  # type: ignore[arg-type]
    ratio = sum(row.values[0] * row.values[2] for row in by_adjustment.rows) / sum(composites)  # type: ignore[operator, arg-type, misc]
    assert whole.rows[1].values[3] == pytest.approx(ratio)


def test_the_best_of_each_set_is_bold_and_not_the_best_of_all() -> None:
    columns = (Column("method", "method"), Column("ratio", "ratio", 2, "lower"))
    rows = (
        Row("one", ("identity", 1.0), is_reference=True),
        *(Row("one", pair) for pair in (("a", 0.5), ("b", 0.4))),
        *(Row("two", pair) for pair in (("a", 0.8), ("b", 0.9))),
    )
    text = markdown([Table("t", "title", columns, rows, "set", grouped=True)])
    assert text.splitlines()[2:] == [
        "| set | method | ratio ↓ |",
        "|---|---|---:|",
        "| one | identity | 1.00 |",
        "| one | a | 0.50 |",
        "| one | b | **0.40** |",
        "| two | a | **0.80** |",
        "| two | b | 0.90 |",
    ]


def test_the_report_states_data_protocol_command_and_commit(footage: Path, tmp_path: Path) -> None:
    setting = Setting(footage, tmp_path / "runs", ("mkl",), ("pairs-dev",), command="chromacord bench quality ...")
    report = json.loads(json.dumps(quality_report(measure_quality(setting), setting)))
    assert report["command"] == "chromacord bench quality ..."
    assert "above 127" in report["protocol"]
    assert report["sets"]["pairs-dev"]["items"] == 3
    assert {"commit", "machine", "versions", "version"} <= set(report)
    (table,) = report["tables"]
    assert [row["label"] for row in table["rows"]] == ["pairs-dev"]
    assert any("17 photographs" in note for note in table["notes"])


def test_an_unknown_set_is_refused_before_anything_is_made(footage: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no set 'pairs'; choose one of davis-lut-dev, pairs-dev"):
        measure_quality(Setting(footage, tmp_path / "runs", ("mkl",), ("pairs",)))
    assert not (tmp_path / "runs").exists()
