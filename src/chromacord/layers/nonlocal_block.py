"""Non-local blocks whose outputs are computed in the foreground, each from a small window around it.

Liu et al., "Non-local Recurrent Network for Image Restoration", NeurIPS 2018, as Chen et al. 2024 (section 3.2, figure
2b) use it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.layers.pictures import resized_mask


def neighbourhood_attention(query: Tensor, key: Tensor, value: Tensor, *, side: int, dilation: int = 1) -> Tensor:
    """Attend from each place to a window around it.

    A window of even side reaches one place further to the right and down, as TensorFlow's "same" patches do. Places
    outside the picture take no part in the softmax. The window's places are gone through one by one: what is held is
    H W logits for each of them, never H W windows of channels.

    Args:
        query, key: Shape (N, L, H, W).
        value: Shape (N, C, H, W).
        side: of the window, in places.
        dilation: steps from one place of the window to the next.

    Returns:
        Means of values, weighed by the softmax of dot products, which are not scaled. Shape (N, C, H, W).
    """
    height, width = query.shape[-2:]
    before, after = dilation * ((side - 1) // 2), dilation * (side // 2)
    margins = (before, after, before, after)
    key, value = F.pad(key, margins), F.pad(value, margins)
    places = [
        (row, column) for row in range(0, dilation * side, dilation) for column in range(0, dilation * side, dilation)
    ]
    windows = [(..., slice(row, row + height), slice(column, column + width)) for row, column in places]
    logits = torch.stack([(query * key[window]).sum(dim=1, dtype=torch.float32) for window in windows], dim=1)
    inside = F.pad(query.new_ones(1, height, width), margins)
    is_inside = torch.stack([inside[window] for window in windows], dim=1) > 0
    shares = logits.masked_fill(~is_inside, -torch.inf).softmax(dim=1).to(value.dtype)
    mean = torch.zeros_like(value[windows[0]])
    for number, window in enumerate(windows):
        mean = mean + shares[:, number, None] * value[window]
    return mean


def global_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend from each place to all places; `neighbourhood_attention` with a window of the whole picture.

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
    """Adds to each place of the foreground what similar places of its window hold; starts as the identity.

    y = x + m z, z(p) = sum over r in the window of p of softmax_r(theta(x_p) . phi(x_r)) g(x_r); theta, phi and g are
    1 x 1 convolutions, g from zero. Keys and values are those of the background too, which is what informs the
    foreground.

    Args:
        width: channels m; theta and phi have half as many, l.
        window: side q of the window, odd or even; None: the whole picture, whose cost grows with its square.
        dilation: steps from one place of the window to the next.
        threshold: where the mask is cut into yes and no; None: it counts as it is.
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
        """Make the block the identity."""
        nn.init.zeros_(self.g.weight)
        nn.init.zeros_(self.g.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Add to the foreground.

        Args:
            features: Shape (N, width, h, w).
            mask: foreground weight. Shape (N, 1, H, W).
        """
        weight = resized_mask(mask, features)
        if self.threshold is not None:
            weight = (weight > self.threshold).to(weight.dtype)
        query, key, value = self.theta(features), self.phi(features), self.g(features)
        if self.window is None:
            attended = global_attention(query, key, value)
        else:
            attended = neighbourhood_attention(query, key, value, side=self.window, dilation=self.dilation)
        return features + weight * attended
