"""Fit the edge of a composite's mask to the picture, so that the grade neither bleeds out nor leaves a rim."""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.color.alpha import straight_codes
from chromacord.errors import InputError
from chromacord.io.compositing.overlay import block_mean
from chromacord.masks.chroma_grid import chroma_grid, samples
from chromacord.masks.masks import Mask
from chromacord.render.cpu import alpha_of, unpack
from chromacord.render.finish.blocks import reduced
from chromacord.render.finish.stage import grown
from chromacord.types import Box, FloatArray, Frame, Plane, VideoInfo

Places = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
"""Row and column indices of pixels. Shape (N,) each."""

MOST_PIXELS = 16
"""Maximum distance in pixels to search for an edge."""

_AROUND = 10
"""Radius in pixels of the squares over which the mean colours of both sides are taken."""

_STEP = 4
"""Side in pixels of the blocks from which these means are computed; they need no detail."""

_LINE = 1024
"""Number of pixels interpolated at once."""

_CERTAINTY = 2.5
"""Squared difference of the two sides' colours, relative to their variances, at which the trust is one half."""

_LEAST_SAMPLES = np.float32(1 / 40)
"""Minimum share of certain pixels in a square for full trust."""

_TINY = np.float32(1e-4)
"""Squared colour difference at which two sides count as equal."""


def check_pixels(pixels: int) -> None:
    """Check the range of a distance.

    Raises:
        InputError: it is out of range.
    """
    if not 1 <= pixels <= MOST_PIXELS:
        raise InputError(f"fit edge {pixels}: give a number of pixels from 1 to {MOST_PIXELS}")


