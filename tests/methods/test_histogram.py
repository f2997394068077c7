"""Histogram matching against scikit-image and numpy."""

import numpy as np
import torch
from skimage.exposure import match_histograms

from chromacord.methods.histogram import Histogram, fit_curve, quantiles
from tests.methods.footage import composite_and_mask, pixels


def test_the_foreground_is_matched_as_scikit_image_does() -> None:
    composite, mask = composite_and_mask()
    foreground, background = pixels(composite, mask).numpy(), pixels(composite, 1 - mask).numpy()
    expected = match_histograms(foreground[:, None], background[:, None], channel_axis=-1)[:, 0]
    error = 255 * np.abs(pixels(Histogram()(composite, mask).harmonized, mask).numpy() - expected)
    assert error.mean() < 2  # the curve has 17 nodes, theirs one for each value
    unmatched = 255 * np.abs(foreground - expected)
    assert unmatched.mean() > 25


def test_quantiles_are_numpys_weighted_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    image, weight = torch.rand(1, 3, 8, 9, generator=generator), torch.rand(1, 1, 8, 9, generator=generator)
    levels = (np.arange(10) + 0.5) / 10
    expected = [
        np.quantile(channel, levels, weights=weight.flatten().double().numpy(), method="inverted_cdf")
        for channel in image[0].flatten(1).numpy()
    ]
    np.testing.assert_allclose(quantiles(image, weight, number=10)[0], expected)


def test_a_curve_rises_and_hits_a_straight_line() -> None:
    source = torch.linspace(0, 1, 300).expand(1, 3, -1)
    curve = fit_curve(source, 0.2 + 0.5 * source, nodes=17, max_gain=4)
    torch.testing.assert_close(curve[0, 0], 0.2 + 0.5 * torch.linspace(0, 1, 17), atol=0.02, rtol=0)
    falling = fit_curve(source, 1 - source, nodes=17, max_gain=4)
    assert (falling.diff(dim=-1) >= 0).all()


def test_levels_that_the_foreground_lacks_are_shifted() -> None:
    source = torch.linspace(0.4, 0.6, 300).expand(1, 3, -1)
    curve = fit_curve(source, source + 0.1, nodes=17, max_gain=4)
    torch.testing.assert_close(curve[0, 0], torch.linspace(0, 1, 17) + 0.1, atol=1e-5, rtol=0)


def test_channels_do_not_mix() -> None:
    composite, mask = composite_and_mask()
    lut = Histogram()(composite, mask).transform.parameters[0]
    for channel, others in ((0, (0, 1)), (1, (0, 2)), (2, (1, 2))):
        assert (lut[channel].amax(dim=others) == lut[channel].amin(dim=others)).all()


def test_a_nearly_flat_foreground_is_not_blown_up() -> None:
    composite, mask = composite_and_mask()
    noise = 0.001 * torch.randn(composite.shape, generator=torch.Generator().manual_seed(2))
    flat = torch.where(mask > 0, 0.3 + noise, composite)
    harmonized = pixels(Histogram(max_gain=3)(flat, mask).harmonized, mask)
    assert harmonized.std(dim=0).max() < 0.0035
    wanted = pixels(composite, 1 - mask).mean(dim=0)
    torch.testing.assert_close(harmonized.mean(dim=0), wanted, atol=1e-3, rtol=0)
