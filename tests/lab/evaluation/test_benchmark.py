import json
import re
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from chromacord.errors import InputError, MismatchError, MissingFileError
from chromacord.lab.data import Clip, open_dataset
from chromacord.lab.data.hyoutube import open_hyoutube
from chromacord.lab.data.pool import Processes
from chromacord.lab.evaluation.benchmark import evaluate, read_summary
from chromacord.lab.evaluation.measuring import Plan
from chromacord.lab.evaluation.passes import harmonize_at_own_size, harmonize_at_working_size
from chromacord.lab.evaluation.predictions import name_predictions
from chromacord.lab.flow.dis import DISFlow
from chromacord.lab.metrics.protocols import MAX_PSNR
from chromacord.lab.metrics.temporal import estimate_flow, score_pairs
from chromacord.lab.reporting.results import Summary
from chromacord.methods import load_method
from chromacord.methods.base import Method, Prediction, State, Window
from chromacord.types import FloatArray, Progress, Size
from tests.hyoutube_lookalike import make_lookalike
from tests.lab.evaluation.scored_set import AREA, SIZE, copy_frames, make_set, write

OFFSETS = {"bright": 16, "dim": 4}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_set(tmp_path / "set", offsets=OFFSETS)


def plan_of(dataset: Path, *methods: str, predictions: tuple[Path, ...] = ()) -> Plan:
    return Plan(dataset, methods, name_predictions(predictions), size=SIZE)


def figures(summary: Summary, protocol: str = "hyoutube") -> dict[str, dict[str, object]]:
    """Return a table by row and column."""
    table = next(table for table in summary.tables() if table.key == protocol)
    keys = [column.key for column in table.columns]
    return {row.label: dict(zip(keys, row.values, strict=True)) for row in table.rows}


def test_the_composite_row_has_the_errors_that_were_put_in(dataset: Path, tmp_path: Path) -> None:
    summary = evaluate(plan_of(dataset), tmp_path / "run", num_strips=0)
    # Both clips have equally many frames and the same area, so the mean over frames is the mean of the squares.
    square = (16**2 + 4**2) / 2
    for protocol in ("hyoutube", "clean"):
        row = figures(summary, protocol)["composite"]
        assert row["fmse"] == pytest.approx(square, rel=1e-5)
        assert row["mse"] == pytest.approx(square * AREA / (SIZE.height * SIZE.width), rel=1e-5)


def test_identity_equals_the_composite_exactly(dataset: Path, tmp_path: Path) -> None:
    summary = evaluate(plan_of(dataset, "identity"), tmp_path / "run", num_strips=0)
    for protocol in ("hyoutube", "clean", "temporal"):
        rows = figures(summary, protocol)
        assert rows["identity"] == rows["composite"]


def test_a_perfect_prediction_has_no_error(dataset: Path, tmp_path: Path) -> None:
    perfect = copy_frames(dataset, "real", tmp_path / "perfect")
    summary = evaluate(plan_of(dataset, predictions=(perfect,)), tmp_path / "run", num_strips=0)
    for protocol in ("hyoutube", "clean"):
        row = figures(summary, protocol)["perfect"]
        assert (row["mse"], row["fmse"], row["fssim"], row["psnr"]) == (0, 0, 1, MAX_PSNR)
    temporal = figures(summary, "temporal")["perfect"]
    assert (temporal["rtl"], temporal["flicker"]) == (0, 0)


def test_a_method_is_laid_over_the_composite_before_it_is_scored(dataset: Path, tmp_path: Path) -> None:
    """Reinhard shifts the background's colours too; under protocol clean MSE is the foreground's share of fMSE."""
    summary = evaluate(plan_of(dataset, "reinhard"), tmp_path / "run", num_strips=0)
    row = figures(summary, "clean")["reinhard"]
    assert isinstance(row["fmse"], float)
    assert row["fmse"] > 0
    assert row["mse"] == pytest.approx(row["fmse"] * AREA / (SIZE.height * SIZE.width), rel=1e-5)


def test_all_outputs_are_written_and_json_holds_the_figures_unrounded(dataset: Path, tmp_path: Path) -> None:
    summary = evaluate(plan_of(dataset, "mkl"), tmp_path / "run", command="chromacord evaluate ...")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"records.jsonl", "table.md", "table.tex", "table.json", "report.html"}
    values = json.loads((tmp_path / "run" / "table.json").read_text())
    by_key = {table["key"]: table for table in values["tables"]}
    assert list(by_key) == ["hyoutube", "clean", "temporal", "ratio"]
    rows = {row["label"]: row for row in by_key["clean"]["rows"]}
    assert rows["mkl"]["fmse"] == figures(summary, "clean")["mkl"]["fmse"]
    assert (values["clips"], values["frames"], values["command"]) == (2, 6, "chromacord evaluate ...")
    assert {"machine", "versions", "commit", "fingerprint"} <= set(values)
    assert set(values["cpu_ms_per_frame"]) == {"composite", "mkl"}


