"""A grade decided incrementally: it equals one decided as a whole, and runs no further ahead than necessary."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from chromacord.analysis.observe import observe
from chromacord.analysis.timeline import Timeline
from chromacord.color.distribution import ColorDistribution
from chromacord.color.transforms import AffineField
from chromacord.grade.by_hand import Hand, Strength
from chromacord.grade.keys import Consistency
from chromacord.masks.masks import MaskedFrame
from chromacord.methods.base import Method, Prediction, State, Window
from chromacord.types import FloatArray, Frame, PixelFormat, Size
from tests.analysis.whole import analyse
from tests.scenes import as_mask, describe, soft_disc

INFO = replace(describe(PixelFormat("rgb")), rate=Fraction(25))
SCENES = [(60, 120, 90), (200, 60, 30), (90, 40, 220), (30, 200, 190)]


def made(
    count: int, *, cuts: tuple[int, ...] = (), unusable: tuple[int, ...] = (), first: int = 0
) -> list[MaskedFrame]:
    """Return frames of plain scenes that grow lighter; at the given indices, the mask is empty (even) or full (odd)."""
    frames = []
    for number in range(count):
        color = SCENES[sum(number >= cut for cut in cuts)]
        planes = tuple(np.full(INFO.size, value + number % 50 // 3, np.uint8) for value in color)
        weights = np.full(INFO.size, number % 2, np.float32) if number in unusable else soft_disc()
        frames.append(MaskedFrame(Frame(planes, first + number), as_mask(weights)))
    return frames


class Eight(Method):
    """Sees eight frames at once, like ShotGrade, and decides a separate grade with a confidence for each."""

    window = Window(hop=8)
    working_size = Size(8, 8)

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        red = composite[0, :, 0].mean(axis=(-2, -1))
        offset = np.stack([red, -red, red * red], axis=-1) * (0.5 if state is None else 0.3)
        transform = AffineField.from_matrix(np.tile(np.eye(3, dtype=np.float32), (8, 1, 1)), offset)
        return Prediction(composite, transform, state=1, confidence=red.clip(0, 1))


class Five(Method):
    """Looks two frames back and two ahead."""

    window = Window(past=2, hop=1, future=2)
    working_size = Size(8, 8)

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        offset = composite[0].mean(axis=(0, -2, -1))[None]
        return Prediction(composite[:, 2:3], AffineField.from_matrix(np.eye(3, dtype=np.float32)[None], offset))


CLIPS = {
    "one shot": {"count": 130},
    "shorter than a window": {"count": 9},
    "one frame": {"count": 1},
    "cuts": {"count": 120, "cuts": (20, 71, 90)},
    "short shots": {"count": 60, "cuts": (12, 20, 27)},
    "empty at the start": {"count": 100, "unusable": tuple(range(45))},
    "empty at the end": {"count": 100, "unusable": tuple(range(60, 100))},
    "a long gap": {"count": 220, "unusable": tuple(range(41, 180))},
    "gaps that hit keys": {"count": 100, "unusable": (0, 4, 8, 9, 10, 32, 33, 61, 62, 63, 64, 65)},
    "a shot without foreground": {"count": 90, "cuts": (30, 60), "unusable": tuple(range(30, 60))},
    "a part of a clip": {"count": 80, "first": 1000},
}


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("consistency", ["smooth", "frame"])
@pytest.mark.parametrize("method", [Eight(), Five()], ids=["eight", "five"])
def test_each_frames_transform_is_that_of_the_whole_grade(name: str, consistency: Consistency, method: Method) -> None:
    frames = made(**CLIPS[name])
    whole, counted = analyse(iter(frames), INFO, method, name="m", consistency=consistency)
    timeline = Timeline(method, rate=INFO.rate, name="m", consistency=consistency, hand=Hand(Strength.both(0.7)))
    decided = timeline.decide(observe(iter(frames), INFO, method, consistency=consistency))
    weaker = whole.by_hand(Hand(Strength.both(0.7)))
    for masked, known in zip(frames, decided, strict=True):
        index, mask, transform = known.index, known.mask.unpack_box(), known.transform
        assert (index, mask.box, mask.is_full) == (masked.frame.index, masked.mask.box, masked.mask.is_full)
        if mask.box is not None:
            np.testing.assert_array_equal(mask.crop(mask.box), masked.mask.crop(mask.box))
        shot = weaker.shot_at(index)
        assert shot is not None
        expected = shot.at(index) if mask.is_usable else None
        assert (transform is None) == (expected is None)
        if transform is not None and expected is not None:
            assert np.array_equal(transform.parameters, expected.parameters), index
    grade = timeline.grade
    for name in ("first", "num_frames", "num_empty", "num_full", "num_analysed"):
        assert getattr(timeline, name) == getattr(counted, name)
    assert [(shot.start, shot.stop) for shot in grade.shots] == [(shot.start, shot.stop) for shot in whole.shots]
    for one, other in zip(grade.keys, whole.keys, strict=True):
        assert (one.index, one.weight, one.confidence) == (other.index, other.weight, other.confidence)
        assert np.array_equal(one.transform.parameters, other.transform.parameters)


class Source:
    """Frames of a clip; remembers how many were read."""

    def __init__(self, frames: list[MaskedFrame]) -> None:
        self.frames, self.read = frames, 0

    def __iter__(self) -> Iterator[MaskedFrame]:
        for masked in self.frames:
            self.read += 1
            yield masked


@pytest.mark.parametrize(
    ("method", "consistency", "most"),
    # A step to the next key, a second of smoothing to the step after it, what the method looks at, and what is held
    # back until a cut is certain.
    [
        (Eight(), "smooth", 4 + 28 + 7 * 4 + 4),
        (Five(), "smooth", 4 + 28 + 2 * 4 + 4),
        (Eight(), "frame", 8 + 4),
        (Five(), "frame", 3 + 4),
    ],
)
@pytest.mark.parametrize("cuts", [(), (50, 130)])
def test_analysis_is_no_further_ahead_than_grades_need(
    method: Method, consistency: Consistency, most: int, cuts: tuple[int, ...]
) -> None:
    source = Source(made(300, cuts=cuts))
    timeline = Timeline(method, rate=INFO.rate, consistency=consistency)
    decided = timeline.decide(observe(iter(source), INFO, method, consistency=consistency))
    leads = [source.read - number for number, _ in enumerate(decided)]
    assert len(leads) == 300
    # Near a cut, the next shot's first key shows that the shot is over.
    assert max(leads) <= most + (most if cuts else 0)
    assert max(leads[:20]) <= most


def test_what_waits_of_a_frame_takes_little() -> None:
    frames = made(70)
    seen = list(observe(iter(frames), INFO, Eight(), consistency="smooth"))
    assert [each.index for each in seen] == list(range(70))
    packed = sum(each.mask.nbytes for each in seen if each.mask is not None)
    assert 0 < packed < 70 * frames[0].mask.plane.nbytes / 4  # of masks that are soft to a third, in floats


def test_frames_without_a_usable_mask_pass_through_at_once() -> None:
    source = Source(made(80, unusable=tuple(range(80))))
    timeline = Timeline(Eight(), rate=INFO.rate)
    held_back = 4  # until a cut is certain
    for number, decided in enumerate(timeline.decide(observe(iter(source), INFO, Eight(), consistency="smooth"))):
        assert decided.transform is None
        assert source.read <= number + 1 + held_back
    assert not timeline.has_keys
    assert timeline.num_empty + timeline.num_full == timeline.num_frames == 80


def test_the_whole_grade_of_a_shot_is_known_at_its_end() -> None:
    frames = made(60, cuts=(30,))
    timeline = Timeline(Eight(), rate=INFO.rate, consistency="shot")
    seen = list(observe(iter(frames), INFO, Eight(), consistency="shot"))
    came = {each.index: len(timeline.push(each)) for each in seen}
    assert {index: count for index, count in came.items() if count} == {30: 30}
    assert [decided.index for decided in timeline.finish()] == list(range(30, 60))
    assert [len(shot.keys) for shot in timeline.grade.shots] == [1, 1]


def test_what_was_not_pushed_has_no_grade() -> None:
    timeline = Timeline(Eight(), rate=INFO.rate)
    assert (timeline.finish(), timeline.has_keys) == ([], False)
    assert (timeline.grade.shots, timeline.grade.num_frames) == ((), 0)


class Between(Method):
    """Gives pixels of the frames in the middle of its window, and no transform: each frame a third lighter, or more."""

    window = Window(past=2, hop=3, future=1)
    working_size = Size(8, 8)

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        middle = composite[:, 2:5]
        return Prediction(middle * (1 + middle.mean(axis=(-3, -2, -1), keepdims=True)))


def test_a_lut_is_fitted_to_the_frames_that_come_out_of_a_window() -> None:
    """Each frame has a different colour, so a LUT fitted to another frame would not reproduce the method's result."""
    frames = made(24)
    grade, _ = analyse(iter(frames), INFO, Between(), consistency="frame")
    assert [key.index for key in grade.keys] == [*range(24)]
    for masked, key in zip(frames, grade.keys, strict=True):
        color = np.array([plane[0, 0] for plane in masked.frame.planes], np.float32).reshape(1, 3, 1, 1) / 255
        np.testing.assert_allclose(key.transform(color), color * (1 + color.mean()), atol=2e-3)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_a_key_counts_by_the_share_of_the_picture_that_is_foreground(share: float) -> None:
    weights = np.zeros(INFO.size, np.float32)
    weights[: round(INFO.size.height * share)] = 1
    masked = MaskedFrame(Frame(tuple(np.full(INFO.size, 90, np.uint8) for _ in "rgb"), 0), as_mask(weights))
    grade, _ = analyse(iter([masked]), INFO, Five())
    assert grade.keys[0].weight == pytest.approx(share)


def test_colours_are_counted_by_shot_in_the_frames_that_are_analysed() -> None:
    method = Eight()
    frames = made(60, cuts=(30,), unusable=tuple(range(10)))
    expected = [ColorDistribution(), ColorDistribution()]
    seen = list(observe(iter(frames), INFO, method, consistency="smooth"))
    for each in seen:
        if each.observation is not None:
            expected[each.shot].add(each.observation.composite, each.observation.mask)
    assert 0 < sum(each.observation is not None for each in seen) < len(seen)
    timeline = Timeline(method, rate=INFO.rate, consistency="smooth", keep_colors=True)
    assert sum(1 for _ in timeline.decide(iter(seen))) == len(frames)
    assert timeline.colors is not None
    assert not any(each.is_empty for each in timeline.colors)
    for found, wanted in zip(timeline.colors, expected, strict=True):
        for one, other in zip(found.colors(), wanted.colors(), strict=True):
            np.testing.assert_array_equal(one, other)
