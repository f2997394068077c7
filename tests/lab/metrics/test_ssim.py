"""Structural similarity against scikit-image and against plain numpy."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from chromacord.lab.metrics.ssim import foreground_ssim, ssim_map

Array = npt.NDArray[np.float64]


def pictures(*, height: int = 24, width: int = 31, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two similar pictures on 0 to 255: a slope, with different noise."""
    generator = torch.Generator().manual_seed(seed)
    slope = torch.linspace(20, 230, width).expand(3, height, width)
    noise = torch.randn(2, 3, height, width, generator=generator)
    return slope + 6 * noise[0], slope + 8 * noise[1] + 5


def plain_ssim(first: Array, second: Array, *, constants: tuple[float, float]) -> Array:
    """SSIM of one channel by its definition, window by window, with zeros outside and variances in two passes."""
    bell = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(bell, bell) / bell.sum() ** 2
    cut = [np.lib.stride_tricks.sliding_window_view(np.pad(one, 5), (11, 11)) for one in (first, second)]
    mean_1, mean_2 = ((window * views).sum(axis=(2, 3)) for views in cut)
    away_1, away_2 = cut[0] - mean_1[..., None, None], cut[1] - mean_2[..., None, None]
    variance_1, variance_2 = ((window * away**2).sum(axis=(2, 3)) for away in (away_1, away_2))
    covariance = (window * away_1 * away_2).sum(axis=(2, 3))
    above = (2 * mean_1 * mean_2 + constants[0]) * (2 * covariance + constants[1])
    below = (mean_1**2 + mean_2**2 + constants[0]) * (variance_1 + variance_2 + constants[1])
    return np.asarray(above / below)


def test_with_zeros_outside_and_constants_for_one_it_is_the_definition() -> None:
    first, second = pictures()
    found = ssim_map(first, second, dynamic_range=1, zero_border=True)
    for channel in range(3):
        arrays = first[channel].double().numpy(), second[channel].double().numpy()
        expected = plain_ssim(*arrays, constants=(1e-4, 9e-4))
        np.testing.assert_allclose(found[channel], expected, atol=1e-9)


def test_mirrored_and_with_constants_for_255_it_is_scikit_images() -> None:
    first, second = pictures()
    found = ssim_map(first, second, dynamic_range=255, zero_border=False)
    _, expected = structural_similarity(
        first.double().numpy(),
        second.double().numpy(),
        data_range=255,
        channel_axis=0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_flat_pictures_hold_no_noise() -> None:
    """At (200, 204) the second factor is 1 away from the edge: C2 / C2, which float32 would miss by 10 percent."""
    first, second = torch.full((1, 40, 40), 200.0), torch.full((1, 40, 40), 204.0)
    found = ssim_map(first, second, dynamic_range=1, zero_border=True)[0, 10:-10, 10:-10]
    expected = (2 * 200 * 204 + 1e-4) / (200**2 + 204**2 + 1e-4)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_equal_pictures_give_exactly_one(channels: int) -> None:
    first = pictures()[0][:channels]
    assert (ssim_map(first, first, dynamic_range=1, zero_border=True) == 1).all()


@pytest.mark.parametrize("zero_border", [True, False])
@pytest.mark.parametrize(
    ("rows", "columns"), [((10, 14), (12, 20)), ((0, 3), (28, 31)), ((0, 24), (0, 31)), ((23, 24), (0, 1))]
)
def test_the_foregrounds_mean_needs_only_what_its_windows_reach(
    rows: tuple[int, int], columns: tuple[int, int], zero_border: bool
) -> None:
    first, second = pictures()
    mask = torch.zeros(1, 24, 31)
    mask[:, slice(*rows), slice(*columns)] = 1
    mask[:, rows[0], columns[0]] = 0.3
    values = ssim_map(first, second, dynamic_range=255, zero_border=zero_border).numpy()
    weight = mask.numpy().astype(np.float64)
    expected = np.mean([(channel * weight[0]).sum() / weight.sum() for channel in values])
    found = foreground_ssim(first, second, mask, dynamic_range=255, zero_border=zero_border)
    assert found == pytest.approx(expected, abs=1e-12)
