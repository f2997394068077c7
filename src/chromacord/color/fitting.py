"""Find the colour transform that explains the pixels a method returned.

All fits are weighted least squares with two priors: the map is smooth, and without evidence it follows one affine map
of the whole foreground. Unobserved colours and places therefore change like the observed ones.
"""

from itertools import product

import numpy as np

from chromacord.color.statistics import color_statistics
from chromacord.color.transforms import AffineField, Lut3d, stretch_weights
from chromacord.types import FloatArray

# Variance of colour below which a direction is noise; there the affine fit keeps a gain of 1.
_NOISE = 1e-5

# Weights of smoothness between neighbouring nodes and of the pull to the affine map, against a data term
# of total weight 1. Chosen on recoloured clips: the lowest that leave no blotches in unseen colours.
_LUT_SMOOTHNESS, _LUT_PULL = 1e-5, 1e-7
_FIELD_SMOOTHNESS, _FIELD_PULL = 1e-4, 1e-6

# Regularisation of gains towards 1, as mean squared colour: half strength at a foreground level of 0.22.
_GAIN_PULL = 0.05

# The stencil couples a node with its neighbours only, so each step carries evidence one node further: 25 steps
# cross a cube of 17 nodes.
_CG_STEPS = 25

_TINY = np.finfo(np.float32).tiny


def fit_affine(composite: FloatArray, harmonized: FloatArray, mask: FloatArray) -> AffineField:
    """Fit one affine colour map to each picture.

    Args:
        composite, harmonized: RGB in [0, 1]. Shape (N, 3, H, W).
        mask: weight of each pixel. Shape (N, 1, H, W). An empty one gives the identity.

    Returns:
        A field with one node. Directions in which the foreground does not vary are only offset.
    """
    mean, covariance = color_statistics(np.concatenate([composite, harmonized], axis=1), mask)
    # The same noise on both sides: a direction without variance then gets a gain of 1. Added to one side only,
    # as in ridge regression, it would pull gains to 0 and so remove contrast.
    noise = _NOISE * np.eye(3, dtype=np.float32)
    own, cross = covariance[:, :3, :3] + noise, covariance[:, 3:, :3] + noise
    matrix = np.linalg.solve(own, cross.mT).mT
    return AffineField.from_matrix(matrix, mean[:, 3:] - (matrix @ mean[:, :3, None])[..., 0])


def fit_gains(composite: FloatArray, harmonized: FloatArray, mask: FloatArray) -> AffineField:
    """Fit gains of red, green and blue to each picture: exposure and white balance; black stays black.

    Args:
        composite, harmonized: RGB in [0, 1]. Shape (N, 3, H, W).
        mask: weight of each pixel. Shape (N, 1, H, W). An empty one gives the identity.

    Returns:
        A field with one node. Gains of dark foregrounds, which carry little evidence, are pulled towards 1.
    """
    area = mask.sum(axis=(-2, -1)).clip(_TINY)
    own = (mask * composite**2).sum(axis=(-2, -1)) / area
    cross = (mask * composite * harmonized).sum(axis=(-2, -1)) / area
    # The pull is in numerator and denominator, so that it pulls towards 1 and not towards 0.
    gains = (cross + _GAIN_PULL) / (own + _GAIN_PULL)
    return AffineField.from_matrix(gains[..., None] * np.eye(3, dtype=np.float32), np.zeros_like(gains))


def fit_lut3d(composite: FloatArray, harmonized: FloatArray, mask: FloatArray, *, size: int = 17) -> Lut3d:
    """Fit a 3D LUT to each picture.

    Args:
        composite, harmonized: RGB in [0, 1]. Shape (N, 3, H, W).
        mask: weight of each pixel. Shape (N, 1, H, W). An empty one gives the identity.
        size: nodes per side, D.

    Returns:
        LUTs whose values are not clamped. Shape of the parameters (N, 3, D, D, D).
    """
    base = fit_affine(composite, harmonized, mask)
    # Fit only what the affine map leaves: the priors pull the residual to 0, and thereby unseen colours to the
    # affine map.
    residual = harmonized - base(composite)
    stencil, right = _lut_equations(composite, residual, mask, size)
    values = base.to_lut(size).parameters + _conjugate_gradients(stencil, right)
    return Lut3d(values)


