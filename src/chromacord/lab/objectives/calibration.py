"""Calibrate grade strength on held-out pictures, because networks are overconfident."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST_MOVED = 1e-6
"""Added to the mean squared change before its logarithm, as at inference."""

_LEAST_ERROR = 20 / 255**2
"""Squared error that counts as little: below it, foregrounds that fit would decide everything."""

_ITERATIONS = 200
_PULL = 1e-6
"""Of the squared numbers towards 0: where the data does not bound them, they would leave what float16 holds."""


class Measured(NamedTuple):
    """Mean products over the foregrounds of N composites, and the error that the network expects. Shape (N,) each."""

    squared_change: Tensor
    product: Tensor
    """Of the change and of what should have been changed."""

    squared_wanted: Tensor
    """What should have been changed: the composite's squared error."""

    log_error: Tensor

    def error(self, strength: Tensor) -> Tensor:
        """Return the squared error that is left where so much of the change is applied. Shape (N,)."""
        return self.squared_wanted - 2 * strength * self.product + strength.square() * self.squared_change


def calibrated(measured: Measured) -> Tensor:
    """Fit strength and confidence.

    The strength makes the mean root of the errors small: large errors count, but harm to what fits does too.

    Args:
        measured: of composites that were not trained on.

    Returns:
        Two rows of numbers for 1, the logarithm of the mean squared change, and the expected logarithm of the error.
        Shape (2, 3).
    """
    moved = (measured.squared_change + _LEAST_MOVED).log()
    inputs = torch.stack([torch.ones_like(moved), moved, measured.log_error])

    def error(row: Tensor) -> Tensor:
        return 255 * (measured.error(torch.sigmoid(row @ inputs)).clamp_min(0) + _LEAST_ERROR).sqrt().mean()

    # Start far below 1: the logistic function has no gradient where it is flat.
    strength = _minimized(error, torch.tensor([1.0, 0.3, -0.3]))
    helped = (measured.error(torch.sigmoid(strength @ inputs)) < measured.squared_wanted).to(moved)

    def surprise(row: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(row @ inputs, helped)

    return torch.stack([strength, _minimized(surprise, torch.tensor([2.0, 0.1, -0.1]))])


def reliability(measured: Measured, calibration: Tensor, *, num_groups: int = 5) -> dict[str, float]:
    """Tell how often grades helped among those of like confidence: a reliability curve (Guo et al. 2017, figure 1).

    Args:
        measured: of N composites.
        calibration: what `calibrated` returns. Shape (2, 3).
        num_groups: of equal size, by confidence.

    Returns:
        For each group its mean confidence and the share that was brought nearer to the truth, as "confidence_1",
        "helped_1" and so on from the least confident.
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
