"""Blur a foreground that is sharper than its background, or sharpen one that is softer; both in light."""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache

import cv2
import numpy as np

from chromacord.color.alpha import straight_codes
from chromacord.color.management.managed import display_to_light, light_to_display
from chromacord.color.spaces import code_scale
from chromacord.io.compositing.overlay import block_mean
from chromacord.masks.chroma_grid import samples
from chromacord.masks.masks import Mask
from chromacord.render.cpu import alpha_of, unpack
from chromacord.render.finish.blocks import inside, reduced, touched, widened
from chromacord.render.finish.light import Light, add_codes
from chromacord.render.finish.sharpness import COARSE, FINE
from chromacord.render.finish.stage import grown, weights
from chromacord.render.soften import NativeSoftening
from chromacord.types import Alpha, Box, FloatArray, Frame, Plane, VideoInfo

_CELL = 8
"""Side in pixels of the blocks by which the blurred area is covered."""

_WORTH = 64
"""Minimum width in pixels of a fully covered middle that is blurred separately, without weights."""

_RINGING = 0.03
"""Maximum overshoot of sharpened samples, relative to the range of their neighbours."""

_REACH = 1.5
"""Maximum distance of neighbours, in standard deviations of the mask's blur."""

_MOST_GAIN, _LEAST_SIGMA = 6.0, 0.7
"""Maximum gain of an unsharp mask, and minimum standard deviation of its blur in pixels."""

_AROUND, _SPARSE = 5, 4
"""Side in pixels of the squares in which detail is compared with noise, and step between the pixels that measure it."""

_CALM, _ABOVE_NOISE = 0.3, 2.0
"""Share of pixels assumed to show only noise, and minimum energy of detail to sharpen, relative to theirs."""

_BLACK = np.float32(1e-6)
_LEAST = np.float32(1e-6)
_TINY = 1e-12


class Softness:
    """Blurs the foreground in light, using only its own pixels: no background bleeds in, and its outline stays.

    Each plane is blurred separately: red, green, blue and luma as light, and chroma as it is stored, at its own
    resolution. Colours of another space, and premultiplied ones, are first converted to light.
    """

    def __init__(self, info: VideoInfo, sigma_at: Callable[[int], float]) -> None:
        """Prepare for a clip.

        Args:
            info: properties of the composite.
            sigma_at: returns the standard deviation of the blur in pixels by the frame's number; 0: no blur.
        """
        self._info, self._sigma_at = info, sigma_at
        by_planes = info.space is None and info.pixel_format.alpha is not Alpha.PREMULTIPLIED
        self._light = None if by_planes else Light(info)
        self._levels = _Levels(info)
        self._native = None if self._light is not None else self._prepared()

    def __call__(self, frame: Frame, mask: Mask) -> None:
        """Change a frame. See `Stage`."""
        sigma = self._sigma_at(frame.index)
        if sigma <= 0:
            return
        if self._native is not None:
            self._blur_compiled(self._native, frame, mask, sigma)
            return
        box = grown(mask, 0, self._info, step=_CELL)
        source = Frame(tuple(np.array(plane) for plane in frame.planes), frame.index)  # strips read their neighbours
        reach = math.ceil(3 * sigma)
        cells = reduced(weights(mask, box), _CELL) > 0
        for part in touched(cells, box, _CELL):
            wide = widened(part, box, reach)
            weight = weights(mask, wide)
            if self._light is not None:
                self._blur_light(self._light, frame, source, part, wide, weight, sigma)
                continue
            for piece, is_solid in _pieces(part, wide, weight, reach):
                around = widened(piece, wide, reach)
                share = None if is_solid else np.ascontiguousarray(weight[inside(around, wide)])
                self._blur_planes(frame, source, piece, around, share, sigma)

    def _prepared(self) -> NativeSoftening | None:
        pixel_format = self._info.pixel_format
        if pixel_format.is_float or self._info.colorimetry.scene_linear:
            return None
        light = self._levels.to_light(np.arange(1 << 8 * pixel_format.dtype.itemsize, dtype=np.float32))
        return NativeSoftening.prepare(pixel_format, light, self._levels.scale, self._levels.offset)

    def _blur_compiled(self, native: NativeSoftening, frame: Frame, mask: Mask, sigma: float) -> None:
        box = grown(mask, 0, self._info)
        codes, is_yuv = mask.codes(box), self._info.pixel_format.model == "yuv"
        for number, plane in enumerate(frame.planes[: self._info.pixel_format.num_colors]):
            is_chroma = is_yuv and number > 0
            stored = samples(plane, box, self._info.pixel_format.subsampling if is_chroma else (0, 0))
            native.soften(stored, codes, (mask.black, mask.white), sigma, is_chroma=is_chroma)

    def _blur_planes(
        self, frame: Frame, source: Frame, part: Box, wide: Box, weight: FloatArray | None, sigma: float
    ) -> None:
        is_yuv, light_of = self._info.pixel_format.model == "yuv", self._levels.light_of
        for number in range(self._info.pixel_format.num_colors):
            is_chroma = is_yuv and number > 0
            shift = self._info.pixel_format.subsampling if is_chroma else (0, 0)
            within = _on_grid(inside(part, wide), shift)
            codes = samples(source.planes[number], wide, shift)
            share = None if weight is None else block_mean(weight, shift)
            own = np.ascontiguousarray(codes).astype(np.float32, copy=False) if is_chroma else light_of(codes)
            sigmas = (sigma / (1 << shift[1]), sigma / (1 << shift[0]))
            stored = samples(frame.planes[number], part, shift)
            if share is None and not is_chroma:
                after = self._levels.to_codes(np.ascontiguousarray(_blurred(own, sigmas)[within]))
                add_codes(stored, cv2.subtract(after, codes[within], dtype=cv2.CV_32F), self._info)
                continue
            change = _change(own, share, within, sigmas)
            if not is_chroma and share is not None:
                after = self._levels.to_codes(cv2.add(np.ascontiguousarray(own[within]), change))
                # Outside the foreground the difference is only conversion error.
                change = cv2.subtract(after, codes[within], dtype=cv2.CV_32F) * (share[within] > 0)
            add_codes(stored, change, self._info)

    def _blur_light(
        self, convert: Light, frame: Frame, source: Frame, part: Box, wide: Box, weight: FloatArray, sigma: float
    ) -> None:
        light, encoded = convert.read(source, wide)
        within = inside(part, wide)
        own, before = (np.ascontiguousarray(values[within]) for values in (light, encoded))
        convert.add(frame, part, before, cv2.add(own, _change(light, weight, within, (sigma, sigma))))


