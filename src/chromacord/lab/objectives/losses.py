"""Losses, for colours in [0, 1]; tables show squared errors multiplied by 255 squared."""

from collections.abc import Callable

import torch
from torch import Tensor

PAPERS_AREA = 256 * 256
"""Pixels of the frames for which published losses are set."""


def squared_error(harmonized: Tensor, real: Tensor) -> Tensor:
    """Return each sample's mean squared error. Shape (N, C, ...) to (N,)."""
    return (harmonized - real).flatten(1).square().mean(dim=1)


def root_error(squared: Tensor, *, power: float = 0.5) -> Tensor:
    """Return the mean of squared errors raised to a power.

    At 0.5 every sample pulls with equal force, as in a median; at 1 the worst samples dominate, as in fMSE.

    Args:
        squared: squared errors. Shape (N,).
        power: above 0, up to 1.
    """
    # (1/255)^2: errors below 8-bit precision need no gradient.
    return ((squared + 1 / 255**2) ** power).mean()


def foreground_normalized(error: Tensor, mask: Tensor, *, least_area: float) -> Tensor:
    """Return each frame's error, summed over the whole frame and divided by the foreground's size.

    With squared errors of pictures before compositing it is FN-MSE (Sofiiuk et al., "Foreground-aware Semantic
    Representations for Image Harmonization", 2021, equation 3).

    Args:
        error: not negative. Shape (N, C, H, W).
        mask: foreground weight. Shape (N, 1, H, W).
        least_area: minimum foreground size in pixels, for a frame of 256 x 256; scaled to other frame sizes.

    Returns:
        The normalized error. Shape (N,).
    """
    channels, height, width = error.shape[1:]
    least = least_area * height * width / PAPERS_AREA
    return error.sum(dim=(1, 2, 3)) / (channels * mask.sum(dim=(1, 2, 3)).clamp_min(least))


def end_point_error(flow: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the mean end-point error of two flows, in pixels. It is 0.01 where they are equal.

    Args:
        flow, target: Shape (N, 2, H, W).
        weight: of each pixel. Shape (N, 1, H, W).
    """
    # A hundredth of a pixel: the gradient of a distance is undefined at 0.
    distance = ((flow - target).square().sum(dim=1, keepdim=True) + 1e-4).sqrt()
    return (weight * distance).sum() / weight.sum().clamp_min(1e-6)


def hinge(real: Tensor, generated: Tensor) -> Tensor:
    """Return the discriminator's hinge loss: the mean of max(0, 1 - real) plus that of max(0, 1 + generated).

    Args:
        real, generated: the discriminator's scores. Any shape.
    """
    return (1 - real).relu().mean() + (1 + generated).relu().mean()


def gradient_penalty(score: Callable[[Tensor], Tensor], real: Tensor, generated: Tensor) -> Tensor:
    """Return the mean of (||gradient|| - 1)^2 of a score at random mixes of real and generated pictures.

    Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017, equation 3, without the weight.

    Args:
        score: scores pictures independently of each other. Shape (N, C, H, W) to (N, ...).
        real, generated: Shape (N, C, H, W).
    """
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    # A leaf of its own: the penalty concerns the score's slope at the picture, not what the generator could change.
    mixed = (share * real + (1 - share) * generated).detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(mixed).sum(), mixed, create_graph=True)
    # Added before the square root, whose gradient at 0 is infinite.
    length = (slope.flatten(1).square().sum(dim=1) + 1e-16).sqrt()
    return (length - 1).square().mean()
