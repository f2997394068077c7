"""The enhancement that HYouTube's authors applied to each LUT's output before recolouring with it.

It equals pillow-lut's `rgb_color_enhance` with exposure 0.2, contrast 0.1, vibrance 0.5 and gamma 1.3, as called in the
authors' sample script. It darkens: with an identity LUT, mid-grey becomes 0.459.
"""

import torch
from torch import Tensor

from chromacord.color.spaces import LUMA

CONTRAST = 0.1
VIBRANCE = 0.5
EXPOSURE = 0.2
"""Exposure in stops."""

GAMMA = 1.3


def enhance(colors: Tensor) -> Tensor:
    """Apply contrast, vibrance, exposure and gamma, in this order.

    Args:
        colors: display-referred RGB, may lie outside [0, 1]. Shape (N, 3, ...).

    Returns:
        RGB in [0, 1]. Same shape.
    """
    colors = (colors - 0.5) * (1 + CONTRAST) + 0.5
    largest = colors.amax(dim=1, keepdim=True)
    weights = colors.new_tensor(LUMA).view(3, *[1] * (colors.ndim - 2))
    average = (weights * colors).sum(dim=1, keepdim=True)
    # The further a channel is below the largest, the more it is lowered: dull colours gain saturation, grey stays.
    colors = colors + (colors - largest) * (largest - average) * (2 * VIBRANCE)
    colors = 1 - (1 - colors).clamp_min(0) ** (2**EXPOSURE)
    return torch.pow(colors.clamp_min(0), GAMMA)
