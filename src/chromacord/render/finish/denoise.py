"""Denoise a foreground that is noisier than its background: a temporal mean that follows motion."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, cast

import cv2
import numpy as np

from chromacord.io.compositing.overlay import block_mean
from chromacord.masks.chroma_grid import samples
from chromacord.masks.masks import Mask
from chromacord.render.finish.blocks import enlarged, reduced, strips
from chromacord.render.finish.grain import brightness_levels
from chromacord.render.finish.light import add_codes
from chromacord.render.finish.stage import grown, weights
from chromacord.types import Box, FloatArray, Frame, Plane, VideoInfo

_WINDOW = 7
"""Side in pixels of the squares in which a mismatch is detected by its power."""

_MOST_POWER = 1.4
"""Maximum power in such a square, relative to that of noise; white noise exceeds it in one of 100,000 squares."""

_EXTENTS = ((11, 11), (3, 15), (15, 3), (1, 25), (25, 1))
"""Widths and heights of rectangles whose means reveal faint shapes: square ones for areas, long ones for edges."""

_MOST_SHIFT = 5.0
"""Maximum difference of a rectangle's mean, in standard deviations."""

_MARGIN = np.float32(1.15)
"""Safety factor on the measured variance of noise."""

_AROUND = 3
"""Side in pixels of the square around a pixel with a restarted mean in which the means restart too."""

_FRESH, _UNKNOWN = 1.0, 1e6
"""Remaining noise of a single frame, and of a missing past, as shares of the variance."""

_RIM = 16
"""Width in pixels of the margin around the mask's box from which motion may enter it."""

_STEP = 4
"""Side in pixels of the blocks from whose means motion is estimated; averaging quarters white noise."""

_LEAST_SIDE = 16
"""Minimum side in blocks for estimating motion."""

_MATCHED = 5
"""Side in blocks of the square in which motion must match better than no motion."""

_BETTER = np.float32(0.85)
"""Maximum squared difference with motion, relative to that without: noise alone must not look like motion."""

_NEAR = 9
"""Side in blocks of the square around such a match in which motion is followed: noise must not tear it to pieces."""

_STEPS = 32
"""Number of positions between two samples at which OpenCV interpolates."""


class Excess(NamedTuple):
    """Noise of a shot's foreground beyond that of its background."""

    shot: int
    """First frame of the shot; nothing is averaged across shots."""

    variance: FloatArray
    """Noise of the foreground in squared codes, by plane and brightness. Shape (planes, 256)."""

    share: FloatArray
    """Target share of the variance, in (0, 1]. Shape (planes, 256)."""

    coarseness: tuple[float, ...]
    """For each plane, the variance of the mean of many samples, relative to that of white noise."""


class _Memory(NamedTuple):
    """The state kept from a frame."""

    frame: int
    shot: int
    box: Box
    grey: Plane
    """Reduced brightness. Shape (height / 4, width / 4), rounded up."""

    means: tuple[FloatArray, ...]
    """Temporal mean of each plane, in the box."""

    left: tuple[FloatArray, ...]
    """Share of the noise's variance that remains in the means."""


