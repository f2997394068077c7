import numpy as np
import PyOpenColorIO as ocio
import pytest

from chromacord.color.cdl import Cdl, fit_cdl

MADE = Cdl((1.2, 0.9, 1.05), (0.02, -0.03, 0.01), (1.1, 0.85, 1.0), 0.8)


def some_colors(number: int = 2000) -> np.ndarray:
    return np.random.default_rng(0).random((number, 3), np.float32)


def even(colors: np.ndarray) -> np.ndarray:
    return np.ones(len(colors), np.float32)


def test_a_cdl_maps_colours_as_opencolorio_does() -> None:
    step = ocio.CDLTransform(slope=MADE.slope, offset=MADE.offset, power=MADE.power, sat=MADE.saturation)
    step.setStyle(ocio.CDL_ASC)
    colors = some_colors()
    expected = colors.copy()
    ocio.Config.CreateRaw().getProcessor(step).getDefaultCPUProcessor().applyRGB(expected)
    np.testing.assert_allclose(MADE(colors), expected, atol=2e-5)  # its powers are approximate


def test_a_fit_finds_the_cdl_that_made_the_colours() -> None:
    colors = 0.1 + 0.6 * some_colors()
    found = fit_cdl(colors, MADE(colors), even(colors))
    for name, numbers in vars(MADE).items():
        assert getattr(found, name) == pytest.approx(numbers, abs=2e-3), name
    np.testing.assert_allclose(found(colors), MADE(colors), atol=1e-4)


def test_colours_that_stay_give_the_cdl_that_changes_nothing() -> None:
    colors = some_colors()
    assert fit_cdl(colors, colors, even(colors)) == Cdl((1, 1, 1), (0, 0, 0), (1, 1, 1), 1)


@pytest.mark.parametrize("wanted", [lambda c: 1 - c, lambda c: 0 * c, lambda c: c[:, ::-1], lambda c: c**8])
def test_a_fit_keeps_the_limits_of_the_standard(wanted) -> None:
    colors = some_colors()
    found = fit_cdl(colors, wanted(colors), even(colors))
    assert min(found.slope) >= 0
    assert min(found.power) > 0
    assert found.saturation >= 0
    before, after = (np.square(one - wanted(colors)).mean() for one in (colors, found(colors)))
    assert after <= before


def test_colours_of_more_weight_are_met_better() -> None:
    colors = some_colors()
    is_dark = colors.mean(axis=1) < 0.5
    wanted = np.where(is_dark[:, None], colors, colors[:, ::-1])  # which one CDL cannot represent
    for side in (is_dark, ~is_dark):
        heavy = fit_cdl(colors, wanted, np.where(side, 1, 1e-3).astype(np.float32))(colors)
        light = fit_cdl(colors, wanted, np.where(side, 1e-3, 1).astype(np.float32))(colors)
        assert np.abs(heavy - wanted)[side].mean() < np.abs(light - wanted)[side].mean()


def test_a_single_colour_moves_and_leaves_the_cdl_near_to_doing_nothing() -> None:
    color = np.float32([[0.4, 0.4, 0.4]])
    found = fit_cdl(color, color + np.float32(0.05), np.ones(1, np.float32))
    np.testing.assert_allclose(found(color), color + 0.05, atol=1e-4)
    assert found.slope == pytest.approx((1, 1, 1), abs=0.1)
    assert found.offset == pytest.approx((0, 0, 0), abs=0.1)
