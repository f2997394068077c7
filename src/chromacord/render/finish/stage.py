"""The interface of finishing stages, which change a rendered frame in the mask's box, extended by their reach."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from chromacord.io.pixels import writable_copy
from chromacord.masks.chroma_grid import aligned, chroma_grid
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.types import Box, FloatArray, Frame, Size, VideoInfo


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
        # A frame that the grade left alone is the composite itself, which other outputs still read.
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
    first, size = np.array(mask.origin), np.array(mask.plane.shape)
    if (first <= part[:2]).all() and (first + size >= part[2:]).all():
        return mask.crop(part)
    box = mask.box or Box(0, 0, 0, 0)
    (top, left), (bottom, right) = np.maximum(part[:2], box[:2]), np.minimum(part[2:], box[2:])
    found = np.zeros((part.bottom - part.top, part.right - part.left), np.float32)
    if top < bottom and left < right:
        inside = Box(int(top), int(left), int(bottom), int(right))
        found[top - part.top : bottom - part.top, left - part.left : right - part.left] = mask.crop(inside)
    return found
