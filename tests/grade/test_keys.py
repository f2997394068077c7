import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
import pytest

from chromacord.color.parameters.parametric import Parametric
from chromacord.color.transforms import AffineField, Lut3d, lattice
from chromacord.errors import InputError
from chromacord.grade.by_hand import Hand, Strength
from chromacord.grade.keys import LEAST_STEP, Consistency, Grade, Key, Shot
from chromacord.grade.smoothing import SMOOTHING_SECONDS, Scenes, Smoothing, locked

RATE = Fraction(24)


def offset(value: float) -> AffineField:
    return AffineField.from_matrix(np.eye(3, dtype=np.float32)[None], np.full((1, 3), value, np.float32))


def value_of(transform: AffineField | None) -> float:
    assert transform is not None
    return float(transform(np.zeros((1, 3, 1, 1), np.float32))[0, 0, 0, 0])


def keys_of(values: dict[int, float], weight: float = 0.5) -> tuple[Key, ...]:
    return tuple(Key(index, weight, offset(value)) for index, value in values.items())


def test_between_keys_the_grade_is_their_blend_and_outside_it_is_held() -> None:
    shot = Shot(0, 30, keys_of({4: 0.1, 8: 0.3}))
    at = [value_of(shot.at(index)) for index in (0, 4, 5, 7, 8, 29)]
    assert at == pytest.approx([0.1, 0.1, 0.15, 0.25, 0.3, 0.3], abs=1e-6)


def test_strength_scales_what_the_grade_changes() -> None:
    shot = Shot(0, 10, keys_of({0: 0.2}), hand=Hand(Strength.both(0.25)))
    assert value_of(shot.at(3)) == pytest.approx(0.05)
    assert Shot(0, 10, keys_of({0: 0.2}), hand=Hand(Strength.both(0))).at(3) is None


def test_held_frames_share_one_transform_so_that_renderers_prepare_it_once() -> None:
    shot = Shot(0, 10, keys_of({0: 0.2}), hand=Hand(Strength.both(0.5)))
    assert shot.at(1) is shot.at(7)
    slow = Shot(0, 61, keys_of({0: 0.1, 60: 0.1 + 0.4 * LEAST_STEP}))
    assert slow.at(29) is slow.at(0)
    assert slow.at(31) is slow.at(60)


@pytest.mark.parametrize("way", [0.4, 1.0, 2.5, 70.0])
def test_a_slow_grade_moves_in_few_equal_steps_near_the_blend(way: float) -> None:
    shot = Shot(0, 61, keys_of({0: 0.1, 60: 0.1 + way * LEAST_STEP}))
    values = [value_of(shot.at(index)) for index in range(61)]
    exact = [0.1 + way * LEAST_STEP * index / 60 for index in range(61)]
    assert values == pytest.approx(exact, abs=0.501 * LEAST_STEP)
    assert values == sorted(values)
    assert len(set(values)) == min(math.ceil(way), 60) + 1
    assert shot.at(0) is shot.at(-5)
    assert shot.at(60) is shot.at(99)


def test_a_step_of_a_slow_grade_is_invisible() -> None:
    """It is a sixteenth of an 8-bit code, and a quarter of a 10-bit one."""
    assert pytest.approx(1 / 16, rel=0.01) == 255 * LEAST_STEP


def test_frames_find_their_shot() -> None:
    grade = Grade((Shot(0, 5, ()), Shot(5, 9, ()), Shot(12, 20, ())), "mkl", "smooth", RATE, 20)
    starts = [None if shot is None else shot.start for shot in map(grade.shot_at, (0, 4, 5, 8, 9, 11, 12, 19, 20))]
    assert starts == [0, 0, 5, 5, None, None, 12, 12, None]


def steady(keys: Iterable[Key], consistency: Consistency, rate: Fraction) -> Iterator[Key]:
    """Smooth all keys of a shot, and yield each as soon as it is known."""
    smoothing = Smoothing(consistency, rate)
    for key in keys:
        yield from smoothing.push(key)
    yield from smoothing.finish()


def test_one_grade_a_shot_is_the_mean_by_evidence() -> None:
    keys = (Key(0, 0.1, offset(0.0)), Key(4, 0.3, offset(0.4)))
    (only,) = steady(keys, "shot", RATE)
    assert value_of(only.transform) == pytest.approx(0.3)
    assert only.index == 4


