"""Input and output of networks: value ranges, and padding to sizes that can be halved."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's mean and deviation of red, green and blue in [0, 1]."""


def normalize(picture: Tensor) -> Tensor:
    """Normalize RGB in [0, 1] by ImageNet's mean and deviation.

    Args:
        picture: Shape (N, 3, H, W).
    """
    mean, deviation = _statistics(picture)
    return (picture - mean) / deviation


def denormalize(picture: Tensor) -> Tensor:
    """Undo `normalize`; does not clamp.

    Args:
        picture: Shape (N, 3, H, W).
    """
    mean, deviation = _statistics(picture)
    return picture * deviation + mean


def to_signed(picture: Tensor) -> Tensor:
    """Map [0, 1] to [-1, 1]. Any shape."""
    return 2 * picture - 1


def from_signed(picture: Tensor) -> Tensor:
    """Map [-1, 1] to [0, 1]. Any shape."""
    return (picture + 1) / 2


def padded(picture: Tensor, multiple: int) -> Tensor:
    """Pad by repeating the last row and column until both sides are multiples of a number.

    Args:
        picture: Shape (N, C, H, W).
        multiple: required divisor of both sides, for networks that halve their input several times.
    """
    height, width = picture.shape[-2:]
    below, right = -height % multiple, -width % multiple
    return F.pad(picture, (0, right, 0, below), mode="replicate") if below or right else picture


def resized_mask(mask: Tensor, features: Tensor) -> Tensor:
    """Resize a mask to the size of features, bilinearly with aligned corners.

    Args:
        mask: Shape (N, 1, H, W).
        features: Shape (N, C, h, w).

    Returns:
        The mask in the features' dtype. Shape (N, 1, h, w).
    """
    if mask.shape[-2:] != features.shape[-2:]:
        mask = F.interpolate(mask, features.shape[-2:], mode="bilinear", align_corners=True)
    return mask.to(features.dtype)


class Box(NamedTuple):
    """A part of a picture outside of which a computation cannot change the result."""

    rows: slice
    columns: slice

    @classmethod
    def around(cls, weight: Tensor, before: int, after: int) -> "Box":
        """Return the box of all weights in a batch that are not 0, grown up to the picture's edges.

        Args:
            weight: Shape (N, 1, H, W).
            before: margin at the top and at the left.
            after: margin at the bottom and at the right.
        """
        spans = []
        for axis, length in ((3, weight.shape[2]), (2, weight.shape[3])):
            places = (weight != 0).any(dim=axis).flatten(0, 1).any(dim=0).nonzero()[:, 0]
            # Without any weight, a box at the corner remains: convolutions refuse an empty picture, and what is
            # pasted back has no effect.
            first, last = (int(places[0]), int(places[-1])) if len(places) else (0, 0)
            spans.append(slice(max(0, first - before), min(last + 1 + after, length)))
        return cls(*spans)

    def cut(self, picture: Tensor) -> Tensor:
        """Return the part as a view. Shape (N, C, H, W) to (N, C, h, w)."""
        return picture[:, :, self.rows, self.columns]

    def pasted(self, part: Tensor, picture: Tensor) -> Tensor:
        """Return a picture with the part replaced. Shape (N, C, h, w) and (N, C, H, W) to the second's."""
        # Not in place: the picture may be needed unchanged, for gradients or as a skip connection.
        band = picture[:, :, self.rows].slice_scatter(part, 3, self.columns.start, self.columns.stop)
        return picture.slice_scatter(band, 2, self.rows.start, self.rows.stop)


def _statistics(like: Tensor) -> tuple[Tensor, Tensor]:
    return like.new_tensor(_MEAN)[:, None, None], like.new_tensor(_DEVIATION)[:, None, None]
