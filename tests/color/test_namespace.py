"""Formulas shared by arrays and tensors give the same numbers for both."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from chromacord.color import curves
from chromacord.color.alpha import over, premultiply, unpremultiply
from chromacord.color.opponent import lalphabeta_to_rgb, rgb_to_lalphabeta
from chromacord.color.statistics import color_statistics, has_both_sides, monge_kantorovich

PICTURES = np.random.default_rng(0).random((2, 3, 20, 24), np.float32)
WEIGHTS = np.random.default_rng(1).random((2, 1, 20, 24), np.float32) * np.float32([[[[1.0]]], [[[0.0]]]])

CURVES = (
    curves.srgb_to_linear,
    curves.linear_to_srgb,
    curves.bt709_to_linear,
)


def compare(function: Callable[..., Any], *arrays: np.ndarray, rtol: float = 2e-6, atol: float = 1e-7) -> None:
    found, expected = function(*arrays), function(*map(torch.from_numpy, arrays))
    assert isinstance(found, np.ndarray)
    assert str(expected.dtype) == f"torch.{found.dtype}"
    np.testing.assert_allclose(found, expected.numpy(), rtol=rtol, atol=atol)


@pytest.mark.parametrize("curve", CURVES)
def test_curves(curve: Callable[[Any], Any]) -> None:
    # The powers of PQ, of 78 and 6, spread a rounding that far.
    compare(curve, 3 * PICTURES - 1, rtol=2e-4)


@pytest.mark.parametrize("function", [rgb_to_lalphabeta, lalphabeta_to_rgb])
def test_the_opponent_space(function: Callable[[Any], Any]) -> None:
    compare(function, PICTURES, rtol=1e-5, atol=1e-4)


def test_compositing() -> None:
    compare(over, PICTURES, 1 - PICTURES, WEIGHTS)
    compare(premultiply, PICTURES, WEIGHTS)
    compare(unpremultiply, PICTURES, WEIGHTS)


def test_statistics() -> None:
    for part in ("mean", "covariance", "deviation"):
        compare(lambda picture, weight, part=part: getattr(color_statistics(picture, weight), part), PICTURES, WEIGHTS)
    compare(has_both_sides, WEIGHTS)
    source, target = (np.float64(np.eye(3) + np.outer(row, row)) for row in ([1.0, 2, 3], [3.0, 1, 1]))
    compare(monge_kantorovich, source[None], target[None])
