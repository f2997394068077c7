"""The network of Guo et al. 2021: reflectance times illumination, each inpainted from the background.

See `chromacord.lab.methods.iih` for the source and the differences from it.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.lab.layers.convolutions import start_with_normal

SIDE = 256
"""Required height and width: the attention is built for 32 x 32 positions."""

WIDTH = 64
"""Channels at full size, as published."""

LIGHT_CODE = 8
"""Length of the vector that encodes the light on one side of the mask."""

_FEATURE_SIDE, _GUIDE_SIDE = SIDE // 4, SIDE // 8
_REFLECTANCE_BLOCKS, _GUIDE_BLOCKS, _LIGHTING_BLOCKS, _REBUILDING_BLOCKS = 4, 6, 4, 2
_SHARPNESS = 10
"""Factor of the covariance of two positions before the softmax."""

_TINY = 1e-8


class IntrinsicPictures(NamedTuple):
    """The network's result for N composites."""

    harmonized: Tensor
    """Reflectance times illumination, in [0, 1]. Shape (N, 3, 256, 256)."""

    reflectance: Tensor
    """In [0, 1]. Shape (N, 3, 256, 256)."""

    illumination: Tensor
    """In [0, 1]. Shape (N, 3, 256, 256)."""

    guide: Tensor
    """Mean channel of the attention's features, as a grey picture in [-1, 1]. Shape (N, 1, 32, 32)."""


