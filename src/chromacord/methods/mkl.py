"""Linear Monge-Kantorovich colour transfer.

Pitie and Kokaram, "The Linear Monge-Kantorovitch Linear Colour Mapping for Example-Based Colour Transfer", CVMP 2007,
https://doi.org/10.1049/cp:20070055. The target is the composite's own background, as in image harmonization.

Difference from the paper: gains are limited. If the foreground is nearly flat and the background is not, the exact map
amplifies noise; in the opposite case it flattens the foreground. Within the limits the map is the paper's.
"""

import numpy as np

from chromacord.color.statistics import color_statistics, has_both_sides, monge_kantorovich
from chromacord.color.transforms import AffineField
from chromacord.errors import InputError
from chromacord.methods.base import TransformMethod
from chromacord.types import FloatArray

# Variance added on both sides, that of a step of one 8-bit level: without it a flat picture has no inverse.
_FLOOR = (1 / 255) ** 2 / 12


class MKL(TransformMethod):
    """Give the foreground the background's colour mean and covariance with the least movement (Pitie 2007).

    Args:
        max_gain: maximum factor by which contrast along any direction of colour is increased or reduced.
    """

    def __init__(self, max_gain: float = 4.0) -> None:
        super().__init__()
        if not max_gain >= 1:
            raise InputError(f"max_gain limits a gain both ways, so it must be at least 1, got {max_gain}")
        self.max_gain = max_gain

    def transform(self, image: FloatArray, weight: FloatArray) -> AffineField:
        """Match each frame's statistics. See `TransformMethod.transform`."""
        foreground, background = color_statistics(image, weight), color_statistics(image, 1 - weight)
        unit = np.eye(3)
        matrix = monge_kantorovich(foreground.covariance + _FLOOR * unit, background.covariance + _FLOOR * unit)
        gains, axes = np.linalg.eigh(matrix)
        # The map is symmetric, so its eigenvalues are its gains along orthogonal directions of colour, and can
        # be limited one by one.
        matrix = (axes * gains.clip(1 / self.max_gain, self.max_gain)[:, None]) @ axes.mT
        usable = has_both_sides(weight)
        matrix = np.where(usable[:, None, None], matrix, unit).astype(np.float32)
        moved = background.mean - (matrix @ foreground.mean[..., None])[..., 0]
        offset = np.where(usable[:, None], moved, 0)
        return AffineField.from_matrix(matrix, offset)
