"""A grade in Python: decided, changed and rendered without a grade file."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import chromacord as cc
from chromacord.errors import GradeFileError, InputError
from chromacord.io import open_source
from chromacord.job.threads import open_blas
from tests.footage import disc, make_composite, make_mask, recoloured
from tests.scenes import Brighten

NUM_FRAMES = 12
EXACT = {"encoding": cc.Encoding(codec="ffv1")}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clip")
    frames = [recoloured("yuv420p", index) for index in range(NUM_FRAMES)]
    masks = [[disc(index)] for index in range(NUM_FRAMES)]
    composite = make_composite(folder / "comp.mkv", frames=frames, codec="ffv1")
    return {"composite": composite, "mask": make_mask(folder / "mask.mkv", frames=masks)}


def pictures(path: Path) -> np.ndarray:
    """The codes of all planes of each frame."""
    return np.stack([np.concatenate([plane.ravel() for plane in frame.planes]) for frame in open_source(path).frames()])


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "mkl"},
        {"method": "mkl", "consistency": "shot", "strength": "tone=0.5"},
        {"method": "histogram", "consistency": "frame", "contrast": 1.2, "protect": "skin"},
        {"method": "mkl", "frames": (2, 9), "exposure": 0.5},
        {"cuts": (5,)},
    ],
)
def test_to_analyse_and_render_gives_what_harmonizing_gives(
    clip: dict[str, Path], tmp_path: Path, changes: dict[str, Any]
) -> None:
    cc.harmonize_video(**clip, output=tmp_path / "at_once.mkv", **changes, **EXACT)
    grade = cc.analyse(**clip, **changes)
    part = {"frames": changes["frames"]} if "frames" in changes else {}
    summary = cc.render(grade, **clip, output=tmp_path / "in_two.mkv", **part, **EXACT)
    np.testing.assert_array_equal(pictures(tmp_path / "in_two.mkv"), pictures(tmp_path / "at_once.mkv"))
    assert summary.cuts_are == "grade"
    assert summary.num_shots == len(grade.shots)
    assert not [path for path in clip["composite"].parent.iterdir() if path.suffix == ".json"]


def test_a_grade_is_weakened_and_turned_by_hand(clip: dict[str, Path], tmp_path: Path) -> None:
    """The same as with these options at once."""
    cc.harmonize_video(**clip, output=tmp_path / "one.mkv", method="mkl", strength=0.5, saturation=1.3, **EXACT)
    grade = cc.analyse(**clip, method="mkl")
    cc.render(grade.by_hand(cc.Hand.of(strength=0.5, saturation=1.3)), **clip, output=tmp_path / "two.mkv", **EXACT)
    cc.render(grade, **clip, output=tmp_path / "three.mkv", strength=0.5, saturation=1.3, **EXACT)
    expected = pictures(tmp_path / "one.mkv")
    np.testing.assert_array_equal(pictures(tmp_path / "two.mkv"), expected)
    np.testing.assert_array_equal(pictures(tmp_path / "three.mkv"), expected)


def test_what_was_done_by_hand_before_stays_when_more_is_done(clip: dict[str, Path]) -> None:
    grade = cc.analyse(**clip, method="mkl")
    once = grade.by_hand(cc.Hand.of(exposure=0.5))
    again = once.by_hand(cc.Hand.of(strength=1, exposure=0.25))
    at_once = grade.by_hand(cc.Hand.of(exposure=0.75)).shots[0].at(3)
    np.testing.assert_allclose(again.shots[0].at(3).parameters, at_once.parameters, atol=1e-5)
    halves = grade.by_hand(cc.Hand.of(strength=0.5)).by_hand(cc.Hand.of(strength=0.5))
    assert halves.shots[0].hand.strength == cc.Strength.both(0.25)


def test_parts_of_a_grade_are_replaced(clip: dict[str, Path], tmp_path: Path) -> None:
    """The first half passes through, the second keeps its grade."""
    grade = cc.analyse(**clip, method="mkl", cuts=[6])
    first, second = grade.shots
    edited = replace(grade, shots=(replace(first, keys=()), second))
    with pytest.warns(cc.ChromacordWarning, match="^the grade: has no shot or key for 6 frames"):
        cc.render(edited, **clip, output=tmp_path / "edited.mkv", **EXACT)
    cc.render(grade, **clip, output=tmp_path / "whole.mkv", **EXACT)
    source, changed, whole = map(pictures, (clip["composite"], tmp_path / "edited.mkv", tmp_path / "whole.mkv"))
    np.testing.assert_array_equal(changed[:6], source[:6])
    np.testing.assert_array_equal(changed[6:], whole[6:])


def test_a_grade_is_written_without_a_clip_and_read_by_name(clip: dict[str, Path], tmp_path: Path) -> None:
    grade = cc.analyse(**clip, method="mkl", consistency="shot")
    cc.render(grade, grade_out=tmp_path / "grade.json", lut_out=tmp_path / "look.cube")
    assert (tmp_path / "look.cube").read_text().startswith("TITLE")
    cc.render(tmp_path / "grade.json", **clip, output=tmp_path / "read.mkv", **EXACT)
    cc.render(grade, **clip, output=tmp_path / "kept.mkv", **EXACT)
    read, kept = pictures(tmp_path / "read.mkv"), pictures(tmp_path / "kept.mkv")
    assert np.abs(read.astype(int) - kept.astype(int)).max() <= 1  # a file holds six decimals


def test_a_grade_for_another_length_is_refused(clip: dict[str, Path], tmp_path: Path) -> None:
    grade = cc.analyse(**clip, method="mkl")
    for num_frames, said in ((NUM_FRAMES - 1, "the clip has more"), (NUM_FRAMES + 1, "the clip has 12")):
        with pytest.raises(GradeFileError, match=f"^the grade: was made for {num_frames} frames, {said}.*num_frames"):
            cc.render(replace(grade, num_frames=num_frames), **clip, output=tmp_path / "out.mkv")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda clip: cc.render(None, **clip, output="never.mkv"), "the grade is None; give the result of `analyse`"),
        (lambda clip: cc.render(ONE, **clip), "there is nothing to write"),
        (lambda clip: cc.render(ONE, **clip, lut_out="never.cube"), "the grade: needs a rendered clip; give an output"),
        (
            lambda clip: cc.harmonize_video(**clip, lut_out="n.cube", foreground_out="never.png"),
            "never.png: needs a rend",
        ),
        (lambda _: cc.harmonize_video(grade_in=ONE, lut_out="n.cube", foreground_out="never.png"), "never.png: needs"),
        (lambda clip: cc.render(ONE, grade_out="never.json"), "the grade: holds no grade"),
        (lambda clip: cc.render(ONE, **clip, output="never.mkv", strength=2), "strength must lie in 0..1"),
        (lambda clip: cc.analyse(**clip, method="nope"), "there is no method 'nope'"),
        (lambda clip: cc.analyse(**clip, consistency="often"), "consistency must be one of shot, smooth, frame"),
        (lambda clip: cc.analyse(**clip, cuts=5), "cuts: 5 are not frame numbers"),
        (lambda clip: cc.analyse(**clip, progress=5), "progress is 5; give a function"),
        (lambda clip: cc.analyse(**clip, options={}), "options is {}; give chromacord.Options"),
        (lambda clip: cc.analyse(clip["composite"]), "needs a mask"),
        (lambda clip: cc.analyse(5), "composite is 5; give a path"),
        (lambda clip: cc.harmonize_video(**clip, output=5), "output is 5; give a path"),
        (lambda clip: cc.render(ONE, clip["composite"], mask=np.ones((2, 2)), output="never.mkv"), "mask is array("),
        (lambda clip: cc.harmonize_video(**clip, output="never.mkv", grade_in=5), "grade_in is 5; give a path"),
        (lambda clip: cc.harmonize_frames(5), "pairs is 5; give an iterable"),
        (lambda clip: cc.harmonize_frames([], 5), "method is 5; give a name"),
        (lambda clip: cc.harmonize_frames([], "mkl", turn=0.5), "turn is 0.5; give a chromacord.Parametric"),
        (lambda clip: cc.harmonize_frames([], "mkl", turn=cc.Parametric(contrast=-1)), "contrast must lie in"),
        (lambda clip: cc.harmonize_frames([], "mkl", cuts=5), "cuts: 5 are not frame numbers"),
        (lambda clip: cc.load_method(5), "there is no method 5"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(clip: dict[str, Path], call: Any, said: str) -> None:
    with pytest.raises(InputError) as told:
        call(clip)
    assert said in str(told.value)


ONE = cc.Grade((), "mkl", "shot", 25, 1)  # type: ignore[arg-type]


def test_pairs_have_the_default_method() -> None:
    composite = np.stack(recoloured("gbrp", 0), axis=-1)
    (frame,) = cc.harmonize_frames([(composite, disc(0))])
    (expected,) = cc.harmonize_frames([(composite, disc(0))], "shotgrade")
    np.testing.assert_array_equal(frame, expected)


class Counting(Brighten):
    """Notes how many threads the process's libraries have while it decides."""

    def decide(self, composite: Any, mask: Any, state: Any = None) -> cc.Prediction:
        self.seen = counts()
        return super().decide(composite, mask, state)


