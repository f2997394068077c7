"""Losses against numpy."""

import numpy as np
import pytest
import torch

from chromacord.lab.objectives.losses import confidence_loss, root_error, squared_error

GENERATOR = torch.Generator().manual_seed(0)
HARMONIZED, REAL = torch.rand(2, 5, 3, 1, 7, generator=GENERATOR)


def test_the_squared_error_is_a_mean_for_each_sample() -> None:
    expected = ((HARMONIZED.numpy() - REAL.numpy()) ** 2).reshape(5, -1).mean(axis=1)
    assert squared_error(HARMONIZED, REAL).numpy() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("power", [0.3, 0.5, 1.0])
def test_the_root_error_is_the_mean_of_powers(power: float) -> None:
    squared = np.array([0.0, 1e-4, 0.01, 0.2])
    expected = np.mean((squared + 1 / 255**2) ** power)
    assert float(root_error(torch.from_numpy(squared), power=power)) == pytest.approx(expected)


def test_at_one_half_large_errors_pull_no_harder_than_small_ones() -> None:
    """The slope of sqrt(e^2 + c) by e is e / sqrt(e^2 + c): 1, far above the 255th c."""
    error = torch.tensor([0.1, 0.9], requires_grad=True)
    root_error(error.square()).backward()
    expected = [value / np.sqrt(value**2 + 1 / 255**2) / 2 for value in (0.1, 0.9)]
    assert error.grad is not None
    assert error.grad.numpy() == pytest.approx(expected, rel=1e-5)


def test_an_error_of_zero_has_a_finite_slope() -> None:
    error = torch.zeros(3, requires_grad=True)
    root_error(error.square()).backward()
    assert torch.equal(error.grad, torch.zeros(3))


def test_the_confidence_loss_is_the_cross_entropy_of_having_helped() -> None:
    confidence = np.array([0.9, 0.2, 0.5, 1.0, 0.0])
    after, before = np.array([1.0, 1.0, 2.0, 2.0, 1.0]), np.array([2.0, 2.0, 1.0, 1.0, 1.0])
    chance = np.clip(confidence, 1e-4, 1 - 1e-4)
    # The last one changed nothing, which does not count as help.
    helped = np.array([1, 1, 0, 0, 0])
    expected = -np.mean(helped * np.log(chance) + (1 - helped) * np.log(1 - chance))
    found = confidence_loss(*(torch.from_numpy(values).float() for values in (confidence, after, before)))
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_no_gradient_reaches_the_errors_through_the_confidence() -> None:
    confidence, after = (torch.full((2,), 0.5, requires_grad=True) for _ in range(2))
    confidence_loss(confidence, after, torch.tensor([1.0, 0.1])).backward()
    assert after.grad is None
    assert confidence.grad is not None
    assert confidence.grad.tolist() == pytest.approx([-1.0, 1.0])
