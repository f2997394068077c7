"""A measured colour mapping: observe how some pixels' colours changed, then look up the change for others.

Lu, Huang, Niu, Cong and Zhang, "Deep Video Harmonization with Color Mapping Consistency" (2022): each pixel adds its
new colour to the eight lattice nodes around its old one, with trilinear weights; a node's colour is the weighted mean.
Empty nodes are undefined and are ignored when a colour is looked up.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

NODES = 33
"""Lattice nodes per side, D."""

_CELL = 1.000001 / (NODES - 1)
"""Cell size as in the authors' code: slightly enlarged, so that 1 lies inside the last cell."""

_THRESHOLD = 0.5
"""Foreground weight above which a pixel is counted."""


class LookedUp(NamedTuple):
    """Result of applying a mapping to N pictures."""

    picture: Tensor
    """Mapped colours; black where the mapping is undefined. Shape (N, 3, H, W)."""

    is_unmapped: Tensor
    """Whether all eight nodes around a pixel's colour are empty. Boolean. Shape (N, 1, H, W)."""


@torch.no_grad()
def splat(before: Tensor, after: Tensor, mask: Tensor) -> Tensor:
    """Measure a mapping by accumulating foreground colours on a lattice. Not differentiable.

    The sums of several pictures may be added to form one mapping.

    Args:
        before: RGB; values outside [0, 1] are clamped to the lattice. Shape (N, 3, H, W).
        after: new colour of each pixel. Shape (N, 3, H, W).
        mask: foreground weight; pixels above 0.5 count equally. Shape (N, 1, H, W).

    Returns:
        Sums of weighted colours, and of weights in the fourth channel; axes (N, channel, blue, green, red) as in a LUT.
        Shape (N, 4, D, D, D).
    """
    number, row, column = (mask[:, 0] > _THRESHOLD).nonzero(as_tuple=True)
    left = torch.cat([after, torch.ones_like(mask)], dim=1)[number, :, row, column].T.double()
    # In single precision, sums over many pixels of one colour would drift.
    sums = left.new_zeros(4, len(mask) * NODES**3)
    for node, weight in _corners(before[number, :, row, column].T):
        sums.index_add_(1, number * NODES**3 + node, left * weight)
    return sums.view(4, len(mask), NODES, NODES, NODES).transpose(0, 1).float()


@torch.no_grad()
def look_up(sums: Tensor, picture: Tensor) -> LookedUp:
    """Look up every pixel trilinearly; empty nodes are skipped and the remaining weights normalized.

    As in the authors' code, a pixel exactly on a face of its cell counts as mapped if any of the cell's eight nodes is
    filled, and is black if none of that face's nodes is.

    Args:
        sums: of `splat`. Shape (N, 4, D, D, D).
        picture: RGB; values outside [0, 1] are clamped to the lattice. Shape (N, 3, H, W).
    """
    count, _, height, width = picture.shape
    weight = sums[:, 3:]
    is_filled = (weight > 0).to(sums.dtype)
    table = torch.cat([sums[:, :3] / weight.where(weight > 0, 1), is_filled], dim=1).transpose(0, 1).flatten(1)
    first = torch.arange(count, device=picture.device)[:, None] * NODES**3
    found = picture.new_zeros(4, count * height * width)
    num_filled = picture.new_zeros(count * height * width)
    for node, share in _corners(picture.flatten(2).transpose(0, 1).flatten(1)):
        values = table[:, (node.view(count, -1) + first).flatten()]
        shares = share * values[3]
        found[:3] += shares * values[:3]
        found[3] += shares
        num_filled += values[3]
    mapped = found[:3] / found[3].where(found[3] > 0, 1)
    colors = mapped.view(3, count, height, width).transpose(0, 1)
    return LookedUp(colors, (num_filled == 0).view(count, 1, height, width))


def _corners(colors: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the eight nodes around each colour, as indices into a flattened lattice, with their weights.

    Shape (3, P) to (P,) twice.
    """
    red, green, blue = colors.clamp(0, 1)
    places = [(channel / _CELL).floor().long() for channel in (red, green, blue)]
    rests = [channel.remainder(_CELL) / _CELL for channel in (red, green, blue)]
    shares = [(1 - rest, rest) for rest in rests]
    lowest = (places[2] * NODES + places[1]) * NODES + places[0]
    for b, g, r in product((0, 1), repeat=3):
        yield lowest + (b * NODES + g) * NODES + r, shares[0][r] * shares[1][g] * shares[2][b]