class FittedEdge:
    """Estimates the coverage of pixels near a mask's edge from the colours on both sides of it.

    A pixel's coverage is the position of its colour between two means: those of the pixels around it that are certainly
    foreground, and certainly background. The more these means differ relative to their variance, the more the
    estimate replaces the given mask.
    """

    def __init__(self, info: VideoInfo, pixels: int) -> None:
        """Prepare for a clip.

        Args:
            info: properties of the composite.
            pixels: distance by which the mask's edge may be off.
        """
        self._info = info
        self._disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
        self._reach = pixels + 1
        self._step = max(_STEP, 1 << max(chroma_grid((info,))))

    def __call__(self, frame: Frame, mask: Mask) -> Mask:
        """Return a mask for a frame of the composite.

        Args:
            frame: as decoded.
            mask: its mask, of the whole picture.
        """
        if not mask.is_usable:
            return mask
        box = grown(mask, self._reach + _AROUND, self._info, step=self._step)
        codes = np.ascontiguousarray(mask.codes(box))
        if codes.dtype not in (np.uint8, np.uint16, np.float32):  # what OpenCV's filters take
            codes = codes.astype(np.float32)
        sure, possible = cv2.erode(codes, self._disc), cv2.dilate(codes, self._disc)
        band = cv2.bitwise_and(cv2.compare(sure, mask.white, cv2.CMP_LT), cv2.compare(possible, mask.black, cv2.CMP_GT))
        places = np.flatnonzero(cv2.dilate(band, np.ones((3, 3))) != 0)
        if not len(places):
            return mask
        inner, outer = (_weight(reduced(each, self._step), mask) for each in (sure, possible))
        fitted = codes.copy()
        given = _weight(fitted.ravel()[places], mask)
        weight = self._coverage(frame, box, (inner, 1 - outer), np.divmod(places, codes.shape[1]), given=given)
        found = mask.black + np.float32(mask.white - mask.black) * weight
        fitted.ravel()[places] = np.rint(found) if mask.plane.dtype.kind == "u" else found
        plane = np.array(mask.plane)
        target = plane[box.top : box.bottom, box.left : box.right]
        # A median removes single outliers, which are noise.
        np.copyto(target, cv2.medianBlur(fitted, 3), where=band > 0, casting="unsafe")
        return replace(Mask.from_plane(plane, black=mask.black, white=mask.white), origin=mask.origin)

    def _coverage(
        self, frame: Frame, box: Box, sides: tuple[FloatArray, FloatArray], places: Places, *, given: FloatArray
    ) -> FloatArray:
        """Return the fitted weight of some pixels.

        Args:
            frame: of the composite.
            box: aligned to blocks.
            sides: reduced weights of certain foreground and certain background. Shape (H, W) each.
            places: rows and columns in the box. Shape (N,) each.
            given: the mask's weight of the pixels. Shape (N,).

        Returns:
            Shape (N,).
        """
        small = self._reduced(frame, box)
        unmixing, trust = _unmixing(small, *sides, 2 * round(_AROUND / self._step) + 1)
        factors = _interpolated(cv2.merge(list(unmixing)), places, self._step)
        found = np.einsum("ij,ij->i", self._colors(frame, box, places), factors)
        fitted: FloatArray = given + _interpolated(trust, places, self._step) * (found.clip(0, 1) - given)
        return fitted

    def _planes(self, frame: Frame, box: Box) -> list[tuple[Plane, tuple[int, int]]]:
        """Return a box of the straight colour planes, each with log2 of its step, vertically and horizontally."""
        number, shift = self._info.pixel_format.num_colors, self._info.pixel_format.subsampling
        coverage = alpha_of(frame, self._info, box)
        if coverage is not None:
            codes = straight_codes(unpack(frame.planes, self._info, box), coverage, self._info)
            return [(plane, (0, 0)) for plane in cv2.split(codes)[:number]]
        shifts = [(0, 0), *[shift] * (number - 1)]
        return [(samples(plane, box, by), by) for plane, by in zip(frame.planes, shifts, strict=False)]

    def _colors(self, frame: Frame, box: Box, places: Places) -> FloatArray:
        """Return the colours of some pixels in [0, 1], and 1. Shape (N, 4)."""
        rows, columns = places
        colors = np.ones((len(rows), 4), np.float32)
        planes = self._planes(frame, box)
        for number in range(3):
            plane, (down, right) = planes[number % len(planes)]
            flat = np.ascontiguousarray(plane).ravel()
            colors[:, number] = flat.take((rows >> down) * plane.shape[1] + (columns >> right))
        colors[:, :3] *= np.float32(1 / self._info.pixel_format.max_code)
        return colors

    def _reduced(self, frame: Frame, box: Box) -> FloatArray:
        """Return reduced colours in [0, 1]. Shape (3, height / step, width / step)."""
        log = self._step.bit_length() - 1
        planes = self._planes(frame, box)
        means = [block_mean(plane, (log - down, log - right)) for plane, (down, right) in planes]
        small = np.stack(means * (3 // len(means))).astype(np.float32)
        return small * np.float32(1 / self._info.pixel_format.max_code)


def _weight(codes: Plane, mask: Mask) -> FloatArray:
    """Convert a mask's codes to weights in [0, 1]. The same shape."""
    weight: FloatArray = (codes.astype(np.float32) - np.float32(mask.black)) / np.float32(mask.white - mask.black)
    weight.clip(0, 1, out=weight)
    return weight


def _interpolated(small: FloatArray, places: Places, step: int) -> FloatArray:
    """Interpolate between the centres of blocks at some pixels. Shape (N, ...)."""
    rows, columns = ((each.astype(np.float32) + np.float32(0.5)) / step - np.float32(0.5) for each in places)
    length = -(-len(rows) // _LINE) * _LINE  # OpenCV's pictures have limited sides
    rows, columns = (np.resize(each, length).reshape(-1, _LINE) for each in (rows, columns))
    found = cv2.remap(small, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    between: FloatArray = found.reshape(length, *small.shape[2:])[: len(places[0])]
    return between


def _unmixing(colors: FloatArray, inner: FloatArray, outer: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Return the map from a pixel's colour to its coverage, and its reliability.

    Args:
        colors: of the composite. Shape (3, H, W).
        inner, outer: weights of certain foreground and certain background. Shape (H, W) each.
        size: side in pixels of the squares over which the means of both sides are taken.

    Returns:
        Three factors and an offset, shape (4, H, W); and trust in [0, 1], shape (H, W).
    """
    (near, near_variance, near_share), (far, far_variance, far_share) = (
        _side(colors, each, size) for each in (inner, outer)
    )
    across = near - far
    distance = np.square(across).sum(axis=0)
    # Fisher's criterion as a share: where both sides look alike, the given mask stays.
    trust = distance / (distance + _CERTAINTY * (near_variance + far_variance) + _TINY)
    for share in (near_share, far_share):
        trust *= np.minimum(share / _LEAST_SAMPLES, 1)
    factors = across / (distance + _TINY**2)
    return np.concatenate([factors, -(factors * far).sum(axis=0, keepdims=True)]), trust


def _side(colors: FloatArray, weight: FloatArray, size: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the mean colour of one side around each pixel, its variance, and the side's share of the square."""
    share = cv2.blur(weight, (size, size)) + _TINY
    squares = np.square(colors).sum(axis=0)
    *mean, square = (cv2.blur(plane * weight, (size, size)) / share for plane in (*colors, squares))
    return np.stack(mean), np.maximum(square - np.square(mean).sum(axis=0), 0), share