def test_smoothing_is_a_raised_cosine_over_neighbours() -> None:
    keys = keys_of(dict.fromkeys(range(0, 96, 4), 0.0) | {48: 1.0})
    smooth = list(steady(keys, "smooth", RATE))
    reach = SMOOTHING_SECONDS * 24
    weights = [1 + math.cos(math.pi * k / reach) for k in range(-20, 24, 4)]
    assert value_of(smooth[12].transform) == pytest.approx(2 / sum(weights), rel=1e-4)
    assert value_of(smooth[0].transform) == 0


def test_smoothing_takes_flicker_away_and_keeps_slow_changes() -> None:
    flicker = keys_of({4 * n: 0.1 * (-1) ** n for n in range(30)})
    ramp = keys_of({4 * n: 0.01 * n for n in range(30)})
    smooth = [value_of(key.transform) for key in steady(flicker, "smooth", RATE)][6:-6]
    assert max(map(abs, smooth)) < 0.002
    kept = [value_of(key.transform) for key in steady(ramp, "smooth", RATE)][6:-6]
    assert kept == pytest.approx([0.01 * n for n in range(6, 24)], abs=1e-5)


def test_frame_consistency_changes_nothing() -> None:
    keys = keys_of({0: 0.1, 1: 0.9})
    assert tuple(steady(keys, "frame", RATE)) == keys


def test_a_key_is_given_as_soon_as_its_neighbours_are_known() -> None:
    asked = []

    def source() -> Iterator[Key]:
        for key in keys_of(dict.fromkeys(range(0, 200, 4), 0.1)):
            asked.append(key.index)
            yield key

    for key in steady(source(), "smooth", RATE):
        assert asked[-1] == min(key.index + 24, 196)


def test_smoothing_in_turn_is_that_of_all_keys_at_once() -> None:
    values = {4 * n + n % 3: math.sin(n) for n in range(40)}
    keys, reach = keys_of(values), SMOOTHING_SECONDS * 24
    for key, smooth in zip(keys, steady(iter(keys), "smooth", RATE), strict=True):
        near = [other for other in keys if abs(other.index - key.index) < reach]
        weights = [0.5 * (1 + math.cos(math.pi * (other.index - key.index) / reach)) for other in near]
        mean = sum(w * value_of(other.transform) for w, other in zip(weights, near, strict=True)) / sum(weights)
        assert value_of(smooth.transform) == pytest.approx(mean, abs=1e-6)


def test_a_shots_mean_has_its_strength() -> None:
    mean = Shot(0, 5, keys_of({0: 0.1, 4: 0.3}), hand=Hand(Strength.both(0.5))).mean()
    assert mean is not None
    np.testing.assert_allclose(mean.to_lut(5).parameters, lattice(5)[None] + 0.1, rtol=1e-6, atol=1e-6)
    assert Shot(5, 9, ()).mean() is None


def test_local_grades_have_no_lut() -> None:
    with pytest.raises(ValueError, match="varies over the picture"):
        AffineField(np.zeros((1, 3, 4, 2, 2), np.float32)).to_lut(33)


def test_luts_of_one_size_interpolate_too() -> None:
    keys = tuple(Key(i, 1.0, Lut3d(lattice(3)[None] * gain)) for i, gain in ((0, 1.0), (10, 2.0)))
    middle = Shot(0, 11, keys).at(5)
    assert isinstance(middle, Lut3d)
    np.testing.assert_allclose(middle.parameters, lattice(3)[None] * 1.5, rtol=1e-6)


def three_shots() -> Grade:
    """The first has two keys, and counts once; the second none; the third counts three times as much."""
    shots = (
        Shot(0, 10, keys_of({0: 0.0, 5: 0.2})),
        Shot(10, 20, ()),
        Shot(20, 30, keys_of({20: 0.5}, weight=1.5), hand=Hand(Strength.both(0.5))),
    )
    return Grade(shots, "made", "smooth", RATE, 30)


@pytest.mark.parametrize("scenes", [Scenes.parse(lock=True, match=()), Scenes.parse(lock=False, match="1-3")])
def test_shots_of_a_scene_share_the_mean_of_their_grades(scenes: Scenes) -> None:
    grade = locked(three_shots(), scenes)
    assert [len(shot.keys) for shot in grade.shots] == [1, 0, 1]
    assert [(shot.start, shot.stop) for shot in grade.shots] == [(0, 10), (10, 20), (20, 30)]
    assert value_of(grade.shots[0].at(3)) == pytest.approx((0.1 + 3 * 0.5) / 4)
    assert value_of(grade.shots[2].at(29)) == pytest.approx((0.1 + 3 * 0.5) / 4 / 2), "its own strength stays"


