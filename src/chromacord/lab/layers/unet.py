"""iSSAM's U-Net: four encoder scales, three decoder levels, and a head that mixes the composite with a new picture.

Sofiiuk, Popenova and Konushin, "Foreground-aware Semantic Representations for Image Harmonization", WACV 2021,
https://arxiv.org/abs/2006.00809: the network that its code calls improved SSAM, for 256 x 256. iSSAM, the harmonization
module of Chen et al. 2024, and CO2Net's backbone differ only in the blocks used for attention.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.lab.layers.convolutions import ConvBlock, start_with_xavier
from chromacord.lab.layers.pictures import normalize, padded

WIDTH = 32
"""Encoder channels at full size; each of the scales 1/2, 1/4 and 1/8 has twice as many as the one before."""

NUM_LEVELS = 3
"""Number of decoder levels: level 0 ends at a quarter of the input's side, level 2 at full size."""

MULTIPLE = 32
"""Divisor to which height and width are padded, as in the authors' predictor. It pads both sides with zeros; here the
edge is repeated at the right and bottom."""


def widths(width: int = WIDTH) -> tuple[int, ...]:
    """Return the encoder's channels at 1, 1/2, 1/4 and 1/8 of the input's side.

    Args:
        width: channels at full size.

    Raises:
        InputError: it is not 1 or more.
    """
    if width < 1:
        raise InputError(f"width must be 1 or more, got {width}")
    return tuple(width << level for level in range(NUM_LEVELS + 1))


class Encoder(nn.Module):
    """Two convolutions at each of four scales, with batch norm at the two coarse ones."""

    def __init__(self, inputs: int = 4, *, width: int = WIDTH) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        for number, outputs in enumerate(widths(width)):
            is_normed = number >= 2
            pair = ConvBlock(inputs, outputs, is_normed=is_normed), ConvBlock(outputs, outputs, is_normed=is_normed)
            self.blocks.append(nn.Sequential(*pair))
            inputs = outputs

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return the features of each scale, coarsest first.

        Args:
            picture: Shape (N, inputs, H, W), H and W multiples of 8.

        Returns:
            Shapes (N, 8 width, H/8, W/8), (N, 4 width, H/4, W/4), (N, 2 width, H/2, W/2) and (N, width, H, W).
        """
        scales = [self.blocks[0](picture)]
        for block in list(self.blocks)[1:]:
            scales.append(block(F.max_pool2d(scales[-1], 2)))
        return scales[::-1]


class MaskedSequence(nn.ModuleList):
    """A sequence of blocks that all receive the mask; the identity if empty."""

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Run the blocks. Shape (N, C, h, w) and (N, 1, H, W) to (N, C, h, w)."""
        for block in self:
            features = block(features, mask)
        return features


class UpBlock(nn.Module):
    """Upsampling, a convolution, concatenation with the encoder's features, attention, and two convolutions.

    Args:
        inputs: input channels; the output has half as many, like the encoder at that scale.
        after_up: blocks between the first convolution and the concatenation.
        after_join: blocks between the concatenation and the last two convolutions.
    """

    def __init__(
        self, inputs: int, *, after_up: tuple[nn.Module, ...] = (), after_join: tuple[nn.Module, ...] = ()
    ) -> None:
        super().__init__()
        width = inputs // 2
        self.up = ConvBlock(inputs, width, is_normed=False)
        self.after_up, self.attention = MaskedSequence(after_up), MaskedSequence(after_join)
        self.convs = nn.Sequential(ConvBlock(2 * width, width, is_normed=True), ConvBlock(width, width, is_normed=True))

    def forward(self, features: Tensor, skipped: Tensor, mask: Tensor) -> Tensor:
        """Double the size. Shape (N, inputs, h, w), (N, inputs / 2, 2h, 2w), (N, 1, H, W) to the second's."""
        doubled = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=True)
        features = self.after_up(self.up(doubled), mask)
        joined = self.attention(torch.cat([skipped, features], dim=1), mask)
        out: Tensor = self.convs(joined)
        return out


class FusionHead(nn.Module):
    """Mixes the composite with a new picture per pixel: a I + (1 - a) rgb(X), a = sigmoid(3 conv(X))."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.share = nn.Conv2d(width, 1, 1)
        self.color = nn.Conv2d(width, 3, 1)

    def forward(self, features: Tensor, composite: Tensor) -> Tensor:
        """Return a picture in the composite's range. Shape (N, width, H, W) and (N, 3, H, W) to the second's."""
        share = torch.sigmoid(3 * self.share(features))
        mixed: Tensor = share * composite + (1 - share) * self.color(features)
        return mixed


class HarmonizedFrames(NamedTuple):
    """The network's result for N frames."""

    picture: Tensor
    """RGB normalized by ImageNet's statistics, neither clamped nor composited. Shape (N, 3, H, W)."""

    features: Tensor
    """The head's input. Shape (N, width, H, W)."""


class HarmonizationNetwork(nn.Module):
    """The complete U-Net.

    Args:
        after_up, after_join: blocks for each level's two positions; each takes features and mask.
        width: channels at full size.
    """

    def __init__(
        self,
        *,
        after_up: Mapping[int, tuple[nn.Module, ...]] | None = None,
        after_join: Mapping[int, tuple[nn.Module, ...]] | None = None,
        width: int = WIDTH,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(width=width)
        self.decoder = nn.ModuleList(
            UpBlock(
                widths(width)[-1 - level],
                after_up=(after_up or {}).get(level, ()),
                after_join=(after_join or {}).get(level, ()),
            )
            for level in range(NUM_LEVELS)
        )
        self.head = FusionHead(width)
        start_with_xavier(self)

    def forward(self, composite: Tensor, mask: Tensor) -> HarmonizedFrames:
        """Harmonize frames independently.

        Args:
            composite: RGB in [0, 1]. Shape (N, 3, H, W), any H and W; padded to multiples of 32.
            mask: foreground weight. Shape (N, 1, H, W).
        """
        height, width = composite.shape[-2:]
        mask = padded(mask, MULTIPLE)
        picture = padded(normalize(composite), MULTIPLE)
        features, *skipped = self.encoder(torch.cat([picture, mask], dim=1))
        for block, finer in zip(self.decoder, skipped, strict=True):
            features = block(features, finer, mask)
        harmonized = self.head(features, picture)
        return HarmonizedFrames(harmonized[..., :height, :width], features[..., :height, :width])
