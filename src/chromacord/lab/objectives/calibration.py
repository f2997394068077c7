"""Calibrate strength and confidence on held-out pictures, because networks are overconfident."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST_MOVED = 1e-6
"""Added to the mean squared change before taking its logarithm, as at inference."""

_LEAST_ERROR = 20 / 255**2
"""Lower limit of squared errors: without it, foregrounds that already match would dominate the fit."""

_ITERATIONS = 200
_PULL = 1e-6
"""Weight decay, which bounds coefficients that the data do not: they could exceed the range of float16."""


class Measured(NamedTuple):
    """Mean products over the foregrounds of N composites, and the network's expected error. Shape (N,) each."""

    squared_change: Tensor
    product: Tensor
    """Change times ideal change."""

    squared_wanted: Tensor
    """Ideal change squared: the composite's squared error."""

    log_error: Tensor

    def error(self, strength: Tensor) -> Tensor:
        """Return the remaining squared error at a given strength. Shape (N,)."""
        # Strength blends linearly, so the error is a quadratic in it: fitting needs these three means, not the
        # pixels.
        return self.squared_wanted - 2 * strength * self.product + strength.square() * self.squared_change


def calibrated(measured: Measured, *, strength: Tensor | None = None) -> Tensor:
    """Fit strength and confidence.

    Strength minimizes the mean root error, in which large errors count without hiding harm to matching foregrounds.

    Args:
        measured: from held-out composites.
        strength: coefficients of a strength to keep, and to fit the confidence for. Shape (3,).

    Returns:
        Two rows of coefficients for 1, the logarithm of the mean squared change, and the logarithm of the expected
        error. Shape (2, 3).
    """
    moved = (measured.squared_change + _LEAST_MOVED).log()
    inputs = torch.stack([torch.ones_like(moved), moved, measured.log_error])

    def error(row: Tensor) -> Tensor:
        # Rounding can make the quadratic slightly negative near a perfect grade.
        return 255 * (measured.error(torch.sigmoid(row @ inputs)).clamp_min(0) + _LEAST_ERROR).sqrt().mean()

    # Start far below 1: the logistic function has no gradient where it is flat.
    if strength is None:
        strength = _minimized(error, torch.tensor([1.0, 0.3, -0.3]))
    helped = (measured.error(torch.sigmoid(strength @ inputs)) < measured.squared_wanted).to(moved)

    def surprise(row: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(row @ inputs, helped)

    return torch.stack([strength, _minimized(surprise, torch.tensor([2.0, 0.1, -0.1]))])


def reliability(measured: Measured, calibration: Tensor, *, num_groups: int = 5) -> dict[str, float]:
    """Return how often grades helped, by confidence: a reliability curve (Guo et al. 2017, figure 1).

    Args:
        measured: from N composites.
        calibration: from `calibrated`. Shape (2, 3).
        num_groups: number of groups of equal size, by confidence.

    Returns:
        For each group the mean confidence and the share of improved composites, as "confidence_1", "helped_1" and so
        on, from the least confident.
    """
    moved = (measured.squared_change + _LEAST_MOVED).log()
    strength, chance = torch.sigmoid(calibration @ torch.stack([torch.ones_like(moved), moved, measured.log_error]))
    helped = (measured.error(strength) < measured.squared_wanted).to(chance)
    groups = torch.tensor_split(chance.argsort(), num_groups)
    curve = {}
    for number, group in enumerate(groups, 1):
        curve[f"confidence_{number}"] = float(chance[group].mean())
        curve[f"helped_{number}"] = float(helped[group].mean())
    return curve


def _minimized(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    row = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([row], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        optimizer.zero_grad()
        value = loss(row) + _PULL * row.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(step)
    return row.detach()
