"""Fits of a few numbers to many colours: Levenberg's and Marquardt's steps, cut off at limits."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_STEPS = 60
_DIFFERENCE = 1e-6
_ENOUGH = 1e-12
"""Share of the squared error: a step that gains no more is the last."""


def least_squares(
    errors: Callable[[Doubles], Doubles], start: Doubles, *, lowest: Doubles, highest: Doubles
) -> Doubles:
    """Return the numbers whose errors have the least sum of squares, as far as steps downhill from the start find them.

    Args:
        errors: of some numbers. Shape (N,) to (M,).
        start: Shape (N,).
        lowest: of each number. Shape (N,).
        highest: of each number. Shape (N,).
    """
    numbers, damping = start.astype(np.float64), 1e-3
    left = errors(numbers)
    for _ in range(_STEPS):
        moved = numbers + _DIFFERENCE * np.eye(len(numbers))
        slopes = np.stack([(errors(each) - left) / _DIFFERENCE for each in moved], axis=1)
        normal = slopes.T @ slopes
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -slopes.T @ left)
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
