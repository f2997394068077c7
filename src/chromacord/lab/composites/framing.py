"""Choose crops of pictures for training composites."""

import torch
from torch import Tensor

_CLOSE = 1.4, 3.5
"""Range of a close crop's side, relative to the foreground's box."""

_LEAST_CLOSE = 0.25
"""Minimum side of a crop, relative to the picture: closer crops would be blurred by enlargement."""


def parts_around(masks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw crops around the foreground.

    Args:
        masks: Shape (N, H, W).
        generator: random number generator.

    Returns:
        Size and centre along x and y, in half picture sides from the centre. Shape (N, 2) each.
    """
    low, high = _CLOSE
    scale = low * (high / low) ** torch.rand(len(masks), 1, generator=generator)
    first, last = [], []
    for axis in (2, 1):  # x from the columns, y from the rows
        occupied = (masks > 0.5).any(dim=3 - axis).float()
        size = occupied.shape[1]
        first.append(occupied.argmax(dim=1) / size)
        last.append(1 - occupied.flip(1).argmax(dim=1) / size)
    begin, end = torch.stack(first, dim=1), torch.stack(last, dim=1)
    crop = (scale * (end - begin)).clamp(_LEAST_CLOSE, 1)
    room = 1 - crop
    return crop, torch.maximum(torch.minimum(begin + end - 1, room), -room)