class Stopped(Exception):
    """A run was stopped from outside."""


def test_a_run_that_was_stopped_goes_on_and_counts_nothing_twice(dataset: Path, tmp_path: Path) -> None:
    whole = evaluate(plan_of(dataset, "mkl"), tmp_path / "whole", num_strips=0)

    def stop(progress: Progress) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        evaluate(plan_of(dataset, "mkl"), tmp_path / "run", progress=stop)
    records = tmp_path / "run" / "records.jsonl"
    assert len(records.read_text().splitlines()) == 1 + 2  # header; composite and mkl of one clip
    with records.open("a") as file:
        file.write('{"clip": "dim", "method": "compo')  # what a kill in the middle of a line leaves

    seen: list[Progress] = []
    resumed = evaluate(plan_of(dataset, "mkl"), tmp_path / "run", num_strips=0, progress=seen.append)
    assert [(progress.done, progress.total) for progress in seen] == [(6, 6)]  # one clip of 3 frames, two rows
    assert len(records.read_text().splitlines()) == 1 + 4
    assert resumed.tables() == whole.tables()


def test_a_run_that_was_stopped_has_no_tables_yet(dataset: Path, tmp_path: Path) -> None:
    evaluate(plan_of(dataset, "mkl"), tmp_path / "run", num_strips=0)
    records = tmp_path / "run" / "records.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    records.write_text("".join(line for line in lines if '"dim"' not in line))
    with pytest.raises(InputError, match="clips are missing"):
        read_summary(tmp_path / "run")


def test_a_row_that_lacks_clips_is_left_out_and_named(dataset: Path, tmp_path: Path) -> None:
    evaluate(plan_of(dataset, "mkl", "reinhard"), tmp_path / "run", num_strips=0)
    records = tmp_path / "run" / "records.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    records.write_text("".join(line for line in lines if '"dim", "method": "mkl"' not in line))
    summary = read_summary(tmp_path / "run")
    assert summary.labels == ("composite", "reinhard")
    assert "skipped, because clips are missing: mkl (1 of 2)" in summary.tables()[0].notes


def test_a_record_that_stands_there_twice_counts_once(dataset: Path, tmp_path: Path) -> None:
    summary = evaluate(plan_of(dataset), tmp_path / "run", num_strips=0)
    records = tmp_path / "run" / "records.jsonl"
    records.write_text(records.read_text() + records.read_text().splitlines()[-1] + "\n")
    again = read_summary(tmp_path / "run")
    assert again.num_frames == 6
    assert again.tables() == summary.tables()


def test_a_later_run_adds_rows_to_what_is_there(dataset: Path, tmp_path: Path) -> None:
    evaluate(plan_of(dataset, "mkl"), tmp_path / "run", num_strips=0)
    summary = evaluate(plan_of(dataset, "reinhard"), tmp_path / "run", num_strips=0)
    assert summary.labels == ("composite", "reinhard", "mkl")


def test_a_method_with_options_has_a_row_of_its_own_behind_the_method(dataset: Path, tmp_path: Path) -> None:
    specs = ("histogram", "mkl:max_gain=1", "reinhard", "mkl")
    summary = evaluate(plan_of(dataset, *specs), tmp_path / "run", num_strips=0)
    assert summary.labels == ("composite", "reinhard", "mkl", "mkl:max_gain=1", "histogram")
    rows = figures(summary)
    assert rows["mkl"]["fmse"] != rows["mkl:max_gain=1"]["fmse"]


def test_two_processes_measure_the_same_as_one(dataset: Path, tmp_path: Path) -> None:
    one = evaluate(plan_of(dataset, "mkl"), tmp_path / "one", num_strips=0)
    two = evaluate(plan_of(dataset, "mkl"), tmp_path / "two", num_strips=0, engine=Processes(2))
    assert two.tables() == one.tables()


