"""Temporal stability: metrics on pairs of consecutive frames.

Values of `tl` and `rtl` depend on the flow source, so its name belongs beside every figure. `tl` rewards doing little:
read it beside fMSE and the composite's own value. Most of it is texture, noise and occlusion that flow cannot explain;
on ordinary footage the real clip itself scores several hundred. The literature's 2 to 18 come from HYouTube's own
pairs, whose second composites were warped from the first, and cannot be compared.
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
"""Metrics returned by `score_pairs`; keys of `chromacord.lab.metrics.protocols.METRICS`."""


class FlowSource(Protocol):
    """An optical flow estimator."""

    name: str
    """Name in tables."""

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the displacement of each pixel from the first frames to the second, in pixels.

        Args:
            first, second: RGB in [0, 1]. Shape (N, 3, H, W).

        Returns:
            Channels (x right, y down). Shape (N, 2, H, W).
        """


FLOW_SOURCES: Mapping[str, type[FlowSource]] = {"dis": DISFlow, SHIPPED: SPyNetFlow}
"""Flow sources by their option value."""


def estimate_flow(real: Tensor, source: FlowSource) -> Tensor:
    """Estimate the flow from frame t+1 to frame t; one estimate per clip serves all methods.

    Args:
        real: RGB in [0, 1]. Real frames keep methods' colours from influencing the flow. Shape (T, 3, H, W).
        source: estimates the flow.

    Returns:
        Pixels, channels (x right, y down). Shape (T-1, 2, H, W).
    """
    return source(real[1:], real[:-1])


def score_pairs(harmonized: Tensor, real: Tensor, mask: Tensor, *, flow: Tensor) -> dict[str, Tensor]:
    """Score each pair of consecutive frames.

    Args:
        harmonized: full pictures, as returned by `chromacord.lab.metrics.protocols.lay_over`. Shape (T, 3, H, W).
        real: RGB in [0, 1]. Shape (T, 3, H, W).
        mask: foreground weight in [0, 1]. Shape (T, 1, H, W).
        flow: as returned by `estimate_flow`. Shape (T-1, 2, H, W).

    Returns:
        A float64 tensor of shape (T-1,) for each of TEMPORAL_METRICS, NaN for pairs without foreground.

    Raises:
        MismatchError: the shapes do not match.
        NonFiniteError: `harmonized` holds NaN or infinity.
    """
    check_clip(harmonized, real, mask)
    values = [(_temporal_loss(pair), _residual_temporal_loss(pair)) for pair in _pairs(harmonized, real, mask, flow)]
    losses, residual_losses = torch.tensor(values, dtype=torch.float64).reshape(-1, 2).unbind(1)
    return {"tl": losses, "rtl": residual_losses, "flicker": flicker(harmonized, real, mask)}


def temporal_loss(harmonized: Tensor, real: Tensor, mask: Tensor, *, flow: Tensor) -> Tensor:
    """Return TL, the warping error of HYouTube's evaluation (Lu et al. 2022), which estimates flow with FlowNet2.

    With W(x) the frame t warped to frame t+1, and weight w = W(mask_t) mean_c exp(-|W(real_t) - real_{t+1}|): TL =
    255^2 sum_{c,p} (w W(harmonized_t) - w harmonized_{t+1})^2 / sum_p w. As in the original, the weight is squared in
    the numerator but not in the denominator, and the sum over three channels is not divided by three.

    Args:
        harmonized, real: RGB in [0, 1]. Shape (T, 3, H, W).
        mask: foreground weight in [0, 1]. Shape (T, 1, H, W).
        flow: from frame t+1 to frame t, of the real frames. Shape (T-1, 2, H, W).

    Returns:
        Squared 8-bit levels of the pairs (t, t+1), float64; NaN if frame t has no foreground. Shape (T-1,).
    """
    losses = [_temporal_loss(pair) for pair in _pairs(harmonized, real, mask, flow)]
    return torch.tensor(losses, dtype=torch.float64)


def residual_temporal_loss(harmonized: Tensor, real: Tensor, mask: Tensor, *, flow: Tensor) -> Tensor:
    """Return rTL: how much the residual, harmonized minus real, changes along the motion.

    Texture misplaced by wrong flow is in both pictures and cancels in the residual, unlike in TL. A perfect result
    scores 0, as does a constant colour offset.

    rTL = 255^2 mean over p and c of (W(residual_t) - residual_{t+1})^2, over the foreground common to both frames:
    weight W(mask_t) mask_{t+1}, where the flow stays inside the frame.

    Args:
        harmonized, real: RGB in [0, 1]. Shape (T, 3, H, W).
        mask: foreground weight in [0, 1]. Shape (T, 1, H, W).
        flow: from frame t+1 to frame t, of the real frames. Shape (T-1, 2, H, W).

    Returns:
        Squared 8-bit levels of the pairs (t, t+1), float64; NaN if the common foreground is below one pixel. Shape
        (T-1,).
    """
    losses = [_residual_temporal_loss(pair) for pair in _pairs(harmonized, real, mask, flow)]
    return torch.tensor(losses, dtype=torch.float64)


def flicker(harmonized: Tensor, real: Tensor, mask: Tensor) -> Tensor:
    """Return how much the foreground's mean colour jumps between frames, beyond the real clip's own jumps.

    It is the RMS over channels of the change, from t to t+1, of mean harmonized minus mean real colour. It needs no
    flow. A constant offset scores 0; one that alternates between +d and -d scores 2 d.

    Args:
        harmonized, real: RGB in [0, 1]. Shape (T, 3, H, W).
        mask: foreground weight in [0, 1]. Shape (T, 1, H, W).

    Returns:
        8-bit levels of the pairs (t, t+1), float64; NaN if either frame's foreground is below one pixel. Shape (T-1,).
    """
    offsets = [
        ((result - truth) * weight).sum(dim=(1, 2), dtype=torch.float64) / weight.sum(dtype=torch.float64)
        for result, truth, weight in zip(harmonized, real, mask, strict=True)
    ]
    has_foreground = mask.sum(dim=(1, 2, 3)) >= 1
    offset = torch.stack(offsets).where(has_foreground[:, None], math.nan)
    return 255 * offset.diff(dim=0).square().mean(dim=1).sqrt()


class _Pair(NamedTuple):
    """Frame t warped to frame t+1, and frame t+1. Shape (C, H, W) each."""

    harmonized_before: Tensor
    real_before: Tensor
    mask_before: Tensor
    is_inside: Tensor
    harmonized: Tensor
    real: Tensor
    mask: Tensor


def _pairs(harmonized: Tensor, real: Tensor, mask: Tensor, flow: Tensor) -> Iterator[_Pair]:
    """Warp pair by pair: a whole clip would exceed the CPU caches and take three times as long."""
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
    # The squares are summed over three channels; so is the weight, and a pixel's is 3.
    return _ratio(weight * change.square(), 3 * weight, least=3)


def _ratio(squared: Tensor, weight: Tensor, *, least: float) -> float:
    """Divide the sums, scaled to 8-bit levels; NaN if the weight is 0 or below `least`."""
    total = float(weight.sum(dtype=torch.float64))
    if total == 0 or total < least:
        return math.nan
    return 255**2 * float(squared.sum(dtype=torch.float64)) / total
