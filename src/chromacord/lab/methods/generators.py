"""Shared parts of methods based on pix2pix's U-Net: size checks, and compositing over the background."""

from torch import Tensor

from chromacord.color.alpha import over
from chromacord.errors import InputError
from chromacord.lab.layers.pictures import from_signed
from chromacord.lab.layers.pix2pix import MULTIPLE, Pix2PixUNet
from chromacord.lab.methods.evidence import kept_without_evidence
from chromacord.lab.torch_method import TensorPrediction


def check_sizes(width: int, working_side: int) -> None:
    """Check sizes against the network's constraints.

    Raises:
        InputError: a size is invalid; names it.
    """
    if width < 1:
        raise InputError(f"width must be 1 or more, got {width}")
    if working_side < 1 or working_side % MULTIPLE:
        raise InputError(f"working_side must be a multiple of {MULTIPLE}, got {working_side}")


def harmonized_frames(network: Pix2PixUNet, composite: Tensor, mask: Tensor) -> TensorPrediction:
    """Run the network and composite its result over each frame's background.

    Args:
        network: with any norm.
        composite: RGB in [0, 1]. Shape (B, L, 3, H, W).
        mask: foreground weight. Shape (B, L, 1, H, W).

    Raises:
        InputError: the frame size is not supported.
    """
    frames, weight = composite.flatten(0, 1), mask.flatten(0, 1)
    harmonized = over(from_signed(network(frames, weight)), frames, weight)
    return TensorPrediction(kept_without_evidence(harmonized, frames, weight).view_as(composite))
