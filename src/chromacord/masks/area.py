"""Area averaging: each pixel of a reduced picture is the mean of the area that it covers, fractions included."""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from chromacord.types import FloatArray, Size


def area_average(plane: FloatArray, size: Size) -> FloatArray:
    """Reduce a plane by exact area averaging: rows first, then columns as rows of the transposed plane.

    Sums of whole rows vectorize well: this takes a third of the time of OpenCV's `INTER_AREA`.

    Args:
        plane: source plane. Shape (height, width).
        size: size of the result, at most the plane's.

    Returns:
        In the plane's units. Shape (size.height, size.width).
    """
    rows = _add_rows(plane, size.height)
    # A copy, not a view: products of a transposed view would stride through memory.
    columns = _add_rows(cv2.transpose(rows), size.width)
    averaged: FloatArray = cv2.transpose(columns)
    return averaged


def area_weights(length: int, target: int) -> FloatArray:
    """Return the weights with which `length` pixels are averaged to `target` cells.

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
    """Neighbouring cells, and the pixels that they cover."""

    cells: slice
    pixels: slice
    weights: FloatArray
    """Shape (cells, pixels)."""


_BAND_CELLS = 4
"""Cells per matrix product: few, because each product multiplies the pixels of all its cells."""


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