def test_shots_that_are_not_matched_keep_their_grades() -> None:
    grade = three_shots()
    assert locked(grade, Scenes.parse(lock=False, match=["1-2", "3"])).shots[2] == grade.shots[2]
    assert locked(grade, Scenes()) == grade
    assert not Scenes.parse(lock=False, match=())
    assert Scenes.parse(lock=True, match=())
    assert Scenes.parse(lock=False, match="1-2")


def test_shots_that_do_not_exist_or_have_no_mean_are_refused() -> None:
    with pytest.raises(InputError, match=r"^match: there is no shot 4, the clip has 3 shots; .*--cuts"):
        locked(three_shots(), Scenes.parse(lock=False, match="1,4"))
    first, *_, last = three_shots().shots
    other = Shot(10, 20, (Key(10, 0.5, Lut3d(lattice(5)[None])),))
    with pytest.raises(InputError, match=r"^shots 1, 2: their grades are of different kinds"):
        locked(Grade((first, other, last), "made", "shot", RATE, 30), Scenes.parse(lock=False, match="1-2"))


@pytest.mark.parametrize("text", ["", "0", "2-1", "1;2", "one", "1-", "-1", "1,,2", "1234567"])
def test_shots_are_numbers_from_1(text: str) -> None:
    with pytest.raises(InputError, match=r"are not shots; give their numbers, counted from 1, such as 1,3-5"):
        Scenes.parse(lock=False, match=[text])


def test_a_shot_is_of_one_scene() -> None:
    with pytest.raises(InputError, match=r"^match '2-4': shot 3 is already matched to other shots"):
        Scenes.parse(lock=False, match=["1,3", "2-4"])
    with pytest.raises(InputError, match=r"^lock already gives all shots one grade"):
        Scenes.parse(lock=True, match="1,2")


def test_a_shots_confidence_is_the_mean_of_what_is_known() -> None:
    known, unknown = (Key(index, 0.5, offset(0), value) for index, value in ((0, 0.25), (2, None)))
    other = Key(4, 0.5, offset(0), 0.75)
    assert Shot(0, 6, (known, unknown, other)).confidence == 0.5
    assert Shot(0, 6, (known, unknown)).confidence == 0.25
    assert Shot(0, 6, (unknown,)).confidence is None


@pytest.mark.parametrize(
    ("values", "moves"),
    [({0: 0.2}, False), ({0: 0.2, 4: 0.2}, False), ({0: 0.2, 4: 0.21}, True), ({0: 0.2, 4: 0.2, 8: 0.1}, True)],
)
def test_a_shot_moves_if_any_key_differs_from_its_first(values: dict[int, float], moves: bool) -> None:
    assert Shot(0, 9, keys_of(values)).moves is moves


def test_changes_by_hand_add_up() -> None:
    """A change after another one is made to what that one left; strengths multiply."""
    shot = Shot(0, 10, keys_of({0: 0.2}))
    darker, half = Hand(turn=Parametric(exposure=-1)), Hand(Strength.both(0.5))
    once = shot.by_hand(darker)
    twice = shot.by_hand(darker).by_hand(darker)
    assert 0 < value_of(twice.at(0)) < value_of(once.at(0)) < 0.2
    both = shot.by_hand(Hand(turn=Parametric(exposure=-2)))
    assert value_of(twice.at(0)) == pytest.approx(value_of(both.at(0)), abs=1e-5)
    assert value_of(shot.by_hand(half).by_hand(half).at(0)) == pytest.approx(0.05)
    weakened = shot.by_hand(half)
    assert weakened.keys == shot.keys, "a strength can be raised again in the file"
    assert value_of(once.by_hand(half).at(0)) == pytest.approx(value_of(once.at(0)) / 2)


@pytest.mark.parametrize(("over", "moves"), [(0.9, False), (1.1, True)])
def test_a_move_is_more_than_a_step(over: float, moves: bool) -> None:
    assert Shot(0, 9, keys_of({0: 0.0, 4: over * LEAST_STEP})).moves is moves


def test_keys_of_other_kinds_move() -> None:
    identity = AffineField.from_matrix(np.eye(3, dtype=np.float32)[None], np.zeros((1, 3), np.float32))
    field = AffineField(np.tile(identity.parameters, (1, 1, 1, 2, 2)))
    assert Shot(0, 9, (Key(0, 1.0, identity), Key(4, 1.0, field))).moves