def test_records_of_another_data_set_are_refused(dataset: Path, tmp_path: Path) -> None:
    evaluate(plan_of(dataset), tmp_path / "run", num_strips=0)
    other = make_set(tmp_path / "other", offsets={"bright": 16, "third": 4})
    with pytest.raises(InputError, match=r"records\.jsonl: holds records of another data set"):
        evaluate(plan_of(other), tmp_path / "run", num_strips=0)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"protocols": ("clean",)}, "protocols"),
        ({"size": Size(16, 16)}, "size"),
        ({"size": None, "full": True}, "size"),
    ],
)
def test_records_that_were_measured_otherwise_are_refused(
    dataset: Path, tmp_path: Path, changes: dict[str, object], name: str
) -> None:
    plan = plan_of(dataset)
    evaluate(plan, tmp_path / "run", num_strips=0)
    with pytest.raises(InputError, match=f"was measured with {name}"):
        evaluate(replace(plan, **changes), tmp_path / "run", num_strips=0)  # type: ignore[arg-type]


def test_missing_predictions_are_listed_before_anything_is_measured(tmp_path: Path) -> None:
    dataset = make_set(tmp_path / "set", offsets=OFFSETS, num_frames=8)
    predictions = copy_frames(dataset, "images", tmp_path / "theirs")
    for number in range(8):
        (predictions / "dim" / f"{number:05d}.png").unlink()
        (predictions / "bright" / f"{number:05d}.png").unlink(missing_ok=number % 2 == 0)
    with pytest.raises(MissingFileError) as caught:
        evaluate(plan_of(dataset, predictions=(predictions,)), tmp_path / "run")
    message = str(caught.value)
    assert "no prediction for 16 frames" in message
    assert message.count("bright/") == 8
    assert message.count("dim/") == 2
    assert "and 6 more" in message
    assert not (tmp_path / "run").exists()


def test_predictions_of_the_files_size_are_resized_like_the_files(tmp_path: Path) -> None:
    dataset = make_set(tmp_path / "set", offsets=OFFSETS)
    theirs = copy_frames(dataset, "images", tmp_path / "theirs")
    plan = replace(plan_of(dataset, predictions=(theirs,)), size=Size(24, 24))
    rows = figures(evaluate(plan, tmp_path / "run", num_strips=0))
    assert rows["theirs"] == rows["composite"]


def test_predictions_of_a_third_size_are_refused_by_name(dataset: Path, tmp_path: Path) -> None:
    theirs = copy_frames(dataset, "images", tmp_path / "theirs", size=Size(16, 20))
    with pytest.raises(MismatchError, match=r"bright/00000\.png: is 20x16; predictions must be 48x32"):
        evaluate(plan_of(dataset, predictions=(theirs,)), tmp_path / "run")


def test_predictions_of_another_folder_under_the_same_name_are_refused(dataset: Path, tmp_path: Path) -> None:
    first, second = (copy_frames(dataset, "real", tmp_path / name / "theirs") for name in ("a", "b"))
    evaluate(plan_of(dataset, predictions=(first,)), tmp_path / "run", num_strips=0)
    with pytest.raises(InputError, match=r"theirs was measured from .*/a/theirs, not from .*/b/theirs"):
        evaluate(plan_of(dataset, predictions=(second,)), tmp_path / "run", num_strips=0)


def test_predictions_may_not_be_called_like_a_method(dataset: Path, tmp_path: Path) -> None:
    theirs = copy_frames(dataset, "real", tmp_path / "mkl")
    with pytest.raises(InputError, match="two rows would be called 'mkl'"):
        evaluate(plan_of(dataset, "mkl", predictions=(theirs,)), tmp_path / "run")


def test_frames_without_foreground_are_skipped_and_counted(tmp_path: Path) -> None:
    dataset = make_set(tmp_path / "set", offsets=OFFSETS, empty=("bright", 1))
    summary = evaluate(plan_of(dataset), tmp_path / "run", num_strips=0)
    row = figures(summary)["composite"]
    # Two frames of 16 levels and three of 4; the sixth has no foreground to be off.
    assert row["fmse"] == pytest.approx((2 * 16**2 + 3 * 4**2) / 5, rel=1e-5)
    assert row["mse"] == pytest.approx((2 * 16**2 + 3 * 4**2) / 6 * AREA / (SIZE.height * SIZE.width), rel=1e-5)
    assert "1 frame without foreground" in (tmp_path / "run" / "table.md").read_text()


def test_a_clip_without_real_frames_is_named(tmp_path: Path) -> None:
    dataset = make_set(tmp_path / "set", offsets=OFFSETS, with_real=False)
    with pytest.raises(InputError, match="bright: has no real frames"):
        evaluate(plan_of(dataset), tmp_path / "run")


