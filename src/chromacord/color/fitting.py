"""Find the colour transform that explains the pixels a method returned.

All fits are weighted least squares with two priors: the map is smooth, and where there is no evidence it follows one
affine map of the whole foreground. So colours and places that were never seen change as the seen ones do.
"""

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from chromacord.color.statistics import color_statistics
from chromacord.color.transforms import AffineField, Lut3d

# Variance of colour below which a direction counts as noise: there the affine fit keeps the colour's own gain of 1.
_NOISE = 1e-5

# How strongly neighbouring nodes hold together, and how strongly each is pulled to the affine map, against a data term
# that has the weight 1 in all. Chosen on recoloured clips: the lowest that leave no blotches in unseen colours.
_LUT_SMOOTHNESS, _LUT_PULL = 1e-5, 1e-7
_FIELD_SMOOTHNESS, _FIELD_PULL = 1e-4, 1e-6

# The pull of gains towards 1, as mean square of colour: half of it where the foreground's level is 0.22.
_GAIN_PULL = 0.05

_CG_STEPS = 25


def fit_affine(composite: Tensor, harmonized: Tensor, mask: Tensor) -> AffineField:
    """Fit one affine map of colour to each picture.

    Args:
        composite, harmonized: RGB in [0, 1]. Shape (N, 3, H, W).
        mask: weight of each pixel. Shape (N, 1, H, W). An empty one gives the identity.

    Returns:
        A field of one node. Directions of colour in which the foreground does not vary are only shifted.
    """
    mean, covariance = color_statistics(torch.cat([composite, harmonized], dim=1), mask)
    noise = _NOISE * torch.eye(3, dtype=composite.dtype, device=composite.device)
    own, cross = covariance[:, :3, :3] + noise, covariance[:, 3:, :3] + noise
    matrix = torch.linalg.solve(own, cross.mT).mT
    return AffineField.from_matrix(matrix, mean[:, 3:] - (matrix @ mean[:, :3, None])[..., 0])


def fit_gains(composite: Tensor, harmonized: Tensor, mask: Tensor) -> AffineField:
    """Fit one gain for each of red, green and blue to each picture: exposure and white balance, and black stays black.

    Args:
        composite, harmonized: RGB in [0, 1]. Shape (N, 3, H, W).
        mask: weight of each pixel. Shape (N, 1, H, W). An empty one gives the identity.

    Returns:
        A field of one node. Dark foregrounds, which say little about a gain, are pulled towards 1.
    """
    area = mask.sum(dim=(-2, -1)).clamp_min(torch.finfo(mask.dtype).tiny)
    own = (mask * composite.square()).sum(dim=(-2, -1)) / area
    cross = (mask * composite * harmonized).sum(dim=(-2, -1)) / area
    gains = (cross + _GAIN_PULL) / (own + _GAIN_PULL)
    return AffineField.from_matrix(torch.diag_embed(gains), torch.zeros_like(gains))


def fit_lut3d(composite: Tensor, harmonized: Tensor, mask: Tensor, *, size: int = 17) -> Lut3d:
    """Fit a 3D LUT to each picture.

    Args:
        composite, harmonized: RGB in [0, 1]. Shape (N, 3, H, W).
        mask: weight of each pixel. Shape (N, 1, H, W). An empty one gives the identity.
        size: nodes a side, D.

    Returns:
        LUTs with values that are not clamped. Shape of the parameters (N, 3, D, D, D).
    """
    base = fit_affine(composite, harmonized, mask)
    residual = harmonized - base(composite)
    stencil, right = _lut_equations(composite, residual, mask, size)
    values = base.to_lut(size).parameters + _conjugate_gradients(stencil, right)
    return Lut3d(values)


