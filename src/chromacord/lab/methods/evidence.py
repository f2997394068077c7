"""Detect frames without foreground or without background, which learned methods leave unchanged."""

import torch
from torch import Tensor

from chromacord.color.statistics import has_both_sides

_FLAT = 1e-6
"""Variance of colours below which a picture counts as single-coloured: a quarter of an 8-bit level, squared."""


def kept_without_evidence(harmonized: Tensor, composite: Tensor, mask: Tensor) -> Tensor:
    """Replace results by composites for frames without foreground, without background, or of a single colour.

    Networks never saw such frames in training, and return arbitrary colours for them.

    Args:
        harmonized: results of all frames. Shape (N, 3, H, W).
        composite: Shape (N, 3, H, W).
        mask: Shape (N, 1, H, W).
    """
    deviation = composite - composite.mean(dim=(2, 3), keepdim=True)
    usable = has_both_sides(mask) & (deviation.square().mean(dim=(1, 2, 3)) > _FLAT)
    return torch.where(usable[:, None, None, None], harmonized, composite)
