"""Region-aware adaptive instance normalization (RAIN).

Ling, Xue, Song, Xie and Gu, "Region-aware Adaptive Instance Normalization for Image Harmonization", CVPR 2021,
https://arxiv.org/abs/2106.02853.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_EPSILON = 1e-5
"""Added to areas and variances, as in the authors' code."""


class RAIN(nn.Module):
    """Gives the foreground's features the background's mean and deviation; each side has its own scale and shift.

    Without foreground it is an instance norm of the background. Without background the target deviation is 0 and the
    foreground's features shrink to 0.003: callers should leave such frames unchanged.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.foreground_gamma, self.foreground_beta = (nn.Parameter(torch.zeros(width)) for _ in range(2))
        self.background_gamma, self.background_beta = (nn.Parameter(torch.zeros(width)) for _ in range(2))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Normalize both regions.

        Args:
            features: Shape (N, width, h, w).
            mask: foreground weight, resized by nearest neighbour. Shape (N, 1, H, W).
        """
        mask = F.interpolate(mask, features.shape[-2:], mode="nearest").to(features.dtype)
        back_mean, back_deviation = _statistics(features, 1 - mask)
        mean, deviation = _statistics(features, mask)
        background = (features - back_mean) / back_deviation
        foreground = (features - mean) / deviation * back_deviation + back_mean
        background = _moved(background, self.background_gamma, self.background_beta)
        foreground = _moved(foreground, self.foreground_gamma, self.foreground_beta)
        return foreground * mask + background * (1 - mask)


def _moved(features: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    return features * (1 + gamma[:, None, None]) + beta[:, None, None]


def _statistics(features: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of a region. Shape (N, C, 1, 1) each."""
    area = weight.sum(dim=(2, 3), keepdim=True) + _EPSILON
    mean = (features * weight).sum(dim=(2, 3), keepdim=True) / area
    variance = (weight * (features - mean)).square().sum(dim=(2, 3), keepdim=True) / area
    return mean, (variance + _EPSILON).sqrt()
