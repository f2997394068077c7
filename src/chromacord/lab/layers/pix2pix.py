"""pix2pix's U-Net for 256 x 256 with attention at its three finest skip connections: DoveNet's and RainNet's generator.

Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017,
https://arxiv.org/abs/1611.07004, section 6.1; attention from Cong et al., "DoveNet", CVPR 2020. Eight levels halve the
picture, down to 1 x 1 at level 7, and eight double it again.
"""

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.lab.layers.convolutions import start_with_normal
from chromacord.lab.layers.pictures import to_signed
from chromacord.lab.layers.rain import RAIN

Norm = Literal["instance", "batch", "rain"]

WIDTH = 64
"""Channels of level 0, at half the picture's side, in the published networks."""

NUM_LEVELS = 8
MULTIPLE = 2**NUM_LEVELS
"""Required divisor of height and width."""

_WIDTHS = (1, 2, 4, 8, 8, 8, 8, 8)
"""Channels of each level, as multiples of level 0's."""

_ATTENDED = (1, 2, 3)
_DROPPED = (4, 5, 6)
"""Levels whose decoder has attention, or dropout."""

_SLOPE = 0.2


class Down(nn.Module):
    """A convolution that halves the size, with an optional norm."""

    def __init__(self, inputs: int, outputs: int, norm: nn.Module | None, *, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)
        self.norm = norm

    def forward(self, features: Tensor) -> Tensor:
        """Halve the size. Shape (N, inputs, 2h, 2w) to (N, outputs, h, w)."""
        features = self.conv(features)
        return features if self.norm is None else self.norm(features)


class Up(nn.Module):
    """A ReLU, a convolution that doubles the size, a norm, and concatenation with the encoder's features.

    Args:
        inputs, outputs: channels; the encoder's features have as many as the outputs.
        norm: batch norm, instance norm, or RAIN, which uses the mask.
        bias: whether the convolution has a bias.
        is_dropped: apply dropout of one half to the new features in training.
        is_attended: weight the concatenated features by the sigmoid of their 1 x 1 convolution.
    """

    def __init__(
        self, inputs: int, outputs: int, norm: nn.Module, *, bias: bool, is_dropped: bool, is_attended: bool
    ) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)
        self.norm = norm
        self.dropout = nn.Dropout(0.5 if is_dropped else 0)
        self.attention = nn.Conv2d(2 * outputs, 2 * outputs, 1) if is_attended else None

    def forward(self, features: Tensor, skipped: Tensor, mask: Tensor) -> Tensor:
        """Double the size. Shape (N, inputs, h, w), (N, outputs, 2h, 2w), (N, 1, H, W) to (N, 2 outputs, 2h, 2w)."""
        features = self.conv(features.relu())
        features = self.norm(features, mask) if isinstance(self.norm, RAIN) else self.norm(features)
        joined = torch.cat([skipped, self.dropout(features)], dim=1)
        return joined if self.attention is None else torch.sigmoid(self.attention(joined)) * joined


class Pix2PixUNet(nn.Module):
    """The complete generator.

    Args:
        inputs: 4 to include the mask as an input channel, 3 if only RAIN uses it.
        norm: norm of all levels; "rain" applies to the decoder only, with instance norm in the encoder. Convolutions
            before an instance norm have biases only with "instance", as in the published code.
        width: channels of level 0.
    """

    def __init__(self, *, inputs: int, norm: Norm, width: int = WIDTH) -> None:
        super().__init__()
        self._inputs = inputs
        widths = [width * each for each in _WIDTHS]
        bias = norm == "instance"
        self.downs = nn.ModuleList([Down(inputs, width, None, bias=bias)])
        self.ups = nn.ModuleList()
        for level, (outer, inner) in enumerate(pairwise(widths), 1):
            is_innermost = level == NUM_LEVELS - 1
            self.downs.append(Down(outer, inner, None if is_innermost else _norm(norm, inner), bias=bias))
            up = Up(
                inner if is_innermost else 2 * inner,
                outer,
                RAIN(outer) if norm == "rain" else _norm(norm, outer),
                bias=bias,
                is_dropped=level in _DROPPED,
                is_attended=level in _ATTENDED,
            )
            self.ups.insert(0, up)
        self.out = nn.ConvTranspose2d(2 * width, 3, 4, stride=2, padding=1)
        start_with_normal(self)

    def forward(self, composite: Tensor, mask: Tensor) -> Tensor:
        """Generate pictures, each independently.

        Args:
            composite: RGB in [0, 1]. Shape (N, 3, H, W), H and W multiples of 256.
            mask: foreground weight. Shape (N, 1, H, W).

        Returns:
            Full pictures in [-1, 1]. Shape (N, 3, H, W).

        Raises:
            InputError: a side is not a multiple of 256.
        """
        return self.look(composite, mask)[0]

    def look(self, composite: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the result of `forward` and the last layer's input.

        Args:
            composite: RGB in [0, 1]. Shape (N, 3, H, W), H and W multiples of 256.
            mask: foreground weight. Shape (N, 1, H, W).

        Returns:
            Shape (N, 3, H, W), and (N, 2 width, H/2, W/2).
        """
        height, width = composite.shape[-2:]
        if height % MULTIPLE or width % MULTIPLE:
            raise InputError(f"height and width must be multiples of {MULTIPLE}, got {height} x {width}; resize them")
        picture = to_signed(composite)
        features = self.downs[0](torch.cat([picture, mask], dim=1) if self._inputs == 4 else picture)
        skipped = []
        for down in self.downs[1:]:
            # The published ReLUs work in place, so skip connections carry their output.
            features = F.leaky_relu(features, _SLOPE)
            skipped.append(features)
            features = down(features)
        for up, finer in zip(self.ups, reversed(skipped), strict=True):
            features = up(features, finer, mask)
        return torch.tanh(self.out(features.relu())), features


def _norm(kind: Norm, width: int) -> nn.Module:
    return nn.BatchNorm2d(width) if kind == "batch" else nn.InstanceNorm2d(width)
