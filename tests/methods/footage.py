"""Composites whose right answer is known."""

import torch
import torch.nn.functional as F
from torch import Tensor


def composite_and_mask(*, size: tuple[int, int] = (48, 64), seed: int = 0) -> tuple[Tensor, Tensor]:
    """A smooth background and a darker, flatter foreground in a disc. Shapes (1, 1, 3, H, W) and (1, 1, 1, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2, 3, 9, 11, generator=generator)
    smooth = F.interpolate(coarse, size, mode="bicubic", align_corners=False).clamp(0, 1)
    noise = 0.02 * torch.randn(smooth.shape, generator=generator)
    background, foreground = (0.15 + 0.7 * smooth + noise).clamp(0, 1)
    tinted = 0.1 + 0.5 * foreground * torch.tensor([1.1, 0.8, 0.6])[:, None, None]
    rows, columns = torch.linspace(-1, 1, size[0])[:, None], torch.linspace(-1, 1, size[1])
    mask = ((rows**2 + columns**2).sqrt() < 0.75).float()[None]
    return torch.where(mask > 0, tinted, background)[None, None], mask[None, None]


def pixels(image: Tensor, mask: Tensor) -> Tensor:
    """The colours under a binary mask, in float64. Shape (pixels, 3)."""
    chosen: Tensor = image[0, 0][:, mask[0, 0, 0] > 0.5].T.double()
    return chosen
