"""Spatial-separated attention, in the form of Sofiiuk et al., "Foreground-aware Semantic Representations for Image
Harmonization", WACV 2021; first in Cun and Pun, "Improving the Harmony of the Composite Image by Spatial-Separated
Attention Module", IEEE TIP 2020.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.lab.layers.convolutions import ConvBlock
from chromacord.lab.layers.pictures import Box, resized_mask

_KERNEL_SIDE, _KERNEL_DEVIATION = 7, 1.0
_REACH = 2
"""Reach of the foreground's two convolutions, in positions."""


class ChannelGate(nn.Sequential):
    """Computes weights of channels from their means and maxima over the picture."""

    def __init__(self, width: int) -> None:
        hidden = max(width // 16, 8)
        super().__init__(nn.Linear(2 * width, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, width), nn.Sigmoid())

    def forward(self, pooled: Tensor) -> Tensor:
        """Return the weights. Shape (N, 2 width), see `pooled_channels`, to (N, width, 1, 1)."""
        for layer in self:
            pooled = layer(pooled)
        return pooled[:, :, None, None]


def pooled_channels(features: Tensor) -> Tensor:
    """Return each channel's mean, then each channel's maximum. Shape (N, width, H, W) to (N, 2 width)."""
    return torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)


class SSAM(nn.Module):
    """Treats foreground and background separately: out = m (f(gate x) + mix x) + (1 - m) background x.

    The mask m is smoothed with a 7 x 7 Gaussian of deviation 1. The kernel is a buffer, so that published checkpoints
    include the one that they were trained with.
    """

    kernel: Tensor

    def __init__(self, width: int, *, factor: float = 0.5) -> None:
        super().__init__()
        middle = round(factor * width)
        self.background, self.foreground, self.mix = ChannelGate(width), ChannelGate(width), ChannelGate(width)
        self.learned = nn.Sequential(
            ConvBlock(width, middle, is_normed=True, bias=False), ConvBlock(middle, width, is_normed=True, bias=False)
        )
        self.register_buffer("kernel", gaussian_kernel(_KERNEL_SIDE, _KERNEL_DEVIATION)[None, None])

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Apply the module.

        Args:
            features: Shape (N, width, h, w).
            mask: foreground weight. Shape (N, 1, H, W).
        """
        smooth = F.conv2d(resized_mask(mask, features), self.kernel.to(features.dtype), padding=_KERNEL_SIDE // 2)
        pooled = pooled_channels(features)
        background = features * self.background(pooled)
        # Batch norms in training need the means of the whole picture.
        box = Box.around(torch.ones_like(smooth) if self.training else smooth, _REACH, _REACH)
        near = box.cut(features)
        learned: Tensor = self.learned(near * self.foreground(pooled))
        foreground = torch.addcmul(learned, near, self.mix(pooled))
        return box.pasted(torch.lerp(box.cut(background), foreground, box.cut(smooth)), background)


def gaussian_kernel(side: int, deviation: float) -> Tensor:
    """Return a normalized Gaussian. Shape (side, side)."""
    places = torch.arange(side) - (side - 1) / 2
    line = torch.exp(-places.square() / (2 * deviation**2))
    kernel = line[:, None] * line
    return kernel / kernel.sum()
