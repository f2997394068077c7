"""Which parts of pictures composites for training show."""

import torch
from torch import Tensor

_CLOSE = 1.4, 3.5
"""Sides of the parts that lie around a foreground, of its box."""

_LEAST_CLOSE = 0.25
"""Of the picture's side: closer, there would be nothing but blur."""


def parts_around(masks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw parts of pictures that lie around the foreground.

    Args:
        masks: Shape (N, H, W).
        generator: what their sizes are drawn with.

    Returns:
        Size and centre along x and y, as shares of half the picture from its middle. Shape (N, 2) each.
    """
    low, high = _CLOSE
    scale = low * (high / low) ** torch.rand(len(masks), 1, generator=generator)
    first, last = [], []
    for axis in (2, 1):  # along x what columns hold, along y what rows hold
        occupied = (masks > 0.5).any(dim=3 - axis).float()
        size = occupied.shape[1]
        first.append(occupied.argmax(dim=1) / size)
        last.append(1 - occupied.flip(1).argmax(dim=1) / size)
    begin, end = torch.stack(first, dim=1), torch.stack(last, dim=1)
    crop = (scale * (end - begin)).clamp(_LEAST_CLOSE, 1)
    room = 1 - crop
    return crop, torch.maximum(torch.minimum(begin + end - 1, room), -room)
