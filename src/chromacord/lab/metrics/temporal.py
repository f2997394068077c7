"""Temporal stability: metrics on pairs of consecutive frames.

Absolute values of `tl` and `rtl` hold for one source of flow only: its name belongs beside every figure. `tl` rewards
doing little, so it is to be read beside fMSE and beside the composite's own. Most of it is texture, noise and occlusion
that no flow explains: on ordinary footage the real clip itself has some hundreds. The literature's 2 to 18 are of
HYouTube's own pairs, whose second composites were carried over from the first by flow, and cannot be compared.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from chromacord.lab.flow.dis import DISFlow
from chromacord.lab.flow.spynet import SHIPPED, SPyNetFlow
from chromacord.lab.flow.warp import warp
from chromacord.lab.metrics.protocols import check_clip

TEMPORAL_METRICS = ("tl", "rtl", "flicker")
"""Keys of `chromacord.lab.metrics.protocols.METRICS` that `score_pairs` gives."""


class FlowSource(Protocol):
    """Something that estimates optical flow."""

    name: str
    """What tables call it."""

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Return where each pixel of the first frames lies in the second, in pixels.

        Args:
            first, second: RGB in [0, 1]. Shape (N, 3, H, W).

        Returns:
            Channels (x right, y down). Shape (N, 2, H, W).
        """


FLOW_SOURCES: Mapping[str, type[FlowSource]] = {"dis": DISFlow, SHIPPED: SPyNetFlow}
"""The sources of flow by the name that a user gives."""


def estimate_flow(real: Tensor, source: FlowSource) -> Tensor:
    """Return where each pixel of frame t+1 lies in frame t; once for a clip, it serves every method.

    Args:
        real: RGB in [0, 1]: the real frames, so that no method's colours enter. Shape (T, 3, H, W).
        source: estimates the flow.

    Returns:
        Pixels, channels (x right, y down). Shape (T-1, 2, H, W).
    """
    return source(real[1:], real[:-1])


def score_pairs(harmonized: Tensor, real: Tensor, mask: Tensor, *, flow: Tensor) -> dict[str, Tensor]:
    """Return each temporal figure of each pair of consecutive frames.

    Args:
        harmonized: whole pictures, as `chromacord.lab.metrics.protocols.lay_over` makes them. Shape (T, 3, H, W).
        real: RGB in [0, 1]. Shape (T, 3, H, W).
        mask: foreground weight in [0, 1]. Shape (T, 1, H, W).
        flow: as from `estimate_flow`. Shape (T-1, 2, H, W).

    Returns:
        For each of TEMPORAL_METRICS float64 values of shape (T-1,), NaN where a pair has no foreground.

    Raises:
        MismatchError: the tensors do not belong together.
        NonFiniteError: `harmonized` holds NaN or infinity.
    """
    check_clip(harmonized, real, mask)
    values = [(_temporal_loss(pair), _residual_temporal_loss(pair)) for pair in _pairs(harmonized, real, mask, flow)]
    losses, residual_losses = torch.tensor(values, dtype=torch.float64).reshape(-1, 2).unbind(1)
    return {"tl": losses, "rtl": residual_losses, "flicker": flicker(harmonized, real, mask)}


def temporal_loss(harmonized: Tensor, real: Tensor, mask: Tensor, *, flow: Tensor) -> Tensor:
    """Return TL, the warping error of HYouTube's evaluation (Lu et al. 2022), which uses FlowNet2 for its flow.

    With W(x) the frame t seen from frame t+1, and weight w = W(mask_t) mean_c exp(-|W(real_t) - real_{t+1}|):
    TL = 255^2 sum_{c,p} (w W(harmonized_t) - w harmonized_{t+1})^2 / sum_p w. As in the original, the weight enters
    squared above and once below, and the sum over three channels is not divided by three.

    Args:
        harmonized, real: RGB in [0, 1]. Shape (T, 3, H, W).
        mask: foreground weight in [0, 1]. Shape (T, 1, H, W).
        flow: from frame t+1 to frame t, of the real frames. Shape (T-1, 2, H, W).

    Returns:
        Squared 8-bit levels, for the pairs (t, t+1) in float64. Shape (T-1,). NaN where frame t has no foreground.
    """
    losses = [_temporal_loss(pair) for pair in _pairs(harmonized, real, mask, flow)]
    return torch.tensor(losses, dtype=torch.float64)