def test_the_whole_pipeline_is_measured_at_the_clips_own_size(dataset: Path, tmp_path: Path) -> None:
    plan = replace(plan_of(dataset, "identity", "poisson"), size=None, full=True)
    summary = evaluate(plan, tmp_path / "run")
    rows = figures(summary)
    assert rows["identity"] == rows["composite"]
    assert rows["composite"]["fmse"] == pytest.approx((16**2 + 4**2) / 2, rel=1e-5)
    assert rows["poisson"] != rows["composite"]
    assert "whole pipeline" in summary.tables()[0].title


def test_the_whole_pipeline_gives_a_grade_that_working_size_does_not(dataset: Path, tmp_path: Path) -> None:
    """At working size a method's pixels are taken as they are; the pipeline smooths its grade in time."""
    small = evaluate(plan_of(dataset, "mkl"), tmp_path / "small", num_strips=0)
    full = evaluate(replace(plan_of(dataset, "mkl"), size=None, full=True), tmp_path / "full", num_strips=0)
    assert figures(small)["composite"] == figures(full)["composite"]
    assert figures(small, "temporal")["mkl"]["flicker"] > figures(full, "temporal")["mkl"]["flicker"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ("mkl", "magic")}, "there is no method 'magic'"),
        ({"protocols": ("fair",)}, "there is no protocol 'fair'; choose one of hyoutube, clean"),
        ({"protocols": ()}, "no protocol"),
        ({"flow": "guess"}, "there is no flow source 'guess'; choose one of dis"),
        ({"methods": ("mkl", "mkl")}, "two rows would be called 'mkl'"),
        ({"methods": ("mkl", *2 * ("mkl:max_gain=2",))}, "two rows would be called 'mkl:max_gain=2'"),
        ({"methods": ("mkl:speed=2",)}, "method 'mkl' has no option 'speed'"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_written(
    dataset: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(replace(plan_of(dataset), **changes), tmp_path / "run")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_identity_is_never_printed_as_the_best(dataset: Path, tmp_path: Path) -> None:
    evaluate(plan_of(dataset, "identity", "reinhard", "mkl"), tmp_path / "run", num_strips=0)
    rows = (tmp_path / "run" / "table.md").read_text().splitlines()
    assert not any("**" in row for row in rows if row.startswith(("| identity", "| composite")))
    assert any("**" in row for row in rows if row.startswith(("| mkl", "| reinhard")))


def test_pictures_are_of_clips_from_easy_to_hard_at_their_largest_foreground(tmp_path: Path) -> None:
    offsets = {f"clip{offset:02d}": offset for offset in (2, 4, 8, 16, 32, 64)}
    dataset = make_set(tmp_path / "set", offsets=offsets, empty=("clip04", 0))
    evaluate(plan_of(dataset, "mkl"), tmp_path / "run", num_strips=3)
    text = (tmp_path / "run" / "report.html").read_text()
    # The middle of each third of the clips, sorted by the composite's error.
    assert re.findall(r"<caption>(clip\d+), frame (\d+)", text) == [
        ("clip04", "00001"),
        ("clip16", "00000"),
        ("clip64", "00000"),
    ]


class Counting(Method):
    """Brightens the n-th window of a shot by n levels: it can only count by its state."""

    window = Window(hop=2)
    working_size = None

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        count = 1 if state is None else state + 1
        return Prediction(composite + np.float32(count / 255), None, count)


def test_a_methods_state_goes_from_window_to_window() -> None:
    """Five frames in windows of two: the last window has one frame of its own."""
    grey, mask = torch.full((5, 3, 16, 16), 0.5), torch.ones(5, 1, 16, 16)
    clip = Clip("c", grey, mask, grey, ("0", "1", "2", "3", "4"))
    harmonized = harmonize_at_working_size(clip, Counting())
    levels = (255 * (harmonized - grey)).mean(dim=(1, 2, 3)).round().tolist()
    assert levels == [1, 1, 2, 2, 3]


def test_a_method_of_another_size_is_refused_by_name() -> None:
    class Small(Counting):
        working_size = Size(8, 8)

    grey = torch.full((1, 3, 16, 16), 0.5)
    with pytest.raises(InputError, match="Small works at 8x8, not at 16x16"):
        harmonize_at_working_size(Clip("c", grey, grey[:, :1], grey, ("0",)), Small())


def test_the_pipeline_takes_frames_that_lie_apart_for_as_far_apart_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = []

    def fake(pairs: Any, method: Method, *, rate: Fraction) -> Any:
        rates.append(rate)
        return (composite for composite, _ in pairs)

    monkeypatch.setattr("chromacord.lab.evaluation.passes.harmonize_frames", fake)
    grey = torch.full((2, 3, 16, 16), 0.5)
    for spacing in (1, 5):
        harmonize_at_own_size(Clip("c", grey, grey[:, :1], grey, ("0", "1"), spacing=spacing), Counting())
    assert rates == [30, 6]


def test_frames_that_lie_apart_have_no_temporal_figures_without_the_ones_between(tmp_path: Path) -> None:
    hyoutube = make_lookalike(tmp_path / "now")
    summary = evaluate(plan_of(hyoutube, "mkl"), tmp_path / "run", num_strips=0)
    assert [table.key for table in summary.tables()] == ["hyoutube", "clean", "ratio"]


def test_hyoutubes_temporal_figures_are_those_of_the_listed_pairs(tmp_path: Path) -> None:
    """The same by hand: the listed frame and the next one, as a clip of two, each laid out by the methods of theirs."""
    now, after = make_lookalike(tmp_path / "now"), make_lookalike(tmp_path / "after", shift=1)
    plan = replace(plan_of(now, "mkl"), next_frames=after)
    summary = evaluate(plan, tmp_path / "run", num_strips=0)
    clips, future = open_dataset(now, size=SIZE), open_hyoutube(after, split="future", size=SIZE)
    expected: dict[str, list[float]] = {"composite": [], "mkl": []}
    for name, frame in (("bb02/object_1", 0), ("bb02/object_2", 1), ("cc03/object_0", 2)):
        pair = [clips[clips.names.index(name)], future[future.names.index(name)]]
        real, mask = (torch.stack([getattr(clip, kind)[frame] for clip in pair]) for kind in ("real", "mask"))
        flow = estimate_flow(real, DISFlow())
        for label in expected:
            frames = [
                clip.composite if label == "composite" else harmonize_at_working_size(clip, load_method(label))
                for clip in pair
            ]
            both = torch.stack([each[frame] for each in frames])
            expected[label].append(float(score_pairs(both, real, mask, flow=flow)["tl"]))
    rows = figures(summary, "temporal")
    for label, values in expected.items():
        assert rows[label]["tl"] == pytest.approx(sum(values) / 3, rel=1e-6)
    assert "Means over 3 pairs" in (tmp_path / "run" / "table.md").read_text()


def test_predictions_without_the_next_frames_have_no_temporal_figures(tmp_path: Path) -> None:
    now, after = make_lookalike(tmp_path / "now"), make_lookalike(tmp_path / "after", shift=1)
    theirs = tmp_path / "theirs"
    shutil.copytree(now / "synthetic_composite_videos", theirs)
    plan = replace(plan_of(now, predictions=(theirs,)), next_frames=after)
    rows = figures(evaluate(plan, tmp_path / "run", num_strips=0), "temporal")
    assert rows["theirs"] == {"tl": None, "rtl": None, "flicker": None}
    shutil.copytree(after / "synthetic_composite_videos", theirs, dirs_exist_ok=True)
    rows = figures(evaluate(plan, tmp_path / "again", num_strips=0), "temporal")
    assert rows["theirs"] == rows["composite"]


def test_clips_that_the_temporal_list_does_not_name_have_no_temporal_figures(tmp_path: Path) -> None:
    now, after = make_lookalike(tmp_path / "now"), make_lookalike(tmp_path / "after", shift=1)
    tasks = (now / "tl_task.txt").read_text().splitlines()
    (now / "tl_task.txt").write_text(tasks[0])
    evaluate(replace(plan_of(now), next_frames=after), tmp_path / "run", num_strips=0)
    assert "Means over 1 pair" in (tmp_path / "run" / "table.md").read_text()


def test_what_is_left_of_the_error_by_hand(dataset: Path, tmp_path: Path) -> None:
    """The clips are 16 and 4 levels off, squared 256 and 16; what others made is 8 and 6 levels off, 64 and 36."""
    for clip, offset in (("bright", 8), ("dim", 6)):
        for path in sorted((dataset / clip / "real").glob("*.png")):
            mask = cv2.imread(str(dataset / clip / "masks" / path.name))
            real = cv2.imread(str(path))
            write(tmp_path / "theirs" / clip / path.name, np.where(mask > 0, real + np.uint8(offset), real))
    plan = replace(plan_of(dataset, predictions=(tmp_path / "theirs",)), protocols=("foreground",))
    found = figures(evaluate(plan, tmp_path / "run", num_strips=0), "ratio")["theirs"]
    assert found == {
        "composite": pytest.approx(136, rel=1e-5),
        "result": pytest.approx(50, rel=1e-5),
        "ratio": pytest.approx(100 / 272, rel=1e-5),
        "median": pytest.approx((0.25 + 2.25) / 2, rel=1e-5),
        "worse": 50,
        "harm": None,
    }
