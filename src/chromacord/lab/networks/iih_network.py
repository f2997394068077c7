"""The network of Guo et al. 2021: a picture as reflectance times illumination, each repaired from the background.

`chromacord.lab.methods.iih` says where it is from and what differs.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.lab.layers.convolutions import start_with_normal

SIDE = 256
"""Height and width of the pictures: the attention compares 32 x 32 places with each other, and no other number."""

WIDTH = 64
"""Channels at full size, as published."""

LIGHT_CODE = 8
"""Numbers that stand for the light on one side of the mask."""

_FEATURE_SIDE, _GUIDE_SIDE = SIDE // 4, SIDE // 8
_REFLECTANCE_BLOCKS, _GUIDE_BLOCKS, _LIGHTING_BLOCKS, _REBUILDING_BLOCKS = 4, 6, 4, 2
_SHARPNESS = 10
"""What the covariance of two places is multiplied with before the softmax."""

_TINY = 1e-8


class IntrinsicPictures(NamedTuple):
    """What the network makes of N composites."""

    harmonized: Tensor
    """Reflectance times illumination, in [0, 1]. Shape (N, 3, 256, 256)."""

    reflectance: Tensor
    """In [0, 1]. Shape (N, 3, 256, 256)."""

    illumination: Tensor
    """In [0, 1]. Shape (N, 3, 256, 256)."""

    guide: Tensor
    """What the attention compares, as a grey picture in [-1, 1]: the mean of its channels. Shape (N, 1, 32, 32)."""


class LayerNorm(nn.Module):
    """Brings each picture, all channels together, to mean 0 and deviation 1; then a gain and a shift a channel.

    Not torch's: the deviation is the unbiased one, and the small number is added to it, not to the variance.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, features: Tensor) -> Tensor:
        """Normalise. Shape (N, width, H, W), same out."""
        deviation, mean = torch.std_mean(features, dim=(1, 2, 3), keepdim=True)
        return (features - mean) / (deviation + 1e-5) * self.gamma[:, None, None] + self.beta[:, None, None]


