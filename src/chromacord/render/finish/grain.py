"""Grain: add noise to a foreground that has less than its background."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.io.compositing.overlay import block_mean
from chromacord.masks.chroma_grid import aligned, chroma_grid, samples
from chromacord.masks.masks import Mask
from chromacord.render.cpu import alpha_of
from chromacord.render.finish.blocks import strips
from chromacord.render.finish.light import add_codes
from chromacord.render.finish.noise import Noise, brightness, neutral_codes
from chromacord.render.graders import Grading
from chromacord.types import Box, FloatArray, Frame, VideoInfo

_TILE = 512
"""Side of the noise tile that is laid over frames, at another offset in each."""

_SEED = 20
_LEVELS = 256

Amount = npt.NDArray[np.float32]
"""Standard deviation of the noise to add, in codes, by plane and brightness. Shape (planes, 256)."""


def graded_noise(noise: Noise, grade: Grading, info: VideoInfo) -> Noise:
    """Return noise after a grade: scaled by the grade's slope at each brightness, in each direction.

    Where a plane's noise is unknown at a brightness, grey without noise is assumed.

    Args:
        noise: noise before the grade.
        grade: maps codes of the clip to codes of the clip.
        info: properties of the clip.
    """
    if info.pixel_format.num_colors != 3:
        return noise
    codes, variance = noise.codes.copy(), noise.variance.copy()
    step = info.pixel_format.max_code / 100
    # The grade may vary over the picture; a row of seven pixels in its middle stands for all of it.
    at = np.where(np.isnan(noise.codes), neutral_codes(info), noise.codes)
    middle = Box(info.size.height // 2, info.size.width // 2, info.size.height // 2 + 1, info.size.width // 2 + 7)
    for level in np.flatnonzero(~np.isnan(noise.variance).all(axis=0)):
        # Central differences: the colour itself, then each plane raised, and each lowered, by a step.
        around = np.repeat(at[:, level][None], 7, axis=0)
        for plane in range(3):
            around[1 + plane, plane] += step
            around[4 + plane, plane] -= step
        padded = np.concatenate([around, around[:, :1]], axis=1).astype(np.float32)
        mapped = grade(padded[None], middle)[0, :, :3].astype(np.float64)
        slope = (mapped[1:4] - mapped[4:7]) / (2 * step)
        codes[:, level] = mapped[0]
        # The planes' noise is independent, so variances add up, each multiplied by the square of its slope.
        known = ~np.isnan(noise.variance[:, level])
        variance[:, level] = slope.T[:, known] ** 2 @ noise.variance[known, level]
    return Noise(variance, codes, noise.neighbours)


def missing(foreground: Noise, background: Noise, info: VideoInfo) -> Amount:
    """Return the noise that a foreground lacks, minus the noise that rounding adds.

    Args:
        foreground: noise of the graded foreground.
        background: the target noise.
        info: properties of the clip.
    """
    lacking = variance_by_level(background, info) - variance_by_level(foreground, info)
    # Rounding to whole codes is an error uniform over one code, whose variance is 1/12.
    lacking -= 0 if info.pixel_format.is_float else 1 / 12
    return np.sqrt(np.maximum(lacking, 0)).astype(np.float32)


def variance_by_level(noise: Noise, info: VideoInfo) -> npt.NDArray[np.float64]:
    """Return the variance of each plane at 256 levels of brightness. Shape (planes, 256)."""
    at = brightness(noise.codes[1 if info.pixel_format.model == "rgb" else 0], info)
    levels = (np.arange(_LEVELS) + 0.5) / _LEVELS
    found = np.zeros((len(noise.variance), _LEVELS))
    for number, plane in enumerate(noise.variance):
        known = np.flatnonzero(~np.isnan(plane + at))  # planes may be known at different levels
        order = known[np.argsort(at[known])]
        if len(order):
            found[number] = np.interp(levels, at[order], plane[order])
    return found


class Grain:
    """Adds noise inside the mask. It depends only on the frame's number, so every run gives the same noise."""

    def __init__(self, info: VideoInfo, amount_at: Callable[[int], tuple[Amount, Noise] | None]) -> None:
        """Prepare for a clip.

        Args:
            info: properties of the composite.
            amount_at: returns, by the frame's number, the noise to add, and the noise whose coarseness to reproduce;
                None: add nothing.
        """
        self._info, self._amount_at = info, amount_at
        self._tiles: list[FloatArray] = []
        self._like: Noise | None = None

    def __call__(self, frame: Frame, mask: Mask) -> None:
        """Change a frame. See `Stage`."""
        found = self._amount_at(frame.index)
        if found is None or not found[0].any() or mask.box is None:
            return
        amount, like = found
        if like is not self._like:
            self._tiles, self._like = [_tile(number, each) for number, each in enumerate(like.neighbours)], like
        box = aligned(mask.box, chroma_grid((self._info,)), self._info.size)
        # One tile at random offsets, because generating noise for every pixel costs far more than copying it.
        places = np.random.default_rng((_SEED, frame.index)).integers(0, _TILE, (len(amount), 2))
        for part in strips(box):
            self._strip(frame, mask, part, amount, places)

    def _strip(self, frame: Frame, mask: Mask, part: Box, amount: Amount, places: npt.NDArray[np.int64]) -> None:
        pixel_format = self._info.pixel_format
        level = brightness_levels(frame, part, self._info)  # before any plane changes
        weight = mask.crop(part)
        coverage = alpha_of(frame, self._info, part)
        weight = weight if coverage is None else weight * coverage[..., 0]
        for number, table in enumerate(amount):
            if not table.any():
                continue
            shift = pixel_format.subsampling if number else (0, 0)
            stored = samples(frame.planes[number], part, shift)
            height, width = stored.shape
            here, share = level, weight
            if shift != (0, 0):
                here = np.ascontiguousarray(level[:: 1 << shift[0], :: 1 << shift[1]])
                share = block_mean(weight, shift)
            top, left = (part.top >> shift[0]) + places[number, 0], (part.left >> shift[1]) + places[number, 1]
            noise = _wrapped(self._tiles[number], int(top), int(left), height, width)
            strength = cv2.multiply(cv2.LUT(here, table), share)
            add_codes(stored, cv2.multiply(noise, strength), self._info)


