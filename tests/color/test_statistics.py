"""Weighted statistics against numpy in float64."""

import numpy as np
import torch

from chromacord.color.statistics import color_statistics, has_both_sides


def test_statistics_are_numpys_weighted_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    image, weight = torch.rand(2, 3, 9, 11, generator=generator), torch.rand(2, 1, 9, 11, generator=generator)
    statistics = color_statistics(image, weight)
    for number in range(2):
        colors, share = image[number].flatten(1).double().numpy(), weight[number].flatten().double().numpy()
        np.testing.assert_allclose(statistics.mean[number], np.average(colors, axis=1, weights=share), rtol=1e-5)
        covariance = np.cov(colors, aweights=share, ddof=0)
        np.testing.assert_allclose(statistics.covariance[number], covariance, atol=1e-6)
        np.testing.assert_allclose(statistics.deviation[number], np.sqrt(np.diag(covariance)), rtol=1e-4)


def test_a_nearly_flat_bright_picture_keeps_its_small_variance() -> None:
    image = 0.9 + 1e-4 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    deviation = color_statistics(image, torch.ones(1, 1, 64, 64)).deviation
    np.testing.assert_allclose(deviation[0], image.double().flatten(2).std(dim=-1, correction=0)[0], rtol=1e-2)


def test_no_weight_gives_zeros() -> None:
    statistics = color_statistics(torch.rand(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))
    assert not statistics.mean.any()
    assert not statistics.covariance.any()


def test_a_picture_needs_a_pixel_of_each_side() -> None:
    mask = torch.zeros(4, 1, 3, 3)
    mask[1, 0, 0, 0], mask[2], mask[3] = 1, 1, 0.5
    assert has_both_sides(mask).tolist() == [False, True, False, True]
