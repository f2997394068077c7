"""Histogram matching per channel.

Gonzalez and Woods, "Digital Image Processing", section "Histogram matching (specification)". The target is the
composite's own background, as in image harmonization.

Difference from the textbook: each channel's curve has 17 nodes, fitted to the matched quantiles by least squares, so
that it is smooth and fits in a grade. Levels missing from the foreground are shifted like their neighbours.
"""

import numpy as np

from chromacord.color.statistics import has_both_sides
from chromacord.color.transforms import Lut3d
from chromacord.errors import InputError
from chromacord.methods.base import TransformMethod
from chromacord.types import FloatArray

_NODES = 17
_QUANTILES = 512

# Smoothness between neighbouring nodes of the residual curve, relative to a data term of total weight 1.
_SMOOTHNESS = 1e-3


def quantiles(image: FloatArray, weight: FloatArray, *, number: int) -> FloatArray:
    """Return evenly spaced quantiles of each channel, with pixels counted by weight.

    Args:
        image: Shape (N, C, H, W).
        weight: not negative, not all 0. Shape (N, 1, H, W).
        number: number of quantiles, Q; their probabilities are (0.5, 1.5, ...) / Q.

    Returns:
        Ascending values. Shape (N, C, Q).
    """
    flat = image.reshape(*image.shape[:2], -1)
    order = flat.argsort(axis=-1, kind="stable")
    values = np.take_along_axis(flat, order, axis=-1)
    share = np.take_along_axis(np.broadcast_to(weight.reshape(len(weight), 1, -1), flat.shape), order, axis=-1)
    # float64: sums of a million small weights lose their last digits in float32, and the last one must reach 1.
    share = share.astype(np.float64).cumsum(axis=-1)
    share = share / share[..., -1:].clip(1e-6)
    levels = (np.arange(number) + 0.5) / number
    places = np.stack([[np.searchsorted(channel, levels) for channel in frame] for frame in share])
    chosen: FloatArray = np.take_along_axis(values, places.clip(max=flat.shape[-1] - 1), axis=-1)
    return chosen


def fit_curve(source: FloatArray, target: FloatArray, *, nodes: int, max_gain: float) -> FloatArray:
    """Fit a monotonic, piecewise linear curve to pairs of values by least squares.

    Args:
        source: in [0, 1]. Shape (N, C, Q).
        target: wanted values at `source`. Shape (N, C, Q).
        nodes: number of nodes, evenly spaced over [0, 1].
        max_gain: maximum slope. Where it binds, the mean of the target is still met.

    Returns:
        Values of the curve at its nodes. Shape (N, C, nodes).
    """
    line = np.linspace(0, 1, nodes)
    source, target = source.astype(np.float64), target.astype(np.float64)
    hats = (1 - np.abs(source[..., None] - line) * (nodes - 1)).clip(0)  # (N, C, Q, nodes)
    steps = np.diff(np.eye(nodes), axis=0)
    prior = _SMOOTHNESS * steps.T @ steps
    number = source.shape[-1]
    right = hats.mT @ (target - source)[..., None] / number
    residual = np.linalg.solve(hats.mT @ hats / number + prior, right)[..., 0]
    # Limiting the rises makes the curve monotonic and its slope at most `max_gain`.
    rises = np.diff(line + residual, axis=-1).clip(0, max_gain / (nodes - 1))
    curve = np.concatenate([np.zeros((*rises.shape[:-1], 1)), rises.cumsum(axis=-1)], axis=-1)
    # The limits move the whole curve; this shift restores the mean that is wanted.
    missing = target.mean(axis=-1, keepdims=True) - (hats @ curve[..., None]).mean(axis=-2)
    fitted: FloatArray = (curve + missing).astype(np.float32)
    return fitted


class Histogram(TransformMethod):
    """Give each channel of the foreground the background's histogram (histogram matching).

    Args:
        max_gain: maximum slope of a curve.
    """

    def __init__(self, max_gain: float = 4.0) -> None:
        super().__init__()
        if not max_gain >= 1:
            raise InputError(f"max_gain limits a gain both ways, so it must be at least 1, got {max_gain}")
        self.max_gain = max_gain

    def transform(self, image: FloatArray, weight: FloatArray) -> Lut3d:
        """Match each frame's histograms. See `TransformMethod.transform`."""
        foreground = quantiles(image, weight, number=_QUANTILES)
        background = quantiles(image, 1 - weight, number=_QUANTILES)
        wanted = np.where(has_both_sides(weight)[:, None, None], background, foreground)
        curves = fit_curve(foreground, wanted, nodes=_NODES, max_gain=self.max_gain)
        red, green, blue = curves.swapaxes(0, 1)
        shape = (len(image), _NODES, _NODES, _NODES)
        channels = [red[:, None, None, :], green[:, None, :, None], blue[:, :, None, None]]
        return Lut3d(np.stack([np.broadcast_to(channel, shape) for channel in channels], axis=1))
