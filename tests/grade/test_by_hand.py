import numpy as np
import pytest

from chromacord.color.parameters.hues import HueRange
from chromacord.color.parameters.parametric import Parametric
from chromacord.color.transforms import AffineField, Identity, Lut3d, blend, lattice
from chromacord.errors import InputError
from chromacord.grade.by_hand import NO_HAND, Hand, Hands, Strength, as_strength, protected, turned, weakened

LUMA = np.array([0.2126, 0.7152, 0.0722])
AFFINE = AffineField.from_matrix(
    np.float32([[[1.1, 0.1, 0], [0, 0.9, 0], [0, 0.1, 0.8]]]), np.float32([[0.05, 0, -0.02]])
)
FIELD = AffineField(np.tile(AFFINE.parameters, (1, 1, 1, 2, 3)) * np.float32([1, 0.9, 0.8]))
LUT = Lut3d(lattice(9)[None] ** np.float32(1.2) + np.float32(0.03))
KINDS = pytest.mark.parametrize(
    "transform", [AFFINE, FIELD, LUT, Identity.for_frames(1)], ids=["affine", "field", "lut", "none"]
)
PICTURE = np.random.default_rng(0).random((1, 3, 8, 12), np.float32)


def luma(change: np.ndarray) -> np.ndarray:
    return np.tensordot(LUMA, change, axes=(0, 1))


@KINDS
def test_one_strength_for_both_parts_is_a_blend(transform) -> None:
    np.testing.assert_array_equal(weakened(transform, Strength.both(0.4)).parameters, blend(transform, 0.4).parameters)


@KINDS
def test_tone_alone_changes_luma_as_the_whole_and_leaves_the_rest(transform) -> None:
    whole = transform(PICTURE) - PICTURE
    change = weakened(transform, Strength(tone=1, colour=0))(PICTURE) - PICTURE
    np.testing.assert_allclose(luma(change), luma(whole), atol=1e-5)
    np.testing.assert_allclose(change, change.mean(axis=1, keepdims=True) + 0 * change, atol=1e-5)


@KINDS
def test_colour_alone_leaves_luma(transform) -> None:
    change = weakened(transform, Strength(tone=0, colour=1))(PICTURE) - PICTURE
    np.testing.assert_allclose(luma(change), 0, atol=1e-5)


@KINDS
@pytest.mark.parametrize("turn", [Parametric(exposure=0.5), Parametric(0.2, 20, -5, black=0.03, saturation=0.7)])
def test_a_turn_comes_after_the_grade(transform, turn) -> None:
    expected = turn(transform(PICTURE).reshape(3, -1).T).T.reshape(PICTURE.shape)
    np.testing.assert_allclose(turned(transform, turn)(PICTURE), expected, atol=2e-5)


@pytest.mark.parametrize("transform", [AFFINE, LUT, Identity.for_frames(1)])
def test_contrast_comes_after_the_grade_up_to_what_a_lut_holds(transform) -> None:
    turn = Parametric(contrast=1.3)
    picture = 0.15 + 0.7 * PICTURE
    expected = turn(transform(picture).reshape(3, -1).T).T.reshape(PICTURE.shape)
    np.testing.assert_allclose(turned(transform, turn)(picture), expected, atol=4e-3)


def test_contrast_of_a_grade_that_depends_on_the_place_is_refused() -> None:
    with pytest.raises(InputError, match="varies over the picture"):
        turned(FIELD, Parametric(contrast=1.1))


def test_a_turn_that_changes_nothing_leaves_the_transform_itself() -> None:
    assert turned(LUT, Parametric(pivot=0.3)) is LUT


@pytest.mark.parametrize(
    ("text", "strength"),
    [
        ("0.5", Strength(0.5, 0.5)),
        ("tone=0.5,colour=1", Strength(0.5, 1)),
        ("colour=0", Strength(1, 0)),
        ("color=0.25", Strength(1, 0.25)),
    ],
)
def test_strengths_are_read(text, strength) -> None:
    assert Strength.parse(text) == strength


@pytest.mark.parametrize("text", ["", "half", "tone", "tone=", "hue=1", "tone=0.5;colour=1"])
def test_what_is_no_strength_is_refused(text) -> None:
    with pytest.raises(InputError, match="write a number in"):
        Strength.parse(text)


@pytest.mark.parametrize("text", ["1.5", "-1", "nan", "tone=2"])
def test_strengths_outside_0_to_1_are_refused(text) -> None:
    with pytest.raises(InputError, match=r"must lie in 0\.\.1"):
        Strength.parse(text)


@pytest.mark.parametrize("given", [0, 1, 0.0, 1.0, np.float32(0), "0", "1"])
def test_both_ends_are_strengths(given) -> None:
    assert as_strength(given) == Strength.both(float(given))


@pytest.mark.parametrize("given", [-0.001, 1.001, True, False, None, float("nan")])
def test_what_is_no_number_in_0_to_1_is_no_strength(given) -> None:
    with pytest.raises(InputError, match=r"strength must lie in 0\.\.1"):
        as_strength(given)


