"""Means and covariances of colours under a weight: what the statistical methods are made of."""

from typing import NamedTuple

import torch
from torch import Tensor


class ColorStatistics(NamedTuple):
    """Population statistics of the colours of N pictures."""

    mean: Tensor
    """Shape (N, C)."""

    covariance: Tensor
    """Shape (N, C, C)."""

    @property
    def deviation(self) -> Tensor:
        """Population standard deviation of each channel. Shape (N, C)."""
        return self.covariance.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt()


def color_statistics(image: Tensor, weight: Tensor) -> ColorStatistics:
    """Return mean and covariance of a picture's colours, each pixel counted by its weight.

    Args:
        image: any colour space. Shape (N, C, H, W).
        weight: not negative. Shape (N, 1, H, W). Where all of it is 0, the statistics are 0 too.
    """
    colors, share = image.flatten(2), weight.flatten(2)
    share = share / share.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(image.dtype).tiny)
    mean = (colors * share).sum(dim=-1)
    centred = colors - mean[..., None]  # first the mean, then the squares: the difference of sums would cancel
    return ColorStatistics(mean, (centred * share) @ centred.mT)


def has_both_sides(mask: Tensor) -> Tensor:
    """Return which pictures have at least one pixel's weight of foreground and as much of background.

    Args:
        mask: foreground weight in [0, 1]. Shape (N, 1, H, W).

    Returns:
        Boolean. Shape (N,).
    """
    return (mask.sum(dim=(1, 2, 3)) >= 1) & ((1 - mask).sum(dim=(1, 2, 3)) >= 1)


def _symmetric_power(matrix: Tensor, exponent: float) -> Tensor:
    """Raise symmetric matrices with positive eigenvalues to a power. Shape (N, 3, 3)."""
    values, vectors = torch.linalg.eigh(matrix)
    raised: Tensor = (vectors * values.clamp_min(1e-12)[:, None] ** exponent) @ vectors.mT
    return raised


def monge_kantorovich(source: Tensor, target: Tensor) -> Tensor:
    """Return the symmetric matrix T with T source T = target that moves colours least (Pitie and Kokaram, eq. 16).

    Args:
        source, target: covariances with positive eigenvalues. Shape (N, 3, 3).

    Returns:
        Shape (N, 3, 3).
    """
    root, inverse = _symmetric_power(source, 0.5), _symmetric_power(source, -0.5)
    return inverse @ _symmetric_power(root @ target @ root, 0.5) @ inverse
