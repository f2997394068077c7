"""Warp pictures along optical flow."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional


def warp(image: Tensor, flow: Tensor, *, padding: Literal["zeros", "border"] = "zeros") -> tuple[Tensor, Tensor]:
    """Sample an image at the positions its flow points to (backward warp), bilinearly.

    Args:
        image: frame b. Shape (N, C, H, W).
        flow: displacement from a to b in pixels, channels (x right, y down). Shape (N, 2, H, W).
        padding: value outside frame b: zero, or the nearest edge pixel.

    Returns:
        Frame b warped to frame a, shape (N, C, H, W), and a boolean map that is False where the flow leaves the frame,
        shape (N, 1, H, W).
    """
    height, width = image.shape[-2:]
    rows, columns = torch.arange(height, device=flow.device), torch.arange(width, device=flow.device)
    x, y = columns + flow[:, 0], rows[:, None] + flow[:, 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    # grid_sample puts the centres of the first and last pixel at -1 and 1; a single pixel has no width to divide by.
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], dim=-1)
    warped = functional.grid_sample(image, grid.to(image.dtype), padding_mode=padding, align_corners=True)
    return warped, inside[:, None]