def brightness_levels(frame: Frame, part: Box, info: VideoInfo) -> npt.NDArray[np.uint8]:
    """Return the brightness of the pixels of a rectangle, in 256 levels. Shape (height, width)."""
    number = 1 if info.pixel_format.model == "rgb" else 0
    codes = samples(frame.planes[number], part, (0, 0))
    if info.pixel_format.is_float or info.pixel_format.depth > 8:
        return np.minimum(brightness(codes, info) * _LEVELS, _LEVELS - 1).astype(np.uint8)
    table = np.minimum(brightness(np.arange(256), info) * _LEVELS, _LEVELS - 1).astype(np.uint8)
    levels: npt.NDArray[np.uint8] = cv2.LUT(np.ascontiguousarray(codes), table)
    return levels


def _tile(number: int, neighbours: npt.NDArray[np.float64]) -> FloatArray:
    """Return noise of variance 1 whose neighbours have a given correlation; it tiles without seams.

    A kernel of three taps, a 1 a, gives neighbours a correlation of 2 a / (1 + 2 a^2): up to 0.7.
    """
    noise: FloatArray = np.random.default_rng((_SEED, number)).standard_normal((_TILE, _TILE), np.float32)
    for axis, wanted in enumerate(np.nan_to_num(neighbours)):
        likeness = float(np.clip(wanted, 0, 0.7))
        if likeness > 0.01:
            tap = (1 - (1 - 2 * likeness**2) ** 0.5) / (2 * likeness)
            noise += np.float32(tap) * (np.roll(noise, 1, axis) + np.roll(noise, -1, axis))
            noise /= np.float32((1 + 2 * tap**2) ** 0.5)
    return noise


def _wrapped(tile: FloatArray, top: int, left: int, height: int, width: int) -> FloatArray:
    """Return a rectangle of the repeated tile. Shape (height, width)."""
    rows, columns = np.arange(top, top + height) % _TILE, np.arange(left, left + width) % _TILE
    return np.ascontiguousarray(tile.take(rows, axis=0).take(columns, axis=1))