class Sharpening:
    """Sharpens the foreground by an unsharp mask in light, using only its own pixels, and limits ringing at edges.

    Samples stay within the range of their neighbours, widened by `_RINGING`. Detail that is hardly stronger than in the
    calmest third of the foreground may be noise, and is not amplified. In Y'CbCr only luma is sharpened. Premultiplied
    colours are divided by alpha first, so that alpha's own edges are not sharpened.
    """

    def __init__(self, info: VideoInfo, spreads_at: Callable[[int], tuple[float, float] | None]) -> None:
        """Prepare for a clip.

        Args:
            info: properties of the composite.
            spreads_at: returns the measured and the target spread of edges, as variances, by the frame's number; None:
                no change.
        """
        self._info, self._spreads_at, self._levels = info, spreads_at, _Levels(info)

    def __call__(self, frame: Frame, mask: Mask) -> None:
        """Change a frame. See `Stage`."""
        spreads = self._spreads_at(frame.index)
        if spreads is None:
            return
        sigma, gain = unsharp(*spreads)
        box = grown(mask, 0, self._info)
        weight = weights(mask, box)
        covered = cv2.compare(weight, 0, cv2.CMP_GT)
        count = 1 if self._info.pixel_format.model == "yuv" else self._info.pixel_format.num_colors
        coverage = alpha_of(frame, self._info, box)
        stored = [samples(plane, box, (0, 0)) for plane in frame.planes[:count]]
        own = stored
        if coverage is not None:
            own = list(cv2.split(straight_codes(unpack(frame.planes, self._info, box), coverage, self._info))[:count])
        for plane, codes in zip(stored, own, strict=True):
            change = self._change(np.ascontiguousarray(codes), weight, covered, sigma, gain)
            add_codes(plane, change if coverage is None else change * coverage[..., 0], self._info)

    def _change(self, codes: Plane, weight: FloatArray, covered: Plane, sigma: float, gain: float) -> FloatArray:
        own = self._levels.light_of(codes)
        total = cv2.max(_blurred(weight, (sigma, sigma)), float(_LEAST))
        mean = cv2.divide(_blurred(cv2.multiply(own, weight), (sigma, sigma)), total)
        sharp = self._levels.to_codes(cv2.addWeighted(own, 1 + gain, mean, -gain, 0))
        change = cv2.copyTo(cv2.subtract(sharp, codes, dtype=cv2.CV_32F), covered)
        energy = cv2.blur(cv2.multiply(change, change), (_AROUND, _AROUND))
        seen = energy[::_SPARSE, ::_SPARSE][covered[::_SPARSE, ::_SPARSE].astype(bool)]
        noise = _ABOVE_NOISE * float(np.quantile(seen, _CALM)) if seen.size else 0.0
        share = cv2.max(cv2.subtract(1, cv2.divide(noise, cv2.max(energy, _TINY))), 0)
        limited = _limited(codes, cv2.multiply(change, share), covered, sigma)
        found: FloatArray = cv2.multiply(limited, weight)
        return found


