"""Make a matte from the difference between a clip and its clean plate, the same shot without the foreground."""

import cv2
import numpy as np

from chromacord.matte.levels import Levels
from chromacord.matte.soft_edge import Binary, soft_edge
from chromacord.types import FloatArray

_QUARTILE = 0.3186
"""First quartile of the absolute values of normal noise, in standard deviations."""

_LEAST_NOISE = 0.75 / 255
"""Minimum standard deviation to assume: two roundings to 8 bits, and a codec."""

_THRESHOLD = 5.0
"""Minimum difference of a foreground, in standard deviations of the smoothed noise."""

_SMOOTHING = 1.0
"""Standard deviation in pixels of the Gaussian that smooths the difference."""

_HOLE = 1 / 2000
"""Maximum area of a hole to close, relative to the picture: the foreground has the plate's colour there."""

_REACH, _LEAST_REACH = 180, 4
"""Width of the soft edge to each side: the picture's height divided by the first number, but at least the second in
pixels, because the smoothed difference exceeds the threshold beyond the edge."""


def plate_matte(picture: FloatArray, plate: FloatArray, levels: Levels | None = None) -> FloatArray:
    """Return the coverage of what differs from a clean plate.

    The threshold is a multiple of the noise, measured on the more similar half of the pixels, so the plate must show in
    at least half of the picture. A difference in exposure is removed first. Specks are removed, small holes closed, and
    soft pixels unmixed with the plate, see `soft_edge`.

    Args:
        picture: RGB in [0, 1]. Shape (H, W, 3).
        plate: the same picture without the foreground.
        levels: coverage that becomes 0 and 1; None: as estimated.

    Returns:
        Coverage in [0, 1]. Shape (H, W).
    """
    plate = plate * _gains(picture, plate)
    reach = max(_LEAST_REACH, round(picture.shape[0] / _REACH))
    inside = _cleaned((_deviation(picture, plate) > _THRESHOLD).astype(np.uint8), reach // 2)
    coverage = soft_edge(picture, inside, reach, background=plate)
    return coverage if levels is None else levels.stretch(coverage)


def _gains(picture: FloatArray, plate: FloatArray) -> FloatArray:
    """Return the difference in exposure: the median ratio of each channel. Shape (3,)."""
    # The addend keeps the noisy ratios of dark pixels near 1; the median ignores the foreground.
    ratios = (picture[::4, ::4] + 0.02) / (plate[::4, ::4] + 0.02)
    gains: FloatArray = np.median(ratios.reshape(-1, 3), axis=0).clip(0.8, 1.25).astype(np.float32)
    return gains


def _deviation(picture: FloatArray, plate: FloatArray) -> FloatArray:
    """Return the largest difference of a channel, in standard deviations of its noise. Shape (H, W)."""
    difference = cv2.GaussianBlur(picture - plate, (0, 0), _SMOOTHING)
    size = np.abs(difference)
    # A quartile, not a standard deviation, because a foreground of up to half of the picture does not affect it.
    noise = np.percentile(size[::2, ::2].reshape(-1, 3), 25, axis=0) / _QUARTILE
    deviation: FloatArray = (size / np.maximum(noise, _LEAST_NOISE).astype(np.float32)).max(axis=2)
    return deviation


def _cleaned(inside: Binary, radius: int) -> Binary:
    """Remove specks smaller than a disc, and close small holes."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    opened = cv2.morphologyEx(inside, cv2.MORPH_OPEN, disc)
    closed: Binary = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, disc, borderType=cv2.BORDER_REPLICATE)
    _, parts, facts, _ = cv2.connectedComponentsWithStats(1 - closed, connectivity=4)
    is_small = facts[:, cv2.CC_STAT_AREA] < closed.size * _HOLE
    return np.where(is_small[parts], np.uint8(1), closed)
