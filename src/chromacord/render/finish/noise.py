"""Measure the noise of a clip's foreground and background: its strength by plane and brightness, and its coarseness.

Noise is measured as the variance between two frames, or within a flat block, whichever is lower: texture varies within
blocks, motion between frames. At each brightness only the blocks with the lowest variance count, because texture and
motion can only add to it. Noise that a codec has removed, or repeats from frame to frame, does not count.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.color.spaces import code_scale
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.types import FloatArray, Frame, VideoInfo

BLOCK = 16
"""Side of a block in pixels."""

BINS = 8
"""Number of brightness levels from black to white."""

_MAX_BLOCKS = 160
"""Maximum number of blocks examined on each side of the mask, spread evenly."""

_LEAST_BLOCKS = 6
"""Minimum number of blocks to measure the noise at a brightness."""

_TEXTURE = 9.0
"""Variance, relative to the lowest of all brightnesses, above which it counts as texture or motion."""

_ALIKE = 2.0
"""Maximum spread of a group's variances, relative to that of white noise; texture has more."""

_COARSEST = 0.55
"""Correlation of neighbouring samples above which a block holds texture, not grain."""

_SPREAD = 4.0
"""Maximum variance of a block that counts as noise only, in standard deviations above the mean."""


class Noise(NamedTuple):
    """The noise of one side of a frame, or of a shot."""

    variance: npt.NDArray[np.float64]
    """Variance in squared codes by plane and brightness; NaN if unknown. Shape (planes, BINS)."""

    codes: npt.NDArray[np.float64]
    """Mean codes of the examined blocks by brightness; NaN if there were none. Shape (planes, BINS)."""

    neighbours: npt.NDArray[np.float64]
    """Correlation of vertical and of horizontal neighbours; NaN if there is no noise. Shape (planes, 2)."""

    @property
    def is_known(self) -> bool:
        """Whether the noise could be measured at any brightness."""
        return not np.isnan(self.variance[0]).all()

    @property
    def deviation(self) -> float:
        """Standard deviation of the first plane in codes: the median over brightness; 0 if unknown."""
        known = self.variance[0][~np.isnan(self.variance[0])]
        return float(np.median(known)) ** 0.5 if len(known) else 0.0

    @classmethod
    def over(cls, found: Iterable["Noise"], num_planes: int) -> "Noise":
        """Return the median of measurements in several frames."""
        nothing = cls(
            np.full((num_planes, BINS), np.nan), np.full((num_planes, BINS), np.nan), np.full((num_planes, 2), np.nan)
        )
        parts = zip(*(list(found) or [nothing]), strict=True)
        variance, codes, neighbours = (_nanmedian(np.stack(part)) for part in parts)
        return cls(np.stack([_without_texture(plane) for plane in variance]), codes, neighbours)


@dataclass(frozen=True)
class FrameNoise:
    """Measurements in one frame, or between two."""

    index: int
    foreground: Noise
    background: Noise


def measure(masked: MaskedFrame, following: Frame | None, info: VideoInfo) -> FrameNoise:
    """Measure the noise of a frame.

    Args:
        masked: frame and mask at full size.
        following: the next frame; None: there is none, so only flat blocks are used.
        info: properties of the clip.
    """
    inside, outside = whole_blocks(masked.mask, info, BLOCK)
    sides = (_measure_side(masked.frame, following, info, _spread(places)) for places in (inside, outside))
    return FrameNoise(masked.frame.index, *sides)


def brightness_plane(frame: Frame, info: VideoInfo) -> np.ndarray:  # type: ignore[type-arg]
    """Return the plane of luma, of green or of grey. Shape (height, width)."""
    return frame.planes[1 if info.pixel_format.model == "rgb" else 0]


def brightness(codes: npt.NDArray[np.generic], info: VideoInfo) -> npt.NDArray[np.float64]:
    """Return the brightness of samples of luma, green or grey, in [0, 1]. Any shape."""
    scale, offset, _, _ = code_scale(info.colorimetry, info.pixel_format)
    level = np.clip((codes.astype(np.float64) - offset) / scale, 0, 1)
    return level ** (1 / 2.4) if info.colorimetry.scene_linear else level


def neutral_codes(info: VideoInfo) -> npt.NDArray[np.float64]:
    """Return the codes of grey at the middle of each brightness level. Shape (planes, BINS)."""
    scale, offset, _, chroma_offset = code_scale(info.colorimetry, info.pixel_format)
    level = (np.arange(BINS) + 0.5) / BINS
    codes = np.tile(scale * (level**2.4 if info.colorimetry.scene_linear else level) + offset, (3, 1))
    if info.pixel_format.model == "yuv":
        codes[1:] = chroma_offset
    return codes[: info.pixel_format.num_colors]


