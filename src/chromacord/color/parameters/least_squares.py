"""Bounded nonlinear least squares for few parameters: Levenberg-Marquardt with clipped steps."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_STEPS = 60
_DIFFERENCE = 1e-6
_ENOUGH = 1e-12
"""Relative improvement of the squared error below which iteration stops."""


def least_squares(
    errors: Callable[[Doubles], Doubles], start: Doubles, *, lowest: Doubles, highest: Doubles
) -> Doubles:
    """Return the parameters with the smallest sum of squared errors that can be reached downhill from the start.

    Args:
        errors: residuals of parameters. Shape (N,) to (M,).
        start: initial parameters. Shape (N,).
        lowest: lower bounds. Shape (N,).
        highest: upper bounds. Shape (N,).
    """
    numbers, damping = start.astype(np.float64), 1e-3
    left = errors(numbers)
    for _ in range(_STEPS):
        moved = numbers + _DIFFERENCE * np.eye(len(numbers))
        # Forward differences are accurate enough: in double precision, their error at this step is far below the
        # residuals'.
        slopes = np.stack([(errors(each) - left) / _DIFFERENCE for each in moved], axis=1)
        normal = slopes.T @ slopes
        # Marquardt's scaling by the diagonal makes the damping independent of the parameters' units.
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -slopes.T @ left)
        # Clipping may point a step uphill; it is then refused below like any other, and the damping grows.
        tried = np.clip(numbers + step, lowest, highest)
        left_then = errors(tried)
        gain = left @ left - left_then @ left_then
        if gain > 0:
            is_done = gain <= _ENOUGH * (left @ left)
            numbers, left, damping = tried, left_then, damping / 3
            if is_done:
                break
        else:
            damping *= 4
    return numbers
