"""Non-local blocks computed in the foreground, each output from a small window around it.

Liu et al., "Non-local Recurrent Network for Image Restoration", NeurIPS 2018, as used by Chen et al. 2024 (section 3.2,
figure 2b).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from chromacord.errors import InputError
from chromacord.lab.layers.pictures import Box, resized_mask


def neighbourhood_attention(query: Tensor, key: Tensor, value: Tensor, *, side: int, dilation: int = 1) -> Tensor:
    """Attend from each position to a window around it.

    A window of even side extends one position further to the right and down, like TensorFlow's "same" patches.
    Positions outside the picture are excluded from the softmax. The window is processed one offset and one picture at a
    time: memory holds H W logits per offset, never H W windows of channels, and gradients accumulate in place. Computed
    in float32 or float64.

    Args:
        query, key: Shape (N, L, H, W).
        value: Shape (N, C, H, W).
        side: side of the window, in positions.
        dilation: step between positions of the window.

    Returns:
        Means of values, weighted by the softmax of unscaled dot products. Shape (N, C, H, W).
    """
    attended: Tensor = _NeighbourhoodAttention.apply(query, key, value, side, dilation)  # type: ignore[no-untyped-call]
    return attended


class _NeighbourhoodAttention(torch.autograd.Function):
    """`neighbourhood_attention` with explicit gradients: autograd's take six times as long."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, side: int, dilation: int
    ) -> Tensor:
        windows = _Windows(query.shape[-2], query.shape[-1], side, dilation)
        attended = torch.empty_like(value, memory_format=torch.contiguous_format)
        shares = query.new_empty(len(query), side**2, *query.shape[-2:], dtype=_wide(query))
        outside = windows.outside(query.device)
        for number in range(len(query)):
            one, keys, values = _widened(query[number]), windows.padded(key[number]), windows.padded(value[number])
            for place, window in enumerate(windows.slices):
                torch.sum(one * keys[window], dim=0, out=shares[number, place])
            # Exclude padding: its zeros have logit 0 rather than no weight, and would dilute windows at the edge.
            shares[number] = shares[number].masked_fill_(outside, -torch.inf).softmax(dim=0)
            mean = torch.zeros_like(_widened(value[number]))
            for place, window in enumerate(windows.slices):
                mean.addcmul_(shares[number, place], values[window])
            attended[number] = mean
        ctx.save_for_backward(query, key, value, shares)
        ctx.windows = windows
        return attended

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        query, key, value, shares = ctx.saved_tensors
        windows: _Windows = ctx.windows
        found = [torch.empty_like(each, memory_format=torch.contiguous_format) for each in (query, key, value)]
        for number in range(len(query)):
            one, keys, values = _widened(query[number]), windows.padded(key[number]), windows.padded(value[number])
            share, slope = shares[number], _widened(gradient[number])
            to_query, to_keys, to_values = torch.zeros_like(one), torch.zeros_like(keys), torch.zeros_like(values)
            to_shares = torch.empty_like(share)
            for place, window in enumerate(windows.slices):
                torch.sum(slope * values[window], dim=0, out=to_shares[place])
                to_values[window].addcmul_(share[place], slope)
            # Gradient of the softmax: diag(s) - s s^T, applied without forming the matrix.
            to_logits = share * (to_shares - (share * to_shares).sum(dim=0))
            for place, window in enumerate(windows.slices):
                to_query.addcmul_(to_logits[place], keys[window])
                to_keys[window].addcmul_(to_logits[place], one)
            for whole, part in zip(found, (to_query, to_keys[windows.inner], to_values[windows.inner]), strict=True):
                whole[number] = part
        return (*found, None, None)


