"""Methods run on real frames, or on their own results: the measurements, and the tables' words."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from chromacord.errors import InputError
from chromacord.lab.data import Clip, open_dataset
from chromacord.lab.evaluation.benchmark import evaluate
from chromacord.lab.evaluation.feeding import change_by_pass, is_usual, tables_of
from chromacord.lab.evaluation.measuring import Plan
from chromacord.lab.evaluation.passes import harmonize_at_own_size, harmonize_at_working_size, run_passes
from chromacord.lab.evaluation.predictions import name_predictions
from chromacord.lab.metrics.protocols import MAX_PSNR, PROTOCOLS
from chromacord.lab.reporting.results import Summary
from chromacord.methods import load_method
from tests.hyoutube_lookalike import make_lookalike
from tests.lab.evaluation.scored_set import SIZE, copy_frames, make_set

CLASSICAL = ("identity", "reinhard", "mkl", "histogram", "poisson")
SIZES = pytest.mark.parametrize(
    "place", [{"size": SIZE}, {"size": None, "full": True}], ids=["at working size", "through the whole pipeline"]
)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_set(tmp_path / "set", offsets={"bright": 16, "dim": 4})


def figures(summary: Summary, key: str = "clean") -> dict[str, dict[str, Any]]:
    """Return a table by row and column."""
    table = next(table for table in tables_of(summary) if table.key == key)
    keys = [column.key for column in table.columns]
    return {row.label: dict(zip(keys, row.values, strict=True)) for row in table.rows}


def grey_clip(level: float = 0.5, *, num_frames: int = 2) -> Clip:
    grey = torch.full((num_frames, 3, 16, 16), level)
    return Clip("c", grey, torch.ones(num_frames, 1, 16, 16), grey, tuple(map(str, range(num_frames))))


def test_each_pass_is_given_the_result_of_the_one_before() -> None:
    seen = []

    def brighten(clip: Clip) -> torch.Tensor:
        seen.append(float(clip.composite.mean()))
        return clip.composite + 0.1 * (1 - clip.composite)

    result = run_passes(grey_clip(), brighten, 3)
    assert seen == pytest.approx([0.5, 0.55, 0.595])
    assert float(result.harmonized.mean()) == pytest.approx(0.6355)
    # Steps of 0.05, 0.045 and 0.0405, squared on the scale of 0 to 255.
    expected = [(255 * step) ** 2 for step in (0.05, 0.045, 0.0405)]
    assert [float(change.mean()) for change in result.change_by_pass] == pytest.approx(expected, rel=1e-4)


def test_of_a_single_pass_no_change_is_measured() -> None:
    assert run_passes(grey_clip(), lambda clip: clip.composite, 1).change_by_pass == ()


def test_a_pass_that_makes_no_number_is_named() -> None:
    with pytest.raises(InputError, match=r"c, pass 1: .*NaN"):
        run_passes(grey_clip(), lambda clip: clip.composite * float("nan"), 2)


@SIZES
def test_real_frames_have_no_error_and_stand_in_a_row_of_their_name(
    dataset: Path, tmp_path: Path, place: dict[str, Any]
) -> None:
    summary = evaluate(Plan(dataset, CLASSICAL, input="real", **place), tmp_path / "run", num_strips=1)
    for protocol in ("hyoutube", "clean"):
        rows = figures(summary, protocol)
        assert list(rows) == ["real", *CLASSICAL]
        for name in ("real", "identity"):
            row = rows[name]
            assert (row["mse"], row["fmse"], row["psnr"], row["fssim"]) == (0, 0, MAX_PSNR, 1)
        assert rows["mkl"]["fmse"] > 0
    still = figures(summary, "temporal")["real"]
    assert (still["rtl"], still["flicker"]) == (0, 0)
    assert "NaN" not in (tmp_path / "run" / "table.json").read_text()


@SIZES
def test_a_method_that_gets_the_real_frames_is_scored_on_what_it_makes_of_them(
    dataset: Path, tmp_path: Path, place: dict[str, Any]
) -> None:
    summary = evaluate(Plan(dataset, ("reinhard",), input="real", **place), tmp_path / "run", num_strips=0)
    harmonize = harmonize_at_own_size if place.get("full") else harmonize_at_working_size
    errors = []
    for clip in open_dataset(dataset, size=place["size"]):
        assert clip.real is not None
        made = harmonize(replace(clip, composite=clip.real), load_method("reinhard"))
        errors.append(PROTOCOLS["clean"].score_frames(made, clip.real, clip.mask)["fmse"])
    assert figures(summary)["reinhard"]["fmse"] == pytest.approx(float(torch.cat(errors).mean()), rel=1e-6)


def test_frames_for_temporal_figures_alone_are_the_real_ones_too(tmp_path: Path) -> None:
    now, after = make_lookalike(tmp_path / "now"), make_lookalike(tmp_path / "after", shift=1)
    plan = Plan(now, ("identity",), size=SIZE, next_frames=after, input="real")
    rows = figures(evaluate(plan, tmp_path / "run", num_strips=0), "temporal")
    assert rows["identity"] == rows["real"]
    assert (rows["real"]["rtl"], rows["real"]["flicker"]) == (0, 0)


@SIZES
def test_errors_are_those_of_the_last_pass(dataset: Path, tmp_path: Path, place: dict[str, Any]) -> None:
    summary = evaluate(Plan(dataset, ("identity", "mkl"), passes=2, **place), tmp_path / "run", num_strips=0)
    harmonize = harmonize_at_own_size if place.get("full") else harmonize_at_working_size
    method, errors, changes = load_method("mkl"), [], []
    for clip in open_dataset(dataset, size=place["size"]):
        assert clip.real is not None
        once = harmonize(clip, method)
        twice = harmonize(replace(clip, composite=once), method)
        errors.append(PROTOCOLS["clean"].score_frames(twice, clip.real, clip.mask)["fmse"])
        pairs = ((once, clip.composite), (twice, once))
        changes.append([PROTOCOLS["clean"].score_frames(*pair, clip.mask)["fmse"] for pair in pairs])
    rows = figures(summary)
    assert rows["mkl"]["fmse"] == pytest.approx(float(torch.cat(errors).mean()), rel=1e-6)
    assert rows["identity"] == rows["composite"]
    expected = [float(torch.cat(each).mean()) for each in zip(*changes, strict=True)]
    found = change_by_pass(summary)
    assert found["mkl"] == pytest.approx(expected, rel=1e-6)
    assert found["identity"] == [0, 0]
    assert figures(summary, "passes")["mkl"] == {"pass1": found["mkl"][0], "pass2": found["mkl"][1]}


def test_titles_notes_and_json_say_what_was_given_and_how_often(dataset: Path, tmp_path: Path) -> None:
    summary = evaluate(Plan(dataset, ("mkl",), size=SIZE, input="real", passes=3), tmp_path / "run")
    tables = tables_of(summary)
    assert [table.key for table in tables] == ["hyoutube", "clean", "temporal", "passes"]
    for table in tables:
        assert table.title.endswith(", 3 passes, real frames in place of composites")
        assert table.notes[0].startswith("Methods were given the real frames")
        assert table.notes[1].startswith("Each method was run 3 times, each time on its own result")
    values = json.loads((tmp_path / "run" / "table.json").read_text())
    assert (values["input"], values["passes"]) == ("real", 3)
    assert values["change_by_pass"] == change_by_pass(summary)
    assert len(values["change_by_pass"]["mkl"]) == 3
    assert set(values["cpu_ms_per_frame"]) == {"real", "mkl"}
    text = (tmp_path / "run" / "table.md").read_text()
    assert "change by pass" in text
    assert "| composite |" not in text
    assert not is_usual(summary.header)


def test_the_page_of_real_frames_compares_with_no_composite(dataset: Path, tmp_path: Path) -> None:
    evaluate(Plan(dataset, ("mkl",), size=SIZE, input="real"), tmp_path / "run", num_strips=1)
    text = (tmp_path / "run" / "report.html").read_text()
    assert "of each clip</h2>" not in text
    assert "<span>composite" not in text
    assert text.count("<span>real") == 2  # the method's input, and the reference


def test_the_usual_tables_say_nothing_of_it(dataset: Path, tmp_path: Path) -> None:
    summary = evaluate(Plan(dataset, ("mkl",), size=SIZE), tmp_path / "run", num_strips=0)
    assert is_usual(summary.header)
    assert tables_of(summary) == summary.tables()
    assert change_by_pass(summary) == {}


def test_frames_without_foreground_take_no_part_in_the_change(tmp_path: Path) -> None:
    dataset = make_set(tmp_path / "set", offsets={"bright": 16}, num_frames=2, empty=("bright", 1))
    summary = evaluate(Plan(dataset, ("mkl",), size=SIZE, passes=2), tmp_path / "run", num_strips=0)
    record = next(record for record in summary.records if record.method == "mkl")
    assert [series[1] for series in record.change_by_pass] == [None, None]
    assert change_by_pass(summary)["mkl"] == [series[0] for series in record.change_by_pass]


@pytest.mark.parametrize(("changes", "name"), [({"input": "real"}, "input composite"), ({"passes": 2}, "passes 1")])
def test_records_of_other_frames_or_passes_are_refused(
    dataset: Path, tmp_path: Path, changes: dict[str, Any], name: str
) -> None:
    plan = Plan(dataset, (), size=SIZE)
    evaluate(plan, tmp_path / "run", num_strips=0)
    with pytest.raises(InputError, match=f"was measured with {name}, not "):
        evaluate(replace(plan, **changes), tmp_path / "run", num_strips=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": "guess"}, "there is no input 'guess'; choose one of composite, real"),
        ({"passes": 0}, "passes must be 1 or more, got 0"),
    ],
)
def test_what_cannot_be_given_is_refused_before_anything_is_written(
    dataset: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(replace(Plan(dataset, ("mkl",), size=SIZE), **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("changes", [{"input": "real"}, {"passes": 2}])
def test_predictions_cannot_be_given_other_frames(dataset: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    theirs = name_predictions((copy_frames(dataset, "real", tmp_path / "theirs"),))
    with pytest.raises(InputError, match="theirs: predictions were made from the composites, once"):
        evaluate(Plan(dataset, (), theirs, size=SIZE, **changes), tmp_path / "run")