@lru_cache(maxsize=64)
def unsharp(spread: float, wanted: float) -> tuple[float, float]:
    """Return the unsharp mask that gives edges a target sharpness, found by trial on a blurred step.

    Args:
        spread: spread of the edges from `measure_spread`, a variance in square pixels.
        wanted: the spread after sharpening.

    Returns:
        Standard deviation of the mask's blur, in pixels, and its gain, at most `_MOST_GAIN`.
    """
    sigma = max(_LEAST_SIGMA, math.sqrt(spread))
    edge = (_ramp(spread) * np.ones((3, 1))).astype(np.float32)
    kernels = (cv2.getGaussianKernel(2 * math.ceil(4 * scale) + 1, scale)[:, 0] for scale in (FINE, COARSE))
    fine, coarse = kernels
    change = edge - cv2.GaussianBlur(edge, (0, 0), sigma)
    covered = np.full(edge.shape, 255, np.uint8)

    def ratio(row: FloatArray) -> float:
        return float(_slope(np.convolve(row, fine, "same")) / _slope(np.convolve(row, coarse, "same")))

    # Compare edges by the ratio that `measure_spread` uses. It grows with the gain, so bisection finds the gain; twelve
    # halvings are exact to a thousandth.
    target = ratio(_ramp(wanted).astype(np.float32))
    low, high = 0.0, _MOST_GAIN
    for _ in range(12):
        middle = (low + high) / 2
        sharp = edge + _limited(edge, middle * change, covered, sigma)
        low, high = (middle, high) if ratio(sharp[1]) < target else (low, middle)
    return sigma, high


def _ramp(variance: float) -> FloatArray:
    """Return a blurred step from 0 to 1. Shape (97,)."""
    scale = math.sqrt(2 * max(variance, 1e-3))
    return np.array([0.5 + 0.5 * math.erf(x / scale) for x in range(-48, 49)])


def _slope(row: FloatArray) -> float:
    middle = len(row) // 2
    return float(row[middle + 1] - row[middle - 1])


def _limited(codes: Plane, change: FloatArray, covered: Plane, sigma: float) -> FloatArray:
    """Limit a change so that samples hardly leave the range of their neighbours. Shape (height, width) each."""
    kernel = np.ones((2 * math.ceil(_REACH * sigma) + 1,) * 2, np.uint8)
    inverted = cv2.bitwise_not(covered)
    low = cv2.erode(_filled(codes, inverted, codes.max()), kernel)
    high = cv2.dilate(_filled(codes, inverted, codes.min()), kernel)
    margin = cv2.subtract(high, low, dtype=cv2.CV_32F) * np.float32(_RINGING)
    least = cv2.subtract(cv2.subtract(low, codes, dtype=cv2.CV_32F), margin)
    most = cv2.add(cv2.subtract(high, codes, dtype=cv2.CV_32F), margin)
    limited: FloatArray = cv2.min(cv2.max(change, least), most)
    return limited


def _filled(codes: Plane, where: Plane, value: float) -> Plane:
    filled = codes.copy()
    filled[where.astype(bool)] = value
    return filled


