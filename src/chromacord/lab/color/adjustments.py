"""Single-parameter colour adjustments by exact formulas, in pairs of opposite direction.

A benchmark applies them to foregrounds, so that no method gains by having learned one kind of change. All take
display-referred R'G'B' in [0, 1] and return the same, clipped. "Linear light" is sRGB's.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from chromacord.color.curves import linear_to_srgb, srgb_to_linear
from chromacord.color.spaces import LUMA

CONTRAST_PIVOT = 0.45
"""Value that contrast changes keep fixed."""

UNCHANGED = "unchanged"


def darken(picture: Tensor, stops: float) -> Tensor:
    """Divide linear light by a power of two.

    Args:
        picture: RGB in [0, 1]. Any shape.
        stops: 1 halves the light.
    """
    return linear_to_srgb(srgb_to_linear(picture) * 2**-stops).clamp(0, 1)


def brighten(picture: Tensor, stops: float) -> Tensor:
    """Brighten without clipping: near black, linear light is multiplied by a power of two; white stays white.

    Args:
        picture: RGB in [0, 1]. Any shape.
        stops: 1 doubles the slope at black.
    """
    return linear_to_srgb(1 - (1 - srgb_to_linear(picture)).clamp_min(0) ** (2**stops)).clamp(0, 1)


def balance(picture: Tensor, gains: tuple[float, float, float]) -> Tensor:
    """Multiply each channel's linear light by a gain.

    Args:
        picture: RGB in [0, 1]. Shape (..., 3, H, W).
        gains: for red, green and blue.
    """
    return linear_to_srgb(srgb_to_linear(picture) * _by_channel(gains, picture)).clamp(0, 1)


def saturate(picture: Tensor, factor: float) -> Tensor:
    """Move colours away from their luma, or towards it if the factor is below 1.

    Args:
        picture: RGB in [0, 1]. Shape (..., 3, H, W).
        factor: 1 changes nothing, 0 gives grey.
    """
    luma = (picture * _by_channel(LUMA, picture)).sum(dim=-3, keepdim=True)
    return (luma * (1 - factor) + factor * picture).clamp(0, 1)


def stretch(picture: Tensor, factor: float) -> Tensor:
    """Change the contrast around `CONTRAST_PIVOT`.

    Args:
        picture: RGB in [0, 1]. Any shape.
        factor: 1 changes nothing.
    """
    return (CONTRAST_PIVOT + (picture - CONTRAST_PIVOT) * factor).clamp(0, 1)


def leave(picture: Tensor) -> Tensor:
    """Return the picture unchanged. Any shape."""
    return picture


_WARMTH = 1 / math.sqrt(1.35)

ADJUSTMENTS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "darker-1": partial(darken, stops=1),
    "darker-0.5": partial(darken, stops=0.5),
    "brighter-0.5": partial(brighten, stops=0.5),
    "brighter-1": partial(brighten, stops=1),
    "warmer": partial(balance, gains=(1.35 * _WARMTH, 1 * _WARMTH, 0.72 * _WARMTH)),
    "cooler": partial(balance, gains=(0.74 * _WARMTH, 1 * _WARMTH, 1.35 * _WARMTH)),
    "greener": partial(balance, gains=(0.8, 1.1, 0.8)),
    "pinker": partial(balance, gains=(1.1, 0.8, 1.1)),
    "saturation-0.5": partial(saturate, factor=0.5),
    "saturation-1.6": partial(saturate, factor=1.6),
    "contrast-0.65": partial(stretch, factor=0.65),
    "contrast-1.35": partial(stretch, factor=1.35),
    UNCHANGED: leave,
}
"""Twelve adjustments and the identity, by name."""


def _by_channel(values: tuple[float, float, float], picture: Tensor) -> Tensor:
    return torch.tensor(values, dtype=picture.dtype, device=picture.device)[:, None, None]