class Denoise:
    """Averages each pixel of the foreground with its past until its noise is that of the background.

    The past is warped to the present by optical flow (DIS, Kroeger et al. 2016) where that matches better than no
    motion. The worse the square of 7 x 7 pixels around a pixel matches its past, the higher the weight of the present.
    Where the square, or a rectangle of up to 25 pixels, differs by more than noise can explain, the mean restarts for
    the pixel and its neighbours. Uncovered areas, and motion that the flow misses, therefore keep their noise and leave
    no trails. Only the last frame's means are kept. Frames must come in order; after a gap, all means restart.
    """

    def __init__(self, info: VideoInfo, excess_at: Callable[[int], Excess | None]) -> None:
        """Prepare for a clip.

        Args:
            info: properties of the composite.
            excess_at: returns the excess noise of a frame's foreground by the frame's number; None: none.
        """
        self._info, self._excess_at = info, excess_at
        self._memory: _Memory | None = None
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flow.setPatchStride(4)  # as accurate on noise as the preset's 3, and faster
        self._flow.setVariationalRefinementAlpha(100.0)  # five times as smooth as the preset, because of the noise
        self._flow.setVariationalRefinementIterations(12)

    def __call__(self, frame: Frame, mask: Mask) -> None:
        """Change a frame. See `Stage`."""
        excess = self._excess_at(frame.index)
        if excess is None or mask.box is None:
            self._memory = None
            return
        before = self._memory
        if before is not None and (before.frame + 1 != frame.index or before.shot != excess.shot):
            before = None
        box = grown(mask, _RIM, self._info, step=_STEP)
        grey = self._grey(frame, box)
        motion = None if before is None else self._motion(before, grey, box)
        shapes = [samples(plane, box, self._shift(number)).shape for number, plane in enumerate(self._colors(frame))]
        means, left = (tuple(np.empty(shape, np.float32) for shape in shapes) for _ in range(2))
        now = _Memory(frame.index, excess.shot, box, grey, means, left)
        for part in strips(box):
            flow = None if motion is None else enlarged(motion, part, box, _STEP)
            self._average(frame, weights(mask, part), part, excess, before, now, flow=flow)
        # Motion estimates are more accurate on denoised frames.
        self._memory = now._replace(grey=self._grey(frame, box))

    def _colors(self, frame: Frame) -> tuple[Plane, ...]:
        return frame.planes[: self._info.pixel_format.num_colors]

    def _shift(self, number: int) -> tuple[int, int]:
        return self._info.pixel_format.subsampling if number else (0, 0)

    def _grey(self, frame: Frame, box: Box) -> Plane:
        return reduced(brightness_levels(frame, box, self._info), _STEP)

    def _motion(self, before: _Memory, grey: Plane, box: Box) -> FloatArray | None:
        """Estimate the displacement from blocks to their past positions, in pixels; 0 where that matches about as well.

        Args:
            before: state of the previous frame.
            grey: reduced brightness of the present frame.
            box: area of `grey`.

        Returns:
            Channels (x right, y down). Shape (height / 4, width / 4, 2), rounded up; None: nothing moves.
        """
        if min(grey.shape) < _LEAST_SIDE:
            return None
        places = np.indices(grey.shape, np.float32)[::-1].transpose(1, 2, 0).copy()  # x, y
        places += np.array([box.left - before.box.left, box.top - before.box.top], np.float32) / _STEP
        past = cv2.remap(before.grey, places, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        flow: FloatArray = self._flow.calc(grey, past, None)
        moved = cv2.remap(before.grey, places + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        better = cv2.compare(_differences(grey, moved), _BETTER * _differences(grey, past), cv2.CMP_LE)
        flow[cv2.dilate(better, np.ones((_NEAR, _NEAR))) == 0] = 0
        return np.float32(_STEP) * flow if flow.any() else None

    def _average(
        self,
        frame: Frame,
        weight: FloatArray,
        part: Box,
        excess: Excess,
        before: _Memory | None,
        now: _Memory,
        *,
        flow: FloatArray | None,
    ) -> None:
        """Average a strip; write the result to the frame and to its state."""
        levels = brightness_levels(frame, part, self._info)
        fresh: Plane | None = None
        for number, plane in enumerate(self._colors(frame)):
            shift = self._shift(number)
            stored = samples(plane, part, shift)
            codes = stored.astype(np.float32)
            mean, left = (_kept(planes[number], part, now, shift) for planes in (now.means, now.left))
            if before is None:
                mean[...], left[...] = codes, _FRESH
                continue
            here = np.ascontiguousarray(levels[:: 1 << shift[0], :: 1 << shift[1]])
            past, remains = _past(before, number, part, shift, flow)
            variance = cv2.LUT(here, excess.variance[number])
            change = cv2.subtract(codes, past)
            new, misfit = _mismatch(change, remains, variance, coarseness=excess.coarseness[number])
            # Restarts are decided on the first plane: chroma alone rarely shows where averaging must restart.
            fresh = new if fresh is None else fresh
            new = cv2.bitwise_or(new, np.ascontiguousarray(fresh[:: 1 << shift[0], :: 1 << shift[1]]))
            remains += misfit
            cv2.copyTo(np.full_like(remains, _UNKNOWN), new, remains)
            gain = _gain(remains, cv2.LUT(here, excess.share[number]))
            rest = 1 - gain
            left[...] = rest * rest * remains + gain * gain
            change *= rest
            cv2.subtract(codes, change, dst=mean)
            add_codes(stored, change * -block_mean(weight, shift), self._info)


def _kept(plane: FloatArray, part: Box, memory: _Memory, shift: tuple[int, int]) -> FloatArray:
    """Return a view of a strip of the kept state, which covers the box."""
    top, left = memory.box[:2]
    within = Box(part.top - top, part.left - left, part.bottom - top, part.right - left)
    return cast(FloatArray, samples(plane, within, shift))


def _past(
    before: _Memory, number: int, part: Box, shift: tuple[int, int], flow: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return a strip's past means, warped to this frame, and their remaining noise.

    Args:
        before: state of the previous frame.
        number: number of the plane.
        part: the strip.
        shift: log2 of the plane's step.
        flow: displacement to past positions; None: no motion. Shape (height, width, 2).
    """
    means, left = before.means[number], before.left[number]
    box, (down, right) = before.box, shift
    flow = None if flow is None or not flow.any() else flow
    if flow is None and box.top <= part.top and box.bottom >= part.bottom and box[1::2] == part[1::2]:
        return _kept(means, part, before, shift), _kept(left, part, before, shift).copy()
    height, width = -(-part.bottom >> down) - (part.top >> down), -(-part.right >> right) - (part.left >> right)
    rows, columns = np.indices((height, width), np.float32)
    rows += (part.top - box.top) >> down
    columns += (part.left - box.left) >> right
    if flow is not None:
        there = block_mean(flow, shift)
        columns += there[..., 0] * np.float32(1 / (1 << right))
        rows += there[..., 1] * np.float32(1 / (1 << down))
    past = cv2.remap(means, columns, rows, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    remains = cv2.remap(left, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=_UNKNOWN)
    if flow is not None:
        for places in (columns, rows):  # interpolation averages samples, which reduces their noise
            remains *= cv2.LUT((places * _STEPS).astype(np.int32).astype(np.uint8), _between())
    return past, remains


@lru_cache(maxsize=1)
def _between() -> FloatArray:
    """Return the share of white noise left by interpolation, by position between samples; repeated. Shape (256,)."""
    columns = np.arange(-8, 8, 1 / _STEPS, dtype=np.float32)[None]
    impulse = np.zeros((1, 17), np.float32)
    impulse[0, 8] = 1
    weights = cv2.remap(impulse, columns + 8, np.zeros_like(columns), cv2.INTER_LANCZOS4)
    shares = np.square(weights).reshape(-1, _STEPS).sum(axis=0)
    return np.resize(shares.astype(np.float32), 256)


def _differences(one: Plane, other: Plane) -> FloatArray:
    """Return the mean squared difference in a square around each pixel. Shape (height, width)."""
    squares = np.square(cv2.subtract(one, other, dtype=cv2.CV_32F))
    means: FloatArray = cv2.blur(squares, (_MATCHED, _MATCHED))
    return means


def _mismatch(
    change: FloatArray, left: FloatArray, variance: FloatArray, *, coarseness: float
) -> tuple[Plane, FloatArray]:
    """Separate a strip's change into noise and motion.

    Args:
        change: difference from the past. Shape (height, width).
        left: remaining noise of the past, as a share of the variance.
        variance: variance of the noise.
        coarseness: see `Excess`.

    Returns:
        255 where the change exceeds what noise can explain, otherwise 0; and the variance that may not be noise, as a
        share of the noise's. Shape (height, width) each.
    """
    expected = _MARGIN * left + _MARGIN
    change = cv2.divide(change, cv2.sqrt(expected * np.maximum(variance, np.float32(1e-9))))
    power = cv2.blur(cv2.multiply(change, change), (_WINDOW, _WINDOW))
    matches = cv2.inRange(power, 0, 1 + _MOST_POWER * coarseness**0.5)
    for width, height in _EXTENTS:
        most = _MOST_SHIFT * (coarseness / (width * height)) ** 0.5
        matches = cv2.bitwise_and(matches, cv2.inRange(cv2.blur(change, (width, height)), -most, most))
    power -= 1
    misfit: FloatArray = cv2.multiply(expected, cv2.max(power, 0))
    return cv2.bitwise_not(cv2.erode(matches, np.ones((_AROUND, _AROUND), np.uint8))), misfit


def _gain(left: FloatArray, share: FloatArray) -> FloatArray:
    """Return the weight of the present frame in the mean that leaves the target noise, and no less.

    Args:
        left: share of the noise's variance that remains in the past's mean.
        share: target share.
    """
    total = left + 1
    best = cv2.divide(left, total)  # the gain with least noise for independent samples; it leaves this same share
    # Where the best gain would leave less than the target, solve (1 - gain)^2 left + gain^2 = share for the larger
    # gain.
    inner = cv2.max(best * best - cv2.divide(left - share, total), 0)
    gain: FloatArray = cv2.min(best + cv2.sqrt(inner), 1)
    return gain
