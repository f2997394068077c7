from dataclasses import asdict, fields, replace

import numpy as np
import pytest

from chromacord.color.parameters.parametric import GREY, LIMITS, Parametric, as_mired, fit_parametric
from chromacord.color.transforms import lattice
from chromacord.errors import InputError

GREYS = np.repeat(np.float32([[0.1], [GREY], [0.9]]), 3, axis=1)
COLORS = lattice(5).reshape(3, -1).T


def light(colors: np.ndarray) -> np.ndarray:
    return np.asarray(colors, np.float64) ** 2.4


def test_as_it_stands_it_changes_nothing() -> None:
    assert Parametric().is_neutral
    np.testing.assert_allclose(Parametric()(COLORS), COLORS, atol=1e-7)


def test_a_stop_doubles_the_light() -> None:
    np.testing.assert_allclose(light(Parametric(exposure=1)(GREYS)), 2 * light(GREYS), rtol=1e-5)


def test_warmth_makes_grey_redder_and_keeps_its_luminance() -> None:
    warm = light(Parametric(temperature=10)(GREYS))[1]
    assert warm[0] > warm[1] > warm[2]
    assert warm @ [0.2126, 0.7152, 0.0722] == pytest.approx(0.18, rel=2e-3)


def test_ten_mired_are_those_of_daylight() -> None:
    """CIE 15:2004: D65 against daylight of 6107 K, which is 10 mired from it; by its chromaticity (0.3194, 0.3355)."""
    x, y = 0.3194, 0.3355
    from tests.color.spaces import BT709, D65, rgb_to_xyz

    there = np.linalg.inv(rgb_to_xyz(BT709, D65)) @ np.array([x / y, 1, (1 - x - y) / y])
    warm = light(Parametric(temperature=10)(np.ones((1, 3), np.float32)))[0]
    np.testing.assert_allclose(warm / warm[1], there / there[1], rtol=4e-3)


def test_tint_is_the_density_of_a_filter() -> None:
    magenta = light(Parametric(tint=30)(GREYS))[1]
    assert magenta[0] == pytest.approx(magenta[2], rel=1e-5)
    assert np.log10(magenta[0] / magenta[1]) == pytest.approx(0.3, rel=1e-4)


def test_contrast_leaves_its_pivot() -> None:
    darker, pivot, brighter = Parametric(contrast=1.2)(GREYS)[:, 0]
    assert pivot == pytest.approx(GREY, rel=1e-5)
    assert darker < 0.1
    assert brighter > 0.9
    assert Parametric(contrast=1.2, pivot=0.9)(GREYS)[2, 0] == pytest.approx(0.9, rel=1e-5)


def test_black_is_lifted_and_white_stays() -> None:
    ends = Parametric(black=0.05)(np.float32([[0, 0, 0], [1, 1, 1]]))
    np.testing.assert_allclose(ends, [[0.05] * 3, [1] * 3], atol=1e-6)


def test_saturation_scales_the_distance_from_grey() -> None:
    half = Parametric(saturation=0.5)(COLORS)
    luma = COLORS @ np.array([0.2126, 0.7152, 0.0722])
    np.testing.assert_allclose(half - luma[:, None], 0.5 * (COLORS - luma[:, None]), atol=1e-6)


@pytest.mark.parametrize("made", [Parametric(0.5, -30, 8, black=0.03, saturation=1.2), Parametric(-1, 5, contrast=1.3)])
def test_a_fit_finds_the_numbers_that_made_the_colours(made) -> None:
    found = fit_parametric(COLORS, made(COLORS), np.ones(len(COLORS), np.float32))
    assert asdict(found) == pytest.approx(asdict(made), abs=1e-2)
    np.testing.assert_allclose(found(COLORS), made(COLORS), atol=1e-3)


def test_a_fit_without_contrast_is_affine() -> None:
    made = Parametric(0.3, contrast=1.4)
    found = fit_parametric(COLORS, made(COLORS), np.ones(len(COLORS), np.float32), bends=False)
    matrix, offset = found.affine
    np.testing.assert_allclose(COLORS @ matrix.T + offset, found(COLORS), atol=1e-5)
    assert made.affine is None


@pytest.mark.parametrize("name", [each.name for each in fields(Parametric)])
def test_numbers_that_cannot_be_meant_are_refused(name) -> None:
    for value in (LIMITS[name][1] + 1, float("nan")):
        with pytest.raises(InputError, match=f"^{name} must lie in"):
            replace(Parametric(), **{name: value}).checked()


@pytest.mark.parametrize(
    ("given", "mired"),
    [(15.0, 15), ("-12.5", -12.5), ("6504K", 0), ("5000K", 46.2486), ("5000 k", 46.2486), ("10000K", -53.7515)],
)
def test_temperature_is_given_in_mired_or_as_the_kelvin_of_white(given: float | str, mired: float) -> None:
    assert as_mired(given) == pytest.approx(mired, abs=1e-3)


@pytest.mark.parametrize("given", ["warm", "", "K", "0K", "-5K", "5600 kelvin", None])
def test_other_temperatures_are_refused(given: str) -> None:
    with pytest.raises(InputError, match=r"^temperature .*: write mired, such as 15 .* such as 5600K"):
        as_mired(given)