def test_protected_hues_keep_most_of_their_colour_and_all_others_are_graded() -> None:
    skin, sky, grey = np.float32([[0.8, 0.6, 0.5], [0.4, 0.6, 0.8], [0.5, 0.5, 0.5]])
    colors = np.stack([skin, sky, grey])
    greener = AffineField.from_matrix(np.diag(np.float32([0.9, 1.05, 0.9]))[None], np.zeros((1, 3), np.float32))
    picture = np.ascontiguousarray(colors.T)[None, :, None]
    whole = (greener(picture) - picture)[0, :, 0].T
    change = (protected(greener, HueRange.parse("skin"))(picture) - picture)[0, :, 0].T
    np.testing.assert_allclose(change @ LUMA, whole @ LUMA, atol=2e-3)
    np.testing.assert_allclose(change[1:], whole[1:], atol=2e-3)
    colour, all_colour = (np.ptp(each[0] - each[0] @ LUMA) for each in (change, whole))
    assert colour < 0.35 * all_colour


def test_nothing_is_protected_where_the_grade_depends_on_the_place() -> None:
    with pytest.raises(InputError, match="hues cannot be protected"):
        protected(FIELD, HueRange.parse("20-60"))


@pytest.mark.parametrize(("text", "hues"), [("skin", HueRange(5, 45)), ("350-20", HueRange(350, 20))])
def test_ranges_of_hue_are_read(text, hues) -> None:
    assert HueRange.parse(text) == hues


@pytest.mark.parametrize("text", ["", "sky", "20", "20-", "20-400", "-5-20"])
def test_what_is_no_range_of_hues_is_refused(text) -> None:
    with pytest.raises(InputError, match="write skin, or degrees"):
        HueRange.parse(text)


def test_a_range_may_go_through_red() -> None:
    share = HueRange(350, 10).share(np.float32([[1, 0, 0], [0, 1, 0], [1, 0, 0.05], [1, 1, 1]]))
    np.testing.assert_allclose(share, [1, 0, 1, 0], atol=1e-5)


def test_no_control_changes_nothing() -> None:
    assert Hand.of() == NO_HAND
    assert Hand.of().only_weakens


@pytest.mark.parametrize(
    ("name", "given"),
    [("exposure", 0.5), ("temperature", 20), ("tint", -5), ("contrast", 1.2), ("saturation", 0.9), ("black", 0.02)],
)
def test_each_control_is_one_of_the_adjustment(name: str, given: float) -> None:
    hand = Hand.of(**{name: given})
    assert hand.turn == Parametric(**{name: given})
    assert (hand.strength, hand.protect) == (NO_HAND.strength, None)


def test_a_shot_has_changes_of_its_own_in_place_of_those_of_the_clip() -> None:
    controls = {"exposure": 0.2, "tint": 3.0, "strength": "tone=0.5,colour=0.8", "protect": "skin"}
    hands = Hands.parse(["2:exposure=-0.1, colour=0.4", "4-5:strength=0.3,temperature=5600K,protect=20-60"], controls)
    assert hands.of_shot(1) == hands.of_shot(3) == Hand.of(**controls)
    own = controls | {"exposure": -0.1, "strength": "tone=0.5,colour=0.4"}
    assert hands.of_shot(2) == Hand.of(**own)
    other = controls | {"strength": 0.3, "temperature": "5600K", "protect": "20-60"}
    assert hands.of_shot(4) == hands.of_shot(5) == Hand.of(**other)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["exposure=1"], "write shots and changes, such as 2:"),
        (["0:exposure=1"], "write shots"),
        (["3-2:exposure=1"], "write shots"),
        (["2:"], "is not a change"),
        (["2:exposure"], "is not a change"),
        (["2:exposition=1"], "choose one of exposure"),
        (["2:exposure=much"], "exposure is 'much'; give a number"),
        (["2:strength=2"], "strength must lie in 0..1"),
        (["2:exposure=nan"], "exposure must lie in"),
        (["2:tint=1", "1-3:tint=2"], "shot 2 has its changes already"),
    ],
)
def test_changes_of_a_shot_that_cannot_be_used_are_refused(texts: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        Hands.parse(texts, {})
    assert str(error.value).startswith("by shot '")


def test_a_shot_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="there is no shot 4, the clip has 3 shots"):
        Hands.parse(["4:tint=1"], {}).check(3)


@pytest.mark.parametrize("values", [(-0.01, 1), (1, -0.01), (1.01, 1), (1, 1.01), (float("nan"), 1)])
def test_a_strength_lies_between_nothing_and_all(values: tuple[float, float]) -> None:
    with pytest.raises(InputError, match=r"strength of (tone|colour) must lie in 0\.\.1"):
        Strength(*values)
    assert Strength(0, 1) == Strength(tone=0, colour=1)
