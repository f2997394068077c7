"""Take noise from a foreground that has more of it than its background: a mean over time, where nothing moves."""

from collections.abc import Callable
from typing import NamedTuple, cast

import cv2
import numpy as np

from chromacord.masks.chroma_grid import aligned, chroma_grid, samples
from chromacord.masks.masks import Mask
from chromacord.render.finish.blocks import strips
from chromacord.render.finish.grain import brightness_levels
from chromacord.render.finish.light import add_codes
from chromacord.render.finish.stage import weights
from chromacord.types import Box, FloatArray, Frame, VideoInfo

_WINDOW = 7
"""Pixels of the side of a square in which strong motion shows by its power."""

_MOST_POWER = 1.4
"""Times the power of noise by which such a square may exceed it; white noise does in one of 100 000."""

_EXTENTS = ((11, 11), (3, 15), (15, 3), (1, 25), (25, 1))
"""Widths and heights of the rectangles in which faint motion shows by its mean: of areas, and of edges."""

_MOST_SHIFT = 5.0
"""Standard deviations of a rectangle's mean that it may differ by."""

_MARGIN = np.float32(1.15)
"""Times the measured variance that noise may have."""

_AROUND = 7
"""Pixels of the side of the square in which a moving pixel makes its neighbours count as moving."""

_FRESH = np.float32(1.0)
"""Noise left of a single frame, as a share of its variance."""


class Excess(NamedTuple):
    """What a shot's foreground has too much of."""

    shot: int
    """Its first frame; nothing is averaged across shots."""

    variance: FloatArray
    """Noise of the foreground in squared codes, by plane and brightness. Shape (planes, 256)."""

    share: FloatArray
    """How much of it shall be left, in (0, 1]. Shape (planes, 256)."""

    coarseness: tuple[float, ...]
    """Variance of the mean of many samples of each plane, as a multiple of that of white noise."""


class _Memory(NamedTuple):
    """What is kept of the frame before."""

    frame: int
    shot: int
    means: tuple[FloatArray, ...]
    """Of each plane; NaN where nothing is known."""

    left: tuple[FloatArray, ...]
    """Share of the noise's variance that is left in them."""


class Denoise:
    """Averages each pixel of the foreground with its past until its noise is that of the background.

    A pixel starts anew where its surroundings of 7 to 25 pixels differ from their past by more than noise, and so do
    its neighbours within 3 pixels. So what moves keeps its noise, and leaves no trail. Only the last frame's means are
    kept. Frames must come in order; after a missing one, all start anew.
    """

    def __init__(self, info: VideoInfo, excess_at: Callable[[int], Excess | None]) -> None:
        """Prepare for a clip.

        Args:
            info: properties of the composite.
            excess_at: what a frame's foreground has too much of, by the frame's number; None: nothing.
        """
        self._info, self._excess_at = info, excess_at
        self._memory: _Memory | None = None

    def __call__(self, frame: Frame, mask: Mask) -> None:
        """Change a frame. See `Stage`."""
        excess = self._excess_at(frame.index)
        if excess is None or mask.box is None:
            self._memory = None
            return
        before = self._memory
        if before is not None and (before.frame + 1 != frame.index or before.shot != excess.shot):
            before = None
        planes = frame.planes[: self._info.pixel_format.num_colors]
        now = _Memory(
            frame.index,
            excess.shot,
            tuple(np.full(plane.shape, np.nan, np.float32) for plane in planes),
            tuple(np.full(plane.shape, _FRESH, np.float32) for plane in planes),
        )
        box = aligned(mask.box, chroma_grid((self._info,)), self._info.size)
        for part in strips(box):
            self._average(frame, mask, part, excess, before, now)
        self._memory = now

    def _average(
        self, frame: Frame, mask: Mask, part: Box, excess: Excess, before: _Memory | None, now: _Memory
    ) -> None:
        levels = brightness_levels(frame, part, self._info)
        weight = weights(mask, part)
        moves: FloatArray | None = None
        for number in range(len(now.means)):
            shift = self._info.pixel_format.subsampling if number else (0, 0)
            stored = samples(frame.planes[number], part, shift)
            codes = stored.astype(np.float32)
            here = np.ascontiguousarray(levels[:: 1 << shift[0], :: 1 << shift[1]])
            mean, left = _part(now.means[number], part, shift), _part(now.left[number], part, shift)
            if before is None:
                mean[...] = codes
                continue
            past, remains = (_part(each[number], part, shift) for each in (before.means, before.left))
            variance = cv2.LUT(here, excess.variance[number])
            new = _is_new(codes, past, remains, variance, coarseness=excess.coarseness[number])
            if number == 0:
                moves = new
            elif moves is not None and moves.shape == new.shape:
                new = np.maximum(new, moves)
            elif moves is not None:
                new = np.maximum(new, cv2.resize(moves, new.shape[::-1], interpolation=cv2.INTER_AREA) >= 0.5)
            gain = np.where(new > 0, np.float32(1), _gain(remains, cv2.LUT(here, excess.share[number])))
            mean[...] = np.where(gain >= 1, codes, past + gain * (codes - past))
            left[...] = np.where(gain >= 1, _FRESH, np.square(1 - gain) * remains + np.square(gain))
            share = weight if shift == (0, 0) else cv2.resize(weight, codes.shape[::-1], interpolation=cv2.INTER_AREA)
            add_codes(stored, (mean - codes) * share, self._info)


def _part(plane: FloatArray, part: Box, shift: tuple[int, int]) -> FloatArray:
    return cast(FloatArray, samples(plane, part, shift))


def _is_new(
    codes: FloatArray, past: FloatArray, left: FloatArray, variance: FloatArray, *, coarseness: float
) -> FloatArray:
    """Return 1 where a picture differs from its past by more than noise, or has none; else 0. Shape (H, W)."""
    unknown = np.isnan(past)
    change = np.where(unknown, 0, codes - past)
    expected = _MARGIN * (1 + left) * np.maximum(variance, np.float32(1e-9))
    change /= np.sqrt(expected)
    is_new = unknown | (cv2.blur(np.square(change), (_WINDOW, _WINDOW)) > 1 + _MOST_POWER * coarseness**0.5)
    for width, height in _EXTENTS:
        shift = cv2.absdiff(cv2.blur(change, (width, height)), 0)
        is_new |= shift > _MOST_SHIFT * (coarseness / (width * height)) ** 0.5
    spread: FloatArray = cv2.dilate(is_new.astype(np.float32), np.ones((_AROUND, _AROUND), np.uint8))
    return spread


def _gain(left: FloatArray, share: FloatArray) -> FloatArray:
    """Return the weight of the present frame in the mean, so that no less noise is left than shall be.

    Args:
        left: share of the noise's variance left in the past's mean.
        share: that shall be left.
    """
    best = left / (1 + left)  # of independent samples; leaves this share, too
    # Solves (1 - gain)^2 left + gain^2 = share for the larger gain, where the best would leave less than that.
    inner = np.maximum(np.square(best) - (left - share) / (1 + left), 0)
    gain: FloatArray = np.where(best < share, np.minimum(best + np.sqrt(inner), 1), best)
    return gain