def _lut_equations(composite: Tensor, residual: Tensor, mask: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the normal equations of a LUT.

    Returns:
        What each node has to do with its 27 neighbours (itself in the middle), Shape (N, 27, D, D, D), and the right
        hand side, Shape (N, 3, D, D, D).
    """
    frame, row, column = mask[:, 0].nonzero(as_tuple=True)
    color = composite[frame, :, row, column].clamp(0, 1).flip(-1) * (size - 1)  # blue, green, red as the axes are
    corner = color.long().clamp_max(size - 2)
    share = color - corner
    sides = torch.stack([1 - share, share], dim=-1)  # (pixels, axis, side)
    corners = torch.einsum("pi,pj,pk->pijk", sides[:, 0], sides[:, 1], sides[:, 2]).flatten(1)
    weight = mask[frame, 0, row, column] / mask.sum(dim=(1, 2, 3))[frame]
    products = torch.stack([sides[..., 0].square(), sides.prod(dim=-1), sides[..., 1].square()], dim=-1)
    pairs = torch.einsum("p,pi,pj,pk->pijk", weight, products[:, 0], products[:, 1], products[:, 2]).flatten(1)
    pulls = torch.einsum("p,pi,pc->pic", weight, corners, residual[frame, :, row, column]).flatten(1)
    cells = size - 1
    cell = ((frame * cells + corner[:, 0]) * cells + corner[:, 1]) * cells + corner[:, 2]
    sums = torch.zeros(len(mask) * cells**3, 27 + 24, dtype=residual.dtype, device=residual.device)
    sums.index_add_(0, cell, torch.cat([pairs, pulls], dim=1))
    grid = sums.unflatten(0, (len(mask), cells, cells, cells)).movedim(-1, 1)
    return _spread_pairs(grid[:, :27], size), _spread_corners(grid[:, 27:].unflatten(1, (8, 3)), size)


def _spread_pairs(pairs: Tensor, size: int) -> Tensor:
    """Turn products of corner weights, summed in each cell, into each node's stencil, priors included.

    Args:
        pairs: for each axis low-low, low-high and high-high. Shape (N, 27, D - 1, D - 1, D - 1).
        size: nodes a side, D.

    Returns:
        Shape (N, 27, D, D, D).
    """
    stencil = pairs.new_zeros(len(pairs), 3, 3, 3, size, size, size)
    of_axes = pairs.unflatten(1, (3, 3, 3))
    sides = list(product((0, 1), repeat=3))
    for (i, j, k), (u, v, w) in product(sides, sides):
        cells = of_axes[:, i + u, j + v, k + w]
        nodes = stencil[:, u - i + 1, v - j + 1, w - k + 1]
        nodes[:, i : size - 1 + i, j : size - 1 + j, k : size - 1 + k] += cells
    stencil[:, 1, 1, 1] += _LUT_PULL
    for axis, side in product(range(3), (0, 1)):
        towards = stencil.flatten(1, 3)[:, 13 + (1 - 2 * side) * 3 ** (2 - axis)]
        stencil[:, 1, 1, 1].narrow(axis + 1, side, size - 1).add_(_LUT_SMOOTHNESS)
        towards.narrow(axis + 1, side, size - 1).sub_(_LUT_SMOOTHNESS)
    return stencil.flatten(1, 3)


def _spread_corners(corners: Tensor, size: int) -> Tensor:
    """Add up at each node what the cells around it hold for their corners.

    Args:
        corners: Shape (N, 8, 3, D - 1, D - 1, D - 1).
        size: nodes a side, D.

    Returns:
        Shape (N, 3, D, D, D).
    """
    nodes = corners.new_zeros(len(corners), 3, size, size, size)
    for number, (i, j, k) in enumerate(product((0, 1), repeat=3)):
        nodes[..., i : size - 1 + i, j : size - 1 + j, k : size - 1 + k] += corners[:, number]
    return nodes


def _conjugate_gradients(stencil: Tensor, right: Tensor) -> Tensor:
    """Solve the normal equations of a LUT, Jacobi-preconditioned, from 0.

    Args:
        stencil: Shape (N, 27, D, D, D).
        right: Shape (N, 3, D, D, D).

    Returns:
        Shape (N, 3, D, D, D).
    """
    size = right.shape[-1]
    diagonal = stencil[:, 13:14]

    def product_with(values: Tensor) -> Tensor:
        padded, total = F.pad(values, (1,) * 6), torch.zeros_like(values)
        for number, (i, j, k) in enumerate(product(range(3), repeat=3)):
            total.addcmul_(padded[..., i : i + size, j : j + size, k : k + size], stencil[:, number : number + 1])
        return total

    def dot(left: Tensor, other: Tensor) -> Tensor:
        return (left * other).sum(dim=(2, 3, 4), keepdim=True)

    tiny = torch.finfo(right.dtype).tiny
    solution, error = torch.zeros_like(right), right
    direction = scaled = error / diagonal
    power = dot(error, scaled)
    for _ in range(_CG_STEPS):
        image = product_with(direction)
        step = power / dot(direction, image).clamp_min(tiny)
        solution = solution + step * direction
        error = error - step * image
        scaled = error / diagonal
        last, power = power, dot(error, scaled)
        direction = scaled + power / last.clamp_min(tiny) * direction
    return solution


def fit_affine_field(
    composite: Tensor, harmonized: Tensor, mask: Tensor, *, grid: tuple[int, int] = (16, 16)
) -> AffineField:
    """Fit an affine map of colour at each place to each picture.

    Args:
        composite, harmonized: RGB in [0, 1]. Shape (N, 3, H, W).
        mask: weight of each pixel. Shape (N, 1, H, W). An empty one gives the identity.
        grid: nodes of the field, (height, width).

    Returns:
        Shape of the parameters (N, 3, 4, h, w).
    """
    base = fit_affine(composite, harmonized, mask)
    mean, _ = color_statistics(composite, mask)
    ones = torch.ones_like(mask)
    features = torch.cat([composite - mean[..., None, None], ones], dim=1)  # centred: gain and offset do not mix
    weight = mask / mask.sum(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
    targets = torch.cat([features, harmonized - base(composite)], dim=1)
    products = torch.einsum("nfhw,nghw->nfghw", features * weight, targets)
    rows, columns = (_hats(nodes, length, mask) for nodes, length in zip(grid, mask.shape[-2:], strict=True))
    right = torch.einsum("ih,nfchw,jw->nijfc", rows, products[:, :, 4:], columns).flatten(1, 3)
    matrix = _field_matrix(products[:, :, :4], rows, columns) + _field_prior(grid).to(mask)
    factor = torch.linalg.cholesky(matrix.double())
    delta = torch.cholesky_solve(right.double(), factor).to(mask.dtype)
    delta = delta.unflatten(1, (*grid, 4)).permute(0, 4, 3, 1, 2)
    offset = delta[:, :, 3] - torch.einsum("nochw,nc->nohw", delta[:, :, :3], mean)
    return AffineField(base.parameters + torch.cat([delta[:, :, :3], offset[:, :, None]], dim=2))


def _hats(nodes: int, length: int, like: Tensor) -> Tensor:
    """Return what each node adds to each pixel when a row of nodes is stretched. Shape (nodes, length)."""
    unit = torch.eye(nodes, dtype=like.dtype, device=like.device)[None]
    return F.interpolate(unit, size=length, mode="linear", align_corners=False)[0]


def _field_matrix(products: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the data's share of the normal equations; only neighbouring nodes meet in a pixel.

    Args:
        products: weighted products of features. Shape (N, 4, 4, H, W).
        rows: Shape (h, H).
        columns: Shape (w, W).

    Returns:
        Unknowns in the order (node row, node column, feature). Shape (N, h * w * 4, h * w * 4).
    """
    height, width = len(rows), len(columns)
    matrix = products.new_zeros(height, height, width, width, *products.shape[:3])
    for step in (0, 1):
        vertical = torch.einsum("ih,nfghw->infgw", rows[: height - step] * rows[step:], products)
        top = torch.arange(height - step)
        for other in (0, 1):
            pairs = columns[: width - other] * columns[other:]
            block = torch.einsum("infgw,jw->ijnfg", vertical, pairs)
            left = torch.arange(width - other)
            for i, u in {(0, step), (step, 0)}:
                for j, v in {(0, other), (other, 0)}:
                    matrix[top[:, None] + i, top[:, None] + u, left + j, left + v] = block
    return matrix.permute(4, 0, 2, 5, 1, 3, 6).flatten(4, 6).flatten(1, 3)


def _field_prior(grid: tuple[int, int]) -> Tensor:
    """Return the priors' share of the normal equations. Shape (h * w * 4, h * w * 4)."""
    steps = [torch.eye(nodes)[1:] - torch.eye(nodes)[:-1] for nodes in grid]
    vertical, horizontal = (step.T @ step for step in steps)
    height, width = grid
    laplacian = torch.kron(vertical, torch.eye(width)) + torch.kron(torch.eye(height), horizontal)
    prior = _FIELD_SMOOTHNESS * laplacian + _FIELD_PULL * torch.eye(height * width)
    return torch.kron(prior, torch.eye(4))