def _lut_equations(
    composite: FloatArray, residual: FloatArray, mask: FloatArray, size: int
) -> tuple[FloatArray, FloatArray]:
    """Return the normal equations of a LUT.

    Returns:
        Each node's coefficients for its 27 neighbours (itself in the middle), shape (N, 27, D, D, D), and the
        right-hand side, shape (N, 3, D, D, D).
    """
    # Trilinear interpolation couples a node only with the 26 around it, so the matrix is a stencil of 27 coefficients
    # per node instead of D^3 x D^3. It is summed per cell first, because bincount needs no loop over pixels.
    frame, row, column = mask[:, 0].nonzero()
    color = composite[frame, :, row, column].clip(0, 1)[:, ::-1] * np.float32(size - 1)  # blue, green, red as the axes
    corner = np.minimum(color.astype(np.int64), size - 2)
    share = (color - corner).astype(np.float32).T
    sides = [(1 - one, one) for one in share]
    weight = mask[frame, 0, row, column] / mask.sum(axis=(1, 2, 3))[frame]
    squares = [(low**2, low * high, high**2) for low, high in sides]
    wanted = weight * residual[frame, :, row, column].T
    cells = size - 1
    cell = ((frame * cells + corner[:, 0]) * cells + corner[:, 1]) * cells + corner[:, 2]

    def summed(values: FloatArray) -> FloatArray:
        return np.bincount(cell, values, len(mask) * cells**3).astype(np.float32).reshape(len(mask), *[cells] * 3)

    pairs = [summed(weight * one * two * three) for one, two, three in product(*squares)]
    corners = [one * two * three for one, two, three in product(*sides)]
    pulls = [[summed(each * channel) for channel in wanted] for each in corners]
    return (
        _spread_pairs(np.stack(pairs, axis=1), size),
        _spread_corners(np.stack([np.stack(each, axis=1) for each in pulls], axis=1), size),
    )


def _spread_pairs(pairs: FloatArray, size: int) -> FloatArray:
    """Convert products of corner weights, summed per cell, to each node's stencil, and add the priors.

    Args:
        pairs: low-low, low-high and high-high for each axis. Shape (N, 27, D - 1, D - 1, D - 1).
        size: nodes per side, D.

    Returns:
        Shape (N, 27, D, D, D).
    """
    stencil = np.zeros((len(pairs), 3, 3, 3, size, size, size), np.float32)
    of_axes = pairs.reshape(len(pairs), 3, 3, 3, *pairs.shape[2:])
    sides = list(product((0, 1), repeat=3))
    for (i, j, k), (u, v, w) in product(sides, sides):
        cells = of_axes[:, i + u, j + v, k + w]
        nodes = stencil[:, u - i + 1, v - j + 1, w - k + 1]
        # For corners (i, j, k) and (u, v, w) of a cell: i + u is 0 for low-low, 1 for the mixed product and 2 for high-
        # high, and the neighbour lies u - i away.
        nodes[:, i : size - 1 + i, j : size - 1 + j, k : size - 1 + k] += cells
    stencil[:, 1, 1, 1] += _LUT_PULL
    flat = stencil.reshape(len(pairs), 27, size, size, size)
    for axis, side in product(range(3), (0, 1)):
        inner = (slice(None), *[slice(None)] * axis, slice(side, side + size - 1))
        # Index 13 is the node itself (1 * 9 + 1 * 3 + 1); its neighbours along axis 0, 1, 2 are 9, 3, 1 away.
        flat[:, 13][inner] += _LUT_SMOOTHNESS
        flat[:, 13 + (1 - 2 * side) * 3 ** (2 - axis)][inner] -= _LUT_SMOOTHNESS
    return flat


def _spread_corners(corners: FloatArray, size: int) -> FloatArray:
    """Sum at each node what the surrounding cells hold for their corners.

    Args:
        corners: Shape (N, 8, 3, D - 1, D - 1, D - 1).
        size: nodes per side, D.

    Returns:
        Shape (N, 3, D, D, D).
    """
    nodes = np.zeros((len(corners), 3, size, size, size), np.float32)
    for number, (i, j, k) in enumerate(product((0, 1), repeat=3)):
        nodes[..., i : size - 1 + i, j : size - 1 + j, k : size - 1 + k] += corners[:, number]
    return nodes


def _conjugate_gradients(stencil: FloatArray, right: FloatArray) -> FloatArray:
    """Solve the normal equations of a LUT, Jacobi-preconditioned, from 0.

    Args:
        stencil: Shape (N, 27, D, D, D).
        right: Shape (N, 3, D, D, D).

    Returns:
        Shape (N, 3, D, D, D).
    """
    size = right.shape[-1]
    # Nodes with many pixels have diagonals up to ten thousand times larger than those that only the priors hold.
    # Without this preconditioner the latter would hardly move in 25 steps.
    diagonal = stencil[:, 13:14]
    padded = np.zeros((*right.shape[:2], *[size + 2] * 3), np.float32)
    part = np.empty_like(right)

    def product_with(values: FloatArray) -> FloatArray:
        padded[..., 1:-1, 1:-1, 1:-1] = values
        total = np.zeros_like(values)
        for number, (i, j, k) in enumerate(product(range(3), repeat=3)):
            near = padded[..., i : i + size, j : j + size, k : k + size]
            total += np.multiply(near, stencil[:, number : number + 1], out=part)
        return total

    def dot(left: FloatArray, other: FloatArray) -> FloatArray:
        products: FloatArray = (left * other).sum(axis=(2, 3, 4), keepdims=True)
        return products

    solution, error = np.zeros_like(right), right
    direction = scaled = error / diagonal
    power = dot(error, scaled)
    for _ in range(_CG_STEPS):
        image = product_with(direction)
        # Once a picture's solution is exact, both dot products are 0; the clip makes the step 0 instead of NaN
        # while other pictures of the batch go on.
        step = power / dot(direction, image).clip(_TINY)
        solution = solution + step * direction
        error = error - step * image
        scaled = error / diagonal
        last, power = power, dot(error, scaled)
        direction = scaled + power / last.clip(_TINY) * direction
    return solution


