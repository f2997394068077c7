"""Histogram matching, channel by channel.

Gonzalez and Woods, "Digital Image Processing", section "Histogram matching (specification)". The target is the
composite's own background, as in image harmonization.

Differs from the textbook in that each channel's curve has 17 nodes, those that fit the matched quantiles best, so that
it is smooth between them and a grade can hold it. Levels that the foreground lacks are shifted like their neighbours.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from chromacord.color.statistics import has_both_sides
from chromacord.color.transforms import Lut3d
from chromacord.errors import InputError
from chromacord.methods.base import Method, Prediction, State

_NODES = 17
_QUANTILES = 512

# How strongly neighbouring nodes of the residual curve hold together, against a data term of weight 1 in all.
_SMOOTHNESS = 1e-3


def quantiles(image: Tensor, weight: Tensor, *, number: int) -> Tensor:
    """Return evenly spaced quantiles of each channel, each pixel counted by its weight.

    Args:
        image: Shape (N, C, H, W).
        weight: not negative, not all 0. Shape (N, 1, H, W).
        number: Q; the levels of probability are (0.5, 1.5, ...) / Q.

    Returns:
        Ascending values. Shape (N, C, Q).
    """
    values, order = image.flatten(2).sort(dim=-1)
    share = weight.flatten(2).expand_as(values).gather(-1, order).double().cumsum(dim=-1)
    share = share / share[..., -1:].clamp_min(1e-6)
    levels = (torch.arange(number, device=image.device).double() + 0.5) / number
    places = torch.searchsorted(share.contiguous(), levels.expand(*share.shape[:2], -1).contiguous())
    chosen: Tensor = values.gather(-1, places.clamp_max(values.shape[-1] - 1))
    return chosen


def fit_curve(source: Tensor, target: Tensor, *, nodes: int, max_gain: float) -> Tensor:
    """Fit a rising, piecewise linear curve to pairs of values, by least squares.

    Args:
        source: in [0, 1]. Shape (N, C, Q).
        target: what the curve shall give there. Shape (N, C, Q).
        nodes: of the curve, evenly spaced over [0, 1].
        max_gain: the steepest slope. Where it binds, the mean of the target is still met.

    Returns:
        Values of the curve at its nodes. Shape (N, C, nodes).
    """
    line = torch.linspace(0, 1, nodes, dtype=torch.float64, device=source.device)
    hats = (1 - (source.double()[..., None] - line).abs() * (nodes - 1)).clamp_min(0)  # (N, C, Q, nodes)
    steps = torch.eye(nodes, dtype=torch.float64, device=source.device).diff(dim=0)
    prior = _SMOOTHNESS * steps.mT @ steps
    number = source.shape[-1]
    right = hats.mT @ (target - source).double()[..., None] / number
    residual = torch.linalg.solve(hats.mT @ hats / number + prior, right)[..., 0]
    rises = (line + residual).diff(dim=-1).clamp(0, max_gain / (nodes - 1))
    curve = F.pad(rises.cumsum(dim=-1), (1, 0))
    missing = target.double().mean(dim=-1, keepdim=True) - (hats @ curve[..., None]).mean(dim=-2)
    return (curve + missing).to(source.dtype)


class Histogram(Method):
    """Give each channel of the foreground the background's histogram (histogram matching).

    Args:
        max_gain: the steepest slope of a curve.
    """

    working_size = None

    def __init__(self, max_gain: float = 4.0) -> None:
        super().__init__()
        if not max_gain >= 1:
            raise InputError(f"max_gain limits a gain both ways, so it must be at least 1, got {max_gain}")
        self.max_gain = max_gain

    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> Prediction:  # noqa: ARG002
        """Map every frame by its own histograms; a frame without foreground or background is left as it is.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), L free.
            mask: weights of the histograms. Shape (B, L, 1, H, W).
            state: not looked at.
        """
        image, weight = composite.flatten(0, 1), mask.flatten(0, 1)
        foreground = quantiles(image, weight, number=_QUANTILES)
        background = quantiles(image, 1 - weight, number=_QUANTILES)
        usable = has_both_sides(weight)[:, None, None]
        wanted = torch.where(usable, background, foreground)
        curves = fit_curve(foreground, wanted, nodes=_NODES, max_gain=self.max_gain)
        red, green, blue = curves.unbind(dim=1)
        shape = (len(image), _NODES, _NODES, _NODES)
        channels = [red[:, None, None, :], green[:, None, :, None], blue[:, :, None, None]]
        transform = Lut3d(torch.stack([channel.expand(shape) for channel in channels], dim=1))
        return Prediction(transform(image).clamp(0, 1).unflatten(0, composite.shape[:2]), transform)
