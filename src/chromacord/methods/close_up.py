"""Close-ups: crops around the foreground, so that a small foreground is seen larger."""

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_LEAST_SHARE = 0.25
"""Minimum side of a crop, relative to the picture: smaller ones would be blurred."""


def close_up(picture: Floats, mask: Floats, *, side: int, scale: float) -> tuple[Floats, Floats]:
    """Crop a picture around its foreground and resize the crop to a square.

    Width and height follow the foreground's box independently, so the result may be distorted. Without foreground, the
    crop is the whole picture.

    Args:
        picture: RGB. Shape (3, H, W).
        mask: foreground weight in [0, 1]. Shape (1, H, W).
        side: height and width of the result.
        scale: side of the crop, relative to the foreground's box.

    Returns:
        Picture and mask. Shape (3, side, side) and (1, side, side).
    """
    inside = mask[0] > 0.5
    rows, columns = (_part(inside.any(axis=axis), scale) for axis in (1, 0))
    layers = np.concatenate([picture, mask])[:, rows, columns].transpose(1, 2, 0)
    how = cv2.INTER_AREA if min(layers.shape[:2]) >= side else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(layers), (side, side), interpolation=how).transpose(2, 0, 1)
    return resized[:3], resized[3:]


def _part(occupied: NDArray[np.bool_], scale: float) -> slice:
    """Return the rows, or columns, of the crop. Shape (H,)."""
    length = len(occupied)
    places = np.flatnonzero(occupied)
    if not len(places):
        return slice(0, length)
    first, last = int(places[0]), int(places[-1]) + 1
    size = round(min(max(scale * (last - first), _LEAST_SHARE * length), length))
    # A crop at the picture's edge is moved inwards, not filled: invented pixels would count as background.
    start = min(max((first + last - size) // 2, 0), length - size)
    return slice(start, start + size)
