"""Area averages: each pixel of a smaller picture is the mean of what it covers, parts of pixels by their part."""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from chromacord.types import FloatArray, Size


def area_average(plane: FloatArray, size: Size) -> FloatArray:
    """Reduce a plane, exactly: rows are added up first, then columns as the rows of the transposed plane.

    Sums of whole rows are what vector units do well: this takes a third of the time of OpenCV's `INTER_AREA`.

    Args:
        plane: Shape (height, width).
        size: of the result, at most that of the plane.

    Returns:
        In the plane's units. Shape (size.height, size.width).
    """
    rows = _add_rows(plane, size.height)
    columns = _add_rows(cv2.transpose(rows), size.width)
    averaged: FloatArray = cv2.transpose(columns)
    return averaged


def area_weights(length: int, target: int) -> FloatArray:
    """Return what each of `length` pixels adds to each of `target` cells that they are averaged to.

    Returns:
        Shape (target, length); each row sums to 1.
    """
    step = length / target
    starts = np.arange(target)[:, None] * step
    pixels = np.arange(length)[None]
    overlap = np.minimum(starts + step, pixels + 1) - np.maximum(starts, pixels)
    weights: FloatArray = np.clip(overlap / step, 0, None).astype(np.float32)
    return weights


class _Band(NamedTuple):
    """A few neighbouring cells, and the pixels that they cover."""

    cells: slice
    pixels: slice
    weights: FloatArray
    """Shape (cells, pixels)."""


_BAND_CELLS = 4
"""Cells that one product of matrices makes: few, since each is multiplied with the pixels of all."""


@lru_cache(maxsize=16)
def _bands(length: int, target: int) -> tuple[_Band, ...]:
    weights = area_weights(length, target)
    bands = []
    for start in range(0, target, _BAND_CELLS):
        cells = slice(start, min(start + _BAND_CELLS, target))
        covered = np.flatnonzero(weights[cells].max(axis=0))
        pixels = slice(int(covered[0]), int(covered[-1]) + 1)
        bands.append(_Band(cells, pixels, weights[cells, pixels].copy()))
    return tuple(bands)


def _add_rows(plane: FloatArray, target: int) -> FloatArray:
    sums = np.empty((target, plane.shape[1]), np.float32)
    for band in _bands(len(plane), target):
        np.matmul(band.weights, plane[band.pixels], out=sums[band.cells])
    return sums
