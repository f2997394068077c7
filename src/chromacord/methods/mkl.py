"""Linear Monge-Kantorovich colour transfer.

Pitie and Kokaram, "The Linear Monge-Kantorovitch Linear Colour Mapping for Example-Based Colour Transfer", CVMP 2007,
https://doi.org/10.1049/cp:20070055. The target is the composite's own background, as in image harmonization.

Differs from the paper in the limit on gains: where the foreground is nearly flat and the background is not, the exact
map multiplies noise, and in the opposite case it flattens the foreground. Between the limits the map is the paper's.
"""

import torch
from torch import Tensor

from chromacord.color.statistics import color_statistics, has_both_sides, monge_kantorovich
from chromacord.color.transforms import AffineField
from chromacord.errors import InputError
from chromacord.methods.base import Method, Prediction, State

# Variance added on both sides, that of a step of one 8-bit level: a flat picture has no inverse without.
_FLOOR = (1 / 255) ** 2 / 12


class MKL(Method):
    """Give the foreground the background's mean and covariance of colour, moving colours least (Pitie 2007).

    Args:
        max_gain: the most that contrast along any direction of colour is multiplied, or divided, by.
    """

    working_size = None

    def __init__(self, max_gain: float = 4.0) -> None:
        super().__init__()
        if not max_gain >= 1:
            raise InputError(f"max_gain limits a gain both ways, so it must be at least 1, got {max_gain}")
        self.max_gain = max_gain

    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> Prediction:  # noqa: ARG002
        """Map every frame by its own statistics; a frame without foreground or background is left as it is.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), L free.
            mask: weights of the statistics. Shape (B, L, 1, H, W).
            state: not looked at.
        """
        image, weight = composite.flatten(0, 1), mask.flatten(0, 1)
        foreground, background = color_statistics(image, weight), color_statistics(image, 1 - weight)
        unit = torch.eye(3, dtype=torch.float64, device=image.device)
        floor = _FLOOR * unit
        matrix = monge_kantorovich(foreground.covariance.double() + floor, background.covariance.double() + floor)
        gains, axes = torch.linalg.eigh(matrix)
        matrix = (axes * gains.clamp(1 / self.max_gain, self.max_gain)[:, None]) @ axes.mT
        matrix = torch.where(has_both_sides(weight)[:, None, None], matrix, unit).to(image.dtype)
        moved = background.mean - (matrix @ foreground.mean[..., None])[..., 0]
        offset = torch.where(has_both_sides(weight)[:, None], moved, 0)
        transform = AffineField.from_matrix(matrix, offset)
        return Prediction(transform(image).clamp(0, 1).unflatten(0, composite.shape[:2]), transform)
