"""Global discrimination and domain verification: the discriminator of DoveNet and RainNet.

Cong et al., "DoveNet: Deep Image Harmonization via Domain Verification", CVPR 2020, https://arxiv.org/abs/1911.13239.
One score rates whether a picture is real, another whether its foreground belongs to the domain of its background.
Partial convolutions (Liu et al., "Image Inpainting for Irregular Holes Using Partial Convolutions", ECCV 2018) see only
one side of the mask. Spectral norm (Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR
2018) bounds every layer except the final ones.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from chromacord.lab.layers.convolutions import start_with_normal

_WIDTHS = (1, 2, 4, 8, 8, 8, 8)
"""Channels of each layer, as multiples of the first layer's."""

_KERNEL = 3
_SLOPE = 0.2


class Scores(NamedTuple):
    """Discriminator scores; higher is more real. Shape (N, 1, h, w) each, 1 x 1 for 256 x 256."""

    picture: Tensor
    domains: Tensor
    """Score of foreground and background belonging together."""

    @property
    def mean(self) -> Tensor:
        """Mean score, whose gradient the penalty bounds. Shape (N, 1, h, w)."""
        return (self.picture + self.domains) / 2


class VerifyingDiscriminator(nn.Module):
    """Computes both scores with separate networks; 17,787,138 parameters at full width.

    Args:
        width: channels of the first layers.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        deepest = width * _WIDTHS[-1]
        self.picture, self.region = RegionEncoder(width), RegionEncoder(width)
        self.picture_score, self.domain_score = nn.Conv2d(deepest, 1, 1), nn.Conv2d(deepest, 1, 1)
        self.similarity = nn.ModuleList(nn.Conv2d(deepest, deepest, 1) for _ in range(2))
        start_with_normal(self)
        for layer in (*self.picture.convs, *self.region.convs, *self.similarity):
            spectral_norm(layer)

    def forward(self, picture: Tensor, mask: Tensor) -> Scores:
        """Score pictures.

        Args:
            picture: RGB in [-1, 1]. Shape (N, 3, H, W), H and W 255 or more.
            mask: foreground weight. Shape (N, 1, H, W).
        """
        similarity = self.region(picture, mask) * self.region(picture, 1 - mask)
        for layer in self.similarity:
            similarity = F.leaky_relu(layer(similarity), _SLOPE)
        return Scores(self.picture_score(self.picture(picture)), self.domain_score(similarity))


class RegionEncoder(nn.Module):
    """Seven convolutions that reduce a picture of 256 x 256, or a region of it, to one vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [3, *(width * each for each in _WIDTHS)]
        last = len(_WIDTHS) - 1
        self.convs = nn.ModuleList(
            nn.Conv2d(inputs, outputs, _KERNEL, stride=1 if number == last else 2)
            for number, (inputs, outputs) in enumerate(pairwise(widths))
        )

    def forward(self, features: Tensor, region: Tensor | None = None) -> Tensor:
        """Encode a region, or the whole picture.

        Args:
            features: RGB in [-1, 1]. Shape (N, 3, H, W).
            region: weight of each pixel; None: the whole picture. Shape (N, 1, H, W).

        Returns:
            Shape (N, 8 width, h, w), 1 x 1 for 256 x 256.
        """
        last = len(self.convs) - 1
        for number, conv in enumerate(self.convs):
            if region is None:
                features = conv(features)
            else:
                features, region = _partial(conv, features, region)
            # The last layer leaves a single value per channel, which a norm would turn into 0.
            if 0 < number < last:
                features = F.instance_norm(features)
            if number < last:
                features = F.leaky_relu(features, _SLOPE)
        return features


def _partial(conv: nn.Module, features: Tensor, region: Tensor) -> tuple[Tensor, Tensor]:
    """Convolve a region as if its surroundings continued it; also return the region at the new size."""
    assert isinstance(conv, nn.Conv2d)
    window = torch.ones(1, 1, _KERNEL, _KERNEL, dtype=region.dtype, device=region.device)
    area = F.conv2d(region, window, stride=conv.stride)
    # Sums over few known pixels are scaled up to a whole window's. Where there are none, 1e-8 avoids 0 / 0 and
    # `reached` is 0.
    reached = area.clamp(0, 1)
    found = F.conv2d(features * region, conv.weight, stride=conv.stride) * (_KERNEL**2 / (area + 1e-8)) * reached
    assert conv.bias is not None
    return (found + conv.bias[:, None, None]) * reached, reached
