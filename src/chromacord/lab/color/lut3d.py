"""LUTs on tensors: differentiable twins of `chromacord.color.transforms`."""

import torch
import torch.nn.functional as F
from torch import Tensor

from chromacord.color.cube import Cube


def lattice(size: int, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the identity LUT.

    Args:
        size: nodes per side, D.
        dtype: of the values.

    Returns:
        RGB in [0, 1], axes (output channel, blue, green, red). Shape (3, D, D, D).
    """
    nodes = torch.linspace(0, 1, size, dtype=dtype)
    blue, green, red = torch.meshgrid(nodes, nodes, nodes, indexing="ij")
    return torch.stack([red, green, blue])


def apply_lut3d(image: Tensor, lut: Tensor) -> Tensor:
    """Look up every pixel in a 3D LUT with trilinear interpolation.

    Args:
        image: RGB in [0, 1]; values outside are clamped to the lattice. Shape (N, 3, H, W).
        lut: output colours on a regular lattice, axes (N, channel, blue, green, red), red fastest as in a .cube
            file. Shape (N, 3, D, D, D).

    Returns:
        Mapped RGB. Shape (N, 3, H, W).
    """
    # All pixels form a sampling grid of depth 1. With aligned corners, 0 and 1 meet the first and the last
    # node.
    grid = (2 * image - 1).permute(0, 2, 3, 1)[:, None]  # (N, 1, H, W, 3); grid_sample wants (r, g, b)
    mapped = F.grid_sample(lut, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return mapped[:, :, 0]


def apply_cube(image: Tensor, cube: Cube) -> Tensor:
    """Apply a .cube LUT; input outside its domain is clamped.

    Args:
        image: RGB. Shape (N, 3, H, W).
        cube: the LUT with its domain.

    Returns:
        Mapped RGB. Shape (N, 3, H, W).
    """
    low, high = (image.new_tensor(corner)[:, None, None] for corner in (cube.domain_min, cube.domain_max))
    lut = torch.from_numpy(cube.lut.parameters).to(image).expand(len(image), -1, -1, -1, -1)
    return apply_lut3d((image - low) / (high - low), lut)