def counts() -> tuple[int, ...]:
    blas = open_blas()
    assert blas is not None
    return cv2.getNumThreads(), blas.get_threads()


@pytest.fixture
def three_threads() -> Iterator[None]:
    blas, own = open_blas(), counts()
    assert blas is not None
    cv2.setNumThreads(3)
    blas.set_threads(3)
    yield
    cv2.setNumThreads(own[0])
    blas.set_threads(own[1])


@pytest.mark.usefixtures("three_threads")
def test_no_function_changes_the_threads_of_the_process(clip: dict[str, Path], tmp_path: Path) -> None:
    before, method = counts(), Counting()
    pair = np.stack(recoloured("gbrp", 0), axis=-1), disc(0)
    for call in (
        lambda: cc.harmonize_video(**clip, output=tmp_path / "out.mkv", method=method),
        lambda: cc.analyse(**clip, method=method),
        lambda: cc.harmonize_image(*pair, method),
    ):
        call()
        assert method.seen == counts() == before
    with cc.single_threaded():
        cc.analyse(**clip, method=method)
    assert method.seen == (1, 1)
    assert counts() == before


def test_the_names_of_the_api_are_where_their_readers_look() -> None:
    for name in ("harmonize_video", "harmonize_frames", "harmonize_image", "analyse", "render"):
        assert getattr(cc, name).__module__ == "chromacord.api"
    assert cc.errors.InputError is InputError
