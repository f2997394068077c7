"""Colour changes of many kinds, each as likely as its inverse, for training on what composites differ by.

A composite has two sides: the ground truth is the picture under one table, the foreground is the picture under another.
If only the foreground's table changes something, the foreground was recoloured; if only the truth's does, the whole
real picture was, and the foreground kept its colours. A network that sees both equally often cannot learn a fixed
direction, such as always removing saturation.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor

from chromacord.color.curves import linear_to_srgb, srgb_to_linear
from chromacord.color.opponent import lalphabeta_to_rgb, rgb_to_lalphabeta
from chromacord.color.spaces import LUMA
from chromacord.color.statistics import color_statistics, monge_kantorovich
from chromacord.errors import InputError
from chromacord.lab.color.lut3d import lattice

_FLOOR = (2 / 255) ** 2
"""Variance added to the statistics of a transfer, so that flat colours are not amplified without limit."""

_MOST_GAIN = 3.0
"""Maximum gain of a transfer along any direction of colour."""


@dataclass(frozen=True)
class ChangeShares:
    """Relative frequencies of each kind of change, and the side to which changes are applied."""

    lut: float = 0.34
    """LUTs as graders use them, most of them enhanced like HYouTube's."""

    look: float = 0.12
    """Random smooth looks."""

    adjustment: float = 0.3
    """Exposure, white balance, contrast or saturation, alone or combined."""

    transfer: float = 0.24
    """Transfers of another picture's foreground colours, as HCOCO and HFlickr were made."""

    scene: float = 0.0
    """Strong light of a whole scene, such as dusk, lamps or fog. See `scenes`."""

    inverse: float = 0.38
    """Share of changes applied to the truth instead of the foreground."""

    inverse_lut: float = 0.15
    """The same share for LUTs."""

    inverse_scene: float = 0.62
    """The same share for scenes: a foreground in daylight before a dark background is the common mistake."""

    both: float = 0.12
    """Share of changes applied to both sides: a picture in unusual colours whose foreground matches."""

    neither: float = 0.12
    """Share of unchanged pictures whose foreground matches."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        for each in fields(self):
            if not 0 <= getattr(self, each.name) <= 1:
                raise InputError(f"{each.name} must lie in 0..1, got {getattr(self, each.name)}")
        if not self.lut + self.look + self.adjustment + self.transfer + self.scene:
            raise InputError("one of lut, look, adjustment, transfer and scene must be above 0")
        for name in ("inverse", "inverse_lut", "inverse_scene"):
            if getattr(self, name) + self.both + self.neither > 1:
                raise InputError(f"{name}, both and neither must add up to 1 at most")


class Sides(NamedTuple):
    """The change tables of N composites."""

    real: Tensor
    """Table from the picture to the ground truth. Shape (N, 3, D, D, D)."""

    changed: Tensor
    """Table from the picture to the foreground. Shape (N, 3, D, D, D)."""


def chosen_sides(tables: Tensor, kind: Tensor, shares: ChangeShares, generator: torch.Generator) -> Sides:
    """Choose the side of each composite to which its change is applied.

    Args:
        tables: the changes. Shape (N, 3, D, D, D).
        kind: kind of each, from `kinds`. Shape (N,).
        shares: how to draw.
        generator: random number generator.
    """
    # One number decides between four cases, so that their shares are exact and exclude each other.
    place = torch.rand(len(tables), generator=generator)
    by_kind = [shares.inverse_lut, *[shares.inverse] * 3, shares.inverse_scene]
    inverse = torch.tensor(by_kind)[kind]
    is_neither = place < shares.neither
    is_both = ~is_neither & (place < shares.neither + shares.both)
    is_inverse = ~is_neither & ~is_both & (place < shares.neither + shares.both + inverse)
    unit = lattice(tables.shape[-1]).expand_as(tables)
    real = torch.where((is_both | is_inverse)[:, None, None, None, None], tables, unit)
    changed = torch.where((is_inverse | is_neither)[:, None, None, None, None], unit, tables)
    return Sides(real, changed)


def draw_kinds(tables: Tensor, kind: Tensor, picture: Tensor, mask: Tensor, generator: torch.Generator) -> None:
    """Draw the adjustments, transfers and scenes among some changes, in place.

    Args:
        tables: the changes, with LUTs and looks drawn already. Shape (N, 3, D, D, D).
        kind: kind of each, from `kinds`. Shape (N,).
        picture: RGB in [0, 1], the source of transfers. Shape (N, 3, H, W).
        mask: foreground weight. Shape (N, 1, H, W).
        generator: random number generator.
    """
    size = tables.shape[-1]
    tables[kind == 2] = adjustments(int((kind == 2).sum()), size, generator)
    is_transfer = kind == 3
    if is_transfer.any():
        tables[is_transfer] = transfers(picture, mask, size, generator)[is_transfer]
    tables[kind == 4] = scenes(int((kind == 4).sum()), size, generator)


def adjustments(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Draw exposure, white balance, contrast and saturation: a single one in half of the tables, else several.

    Exposure covers up to 1.5 stops in either direction, with and without clipping.

    Args:
        count: number of tables, N.
        size: nodes per side, D.
        generator: random number generator.

    Returns:
        RGB in [0, 1]. Shape (N, 3, D, D, D).
    """
    uniform = _uniform(count, generator)
    single = torch.rand(count, generator=generator) < 0.5
    alone = torch.randint(4, (count,), generator=generator)[:, None] == torch.arange(4)
    is_there = torch.where(single[:, None], alone, torch.rand(count, 4, generator=generator) < 0.6)
    stops, warmth, green, contrast, saturation = (
        value * there[:, None]
        for value, there in (
            (uniform(-1.5, 1.5), is_there[:, 0]),
            (uniform(-1.0, 1.0), is_there[:, 1]),  # stops: daylight under a lamp's white balance is 0.8
            (uniform(-0.3, 0.3), is_there[:, 1]),
            (uniform(-0.5, 0.5), is_there[:, 2]),
            (uniform(-0.8, 0.8), is_there[:, 3]),
        )
    )
    # Exposure and white balance happen in the camera, so in linear light; contrast and saturation are a grader's, in
    # code.
    light = srgb_to_linear(lattice(size)).flatten(1).expand(count, -1, -1)
    gains = 2 ** torch.cat([warmth - green / 2, green, -warmth - green / 2], dim=1)
    light = light * gains[..., None]
    # Half of them roll off towards white so that no highlight clips; the others multiply.
    bent = 1 - (1 - light).clamp_min(0) ** (2 ** stops[..., None])
    is_bent = (torch.rand(count, generator=generator) < torch.where(stops[:, 0] > 0, 0.7, 0.3))[:, None, None]
    colors = linear_to_srgb(torch.where(is_bent, bent, light * 2 ** stops[..., None]).clamp(0, 1))
    # Graders turn contrast around mid-grey, but not all around the same one.
    pivot = uniform(0.3, 0.55)[..., None]
    colors = pivot + (colors - pivot) * contrast.exp()[..., None]
    luma = torch.einsum("c,ncp->np", colors.new_tensor(LUMA), colors)[:, None]
    colors = luma + (colors - luma) * saturation.exp()[..., None]
    return colors.clamp(0, 1).view(count, 3, size, size, size)