class _Levels:
    """Converts samples of one plane to light and back."""

    def __init__(self, info: VideoInfo) -> None:
        self._info = info
        self.scale, self.offset, _, _ = code_scale(info.colorimetry, info.pixel_format)
        self._table = self.to_light(np.arange(256, dtype=np.float32))

    def light_of(self, codes: Plane) -> FloatArray:
        if codes.dtype == np.uint8:
            light: FloatArray = cv2.LUT(np.ascontiguousarray(codes), self._table)
            return light
        return self.to_light(codes.astype(np.float32))

    def to_light(self, codes: FloatArray) -> FloatArray:
        if self._info.colorimetry.scene_linear:
            return codes
        level = cv2.multiply(cv2.subtract(codes, self.offset), 1 / self.scale).reshape(codes.shape)
        return display_to_light(np.maximum(level, _BLACK))

    def to_codes(self, light: FloatArray) -> FloatArray:
        if self._info.colorimetry.scene_linear:
            return light
        return light_to_display(cv2.max(light, float(_BLACK**2.4))) * np.float32(self.scale) + np.float32(self.offset)


def _pieces(part: Box, wide: Box, weight: FloatArray, reach: int) -> Iterator[tuple[Box, bool]]:
    """Split a rectangle at the sides of its fully covered middle, whose blur needs no weights.

    Args:
        part: rectangle to blur.
        wide: `part` extended by the blur's reach.
        weight: foreground weight in `wide`. Shape (height, width).
        reach: reach of the blur in pixels.

    Yields:
        A rectangle, and whether everything within the blur's reach is foreground.
    """
    left, right = part.right, part.right
    if wide.top <= part.top - reach and wide.bottom >= part.bottom + reach:
        soft = np.flatnonzero(np.r_[True, weight.min(axis=0) < 1, True]) - 1
        widest = int(np.diff(soft).argmax())
        left, right = (wide.left + int(soft[widest + by]) for by in (0, 1))
        left = max(part.left, -(-(left + 1 + reach) // _CELL) * _CELL)
        right = min(part.right, (right - reach) // _CELL * _CELL)
    if right - left < _WORTH:
        yield part, False
        return
    for start, stop, is_solid in ((part.left, left, False), (left, right, True), (right, part.right, False)):
        if start < stop:
            yield part._replace(left=start, right=stop), is_solid


def _change(
    values: FloatArray, weight: FloatArray | None, within: tuple[slice, slice], sigmas: tuple[float, float]
) -> FloatArray:
    """Return the change made by a blur that is weighted by the foreground, multiplied by the weight.

    Args:
        values: light or codes. Shape (height, width) or (height, width, channels).
        weight: foreground weight; None: 1 everywhere. Shape (height, width).
        within: the part to return.
        sigmas: standard deviations across columns and rows.
    """
    own = np.ascontiguousarray(values[within])
    if weight is None:
        solid: FloatArray = cv2.subtract(np.ascontiguousarray(_blurred(values, sigmas)[within]), own)
        return solid
    channels = 1 if values.ndim == 2 else values.shape[2]

    def as_many(plane: FloatArray) -> FloatArray:
        return plane if values.ndim == 2 else cv2.merge([plane] * channels)

    blurred = _blurred(cv2.multiply(values, as_many(weight)), sigmas)[within]
    total = np.maximum(_blurred(weight, sigmas)[within], _LEAST)
    mean = cv2.divide(np.ascontiguousarray(blurred), as_many(total))
    change: FloatArray = cv2.multiply(cv2.subtract(mean, own), as_many(np.ascontiguousarray(weight[within])))
    return change


def _blurred(values: FloatArray, sigmas: tuple[float, float]) -> FloatArray:
    across, down = sigmas
    size = (2 * math.ceil(3 * across) + 1, 2 * math.ceil(3 * down) + 1)
    blurred: FloatArray = cv2.GaussianBlur(values, size, across, sigmaY=down, borderType=cv2.BORDER_CONSTANT)
    return blurred


def _on_grid(within: tuple[slice, slice], shift: tuple[int, int]) -> tuple[slice, slice]:
    """Convert a part of a rectangle from pixels to samples of a coarser grid."""
    rows, columns = (slice(each.start >> by, -(-each.stop >> by)) for each, by in zip(within, shift, strict=True))
    return rows, columns
