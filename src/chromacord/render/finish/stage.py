"""The interface of finishing stages, which change a rendered frame in the mask's box, extended by their reach."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.io.pixels import writable_copy
from chromacord.masks.chroma_grid import aligned, chroma_grid
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.render.cpu import spans
from chromacord.types import Box, FloatArray, Frame, Size, VideoInfo

STRIP_ROWS = 64
"""Rows processed at once: few enough to stay in a core's cache, enough to outweigh the calls."""


class Stage(Protocol):
    """One step of finishing."""

    def __call__(self, frame: Frame, mask: Mask) -> None:
        """Change a frame.

        Args:
            frame: a graded frame. Modified only in its colour planes within the extended box; alpha stays.
            mask: mask of the frame; must have a box.
        """


class Finish:
    """All stages of a clip, in order."""

    def __init__(self, info: VideoInfo, stages: Sequence[Stage]) -> None:
        """Prepare for a clip; without stages, frames pass unchanged."""
        self._info, self._stages = info, tuple(stages)

    def __call__(self, masked: MaskedFrame, rendered: Frame) -> Frame:
        """Return a finished frame.

        Args:
            masked: composite and mask.
            rendered: the rendered frame; may be overwritten unless it is the composite itself.
        """
        if not self._stages or not masked.mask.is_usable:
            return rendered
        frame = writable_copy(rendered, self._info.pixel_format) if rendered is masked.frame else rendered
        for stage in self._stages:
            stage(frame, masked.mask)
        return frame


def grown(mask: Mask, reach: int, info: VideoInfo, *, step: int = 1) -> Box:
    """Return the mask's box, extended on all sides, within the picture and aligned to whole chroma samples.

    Args:
        mask: a mask with a box.
        reach: extension in pixels.
        info: properties of the clip.
        step: also align to blocks of this side, a power of two.
    """
    assert mask.box is not None
    top, left, bottom, right = mask.box
    height, width = info.size
    wide = Box(max(0, top - reach), max(0, left - reach), min(height, bottom + reach), min(width, right + reach))
    shift = step.bit_length() - 1
    down, across = chroma_grid((info,))
    return aligned(wide, (max(down, shift), max(across, shift)), Size(height, width))


def weights(mask: Mask, part: Box) -> FloatArray:
    """Return the mask's weights in a rectangle that may exceed its box, in [0, 1]. Shape (height, width)."""
    found = np.zeros((part.bottom - part.top, part.right - part.left), np.float32)
    box = mask.box or Box(0, 0, 0, 0)
    (top, left), (bottom, right) = np.maximum(part[:2], box[:2]), np.minimum(part[2:], box[2:])
    if top < bottom and left < right:
        inside = Box(int(top), int(left), int(bottom), int(right))
        found[top - part.top : bottom - part.top, left - part.left : right - part.left] = mask.crop(inside)
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
        top = box.top + start * step
        for span in spans(np.flatnonzero(cells[start : start + rows].any(axis=0))):
            left, right = box.left + span.start * step, box.left + span.stop * step
            yield Box(top, left, min(top + rows * step, box.bottom), min(right, box.right))


def enlarged(small: FloatArray, part: Box, box: Box, step: int) -> FloatArray:
    """Return a rectangle of what was reduced, at full size.

    Args:
        small: of a box, its blocks one pixel each. Shape (height, width, ...).
        part: of the box.
        box: aligned to blocks.
        step: pixels of a block.
    """
    left, top = ((start + 0.5) / step - 0.5 for start in (part.left - box.left, part.top - box.top))
    place = np.array([[1 / step, 0, left], [0, 1 / step, top]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (part.right - part.left, part.bottom - part.top)
    enlarged: FloatArray = cv2.warpAffine(small, place, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return enlarged
