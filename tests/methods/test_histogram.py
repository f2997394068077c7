"""Histogram matching against scikit-image and numpy."""

import numpy as np
from skimage.exposure import match_histograms

from chromacord.methods.histogram import Histogram, fit_curve, quantiles
from tests.methods.footage import composite_and_mask, pixels


def test_the_foreground_is_matched_as_scikit_image_does() -> None:
    composite, mask = composite_and_mask()
    foreground, background = pixels(composite, mask), pixels(composite, 1 - mask)
    expected = match_histograms(foreground[:, None], background[:, None], channel_axis=-1)[:, 0]
    error = 255 * np.abs(pixels(Histogram().harmonize(composite, mask).harmonized, mask) - expected)
    assert error.mean() < 2  # the curve has 17 nodes, theirs one for each value
    unmatched = 255 * np.abs(foreground - expected)
    assert unmatched.mean() > 25


def test_quantiles_are_numpys_weighted_ones() -> None:
    random = np.random.default_rng(0)
    image, weight = random.random((1, 3, 8, 9), np.float32), random.random((1, 1, 8, 9), np.float32)
    levels = (np.arange(10) + 0.5) / 10
    expected = [
        np.quantile(channel, levels, weights=weight.ravel().astype(np.float64), method="inverted_cdf")
        for channel in image[0].reshape(3, -1)
    ]
    np.testing.assert_allclose(quantiles(image, weight, number=10)[0], expected)


def test_a_curve_rises_and_hits_a_straight_line() -> None:
    source = np.tile(np.linspace(0, 1, 300, dtype=np.float32), (1, 3, 1))
    curve = fit_curve(source, 0.2 + 0.5 * source, nodes=17, max_gain=4)
    np.testing.assert_allclose(curve[0, 0], 0.2 + 0.5 * np.linspace(0, 1, 17), atol=0.02)
    falling = fit_curve(source, 1 - source, nodes=17, max_gain=4)
    assert (np.diff(falling, axis=-1) >= 0).all()


def test_levels_that_the_foreground_lacks_are_shifted() -> None:
    source = np.tile(np.linspace(0.4, 0.6, 300, dtype=np.float32), (1, 3, 1))
    curve = fit_curve(source, source + 0.1, nodes=17, max_gain=4)
    np.testing.assert_allclose(curve[0, 0], np.linspace(0, 1, 17) + 0.1, atol=1e-5)


def test_channels_do_not_mix() -> None:
    composite, mask = composite_and_mask()
    lut = Histogram().harmonize(composite, mask).transform.parameters[0]
    for channel, others in ((0, (0, 1)), (1, (0, 2)), (2, (1, 2))):
        assert (lut[channel].max(axis=others) == lut[channel].min(axis=others)).all()


def test_a_nearly_flat_foreground_is_not_blown_up() -> None:
    composite, mask = composite_and_mask()
    noise = np.float32(0.001) * np.random.default_rng(2).standard_normal(composite.shape, np.float32)
    flat = np.where(mask > 0, 0.3 + noise, composite)
    harmonized = pixels(Histogram(max_gain=3).harmonize(flat, mask).harmonized, mask)
    assert harmonized.std(axis=0).max() < 0.0035
    wanted = pixels(composite, 1 - mask).mean(axis=0)
    np.testing.assert_allclose(harmonized.mean(axis=0), wanted, atol=1e-3)