class _Windows:
    """Positions of all windows in a padded picture."""

    def __init__(self, height: int, width: int, side: int, dilation: int) -> None:
        before, after = dilation * ((side - 1) // 2), dilation * (side // 2)
        self._size, self._margins = (height, width), (before, after, before, after)
        steps = range(0, dilation * side, dilation)
        self.slices = [self._slice(row, column) for row in steps for column in steps]
        self.inner = self._slice(before, before)

    def padded(self, features: Tensor) -> Tensor:
        return F.pad(_widened(features), self._margins)

    def outside(self, device: torch.device) -> Tensor:
        """Return which positions of each window lie outside the picture. Shape (places, H, W)."""
        inside = F.pad(torch.ones(1, *self._size, dtype=torch.bool, device=device), self._margins)
        return ~torch.cat([inside[window] for window in self.slices])

    def _slice(self, row: int, column: int) -> tuple[slice, slice, slice]:
        height, width = self._size
        return slice(None), slice(row, row + height), slice(column, column + width)


def _wide(features: Tensor) -> torch.dtype:
    return torch.promote_types(features.dtype, torch.float32)


def _widened(features: Tensor) -> Tensor:
    """Return one picture's features in float32 or wider, contiguous by channel. Shape (C, H, W)."""
    return features.to(_wide(features)).contiguous()


def global_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend from each position to all positions, like `neighbourhood_attention` with a window of the whole picture.

    Args:
        query, key: Shape (N, L, H, W).
        value: Shape (N, C, H, W).

    Returns:
        Shape (N, C, H, W).
    """
    queries, keys, values = (each.flatten(2).mT[:, None] for each in (query, key, value))
    attended = F.scaled_dot_product_attention(queries, keys, values, scale=1.0)[:, 0]
    return attended.mT.reshape(value.shape)


class NonLocal(nn.Module):
    """Adds to each foreground position a weighted mean over similar positions of its window; starts as the identity.

    y = x + m z, z(p) = sum over r in the window of p of softmax_r(theta(x_p) . phi(x_r)) g(x_r); theta, phi and g are 1
    x 1 convolutions, g starts at zero. Keys and values include the background, which is what informs the foreground.

    Args:
        width: number of channels, m; theta and phi have half as many, l.
        window: side of the window, q, odd or even; None: the whole picture, at quadratic cost.
        dilation: step between positions of the window.
        threshold: value at which the mask is binarized; None: use the soft mask.
    """

    def __init__(
        self, width: int, *, window: int | None = 4, dilation: int = 1, threshold: float | None = None
    ) -> None:
        super().__init__()
        if window is not None and window < 1:
            raise InputError(f"the window of a non-local block must be 1 place wide or more, got {window}")
        if dilation < 1:
            raise InputError(f"the dilation of a non-local block must be 1 or more, got {dilation}")
        self.window, self.dilation, self.threshold = window, dilation, threshold
        self.theta, self.phi = nn.Conv2d(width, width // 2, 1), nn.Conv2d(width, width // 2, 1)
        self.g = nn.Conv2d(width, width, 1)
        self.start()

    def start(self) -> None:
        """Initialize the block as the identity."""
        nn.init.zeros_(self.g.weight)
        nn.init.zeros_(self.g.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Apply the block to the foreground.

        Args:
            features: Shape (N, width, h, w).
            mask: foreground weight. Shape (N, 1, H, W).
        """
        weight = resized_mask(mask, features)
        if self.threshold is not None:
            weight = (weight > self.threshold).to(weight.dtype)
        if self.window is None:
            return features + weight * global_attention(*self._embedded(features))
        # Windows that the box's edges cut off belong to positions of weight 0.
        box = self._needed(weight)
        near = box.cut(features)
        attended = neighbourhood_attention(*self._embedded(near), side=self.window, dilation=self.dilation)
        return box.pasted(near + box.cut(weight) * attended, features)

    def _embedded(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return query, key and value. Shape (N, width, h, w)."""
        return self.theta(features), self.phi(features), self.g(features)

    def _needed(self, weight: Tensor) -> Box:
        """Return the box of the foreground and its windows. Shape (N, 1, h, w)."""
        assert self.window is not None
        return Box.around(weight, self.dilation * ((self.window - 1) // 2), self.dilation * (self.window // 2))
