"""Random smooth colour changes ("looks"), for making composites without LUT files.

A look combines what differs between two cameras, lights or grades: exposure, white balance, contrast, saturation, hue,
tinted shadows and highlights, and smooth bends of the colour cube. All components stay in [0, 1] almost without
clipping, so that most of a look can be undone.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from chromacord.color.curves import linear_to_srgb, srgb_to_linear
from chromacord.color.spaces import LUMA
from chromacord.color.transforms import Lut3d
from chromacord.lab.color.lut3d import lattice

NUM_WAVES = 3
"""Number of cosines along each axis of the colour cube, including the constant one."""

_Color = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Look:
    """A smooth map of display-referred RGB. The default is the identity."""

    exposure: float = 0.0
    """Exposure in stops. White stays white: the curve is 1 - (1 - light) ** (2 ** exposure)."""

    balance: _Color = (1.0, 1.0, 1.0)
    """Gains of linear red, green and blue, normalized so that the largest is 1."""

    contrast: float = 1.0
    """Slope at mid-grey of an S-curve that keeps black and white; monotonic up to 1.5."""

    saturation: float = 1.0
    hue: float = 0.0
    """Hue rotation around the grey axis, in radians."""

    shadows: _Color = (0.0, 0.0, 0.0)
    """Offset at black, fading towards white."""

    highlights: _Color = (0.0, 0.0, 0.0)
    """Offset at white, fading towards black."""

    waves: Tensor = field(default_factory=lambda: torch.zeros(3, NUM_WAVES, NUM_WAVES, NUM_WAVES))
    """Amplitudes of the cosines added to each channel, axes (output channel, red, green, blue)."""

    def __call__(self, colors: Tensor) -> Tensor:
        """Map colours.

        Args:
            colors: display-referred RGB in [0, 1]. Shape (N, 3, ...).

        Returns:
            RGB in [0, 1]. Same shape.
        """
        flat = colors.flatten(2)
        flat = self._lit(flat)
        flat = self._graded(flat)
        return (flat + self._waved(flat)).clamp(0, 1).view_as(colors)

    def to_lut(self, size: int = 33) -> Lut3d:
        """Sample the look on a lattice with `size` nodes per side."""
        return Lut3d(self(lattice(size)[None]).numpy())

    def _lit(self, colors: Tensor) -> Tensor:
        """Apply exposure and white balance in linear light."""
        gains = colors.new_tensor(self.balance)[:, None] / max(self.balance)
        light = srgb_to_linear(colors) * gains
        return linear_to_srgb(1 - (1 - light).clamp_min(0) ** (2**self.exposure))

    def _graded(self, colors: Tensor) -> Tensor:
        """Apply contrast, saturation, hue, and tinted shadows and highlights."""
        # A cubic through (0, 0), (0.5, 0.5) and (1, 1).
        colors = colors + 4 * (self.contrast - 1) * colors * (1 - colors) * (colors - 0.5)
        luma = colors.new_tensor(LUMA) @ colors
        colors = _hue_rotation(self.hue).to(colors) @ colors
        colors = luma[:, None] + self.saturation * (colors - (colors.new_tensor(LUMA) @ colors)[:, None])
        dark, bright = (colors.new_tensor(tint)[:, None] for tint in (self.shadows, self.highlights))
        level = luma.clamp(0, 1)[:, None]
        return (colors + dark * (1 - level) ** 2 + bright * level**2).clamp(0, 1)

    def _waved(self, colors: Tensor) -> Tensor:
        orders = torch.arange(NUM_WAVES, device=colors.device, dtype=colors.dtype)
        red, green, blue = torch.cos(math.pi * orders[:, None, None, None] * colors.transpose(0, 1)).unbind(1)
        return torch.einsum("oijk,inp,jnp,knp->nop", self.waves.to(colors), red, green, blue)


def random_look(generator: torch.Generator, *, strength: float = 1.0) -> Look:
    """Draw a look. Each component is present with a probability of about one half, so that simple looks occur too.

    Args:
        generator: equal states give equal looks.
        strength: 1 changes a photograph about as much as HYouTube's LUTs; 0 not at all.
    """

    def normal(scale: float) -> float:
        is_there = torch.rand((), generator=generator) < 0.6
        value = float(torch.randn((), generator=generator).clamp(-2, 2))
        return strength * scale * value if is_there else 0.0

    def tint(scale: float) -> _Color:
        return normal(scale), normal(scale), normal(scale)

    warm, green = normal(0.4), normal(0.15)
    return Look(
        exposure=normal(0.9),
        balance=(2 ** (warm - green / 2), 2 ** (green / 2), 2 ** (-warm - green / 2)),
        contrast=math.exp(normal(0.2)),
        saturation=math.exp(normal(0.4)),
        hue=normal(0.2),
        shadows=tint(0.06),
        highlights=tint(0.06),
        waves=_random_waves(generator, strength=strength),
    )


def _random_waves(generator: torch.Generator, *, strength: float) -> Tensor:
    """Draw amplitudes that fall with frequency, so that the map stays monotonic."""
    orders = torch.arange(NUM_WAVES, dtype=torch.float32)
    frequency = orders[:, None, None] + orders[:, None] + orders
    drawn = torch.randn(3, NUM_WAVES, NUM_WAVES, NUM_WAVES, generator=generator).clamp(-2, 2)
    return strength * 0.035 * drawn / (1 + frequency.square())


def _hue_rotation(angle: float) -> Tensor:
    """Return the rotation matrix of RGB around the grey axis (Rodrigues' formula). Shape (3, 3)."""
    axis = 1 / math.sqrt(3)
    cross = torch.tensor([[0, -axis, axis], [axis, 0, -axis], [-axis, axis, 0]])
    return torch.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * (cross @ cross)
