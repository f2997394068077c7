"""Losses. Errors are of colours in [0, 1]; the tables' figures are 255 squared times the squared ones."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

PAPERS_AREA = 256 * 256
"""Pixels of the frames that published losses are set for."""


def squared_error(harmonized: Tensor, real: Tensor) -> Tensor:
    """Return each sample's mean squared error. Shape (N, C, ...) to (N,)."""
    return (harmonized - real).flatten(1).square().mean(dim=1)


def root_error(squared: Tensor, *, power: float = 0.5) -> Tensor:
    """Return the mean of squared errors raised to a power.

    At 0.5 each sample pulls with the same force however far off it is, as a median does; at 1 the worst ones decide,
    as they do in fMSE.

    Args:
        squared: Shape (N,).
        power: above 0, up to 1.
    """
    # (1/255)^2: errors below 8-bit precision need no gradient.
    return ((squared + 1 / 255**2) ** power).mean()


def confidence_loss(confidence: Tensor, after: Tensor, before: Tensor) -> Tensor:
    """Return the cross-entropy of the probability that a grade helps, and of whether it did.

    No gradient reaches the errors.

    Args:
        confidence: in [0, 1]. Shape (N,).
        after: mean squared errors of the graded foregrounds. Shape (N,).
        before: of the composites. Shape (N,).
    """
    helped = (after.detach() < before).to(confidence)
    return F.binary_cross_entropy(confidence.clamp(1e-4, 1 - 1e-4), helped)


def foreground_normalized(error: Tensor, mask: Tensor, *, least_area: float) -> Tensor:
    """Return each frame's error, summed up over the whole frame and divided by the foreground's values.

    With squared errors of pictures that are not laid over their background it is FN-MSE (Sofiiuk et al., "Foreground-
    aware Semantic Representations for Image Harmonization", 2021, equation 3).

    Args:
        error: not negative. Shape (N, C, H, W).
        mask: foreground weight. Shape (N, 1, H, W).
        least_area: pixels that a foreground counts for at the least, in a frame of 256 x 256; of other frames the same
            share.

    Returns:
        Shape (N,).
    """
    channels, height, width = error.shape[1:]
    least = least_area * height * width / PAPERS_AREA
    return error.sum(dim=(1, 2, 3)) / (channels * mask.sum(dim=(1, 2, 3)).clamp_min(least))


def end_point_error(flow: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the mean distance between the ends of two flows, in pixels. It is 0.01 where they are equal.

    Args:
        flow, target: Shape (N, 2, H, W).
        weight: of each pixel. Shape (N, 1, H, W).
    """
    # A hundredth of a pixel: closer than that, the gradient of a distance is undefined.
    distance = ((flow - target).square().sum(dim=1, keepdim=True) + 1e-4).sqrt()
    return (weight * distance).sum() / weight.sum().clamp_min(1e-6)


def hinge(real: Tensor, generated: Tensor) -> Tensor:
    """Return what a discriminator makes small: the mean of max(0, 1 - real) plus that of max(0, 1 + generated).

    Args:
        real, generated: its scores. Any shape.
    """
    return (1 - real).relu().mean() + (1 + generated).relu().mean()


def gradient_penalty(score: Callable[[Tensor], Tensor], real: Tensor, generated: Tensor) -> Tensor:
    """Return the mean of (||slope|| - 1)^2, with the slope of a score at random mixes of real and generated pictures.

    Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017, equation 3; the weight is the caller's.

    Args:
        score: of pictures; each score depends on its own picture alone. Shape (N, C, H, W) to (N, ...).
        real, generated: Shape (N, C, H, W).
    """
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    mixed = (share * real + (1 - share) * generated).detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(mixed).sum(), mixed, create_graph=True)
    # Added before the square root, whose gradient at 0 is infinite.
    length = (slope.flatten(1).square().sum(dim=1) + 1e-16).sqrt()
    return (length - 1).square().mean()
