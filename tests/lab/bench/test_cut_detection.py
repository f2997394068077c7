"""Films with known cuts, and the counts of a detector's reports."""

import json
from pathlib import Path

import numpy as np
import pytest

from chromacord.errors import InputError
from chromacord.lab.bench import cut_detection
from chromacord.lab.bench.cut_detection import ALL, CutSetting, cut_tables, measure_cuts
from chromacord.lab.bench.cut_joins import KINDS, Film, make_films
from chromacord.lab.reporting.tables import markdown
from tests.lab.training.material import disc, picture, write_manifest, write_still
from tests.pages import prose, shown

LENGTH = 16
ROOT = Path(__file__).parents[3]
JOINED = tuple(KINDS)[:6]


def grey(level: int) -> np.ndarray:
    """Return a clip of one grey, whose frames' first columns count. Shape (LENGTH, 4, 40, 3)."""
    clip = np.full((LENGTH, 4, 40, 3), level, np.uint8)
    clip[:, :, :2] = 2 * np.arange(LENGTH, dtype=np.uint8)[:, None, None, None]
    return clip


CLIPS = [grey(100), grey(200), grey(150)]


def films(kind: str, *, per_clip: int = 2, seed: int = 0) -> list[Film]:
    return list(make_films(CLIPS, kind, per_clip=per_clip, seed=seed))


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_make_equal_films_of_a_clip_and_others(kind: str) -> None:
    first, again = films(kind), films(kind)
    assert len(first) == 6
    assert len(films(kind, per_clip=9)) == 6
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.pictures, other.pictures)
        assert one.transition == other.transition
        assert one.pictures.dtype == np.float32
        assert 0 <= one.pictures.min() <= one.pictures.max() <= 1
        assert one.pictures.shape[1:] == (2, 20, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_transition_lies_inside_the_film_where_there_are_two_shots(kind: str) -> None:
    for film in films(kind, seed=3):
        assert bool(film.transition) == (kind in JOINED)
        if film.transition:
            assert 1 < film.transition.start < film.transition.stop < len(film.pictures)


@pytest.mark.parametrize("kind", ["cut", "cut beside a fast pan", "cut among repeated frames"])
def test_a_hard_cut_is_where_the_second_clip_begins(kind: str) -> None:
    for number, film in enumerate(films(kind, per_clip=1)):
        (start,) = film.transition
        levels = film.pictures[:, 0, 10, 0] * 255
        first, second = ((100, 200, 150)[clip % 3] for clip in (number, number + 1))
        assert set(np.rint(levels[:start])) == {first}
        assert set(np.rint(levels[start:])) == {second}


def test_a_dissolve_goes_evenly_from_one_clip_to_the_other() -> None:
    film = films("dissolve", per_clip=1)[0]
    start, stop = film.transition.start, film.transition.stop - 1
    levels = film.pictures[start - 1 : stop + 1, 0, 10, 0] * 255
    np.testing.assert_allclose(levels, np.linspace(100, 200, stop - start + 2), atol=1e-3)


def test_a_fade_goes_down_to_black_and_up_again_inside_its_transition() -> None:
    film = films("fade through black", per_clip=1)[0]
    levels = film.pictures[:, 0, 10, 0] * 255
    start, stop = film.transition.start, film.transition.stop - 1
    np.testing.assert_allclose(levels[:start], 100, atol=1e-3)
    np.testing.assert_allclose(levels[stop:], 200, atol=1e-3)
    low = start + int(levels[start:stop].argmin())
    assert levels[low] < 50
    assert (np.diff(levels[start - 1 : low + 1]) <= 0).all()
    assert (np.diff(levels[low : stop + 1]) >= 0).all()


def test_what_is_told_counts_once_a_transition_and_is_wrong_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A detector that reports the first frame of each transition, the frame after it, and frame 1 if there is none."""
    folder = make_footage(tmp_path)
    told = lambda film: [film.transition.start, film.transition.start + 1] if film.transition else [1]  # noqa: E731
    monkeypatch.setattr(cut_detection, "find_cuts", told)
    report = measure_cuts(CutSetting(folder, ("dev",), per_clip=1))
    kinds = report["uses"]["dev"]["kinds"]
    figures = {"films": 2, "cuts": 2, "found": 2, "wrong": 2, "precision": 0.5, "recall": 1.0}
    assert {name: kinds["dissolve"][name] for name in figures} == figures
    assert (kinds["flash"]["cuts"], kinds["flash"]["wrong"], kinds["flash"]["precision"]) == (0, 2, None)
    total = {"films": 26, "cuts": 12, "found": 12, "wrong": 26, "precision": 12 / 38, "recall": 1.0}
    assert {name: kinds[ALL][name] for name in total} == pytest.approx(total)
    text = markdown(cut_tables(report))
    assert "| dissolve | 2 | 2 | 2 | 2 | 0.500 | 1.000 |" in text
    assert "use dev" in text


def make_footage(folder: Path) -> Path:
    """Write two clips for dev, one for training, one that is too short, and a still."""
    clips = {"a": ("dev", LENGTH), "b": ("dev", LENGTH), "c": ("train", LENGTH), "d": ("dev", 3), "e": ("dev", 1)}
    for number, (name, (_, count)) in enumerate(clips.items()):
        for frame in range(count):
            write_still(folder / "video" / name, f"{frame:05d}", picture(number), disc(frame))
    write_manifest(folder, [f"video/{name},video,binary,{use},CC0" for name, (use, _) in clips.items()])
    return folder


def test_joins_need_two_clips_of_a_use(tmp_path: Path) -> None:
    folder = make_footage(tmp_path)
    with pytest.raises(InputError, match="has 1 clip of use train with 12 frames or more; joins need two"):
        measure_cuts(CutSetting(folder))
    with pytest.raises(InputError, match="no use is given"):
        measure_cuts(CutSetting(folder, ()))
    with pytest.raises(InputError, match="per-clip must be 1 or more, got 0"):
        measure_cuts(CutSetting(folder, per_clip=0))
    with pytest.raises(InputError, match="no such folder"):
        measure_cuts(CutSetting(folder / "none"))


def test_the_page_shows_what_was_measured() -> None:
    report = json.loads((ROOT / "benchmarks/results/cuts.json").read_text())
    (table,) = (table for table in cut_tables(report) if table.key == "cuts-dev")
    assert shown("cuts") == markdown([table]).strip()
    everything = report["uses"]["train"]["kinds"][ALL]
    told = f"a precision of {everything['precision']:.3f} and a recall of {everything['recall']:.3f} "
    assert told in prose()


@pytest.mark.parametrize("use", ["train", "dev"])
def test_hard_cuts_and_fades_are_found_as_they_should_be(use: str) -> None:
    kinds = json.loads((ROOT / "benchmarks/results/cuts.json").read_text())["uses"][use]["kinds"]
    counted = [figures for kind, figures in kinds.items() if kind not in (ALL, "dissolve")]
    cuts, found, wrong = (sum(figures[name] for figures in counted) for name in ("cuts", "found", "wrong"))
    assert found / cuts >= 0.99
    assert found / (found + wrong) >= 0.99
