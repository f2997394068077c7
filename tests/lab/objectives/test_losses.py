"""Losses against numpy."""

import numpy as np
import pytest
import torch

from chromacord.lab.objectives.losses import root_error, squared_error

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
