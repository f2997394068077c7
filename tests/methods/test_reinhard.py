"""Reinhard against its formulas in numpy float64."""

import numpy as np
import numpy.typing as npt
import pytest

from chromacord.methods.reinhard import Reinhard, match_statistics
from tests.methods.footage import composite_and_mask, pixels

_RGB_TO_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_LMS_TO_LAB = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])


def reference(foreground: npt.NDArray[np.float64], background: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The paper's steps on lists of pixels, with a foot of four 8-bit levels in the logarithm. Shape (pixels, 3)."""
    ours, theirs = (np.log10(part @ _RGB_TO_LMS.T + 4 / 255) @ _LMS_TO_LAB.T for part in (foreground, background))
    moved = (ours - ours.mean(axis=0)) * theirs.std(axis=0) / ours.std(axis=0) + theirs.mean(axis=0)
    return (10 ** (moved @ np.linalg.inv(_LMS_TO_LAB).T) - 4 / 255) @ np.linalg.inv(_RGB_TO_LMS).T


def test_pixels_are_those_of_the_paper() -> None:
    composite, mask = composite_and_mask()
    expected = reference(pixels(composite, mask), pixels(composite, 1 - mask))
    matched = match_statistics(composite[0], mask[0], max_gain=10)
    np.testing.assert_allclose(pixels(matched[None], mask), expected, atol=2e-3)


def test_the_lut_that_is_returned_is_close_to_the_paper() -> None:
    composite, mask = composite_and_mask()
    expected = reference(pixels(composite, mask), pixels(composite, 1 - mask)).clip(0, 1)
    error = 255 * np.abs(pixels(Reinhard().harmonize(composite, mask).harmonized, mask) - expected)
    assert error.mean() < 0.5
    assert np.quantile(error, 0.99) < 3


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_flat_foreground_takes_the_backgrounds_mean_and_stays_flat(level: float) -> None:
    composite, mask = composite_and_mask()
    flat = np.where(mask > 0, level, composite)
    harmonized = pixels(Reinhard().harmonize(flat, mask).harmonized, mask)
    assert np.isfinite(harmonized).all()
    assert harmonized.std(axis=0).max() < 1e-4
    background = np.log10(pixels(composite, 1 - mask) @ _RGB_TO_LMS.T + 4 / 255).mean(axis=0)
    wanted = np.linalg.inv(_RGB_TO_LMS) @ (10**background - 4 / 255)  # in logarithms, l-alpha-beta is linear
    np.testing.assert_allclose(harmonized.mean(axis=0), wanted, atol=2e-3)


def test_negative_results_are_clipped_not_folded() -> None:
    composite, mask = composite_and_mask()
    dark = np.where(mask > 0, composite, composite * 0.05)
    harmonized = pixels(Reinhard().harmonize(dark, mask).harmonized, mask)
    assert harmonized.min() >= 0
    assert harmonized.mean() < 0.1
