"""Choose and cut crops of pictures for training composites."""

import torch
import torch.nn.functional as F
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


def cut_parts(pictures: Tensor, crop: Tensor, centers: Tensor, flip: Tensor, *, side: int) -> Tensor:
    """Crop frames of clips, each around its own centre, all frames of a clip at the same size.

    Args:
        pictures: Shape (N, T, C, H, W).
        crop: width and height relative to the picture. Shape (N, 2).
        centers: along x and y, in half picture sides from the centre. Shape (N, T, 2).
        flip: -1 mirrors a clip, 1 does not. Shape (N,).
        side: height and width of the result, S.

    Returns:
        Shape (N, T, C, S, S).
    """
    affine = torch.zeros(*centers.shape[:2], 2, 3)
    affine[:, :, 0, 0], affine[:, :, 1, 1] = (crop[:, 0] * flip)[:, None], crop[:, 1:]
    affine[..., 2] = centers
    flat = pictures.flatten(0, 1)
    grid = F.affine_grid(affine.flatten(0, 1), [*flat.shape[:2], side, side], align_corners=False)
    cut = F.grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return cut.view(*pictures.shape[:2], *cut.shape[1:])
