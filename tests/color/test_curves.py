"""Transfer curves against OpenColorIO, tables of the standards, and finite differences."""

from collections.abc import Callable

import numpy as np
import PyOpenColorIO as ocio
import pytest
import torch
from torch import Tensor

from chromacord.color import curves

Curve = Callable[[Tensor], Tensor]

EVERY: tuple[Curve, ...] = (curves.srgb_to_linear, curves.linear_to_srgb, curves.bt709_to_linear)


@pytest.mark.parametrize("top", [1.0, 4.0])
def test_decoding_undoes_encoding_above_white_too(top: float) -> None:
    linear = torch.linspace(-top, top, 4001, dtype=torch.float64)
    torch.testing.assert_close(curves.srgb_to_linear(curves.linear_to_srgb(linear)), linear, atol=1e-9, rtol=0)


@pytest.mark.parametrize("curve", EVERY)
def test_curves_are_mirrored_at_the_origin(curve: Curve) -> None:
    values = torch.linspace(0.001, 1, 500, dtype=torch.float64)
    torch.testing.assert_close(curve(-values), -curve(values), atol=0, rtol=0)


@pytest.mark.parametrize("curve", EVERY)
def test_slopes_are_finite_everywhere(curve: Curve) -> None:
    knees = [0.0, -0.0, 1e-30, 1e-8, 0.0031308, 0.04045, 0.018053968, 0.081, 1 / 12, 0.5, 1.0, 1.5, 3.0, -0.3]
    values = torch.tensor(knees, requires_grad=True)
    curve(values).sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad.isfinite().all()


@pytest.mark.parametrize("curve", EVERY)
def test_gradients_agree_with_finite_differences(curve: Curve) -> None:
    values = torch.linspace(0.03, 0.97, 20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(curve, (values,), eps=1e-7, atol=1e-3)


@pytest.mark.parametrize("curve", EVERY)
def test_the_slope_at_black_is_that_of_the_straight_piece(curve: Curve) -> None:
    zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    curve(zero).sum().backward()  # type: ignore[no-untyped-call]
    step = torch.full((1,), 1e-6, dtype=torch.float64)
    assert zero.grad is not None
    torch.testing.assert_close(zero.grad, curve(step) / 1e-6)


@pytest.mark.parametrize("curve", EVERY)
def test_type_and_shape_follow_the_input(curve: Curve) -> None:
    assert curve(torch.rand(2, 3, 4, 5)).shape == (2, 3, 4, 5)
    assert curve(torch.rand(3)).dtype == torch.float32


def test_srgb_agrees_with_opencolorio() -> None:
    transform = ocio.ExponentWithLinearTransform(gamma=[2.4, 2.4, 2.4, 1.0], offset=[0.055, 0.055, 0.055, 0.0])
    processor = ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor()
    codes = np.repeat(np.linspace(0, 1, 257, dtype=np.float32)[:, None], 3, axis=1)
    expected = codes.copy()
    processor.applyRGB(expected)
    np.testing.assert_allclose(
        curves.srgb_to_linear(torch.from_numpy(codes)).numpy(), expected, atol=5e-5
    )  # OpenColorIO rounds the knee's place


@pytest.mark.parametrize(
    ("curve", "value", "expected"),
    [
        (curves.srgb_to_linear, 0.5, 0.21404114),  # IEC 61966-2-1, by hand
        (curves.bt709_to_linear, 0.40884811, 0.18),  # 1.0992968 * 0.18 ** 0.45 - 0.0992968
    ],
)
def test_values_are_those_of_the_standards(curve: Curve, value: float, expected: float) -> None:
    result = curve(torch.tensor(value, dtype=torch.float64))
    torch.testing.assert_close(result, torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)


def test_bt709_has_no_step_at_its_knee() -> None:
    knee = 4.5 * 0.018053968510807
    low, high = curves.bt709_to_linear(torch.tensor([knee - 1e-12, knee + 1e-12], dtype=torch.float64))
    assert (high - low).abs() < 1e-10
