"""Estimate coverage around the edge of a hard matte from the colours on both sides."""

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.types import FloatArray

Binary = npt.NDArray[np.uint8]
"""Zeros and ones. Shape (H, W)."""

_LEAST_CONTRAST = np.float32(0.03)
"""Minimum distance between the colours of both sides to estimate coverage from them."""

_FAR_WEIGHT = 1e-3
"""Weight of distant pixels, which matter only where there are no near ones."""


def soft_edge(picture: FloatArray, inside: Binary, reach: int, *, background: FloatArray | None = None) -> FloatArray:
    """Estimate the coverage within some pixels of an edge; keep 0 and 1 elsewhere.

    A pixel in the band is a mixture of two colours: the mean of the certain foreground near it, and the background
    behind it, from a plate or from the mean of the certain background. Its coverage is its position on the line between
    them. Where the two are similar, the blurred edge is used instead. Means of textures mislead, so without a plate
    coverage is smoothed, and limited to a range around the hard matte that narrows with the distance from the edge.

    Args:
        picture: RGB in [0, 1]. Shape (H, W, 3).
        inside: the hard matte.
        reach: half the width of the band, in pixels.
        background: clean plate, RGB in [0, 1]. Shape (H, W, 3). None: there is none.

    Returns:
        Coverage in [0, 1]. Shape (H, W).
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    sure, possible = cv2.erode(inside, disc), cv2.dilate(inside, disc)
    near = _mean(picture, sure, reach)
    far = _mean(picture, 1 - possible, reach) if background is None else background
    line = near - far
    length = np.sum(line * line, axis=2)
    # The floor avoids a division by 0; where it applies, `trust` is 0.
    place = np.sum((picture - far) * line, axis=2) / np.maximum(length, _LEAST_CONTRAST**2)
    blurred = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), max(0.5, reach / 3))
    # A ramp, because with a threshold neighbouring pixels would flicker between two estimates.
    trust = np.clip(length / _LEAST_CONTRAST**2 - 1, 0, 1)
    band = trust * np.clip(place, 0, 1) + (1 - trust) * blurred
    if background is None:
        wide = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), max(0.5, reach / 2))
        band = cv2.GaussianBlur(np.clip(band, 2 * wide - 1, 2 * wide), (0, 0), max(0.5, reach / 3))
    coverage: FloatArray = np.where(sure == 1, 1, np.where(possible == 0, 0, band)).astype(np.float32)
    return coverage


def _mean(picture: FloatArray, where: Binary, reach: int) -> FloatArray:
    """Return the mean colour of the marked pixels around each pixel, from a wider area if none are near."""
    weight = where.astype(np.float32)
    marked = picture * weight[..., None]
    near, far = (4 * reach + 1,) * 2, (16 * reach + 1,) * 2
    total = cv2.addWeighted(cv2.blur(marked, near), 1, cv2.blur(marked, far), _FAR_WEIGHT, 0)
    share = cv2.addWeighted(cv2.blur(weight, near), 1, cv2.blur(weight, far), _FAR_WEIGHT, 1e-9)
    mean: FloatArray = cv2.divide(total, cv2.merge([share] * 3))
    return mean
