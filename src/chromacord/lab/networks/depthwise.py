"""Depthwise convolutions whose gradients cost about as much as the convolutions themselves on a CPU.

torch has fast kernels for the weights' gradient only for 3 x 3 taps, and in bfloat16 none for the input's gradient of
strided convolutions. Its fallback loops take ten to a hundred times as long as the convolution.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def depthwise(input: Tensor, weight: Tensor, bias: Tensor | None, *, stride: int, border: int) -> Tensor:
    """Convolve each channel by itself, with zeros beyond the border. Equals `torch.nn.functional.conv2d`.

    Args:
        input: features. Shape (N, C, H, W).
        weight: taps. Shape (C, 1, K, K).
        bias: shape (C,).
        stride: input pixels per output pixel and side.
        border: width of the border of zeros.
    """
    result: Tensor = _Depthwise.apply(input, weight, bias, stride, border)  # type: ignore[no-untyped-call]
    return result


class _Depthwise(torch.autograd.Function):
    """`depthwise` with its gradients."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, stride: int, border: int) -> Tensor:
        """Apply the convolution. Shapes (N, C, H, W), (C, 1, K, K) and (C,)."""
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            input, weight, bias = input.to(kind), weight.to(kind), None if bias is None else bias.to(kind)
        ctx.save_for_backward(input, weight)
        ctx.stride, ctx.border = stride, border
        return F.conv2d(input, weight, bias, stride, border, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of input, weight and bias."""
        input, weight = ctx.saved_tensors
        # The kernels for channels-last pictures are several times as fast as the others.
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        of_input = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_input = _input_gradient(gradient, weight, ctx.stride, ctx.border, input.shape[2:])
        if ctx.needs_input_grad[1]:
            of_weight = _weight_gradient(gradient, input, weight, ctx.stride, ctx.border)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum(dim=(0, 2, 3), dtype=torch.float32)
        return of_input, of_weight, of_bias, None, None


def _input_gradient(gradient: Tensor, weight: Tensor, stride: int, border: int, size: torch.Size) -> Tensor:
    """Return the input's gradient: a convolution with the taps in reverse order. Shape (N, C, H, W)."""
    reach = weight.shape[-1] - 1 - border
    height, width = (side + 2 * border - weight.shape[-1] + 1 for side in size)
    if stride > 1:
        spread = gradient.new_zeros(*gradient.shape[:2], height, width).contiguous(memory_format=torch.channels_last)
        spread[..., ::stride, ::stride] = gradient
        gradient = spread
    return F.conv2d(gradient, weight.flip(2, 3), None, 1, reach, groups=len(weight))


def _weight_gradient(gradient: Tensor, input: Tensor, weight: Tensor, stride: int, border: int) -> Tensor:
    """Return the weights' gradient, of 3 x 3 taps at a time. Shape (C, 1, K, K)."""
    count, taps = len(weight), weight.shape[-1]
    blocks = -(-taps // 3)
    # The last block may extend beyond the taps; those results are dropped.
    beyond = border + 3 * blocks - taps
    input = F.pad(input, (border, beyond, border, beyond)).contiguous(memory_format=torch.channels_last)
    height, width = (stride * (side - 1) + 3 for side in gradient.shape[2:])
    found = weight.new_empty(count, 1, 3 * blocks, 3 * blocks, dtype=torch.float32)
    none = weight.new_empty(count, 1, 3, 3)
    for row in range(0, 3 * blocks, 3):
        for column in range(0, 3 * blocks, 3):
            part = input[..., row : row + height, column : column + width]
            found[..., row : row + 3, column : column + 3] = torch.ops.aten.convolution_backward(
                gradient, part, none, [0], [stride] * 2, [0, 0], [1, 1], False, [0, 0], count, [False, True, False]
            )[1]
    return found[..., :taps, :taps]