class Conv(nn.Module):
    """A convolution of the picture mirrored at its edge, a norm where wanted, and what follows.

    Args:
        inputs, outputs: channels.
        side: of the kernel.
        stride: 1 keeps the size, 2 halves it.
        norm: for `outputs` channels.
        activation: None: nothing follows.
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
        """Filter. Shape (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        features = self.conv(features)
        for following in (self.norm, self.activation):
            if following is not None:
                features = following(features)
        return features


class ResidualBlock(nn.Sequential):
    """Two normalised convolutions whose result is added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__(
            Conv(width, width, 3, norm=LayerNorm(width), activation=_leaky()),
            Conv(width, width, 3, norm=LayerNorm(width)),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Add to features. Shape (N, width, H, W), same out."""
        added: Tensor = features + super().forward(features)  # type: ignore[no-untyped-call]
        return added


class LightEncoder(nn.Module):
    """Tells the light on the foreground, and that on the background."""

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
            Of the foreground and of the background. Shape (N, 8) each.
        """
        features = self.convs(picture)
        means = [(features * side).sum(dim=(2, 3)) / (side.sum(dim=(2, 3)) + _TINY) for side in (mask, 1 - mask)]
        foreground, background = map(self.code, means)
        return foreground, background


class LightTransfer(nn.Module):
    """Puts the background's light on the foreground's features.

    A code gives an intensity and three weights, "red, green and blue", for each channel. Three maps of each channel are
    scaled by the ratios of both sides' weights and summed up, and the difference of the intensities is added.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.light = nn.Linear(LIGHT_CODE, 4 * width)
        self.maps = Conv(width, 3 * width, 3, norm=nn.GroupNorm(3, 3 * width), activation=_leaky())

    def forward(self, features: Tensor, foreground: Tensor, background: Tensor, mask: Tensor) -> Tensor:
        """Change the foreground's features.

        Args:
            features: Shape (N, width, 64, 64).
            foreground, background: codes of light. Shape (N, 8).
            mask: Shape (N, 1, 64, 64).
        """
        (intensity, weights), (wanted_intensity, wanted_weights) = map(self._decoded, (foreground, background))
        ratio = wanted_weights / (weights + _TINY)
        maps = self.maps(features).unflatten(1, (3, -1))
        lit = (maps * ratio[..., None, None]).sum(dim=1) + (wanted_intensity - intensity)[..., None, None]
        changed: Tensor = features * (1 - mask) + lit * mask
        return changed

    def _decoded(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Return intensity, shape (N, width), and weights that sum up to 1, shape (N, 3, width)."""
        decoded = F.leaky_relu(self.light(code), 0.2).unflatten(1, (4, -1))
        return decoded[:, 0], decoded[:, 1:].softmax(dim=1)


class LightingBlock(nn.Module):
    """Two convolutions, each followed by a transfer of light; the result is added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(Conv(width, width, 3) for _ in range(2))
        self.transfers = nn.ModuleList(LightTransfer(width) for _ in range(2))
        self.norm = LayerNorm(width)

    def forward(self, features: Tensor, foreground: Tensor, background: Tensor, mask: Tensor) -> Tensor:
        """Add to features. Shape (N, width, 64, 64), same out; the rest as for `LightTransfer.forward`."""
        light = foreground, background, mask
        inner = self.norm(self.transfers[0](self.convs[0](features), *light))
        inner = self.norm(self.transfers[1](self.convs[1](F.leaky_relu(inner, 0.2)), *light))
        added: Tensor = features + inner
        return added


class Guide(nn.Sequential):
    """Finds for each foreground place background places of the same matter, whatever light falls on it."""

    def __init__(self, width: int) -> None:
        widest = 4 * width
        super().__init__(
            *_halvings(width // 2, 3, norm=LayerNorm),
            nn.Sequential(*(ResidualBlock(widest) for _ in range(_GUIDE_BLOCKS))),
            Conv(widest, widest, 3, activation=nn.Tanh()),
        )

    def forward(self, picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Compare all places with all places.

        Places outside the foreground, or outside the background, count as zeros: they still have a part in the softmax.

        Args:
            picture: composite and mask. Shape (N, 4, 256, 256).
            mask: at the guide's size. Shape (N, 1, 32, 32).

        Returns:
            How much each place takes of each other one, a row of which sums up to 1, shape (N, 1024, 1024); and the
            guide as a grey picture, shape (N, 1, 32, 32).
        """
        keys: Tensor = super().forward(picture)  # type: ignore[no-untyped-call]
        foreground, background = ((keys * side).flatten(2) for side in (mask, 1 - mask))
        foreground, background = (side - side.mean(dim=1, keepdim=True) for side in (foreground, background))
        covariance = foreground.transpose(1, 2) @ background / (keys.shape[1] - 1)
        return (_SHARPNESS * covariance).softmax(dim=2), keys.mean(dim=1, keepdim=True)


class RebuildingBlock(nn.Module):
    """Adds to features what can be said of them with patches that the attention chose. See `rebuilt`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = Conv(2 * width, width, 3, activation=nn.ReLU(inplace=True))

    def forward(self, features: Tensor, attention: Tensor) -> Tensor:
        """Add to features.

        Args:
            features: Shape (N, width, 64, 64).
            attention: of `cell_attention`. Shape (N, 1089, 1089).
        """
        added: Tensor = features + self.mix(torch.cat([features, rebuilt(features, attention)], dim=1))
        return added


def cell_attention(attention: Tensor) -> Tensor:
    """Bring an attention of patches to cells of 2 x 2 pixels, which do not overlap.

    Patches of 4 x 4 pixels, 2 apart, are made of four cells each. Where patch p takes from patch q, each of its cells
    takes from the same cell of q, and lands where up to four patches meet. So all four can be summed up before anything
    is multiplied, which is a quarter of the work, and once for all blocks.

    Args:
        attention: of s * s patches. Shape (N, s * s, s * s).

    Returns:
        A quarter of the sum. Shape (N, (s + 1)^2, (s + 1)^2).
    """
    side = round(attention.shape[1] ** 0.5)
    square = attention.unflatten(1, (side, side)).unflatten(3, (side, side))
    corners = [(right, 1 - right, below, 1 - below) for below in range(2) for right in range(2)]
    summed = sum(F.pad(square, corner * 2) for corner in corners)
    assert isinstance(summed, Tensor)
    return summed.flatten(3).flatten(1, 2) / 4


def rebuilt(features: Tensor, attention: Tensor) -> Tensor:
    """Replace every patch of 4 x 4 pixels, 2 apart, by a weighted sum of all; overlapping ones are averaged.

    Outside the picture are zeros.

    Args:
        features: Shape (N, C, 2 s, 2 s).
        attention: of `cell_attention`. Shape (N, (s + 1)^2, (s + 1)^2).
    """
    cells = F.pixel_unshuffle(F.pad(features, (1, 1, 1, 1)), 2)
    mixed = cells.flatten(2) @ attention.transpose(1, 2)
    return F.pixel_shuffle(mixed.view_as(cells), 2)[..., 1:-1, 1:-1]


class IIHNetwork(nn.Module):
    """The whole.

    Args:
        width: channels at full size; twice and four times as many at half and quarter size. Even.

    Raises:
        InputError: there is no such width.
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
        """Take composites apart and put them together anew.

        Args:
            composite: RGB in [0, 1]. Shape (N, 3, 256, 256).
            mask: foreground weight. Shape (N, 1, 256, 256).

        Raises:
            InputError: the pictures are of another size.
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
    """Return a convolution of composite and mask, and others that halve the size and double the channels."""
    layers: list[nn.Module] = []
    inputs, outputs = 4, width
    for step in range(number + 1):
        side, stride = (4, 2) if step else (7, 1)
        following = norm(outputs) if norm is not None else None
        layers.append(Conv(inputs, outputs, side, stride=stride, norm=following, activation=_leaky()))
        inputs, outputs = outputs, 2 * outputs
    return layers


def _decoder(width: int) -> nn.Module:
    """Return what doubles the size twice and gives three channels in [-1, 1]."""
    half, quarter = width // 2, width // 4
    return nn.Sequential(
        nn.Upsample(scale_factor=2),
        Conv(width, half, 5, norm=LayerNorm(half), activation=_leaky()),
        nn.Upsample(scale_factor=2),
        Conv(half, quarter, 5, norm=LayerNorm(quarter), activation=_leaky()),
        Conv(quarter, 3, 7, activation=nn.Tanh()),
    )