def scenes(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Draw the light of whole scenes: dusk, night, lamps, neon, fog.

    Exposure falls by up to 3 stops or rises by 0.7, white moves by up to a stop in red and blue, saturation falls, and
    black rises as in haze. A foreground filmed elsewhere differs from such a background by as much. A fifth are in
    nearly one colour, as under sodium lamps, at blue hour or in a film's look: white moves twice as far.

    Args:
        count: number of tables, N.
        size: nodes per side, D.
        generator: random number generator.

    Returns:
        RGB in [0, 1]. Shape (N, 3, D, D, D).
    """
    uniform = _uniform(count, generator)
    # Darker scenes are most of what daylight foregrounds are pasted into.
    stops = torch.where(uniform(0, 1) < 0.75, uniform(-3.0, -0.3), uniform(-0.3, 0.7))
    is_strong = uniform(0, 1) < 0.2
    strength = uniform(0, 1).sqrt() * torch.where(is_strong, 2.0, 1.0)
    warmth, green = strength * uniform(-1.1, 1.1), strength * uniform(-0.35, 0.35)
    gains = 2 ** torch.cat([warmth - green / 2, green, -warmth - green / 2], dim=1)
    gains = gains / (gains @ gains.new_tensor(LUMA))[:, None]  # a cast alone does not change the exposure
    light = srgb_to_linear(lattice(size)).flatten(1).expand(count, -1, -1)
    light = light * (gains * 2**stops)[..., None]
    light = 1 - (1 - light.clamp_max(1)) ** torch.where(stops > 0, 1.3, 1.0)[..., None]
    luma = torch.einsum("c,ncp->np", light.new_tensor(LUMA), light)[:, None]
    # Eyes and cameras see less colour in the dark; the cast itself stays, since it is light.
    tinted = luma * gains[..., None]
    least = torch.where(is_strong, 0.15, 0.45)
    light = tinted + (light - tinted) * (least + (1.05 - least) * uniform(0, 1))[..., None]
    haze = torch.where(uniform(0, 1) < 0.3, uniform(0, 0.12), torch.zeros(count, 1))
    light = light + (haze * 2 ** stops.clamp_max(0) * gains)[..., None] * (1 - light)
    return linear_to_srgb(light.clamp(0, 1)).view(count, 3, size, size, size)


def transfers(picture: Tensor, mask: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Transfer the colours of another picture's foreground: means and deviations, or the covariance.

    The transfer is done in RGB, linear light or l-alpha-beta, and weakened at random: a third keep 90 % or more.

    Args:
        picture: RGB in [0, 1]. Shape (N, 3, H, W).
        mask: foreground weight. Shape (N, 1, H, W).
        size: nodes per side, D.
        generator: random number generator.

    Returns:
        RGB in [0, 1]. Shape (N, 3, D, D, D).
    """
    count = len(picture)
    # A shift of at least 1 never gives a picture its own colours, except where there is only one.
    other = (torch.arange(count) + torch.randint(1, max(count, 2), (count,), generator=generator)) % count
    # Squared, so that strong transfers are frequent and weak ones rare.
    strength = 1 - 0.8 * torch.rand(count, 1, 1, 1, 1, generator=generator) ** 2
    space = torch.randint(4, (count,), generator=generator)
    unit = lattice(size)[None]
    tables = unit.repeat(count, 1, 1, 1, 1)
    for number, (there, back, is_full) in enumerate(
        (
            (None, None, False),
            (None, None, True),
            (srgb_to_linear, linear_to_srgb, True),
            (rgb_to_lalphabeta, lalphabeta_to_rgb, False),
        )
    ):
        which = (space == number).nonzero()[:, 0]
        if not len(which):
            continue
        colors = picture if there is None else there(picture)
        nodes = unit if there is None else there(unit.flatten(2)[..., None]).view_as(unit)
        own = color_statistics(colors[which], mask[which])
        wanted = color_statistics(colors[other[which]], mask[other[which]])
        floor = _FLOOR * torch.eye(3)
        if is_full:
            matrix = monge_kantorovich(own.covariance + floor, wanted.covariance + floor)
            # Between flat colours the matrix amplifies noise without limit: its gains are bounded along its own axes.
            gains, axes = torch.linalg.eigh(matrix)
            matrix = (axes * gains.clamp(1 / _MOST_GAIN, _MOST_GAIN)[:, None]) @ axes.mT
        else:
            gains = ((wanted.deviation**2 + _FLOOR) / (own.deviation**2 + _FLOOR)).sqrt()
            matrix = torch.diag_embed(gains.clamp(1 / _MOST_GAIN, _MOST_GAIN))
        moved = torch.einsum("noc,ncp->nop", matrix, nodes.flatten(2) - own.mean[..., None]) + wanted.mean[..., None]
        moved = moved.view(len(which), 3, size, size, size)
        # Far outside the gamut, the way back from l-alpha-beta raises 10 to a power that overflows.
        moved = moved if back is None else back(moved.flatten(2).clamp(-3, 3)[..., None]).view_as(moved)
        tables[which] = moved.clamp(0, 1)
    return unit + strength * (tables - unit)


def _uniform(count: int, generator: torch.Generator) -> Callable[[float, float], Tensor]:
    """Return a function that draws numbers between two bounds. Shape (count, 1)."""
    return lambda low, high: torch.empty(count, 1).uniform_(low, high, generator=generator)


def dimmed_tables(tables: Tensor, generator: torch.Generator) -> Tensor:
    """Follow tables by a tinted gain, mostly below 1, and a power curve.

    Args:
        tables: Shape (N, 3, D, D, D).
        generator: random number generator.
    """
    count = len(tables)
    low, high = math.log(0.35), math.log(1.1)
    gain = torch.empty(count, 1, 1, 1, 1).uniform_(low, high, generator=generator)
    tint = 0.12 * torch.randn(count, 3, 1, 1, 1, generator=generator)
    power = 0.2 * torch.randn(count, 1, 1, 1, 1, generator=generator)
    dimmed: Tensor = tables.clamp(0, 1) ** power.exp() * (gain + tint).exp()
    return dimmed


def kinds(count: int, shares: ChangeShares, generator: torch.Generator, *, has_luts: bool) -> Tensor:
    """Draw the kind of each change: 0 is a LUT, 1 a look, 2 an adjustment, 3 a transfer, 4 a scene.

    Shape (N,).

    Args:
        count: number of changes, N.
        shares: relative frequencies.
        generator: random number generator.
        has_luts: whether LUTs are available; otherwise looks take their share.
    """
    lut, look = (shares.lut, shares.look) if has_luts else (0.0, shares.lut + shares.look)
    weights = torch.tensor([lut, look, shares.adjustment, shares.transfer, shares.scene], dtype=torch.float64)
    return torch.multinomial(weights / math.fsum(weights.tolist()), count, replacement=True, generator=generator)