def residual_temporal_loss(harmonized: Tensor, real: Tensor, mask: Tensor, *, flow: Tensor) -> Tensor:
    """Return rTL: how much the residual, harmonized minus real, changes along the motion.

    Texture that a wrong flow misplaces stands in both pictures and cancels in the residual, unlike in TL. A perfect
    result has 0, and so has one that is off by a constant colour.

    rTL = 255^2 mean over p and c of (W(residual_t) - residual_{t+1})^2, over the foreground that both frames have in
    common: weight W(mask_t) mask_{t+1}, where the flow stays inside the frame.

    Args:
        harmonized, real: RGB in [0, 1]. Shape (T, 3, H, W).
        mask: foreground weight in [0, 1]. Shape (T, 1, H, W).
        flow: from frame t+1 to frame t, of the real frames. Shape (T-1, 2, H, W).

    Returns:
        Squared 8-bit levels, for the pairs (t, t+1) in float64. Shape (T-1,). NaN where the common foreground is
        below one pixel.
    """
    losses = [_residual_temporal_loss(pair) for pair in _pairs(harmonized, real, mask, flow)]
    return torch.tensor(losses, dtype=torch.float64)


def flicker(harmonized: Tensor, real: Tensor, mask: Tensor) -> Tensor:
    """Return how far the foreground's mean colour jumps from frame to frame, beyond what the real clip's does.

    The root of the mean square over the channels of the change, from t to t+1, of mean harmonized minus mean real
    colour. It needs no flow. A constant offset has 0; one that alternates between +d and -d has 2 d.

    Args:
        harmonized, real: RGB in [0, 1]. Shape (T, 3, H, W).
        mask: foreground weight in [0, 1]. Shape (T, 1, H, W).

    Returns:
        8-bit levels, for the pairs (t, t+1) in float64. Shape (T-1,). NaN where either frame's foreground is below
        one pixel.
    """
    offsets = [
        ((result - truth) * weight).sum(dim=(1, 2), dtype=torch.float64) / weight.sum(dtype=torch.float64)
        for result, truth, weight in zip(harmonized, real, mask, strict=True)
    ]
    has_foreground = mask.sum(dim=(1, 2, 3)) >= 1
    offset = torch.stack(offsets).where(has_foreground[:, None], math.nan)
    return 255 * offset.diff(dim=0).square().mean(dim=1).sqrt()


class _Pair(NamedTuple):
    """Frame t seen from frame t+1, and frame t+1. Shape (C, H, W) each."""

    harmonized_before: Tensor
    real_before: Tensor
    mask_before: Tensor
    is_inside: Tensor
    harmonized: Tensor
    real: Tensor
    mask: Tensor


def _pairs(harmonized: Tensor, real: Tensor, mask: Tensor, flow: Tensor) -> Iterator[_Pair]:
    """Warp pair by pair: a clip at once would leave the processor's caches, and take thrice the time."""
    clip = torch.cat([harmonized, real, mask], dim=1)
    for before, now, motion in zip(clip[:-1], clip[1:], flow, strict=True):
        warped, inside = warp(before[None], motion[None], padding="border")
        yield _Pair(warped[0, :3], warped[0, 3:6], warped[0, 6:], inside[0], now[:3], now[3:6], now[6:])


def _temporal_loss(pair: _Pair) -> float:
    weight = pair.mask_before * torch.exp(-(pair.real_before - pair.real).abs()).mean(dim=0, keepdim=True)
    squared = (weight * (pair.harmonized_before - pair.harmonized)).square()
    return _ratio(squared, weight, least=0)


def _residual_temporal_loss(pair: _Pair) -> float:
    weight = pair.mask_before * pair.mask * pair.is_inside
    change = (pair.harmonized_before - pair.real_before) - (pair.harmonized - pair.real)
    return _ratio(weight * change.square(), 3 * weight, least=3)


def _ratio(squared: Tensor, weight: Tensor, *, least: float) -> float:
    """Divide the sums, on the scale of 0 to 255; NaN where the weight is 0 or below `least`."""
    total = float(weight.sum(dtype=torch.float64))
    if total == 0 or total < least:
        return math.nan
    return 255**2 * float(squared.sum(dtype=torch.float64)) / total