def fit_affine_field(
    composite: FloatArray, harmonized: FloatArray, mask: FloatArray, *, grid: tuple[int, int] = (16, 16)
) -> AffineField:
    """Fit an affine colour map at each position to each picture.

    Args:
        composite, harmonized: RGB in [0, 1]. Shape (N, 3, H, W).
        mask: weight of each pixel. Shape (N, 1, H, W). An empty one gives the identity.
        grid: nodes of the field as (height, width).

    Returns:
        Shape of the parameters (N, 3, 4, h, w).
    """
    base = fit_affine(composite, harmonized, mask)
    mean, _ = color_statistics(composite, mask)
    ones = np.ones_like(mask)
    # Centring makes gain and offset nearly independent, so that the prior on one does not act on the other.
    features = np.concatenate([composite - mean[..., None, None], ones], axis=1)  # centred: gain and offset do not mix
    weight = mask / mask.sum(axis=(1, 2, 3), keepdims=True).clip(1e-6)
    targets = np.concatenate([features, harmonized - base(composite)], axis=1)
    products = (features * weight)[:, :, None] * targets[:, None]
    rows, columns = (
        stretch_weights(nodes, length, 0, length).T for nodes, length in zip(grid, mask.shape[-2:], strict=True)
    )
    pulls = rows @ (products[:, :, 4:] @ columns.T)
    right = pulls.transpose(0, 3, 4, 1, 2).reshape(len(mask), -1, 3)
    matrix = _field_matrix(products[:, :, :4], rows, columns) + _field_prior(grid)
    # In float64: nodes without evidence are held only by the small priors, which float32 would lose in the sums.
    delta = np.linalg.solve(matrix.astype(np.float64), right.astype(np.float64)).astype(np.float32)
    delta = delta.reshape(len(mask), *grid, 4, 3).transpose(0, 4, 3, 1, 2)
    offset = delta[:, :, 3] - np.einsum("nochw,nc->nohw", delta[:, :, :3], mean)
    return AffineField(base.parameters + np.concatenate([delta[:, :, :3], offset[:, :, None]], axis=2))


def _field_matrix(products: FloatArray, rows: FloatArray, columns: FloatArray) -> FloatArray:
    """Return the data term of the normal equations; only neighbouring nodes share pixels.

    Args:
        products: weighted products of features. Shape (N, 4, 4, H, W).
        rows: Shape (h, H).
        columns: Shape (w, W).

    Returns:
        Unknowns in the order (node row, node column, feature). Shape (N, h * w * 4, h * w * 4).
    """
    height, width = len(rows), len(columns)
    matrix = np.zeros((height, height, width, width, *products.shape[:3]), np.float32)
    for step in (0, 1):
        vertical = (rows[: height - step] * rows[step:]) @ products  # (N, f, g, i, W)
        top = np.arange(height - step)
        for other in (0, 1):
            pairs = columns[: width - other] * columns[other:]
            block = (vertical @ pairs.T).transpose(3, 4, 0, 1, 2)
            left = np.arange(width - other)
            # Sets, because for a step of 0 both pairs are the same.
            for i, u in {(0, step), (step, 0)}:
                for j, v in {(0, other), (other, 0)}:
                    matrix[top[:, None] + i, top[:, None] + u, left + j, left + v] = block
    size = height * width * 4
    return matrix.transpose(4, 0, 2, 5, 1, 3, 6).reshape(-1, size, size)


def _field_prior(grid: tuple[int, int]) -> FloatArray:
    """Return the priors' term of the normal equations. Shape (h * w * 4, h * w * 4)."""
    steps = [np.diff(np.eye(nodes), axis=0) for nodes in grid]
    vertical, horizontal = (step.T @ step for step in steps)
    height, width = grid
    laplacian = np.kron(vertical, np.eye(width)) + np.kron(np.eye(height), horizontal)
    prior = _FIELD_SMOOTHNESS * laplacian + _FIELD_PULL * np.eye(height * width)
    return np.kron(prior, np.eye(4)).astype(np.float32)
