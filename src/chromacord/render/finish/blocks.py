"""Divide a box for stages: strips, blocks at reduced size, and rectangles around the changed pixels."""

import math
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.io.compositing.overlay import Samples, block_mean
from chromacord.masks.chroma_grid import COARSEST, chroma_grid
from chromacord.render.cpu import spans
from chromacord.types import Box, FloatArray, VideoInfo

STRIP_ROWS = 64
"""Rows processed at once: few enough to stay in a core's cache, enough to outweigh the calls."""

_LEAST_ROWS = 16
"""Minimum height in rows of the parts into which a strip is divided."""

_CALL = 2048
"""Number of pixels that cost about as much as the calls for one additional part."""

_SPANNED = 5
"""Approximate number of blocks that a blur spans at reduced size."""


def strips(box: Box) -> Iterator[Box]:
    """Split a box into strips of `STRIP_ROWS` rows, a multiple of every chroma step."""
    for top in range(box.top, box.bottom, STRIP_ROWS):
        yield Box(top, box.left, min(top + STRIP_ROWS, box.bottom), box.right)


def step_for(blur: float, info: VideoInfo) -> int:
    """Return the block side, a power of two, at which a blur spans about `_SPANNED` blocks.

    Args:
        blur: reach of the blur in pixels.
        info: properties of the clip; blocks consist of whole chroma samples.
    """
    spanning = 1 << max(0, round(math.log2(max(blur, 1) / _SPANNED)))
    return max(1 << max(chroma_grid((info,))), spanning)


def reduced(values: Samples, step: int) -> Samples:
    """Reduce a box to one pixel per block; blocks cut off at the picture's edge are averaged over their remainder.

    Args:
        values: values in a box that is aligned to blocks. Shape (height, width, ...).
        step: side of a block, a power of two.

    Returns:
        Shape (height / step, width / step, ...), rounded up.
    """
    shift = step.bit_length() - 1
    return block_mean(values, (shift, shift))


def enlarged(small: FloatArray, part: Box, box: Box, step: int) -> FloatArray:
    """Enlarge a rectangle of a reduced box to full size, interpolated between the centres of blocks; returns a view.

    Args:
        small: the reduced box, one pixel per block. Shape (height, width, ...).
        part: rectangle within the box.
        box: aligned to blocks.
        step: side of a block in pixels.
    """
    tops, bottoms = (part.top - box.top, part.left - box.left), (part.bottom - box.top, part.right - box.left)
    # One more cell on each side, because interpolation between centres reaches half a cell beyond the part.
    first = [max(0, start // step - 1) for start in tops]
    last = [min(length, -(-stop // step) + 1) for stop, length in zip(bottoms, small.shape, strict=False)]
    cells = small[first[0] : last[0], first[1] : last[1]]
    size = (cells.shape[1] * step, cells.shape[0] * step)
    # A resize of whole blocks is seven times as fast as an affine warp of the part.
    large = cv2.resize(np.ascontiguousarray(cells), size, interpolation=cv2.INTER_LINEAR)
    top, left = (start - step * cell for start, cell in zip(tops, first, strict=True))
    found: FloatArray = large[top : top + part.bottom - part.top, left : left + part.right - part.left]
    return found


def touched(cells: npt.NDArray[np.bool_], box: Box, step: int) -> Iterator[Box]:
    """Cover the marked cells of a box with rectangles of few rows.

    Args:
        cells: marks for cells of `step` pixels per side. Shape (height / step, width / step), rounded up.
        box: area of the cells; aligned to cells and to whole chroma samples.
        step: side of a cell in pixels, at least that of a chroma sample.
    """
    rows = max(1, STRIP_ROWS // step)
    for start in range(0, len(cells), rows):
        for first, last, span in _covers(cells, start, min(start + rows, len(cells)), step):
            top, left = box.top + first * step, box.left + span.start * step
            bottom, right = box.top + last * step, box.left + span.stop * step
            yield Box(top, left, min(bottom, box.bottom), min(right, box.right))


def _covers(cells: npt.NDArray[np.bool_], start: int, stop: int, step: int) -> list[tuple[int, int, slice]]:
    """Cover the marked cells of a strip, and halve it where that saves more pixels than the additional calls cost.

    Returns:
        First row, row after the last, and columns of each part, in cells.
    """
    whole = [(start, stop, span) for span in spans(np.flatnonzero(cells[start:stop].any(axis=0)))]
    if (stop - start) * step < 2 * _LEAST_ROWS or _pixels(whole, step) < _CALL:
        return whole
    middle = (start + stop) // 2
    halves = [*_covers(cells, start, middle, step), *_covers(cells, middle, stop, step)]
    spared = _pixels(whole, step) - _pixels(halves, step)
    return halves if spared > _CALL * (len(halves) - len(whole)) else whole


def _pixels(parts: list[tuple[int, int, slice]], step: int) -> int:
    cells: int = sum((last - first) * (span.stop - span.start) for first, last, span in parts)
    return step * step * cells


def widened(part: Box, box: Box, reach: int) -> Box:
    """Extend a rectangle within a box by at least `reach` pixels, to whole chroma samples of any grid."""
    reach = -(-reach >> max(COARSEST)) << max(COARSEST)
    top, left = max(box.top, part.top - reach), max(box.left, part.left - reach)
    return Box(top, left, min(box.bottom, part.bottom + reach), min(box.right, part.right + reach))


def inside(part: Box, wide: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a rectangle within a wider one."""
    rows = slice(part.top - wide.top, part.bottom - wide.top)
    return rows, slice(part.left - wide.left, part.right - wide.left)
