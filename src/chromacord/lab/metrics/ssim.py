"""The structural similarity index of Wang et al., "Image Quality Assessment: From Error Visibility to Structural
Similarity" (2004), with the 11 x 11 Gaussian window that the paper uses.

Means and products are computed in float64. In float32 the variances, as differences of large numbers, carry more noise
than the constants for `dynamic_range` 1 can suppress in flat regions: up to 0.1 per pixel and 1e-4 in a frame's mean.
"""

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_RADIUS = 5
_SIGMA = 1.5

_Planes = npt.NDArray[np.float64]
"""Shape (H, W, 3), which OpenCV filters in one call."""


def _window() -> npt.NDArray[np.float64]:
    """Return the normalized Gaussian; the 2D window is its outer product. Shape (11,)."""
    bell = np.exp(-(np.arange(-_RADIUS, _RADIUS + 1) ** 2) / (2 * _SIGMA**2))
    return np.asarray(bell / bell.sum(), dtype=np.float64)


def foreground_ssim(
    picture: Tensor, reference: Tensor, mask: Tensor, *, dynamic_range: float, zero_border: bool
) -> float:
    """Return the mean of `ssim_map` over the foreground and the channels.

    Args:
        picture, reference: on the same scale. Shape (C, H, W).
        mask: foreground weight, not 0 everywhere. Shape (1, H, W).
        dynamic_range, zero_border: as for `ssim_map`.
    """
    rows, columns = (_span(mask[0].amax(dim=across) > 0) for across in (1, 0))
    first, second = picture[:, rows, columns], reference[:, rows, columns]
    values = ssim_map(first, second, dynamic_range=dynamic_range, zero_border=zero_border)
    weight = mask[:, rows, columns].double()
    return float((values * weight).sum() / (len(values) * weight.sum()))


def _span(has_foreground: Tensor) -> slice:
    """Return the rows or columns within reach of windows around the foreground; the rest need no filtering."""
    places = has_foreground.nonzero()
    return slice(max(int(places[0]) - _RADIUS, 0), int(places[-1]) + _RADIUS + 1)


def ssim_map(picture: Tensor, reference: Tensor, *, dynamic_range: float, zero_border: bool) -> Tensor:
    """Return the structural similarity around each pixel, per channel (eq. 13, with K1 = 0.01, K2 = 0.03).

    Args:
        picture, reference: on the same scale. Shape (C, H, W).
        dynamic_range: L in the paper, which sets the constants: 255 for values from 0 to 255.
        zero_border: pad the picture with zeros instead of mirroring it.

    Returns:
        Values up to 1, in float64. Shape (C, H, W).
    """
    values = _ssim_planes(_to_planes(picture), _to_planes(reference), dynamic_range, zero_border)
    return torch.from_numpy(values).permute(2, 0, 1).to(picture.device)


def _to_planes(picture: Tensor) -> _Planes:
    return np.ascontiguousarray(picture.detach().permute(1, 2, 0).cpu().numpy(), dtype=np.float64)


def _ssim_planes(picture: _Planes, reference: _Planes, dynamic_range: float, zero_border: bool) -> _Planes:
    window = _window()
    border = cv2.BORDER_CONSTANT if zero_border else cv2.BORDER_REFLECT

    def mean(planes: _Planes) -> _Planes:
        filtered: _Planes = cv2.sepFilter2D(planes, -1, window, window, borderType=border)
        return filtered.reshape(planes.shape)  # OpenCV drops the axis of a single channel

    luminance, contrast = (0.01 * dynamic_range) ** 2, (0.03 * dynamic_range) ** 2
    mean_1, mean_2 = mean(picture), mean(reference)
    product, squares = mean_1 * mean_2, mean_1 * mean_1 + mean_2 * mean_2
    # One filter for the sum of both variances suffices; for equal pictures it is exactly twice the covariance.
    covariance = mean(picture * reference) - product
    variances = mean(picture * picture + reference * reference) - squares
    ratio: _Planes = (2 * product + luminance) * (2 * covariance + contrast)
    ratio /= (squares + luminance) * (variances + contrast)
    return ratio
