"""A matte from the difference of a clip to its clean plate: the same shot without the foreground."""

import cv2
import numpy as np

from chromacord.matte.levels import Levels
from chromacord.matte.soft_edge import Binary, soft_edge
from chromacord.types import FloatArray

_QUARTILE = 0.3186
"""A quarter of the absolute values of normal noise lie below this many standard deviations."""

_LEAST_NOISE = 0.75 / 255
"""Standard deviation that is assumed at least: rounding to 8 bits, twice, and a codec."""

_THRESHOLD = 5.0
"""Standard deviations of the noise, after smoothing, that a foreground differs by at least."""

_SMOOTHING = 1.0
"""Deviation of the Gaussian that the difference is smoothed by, in pixels."""

_HOLE = 1 / 2000
"""Share of the picture below which a hole is closed: the foreground has the plate's colour there."""

_REACH, _LEAST_REACH = 180, 4
"""The soft edge is this fraction of the picture's height wide to each side, and this many pixels at least, because the
smoothed difference exceeds the threshold beyond the edge."""


def plate_matte(picture: FloatArray, plate: FloatArray, levels: Levels | None = None) -> FloatArray:
    """Return the coverage of what differs from a clean plate.

    The threshold follows from the noise, which the less different half of the pixels shows: the plate must be the
    background of at least half of the picture. A change of exposure between the two is removed first. Specks
    and small holes are closed. Soft pixels are unmixed with the plate, see `soft_edge`.

    Args:
        picture: RGB in [0, 1]. Shape (H, W, 3).
        plate: the same without the foreground.
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
    """Return the median ratio of each channel, the change of exposure. Shape (3,)."""
    # The addend keeps dark pixels, whose ratios are noise, near 1; the median ignores the foreground.
    ratios = (picture[::4, ::4] + 0.02) / (plate[::4, ::4] + 0.02)
    gains: FloatArray = np.median(ratios.reshape(-1, 3), axis=0).clip(0.8, 1.25).astype(np.float32)
    return gains


def _deviation(picture: FloatArray, plate: FloatArray) -> FloatArray:
    """Return the largest difference of a channel, in standard deviations of its noise. Shape (H, W)."""
    difference = cv2.GaussianBlur(picture - plate, (0, 0), _SMOOTHING)
    size = np.abs(difference)
    # A quartile instead of a standard deviation: the foreground, up to half of the picture, does not enter it.
    noise = np.percentile(size[::2, ::2].reshape(-1, 3), 25, axis=0) / _QUARTILE
    deviation: FloatArray = (size / np.maximum(noise, _LEAST_NOISE).astype(np.float32)).max(axis=2)
    return deviation


def _cleaned(inside: Binary, radius: int) -> Binary:
    """Remove specks that are smaller than a disc, and close holes that are small in the picture."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    opened = cv2.morphologyEx(inside, cv2.MORPH_OPEN, disc)
    closed: Binary = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, disc, borderType=cv2.BORDER_REPLICATE)
    _, parts, facts, _ = cv2.connectedComponentsWithStats(1 - closed, connectivity=4)
    is_small = facts[:, cv2.CC_STAT_AREA] < closed.size * _HOLE
    return np.where(is_small[parts], np.uint8(1), closed)
