"""Depthwise convolutions against torch's own: values and all gradients, in both precisions."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from chromacord.lab.networks.depthwise import depthwise

CHANNELS = 6


def gradients(
    parts: tuple[Tensor, ...], stride: int, border: int, *, is_ours: bool, dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    """The result, and the gradients of input, weight and bias for a fixed random gradient of the result."""
    input, weight, bias = parts
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
        if is_ours:
            result = depthwise(input, weight, bias, stride=stride, border=border)
        else:
            result = F.conv2d(input, weight, bias, stride, border, groups=CHANNELS)
    outer = torch.randn(result.shape, generator=torch.Generator().manual_seed(1)).to(result.dtype)
    return [result, *torch.autograd.grad(result, parts, outer)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("taps", "stride", "border", "height", "width"),
    [
        (3, 1, 1, 8, 8),
        (5, 1, 2, 9, 4),
        (7, 1, 3, 10, 8),
        (3, 2, 0, 9, 17),
        (5, 2, 0, 19, 11),
        (5, 2, 0, 20, 12),
        (5, 2, 2, 8, 7),
    ],
)
def test_values_and_gradients_are_those_of_torch(
    taps: int, stride: int, border: int, height: int, width: int, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = (2, CHANNELS, height, width), (CHANNELS, 1, taps, taps), (CHANNELS,)
    parts = tuple(torch.randn(shape, generator=generator).requires_grad_() for shape in shapes)
    ours = gradients(parts, stride, border, is_ours=True, dtype=dtype)
    for found, wanted in zip(ours, gradients(parts, stride, border, is_ours=False), strict=True):
        error = (found.float() - wanted).norm() / wanted.norm()
        assert error < (1e-6 if dtype is torch.float32 else 1e-2)


def test_a_part_that_is_frozen_gets_no_gradient() -> None:
    input, weight, bias = torch.randn(1, 2, 4, 4), torch.randn(2, 1, 3, 3, requires_grad=True), torch.zeros(2)
    depthwise(input, weight, bias, stride=1, border=1).sum().backward()
    assert weight.grad is not None
    assert input.grad is None
    assert bias.grad is None