class LayerNorm(nn.Module):
    """Normalizes each picture over all channels and pixels, then applies a gain and a shift per channel.

    Unlike torch's layer norm, it uses the unbiased deviation and adds epsilon to it instead of the variance.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, features: Tensor) -> Tensor:
        """Normalize features. Shape (N, width, H, W), same out."""
        deviation, mean = torch.std_mean(features, dim=(1, 2, 3), keepdim=True)
        return (features - mean) / (deviation + 1e-5) * self.gamma[:, None, None] + self.beta[:, None, None]


class Conv(nn.Module):
    """A convolution with mirror padding, an optional norm, and an activation.

    Args:
        inputs, outputs: channels.
        side: kernel size.
        stride: 1 keeps the size, 2 halves it.
        norm: for `outputs` channels.
        activation: None: no activation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        side: int,
        *,
        stride: int = 1,
        norm: nn.Module | None = None,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, side, stride, padding=(side - 1) // 2, padding_mode="reflect")
        self.norm = norm
        self.activation = activation

    def forward(self, features: Tensor) -> Tensor:
        """Apply the block. Shape (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        features = self.conv(features)
        for following in (self.norm, self.activation):
            if following is not None:
                features = following(features)
        return features


class ResidualBlock(nn.Sequential):
    """Two normalized convolutions with a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__(
            Conv(width, width, 3, norm=LayerNorm(width), activation=_leaky()),
            Conv(width, width, 3, norm=LayerNorm(width)),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Apply the block. Shape (N, width, H, W), same out."""
        added: Tensor = features + super().forward(features)  # type: ignore[no-untyped-call]
        return added


class LightEncoder(nn.Module):
    """Encodes the light on the foreground and on the background."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(*_halvings(width, 2, norm=None))
        self.code = nn.Linear(4 * width, LIGHT_CODE)

    def forward(self, picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the codes of both sides.

        Args:
            picture: composite and mask. Shape (N, 4, 256, 256).
            mask: at the features' size. Shape (N, 1, 64, 64).

        Returns:
            Codes of the foreground and the background. Shape (N, 8) each.
        """
        features = self.convs(picture)
        means = [(features * side).sum(dim=(2, 3)) / (side.sum(dim=(2, 3)) + _TINY) for side in (mask, 1 - mask)]
        foreground, background = map(self.code, means)
        return foreground, background


class LightTransfer(nn.Module):
    """Transfers the background's light to the foreground's features.

    A code gives an intensity and three weights ("red, green and blue") per channel. Three maps of each channel are
    scaled by the ratios of the two sides' weights and summed, and the difference of intensities is added.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.light = nn.Linear(LIGHT_CODE, 4 * width)
        # A group for each of the three maps, so that none is normalized by another's values.
        self.maps = Conv(width, 3 * width, 3, norm=nn.GroupNorm(3, 3 * width), activation=_leaky())

    def forward(self, features: Tensor, foreground: Tensor, background: Tensor, mask: Tensor) -> Tensor:
        """Relight the foreground's features.

        Args:
            features: features at quarter size. Shape (N, width, 64, 64).
            foreground, background: codes of light. Shape (N, 8).
            mask: foreground weight. Shape (N, 1, 64, 64).
        """
        (intensity, weights), (wanted_intensity, wanted_weights) = map(self._decoded, (foreground, background))
        ratio = wanted_weights / (weights + _TINY)
        maps = self.maps(features).unflatten(1, (3, -1))
        lit = (maps * ratio[..., None, None]).sum(dim=1) + (wanted_intensity - intensity)[..., None, None]
        changed: Tensor = features * (1 - mask) + lit * mask
        return changed

    def _decoded(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Return intensity, shape (N, width), and normalized weights, shape (N, 3, width)."""
        decoded = F.leaky_relu(self.light(code), 0.2).unflatten(1, (4, -1))
        return decoded[:, 0], decoded[:, 1:].softmax(dim=1)


class LightingBlock(nn.Module):
    """Two convolutions, each followed by a light transfer, with a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(Conv(width, width, 3) for _ in range(2))
        self.transfers = nn.ModuleList(LightTransfer(width) for _ in range(2))
        self.norm = LayerNorm(width)

    def forward(self, features: Tensor, foreground: Tensor, background: Tensor, mask: Tensor) -> Tensor:
        """Apply the block. Shape (N, width, 64, 64), same out; other arguments as for `LightTransfer.forward`."""
        light = foreground, background, mask
        inner = self.norm(self.transfers[0](self.convs[0](features), *light))
        inner = self.norm(self.transfers[1](self.convs[1](F.leaky_relu(inner, 0.2)), *light))
        added: Tensor = features + inner
        return added


class Guide(nn.Sequential):
    """Finds background positions of the same material for each foreground position, independent of the light."""

    def __init__(self, width: int) -> None:
        widest = 4 * width
        super().__init__(
            *_halvings(width // 2, 3, norm=LayerNorm),
            nn.Sequential(*(ResidualBlock(widest) for _ in range(_GUIDE_BLOCKS))),
            Conv(widest, widest, 3, activation=nn.Tanh()),
        )

    def forward(self, picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Compute the attention between all positions.

        Positions outside the foreground, or outside the background, count as zeros but still enter the softmax.

        Args:
            picture: composite and mask. Shape (N, 4, 256, 256).
            mask: at the attention's size. Shape (N, 1, 32, 32).

        Returns:
            The attention with rows that sum to 1, shape (N, 1024, 1024); and the features as a grey picture, shape (N,
            1, 32, 32).
        """
        keys: Tensor = super().forward(picture)  # type: ignore[no-untyped-call]
        # Covariance over channels: subtracting each position's mean makes a match independent of its overall
        # level.
        foreground, background = ((keys * side).flatten(2) for side in (mask, 1 - mask))
        foreground, background = (side - side.mean(dim=1, keepdim=True) for side in (foreground, background))
        covariance = foreground.transpose(1, 2) @ background / (keys.shape[1] - 1)
        return (_SHARPNESS * covariance).softmax(dim=2), keys.mean(dim=1, keepdim=True)


class RebuildingBlock(nn.Module):
    """Adds to features their reconstruction from attended patches. See `rebuilt`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = Conv(2 * width, width, 3, activation=nn.ReLU(inplace=True))

    def forward(self, features: Tensor, attention: Tensor) -> Tensor:
        """Apply the block.

        Args:
            features: features at quarter size. Shape (N, width, 64, 64).
            attention: from `cell_attention`. Shape (N, 1089, 1089).
        """
        added: Tensor = features + self.mix(torch.cat([features, rebuilt(features, attention)], dim=1))
        return added


def cell_attention(attention: Tensor) -> Tensor:
    """Convert attention between patches to attention between non-overlapping cells of 2 x 2 pixels.

    A patch of 4 x 4 pixels, with stride 2, consists of four cells. If patch p takes from patch q, each of its cells
    takes from the corresponding cell of q, where up to four patches overlap. Summing the four attentions before
    multiplying takes a quarter of the work, and is done once for all blocks.

    Args:
        attention: between s * s patches. Shape (N, s * s, s * s).

    Returns:
        A quarter of the sum, for all cells. Shape (N, (s + 1)^2, (s + 1)^2).
    """
    side = round(attention.shape[1] ** 0.5)
    square = attention.unflatten(1, (side, side)).unflatten(3, (side, side))
    corners = [(right, 1 - right, below, 1 - below) for below in range(2) for right in range(2)]
    summed = sum(F.pad(square, corner * 2) for corner in corners)
    assert isinstance(summed, Tensor)
    return summed.flatten(3).flatten(1, 2) / 4


def rebuilt(features: Tensor, attention: Tensor) -> Tensor:
    """Replace every patch of 4 x 4 pixels (stride 2) by a weighted sum of all patches, averaging overlaps.

    The picture is padded with zeros.

    Args:
        features: features to rebuild. Shape (N, C, 2 s, 2 s).
        attention: from `cell_attention`. Shape (N, (s + 1)^2, (s + 1)^2).
    """
    cells = F.pixel_unshuffle(F.pad(features, (1, 1, 1, 1)), 2)
    mixed = cells.flatten(2) @ attention.transpose(1, 2)
    return F.pixel_shuffle(mixed.view_as(cells), 2)[..., 1:-1, 1:-1]


class IIHNetwork(nn.Module):
    """The complete network.

    Args:
        width: channels at full size, an even number; half and quarter size have two and four times as many.

    Raises:
        InputError: the width is odd or below 2.
    """

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        if width < 2 or width % 2:
            raise InputError(f"width must be even, 2 or more, got {width}")
        inner = 4 * width
        self.reflectance_encoder = nn.Sequential(
            *_halvings(width, 2, norm=nn.InstanceNorm2d),
            nn.Sequential(*(ResidualBlock(inner) for _ in range(_REFLECTANCE_BLOCKS))),
        )
        self.reflectance_rebuilding = nn.ModuleList(RebuildingBlock(inner) for _ in range(_REBUILDING_BLOCKS))
        self.reflectance_decoder = _decoder(inner)
        self.illumination_encoder = nn.Sequential(*_halvings(width, 2, norm=nn.InstanceNorm2d))
        self.lighting = nn.ModuleList(LightingBlock(inner) for _ in range(_LIGHTING_BLOCKS))
        self.illumination_rebuilding = nn.ModuleList(RebuildingBlock(inner) for _ in range(_REBUILDING_BLOCKS))
        self.illumination_decoder = _decoder(inner)
        self.light = LightEncoder(width)
        self.guide = Guide(width)
        start_with_normal(self)

    def forward(self, composite: Tensor, mask: Tensor) -> IntrinsicPictures:
        """Decompose composites and recompose them harmonized.

        Args:
            composite: RGB in [0, 1]. Shape (N, 3, 256, 256).
            mask: foreground weight. Shape (N, 1, 256, 256).

        Raises:
            InputError: the pictures have another size.
        """
        if composite.shape[-2:] != (SIDE, SIDE):
            height, width = composite.shape[-2:]
            raise InputError(f"IIH accepts only {SIDE} x {SIDE} pictures, got {width} x {height}; resize them")
        picture = torch.cat([composite, mask], dim=1)
        at_features, at_guide = (F.interpolate(mask, (side, side)) for side in (_FEATURE_SIDE, _GUIDE_SIDE))
        foreground, background = self.light(picture, at_features)
        attention, guide = self.guide(picture, at_guide)
        attention = cell_attention(attention)
        reflectance = self.reflectance_encoder(picture)
        for block in self.reflectance_rebuilding:
            reflectance = block(reflectance, attention)
        illumination = self.illumination_encoder(picture)
        for block in self.lighting:
            illumination = block(illumination, foreground, background, at_features)
        for block in self.illumination_rebuilding:
            # As published: material features come from the reflectance only.
            illumination = block(illumination, attention.detach())
        reflectance, illumination = (
            decoder(features) / 2 + 0.5
            for decoder, features in (
                (self.reflectance_decoder, reflectance),
                (self.illumination_decoder, illumination),
            )
        )
        return IntrinsicPictures(reflectance * illumination, reflectance, illumination, guide)


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2, inplace=True)


def _halvings(width: int, number: int, *, norm: type[nn.Module] | None) -> list[nn.Module]:
    """Build a convolution of composite and mask, followed by ones that halve the size and double the channels."""
    layers: list[nn.Module] = []
    inputs, outputs = 4, width
    for step in range(number + 1):
        side, stride = (4, 2) if step else (7, 1)
        following = norm(outputs) if norm is not None else None
        layers.append(Conv(inputs, outputs, side, stride=stride, norm=following, activation=_leaky()))
        inputs, outputs = outputs, 2 * outputs
    return layers


def _decoder(width: int) -> nn.Module:
    """Build a decoder that doubles the size twice and outputs three channels in [-1, 1]."""
    half, quarter = width // 2, width // 4
    return nn.Sequential(
        nn.Upsample(scale_factor=2),
        Conv(width, half, 5, norm=LayerNorm(half), activation=_leaky()),
        nn.Upsample(scale_factor=2),
        Conv(half, quarter, 5, norm=LayerNorm(quarter), activation=_leaky()),
        Conv(quarter, 3, 7, activation=nn.Tanh()),
    )