def whole_blocks(mask: Mask, info: VideoInfo, side: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the rows and columns of blocks that are wholly foreground, and wholly background. Shape (N, 2) each."""
    height, width = (length // side for length in info.size)
    whole = mask.plane[: height * side, : width * side]
    if not height or not width:
        return np.empty((0, 2), np.intp), np.empty((0, 2), np.intp)
    # In two steps: OpenCV halves pictures six times as fast as it reduces by other factors.
    half = cv2.resize(whole, (width * side // 2, height * side // 2), interpolation=cv2.INTER_AREA)
    mean = cv2.resize(half, (width, height), interpolation=cv2.INTER_AREA)
    return np.argwhere(mean >= mask.white), np.argwhere(mean <= mask.black)


def _spread(places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    # Evenly spaced, not random, so that every run measures the same.
    return places[:: -(-len(places) // _MAX_BLOCKS)] if len(places) else places


def _measure_side(frame: Frame, following: Frame | None, info: VideoInfo, places: npt.NDArray[np.intp]) -> Noise:
    """Return the noise in some blocks of a frame."""
    num_planes = info.pixel_format.num_colors
    shifts = [info.pixel_format.subsampling if number else (0, 0) for number in range(num_planes)]
    cuts = [_cut(plane, places, shift) for plane, shift in zip(frame.planes, shifts, strict=False)]
    means = [_means(cut) for cut in cuts]
    levels = brightness(means[1 if info.pixel_format.model == "rgb" else 0], info)
    bins = np.minimum((levels * BINS).astype(np.intp), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    variance, codes = np.full((2, num_planes, BINS), np.nan)
    neighbours = np.full((num_planes, 2), np.nan)
    for number, (now, mean) in enumerate(zip(cuts, means, strict=True)):
        found = [_lowest(_flat(now), bins, is_flat=True)]
        if following is not None:
            then = _cut(following.planes[number], places, shifts[number])
            found.append(_lowest(_change(now, then), bins, is_flat=False))
        both = np.stack([each.variance for each in found])
        variance[number] = _without_texture(np.fmin.reduce(both))
        chosen = np.nan_to_num(both, nan=np.inf).argmin(axis=0)[bins]
        noise = [each.noise[each.is_noise & (chosen == kind)] for kind, each in enumerate(found)]
        neighbours[number] = _neighbours(np.concatenate(noise))
        known = ~np.isnan(variance[number])
        codes[number, known] = np.bincount(bins, mean, BINS)[known] / counts[known]
    return Noise(variance, codes, neighbours)


class _Found(NamedTuple):
    """Result of one way of measuring blocks."""

    variance: npt.NDArray[np.float64]
    """Variance by brightness; NaN if unknown. Shape (BINS,)."""

    noise: FloatArray
    """Noise of each block. Shape (N, rows, columns)."""

    is_noise: npt.NDArray[np.bool_]
    """Whether each block holds only noise. Shape (N,)."""


def _lowest(noise: FloatArray, bins: npt.NDArray[np.intp], *, is_flat: bool) -> _Found:
    """Find the blocks of each brightness that hold only noise: the group with the lowest variance.

    Args:
        noise: variation of each block: noise, and possibly texture or motion. Shape (N, rows, columns).
        bins: brightness of each block. Shape (N,).
        is_flat: also subtract the blocks' slopes.
    """
    size = int(np.prod(noise.shape[1:]))
    power = np.einsum("nij,nij->n", noise, noise)
    # Removing a mean and two slopes takes three degrees of freedom, a mean alone one.
    each = power / (size - (3 if is_flat else 1))
    likeness = _products(noise[:, 1:], noise[:, :-1]) + _products(noise[:, :, 1:], noise[:, :, :-1])
    bins = np.where(likeness <= 2 * _COARSEST * power, bins, BINS)  # blocks outside all brightness levels are left out
    variance, is_noise = np.full(BINS, np.nan), np.zeros(len(noise), bool)
    order = np.lexsort((each, bins))
    bounds = np.searchsorted(bins[order], np.arange(BINS + 1)).tolist()
    for level, (start, stop) in enumerate(pairwise(bounds)):
        if stop - start >= _LEAST_BLOCKS:
            lowest = each[order[start:stop]]
            count, mean, deviation = _lowest_group(lowest, size)
            if count >= _LEAST_BLOCKS // 2 and deviation <= _ALIKE * (2 / size) ** 0.5 * mean:
                variance[level] = mean
                is_noise[order[start : start + count]] = True
    return _Found(variance, noise, is_noise)


def _cut(plane: npt.NDArray[np.generic], places: npt.NDArray[np.intp], shift: tuple[int, int]) -> FloatArray:
    """Return blocks of a plane. Shape (N, rows, columns)."""
    rows, columns = BLOCK >> shift[0], BLOCK >> shift[1]
    height, width = plane.shape[0] // rows, plane.shape[1] // columns
    tiles = plane[: height * rows, : width * columns].reshape(height, rows, width, columns)
    return tiles[places[:, 0], :, places[:, 1]].astype(np.float32)


def _change(now: FloatArray, then: FloatArray) -> FloatArray:
    """Return the difference between blocks of two frames, without their means, scaled to one frame's noise."""
    change = (then - now) * np.float32(0.5**0.5)  # a difference has the variance of both frames
    change -= _means(change)[:, None, None]
    return change


def _means(blocks: FloatArray) -> FloatArray:
    """Return the mean of each block. Shape (N,)."""
    size = int(np.prod(blocks.shape[1:]))
    means: FloatArray = blocks.reshape(len(blocks), size) @ np.full(size, 1 / size, np.float32)
    return means


def _flat(blocks: FloatArray) -> FloatArray:
    """Return blocks without their means and slopes. Shape (N, rows, columns)."""
    rows, columns = blocks.shape[1:]
    basis = _slopes(rows, columns)
    lines = blocks.reshape(len(blocks), rows * columns)  # -1 is undefined without blocks
    rest: FloatArray = np.subtract(lines, (lines @ basis.T) @ basis).reshape(blocks.shape)
    return rest


@lru_cache(maxsize=8)
def _slopes(rows: int, columns: int) -> FloatArray:
    """Return an orthonormal constant and two slopes. Shape (3, rows * columns)."""
    y, x = (np.linspace(-1, 1, length, dtype=np.float32) for length in (rows, columns))
    shapes = np.stack([np.ones((rows, columns)), *np.meshgrid(y, x, indexing="ij")])
    lengths = np.sqrt(np.square(shapes).sum(axis=(1, 2), keepdims=True))
    basis: FloatArray = (shapes / lengths).reshape(3, -1).astype(np.float32)
    return basis


def _without_texture(variance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Replace variances far above the lowest by NaN; black and white are clipped, and may have no noise."""
    inner = variance[1:-1]
    if np.isnan(inner).all():
        return variance
    return np.where(variance > _TEXTURE * np.nanmin(inner) + 0.1, np.nan, variance)


def _products(one: FloatArray, other: FloatArray) -> FloatArray:
    sums: FloatArray = np.einsum("nij,nij->n", one, other)
    return sums


def _lowest_group(variances: FloatArray, num_samples: int) -> tuple[int, float, float]:
    """Return the size of the group of lowest variances that noise of one strength explains, and their mean and spread.

    Args:
        variances: variances of blocks, ascending. Shape (N,).
        num_samples: number of samples in a block.
    """
    values = variances.tolist()  # so few that Python's sums are faster than numpy's
    sums, squares = list(accumulate(values)), list(accumulate(each * each for each in values))
    # Starts from the lowest tenth and grows until the group explains itself; a few rounds suffice.
    count = max(1, len(values) // 10)
    mean = values[count - 1]
    for _ in range(6):
        count = max(1, bisect_right(values, mean * (1 + _SPREAD * (2 / num_samples) ** 0.5)))
        mean = sums[count - 1] / count
    return count, mean, math.sqrt(max(squares[count - 1] / count - mean * mean, 0))


def _neighbours(noise: FloatArray) -> tuple[float, float]:
    """Return the correlation of vertical and of horizontal neighbours."""
    if not noise.any():
        return np.nan, np.nan
    power = np.vdot(noise, noise) / noise.size
    pairs = ((noise[:, 1:], noise[:, :-1]), (noise[:, :, 1:], noise[:, :, :-1]))
    down, across = (float(_products(*pair).sum() / pair[0].size / power) for pair in pairs)
    return down, across


def _nanmedian(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the median over the first axis, ignoring NaN; NaN if all values are."""
    known = ~np.isnan(values).all(axis=0)
    median = np.full(values.shape[1:], np.nan)
    median[known] = np.nanmedian(values[:, known], axis=0)
    return median
