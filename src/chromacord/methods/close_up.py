"""Close-ups: the part of a picture around its foreground, which shows a small one larger."""

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_LEAST_SHARE = 0.25
"""Of the picture's side: a smaller part would be blur."""


def close_up(picture: Floats, mask: Floats, *, side: int, scale: float) -> tuple[Floats, Floats]:
    """Cut the surroundings of the foreground out of a picture, and resize them to a square.

    Width and height follow the foreground's box each, so the part may be distorted; a mask without foreground gives the
    whole picture.

    Args:
        picture: RGB. Shape (3, H, W).
        mask: foreground weight in [0, 1]. Shape (1, H, W).
        side: height and width of the result.
        scale: sides of the part, of the foreground's box.

    Returns:
        Shape (3, side, side) and (1, side, side).
    """
    inside = mask[0] > 0.5
    rows, columns = (_part(inside.any(axis=axis), scale) for axis in (1, 0))
    layers = np.concatenate([picture, mask])[:, rows, columns].transpose(1, 2, 0)
    how = cv2.INTER_AREA if min(layers.shape[:2]) >= side else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(layers), (side, side), interpolation=how).transpose(2, 0, 1)
    return resized[:3], resized[3:]


def _part(occupied: NDArray[np.bool_], scale: float) -> slice:
    """Return the rows, or columns, to cut out. Shape (H,)."""
    length = len(occupied)
    places = np.flatnonzero(occupied)
    if not len(places):
        return slice(0, length)
    first, last = int(places[0]), int(places[-1]) + 1
    size = round(min(max(scale * (last - first), _LEAST_SHARE * length), length))
    start = min(max((first + last - size) // 2, 0), length - size)
    return slice(start, start + size)
