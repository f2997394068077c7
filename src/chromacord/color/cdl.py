"""The ASC CDL: ten numbers that grading tools exchange instead of a LUT ("ASC Color Decision List (ASC CDL) Transfer
Functions and Interchange Syntax", version 1.2, 2009).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from chromacord.color.parameters.least_squares import Doubles, least_squares
from chromacord.types import FloatArray

_LUMA = np.array([0.2126, 0.7152, 0.0722])
"""The standard's luma weights, independent of the picture's primaries."""

_IDENTITY = np.array([1, 1, 1, 0, 0, 0, 1, 1, 1, 1], np.float64)
_LOWEST, _HIGHEST = np.array([0, 0, 0, *[-np.inf] * 3, 0.01, 0.01, 0.01, 0]), np.full(10, np.inf)
"""Limits: slopes and saturation may be 0, powers must be positive."""

_PULL = 1e-6
"""Weight of the pull towards the identity, relative to a data term of total weight 1: decides unobserved directions."""

_DIGITS = 6


@dataclass(frozen=True)
class Cdl:
    """One colour decision: slope, offset and power of red, green and blue, then saturation."""

    slope: tuple[float, float, float]
    offset: tuple[float, float, float]
    power: tuple[float, float, float]
    saturation: float

    @classmethod
    def _from_numbers(cls, numbers: Doubles) -> Self:
        a, b, c, d, e, f, g, h, i, saturation = map(float, numbers)
        return cls((a, b, c), (d, e, f), (g, h, i), saturation)

    def __call__(self, colors: FloatArray) -> FloatArray:
        """Map colours; the standard clamps to [0, 1] before the power and at the end.

        Args:
            colors: RGB. Shape (P, 3).

        Returns:
            RGB in [0, 1]. Shape (P, 3).
        """
        numbers = np.array([*self.slope, *self.offset, *self.power, self.saturation])
        return _apply(numbers, colors.astype(np.float64)).astype(np.float32)


def fit_cdl(colors: FloatArray, wanted: FloatArray, weights: FloatArray) -> Cdl:
    """Fit a CDL by weighted least squares within the standard's limits.

    Args:
        colors: RGB in [0, 1]. Shape (P, 3).
        wanted: target colours in [0, 1]. Shape (P, 3).
        weights: weight of each colour; not negative, at least one above 0. Shape (P,).
    """
    own, target = colors.astype(np.float64), wanted.astype(np.float64)
    scale = np.sqrt(weights.astype(np.float64) / (3 * weights.sum(dtype=np.float64)))[:, None]

    def errors(numbers: Doubles) -> Doubles:
        left = (_apply(numbers, own) - target) * scale
        # Over a narrow range of colours, slope, offset and power can replace each other. Without the pull the
        # fit would drift along such directions to extreme numbers that are wrong for all other colours.
        return np.concatenate([left.ravel(), np.sqrt(_PULL) * (numbers - _IDENTITY)])

    numbers = least_squares(errors, _IDENTITY, lowest=_LOWEST, highest=_HIGHEST)
    return Cdl._from_numbers(numbers.round(_DIGITS))


def _apply(numbers: Doubles, colors: Doubles) -> Doubles:
    """Map colours. Shape (10,), (P, 3) to (P, 3)."""
    slope, offset, power = numbers[:9].reshape(3, 3)
    # Clamp before the power, as the standard says: a negative number to a fractional power is NaN.
    graded = np.clip(colors * slope + offset, 0, 1) ** power
    luma = (graded @ _LUMA)[:, None]
    result: Doubles = np.clip(luma + numbers[9] * (graded - luma), 0, 1)
    return result
