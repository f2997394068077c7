"""Fit the edge of a composite's mask to the picture, so that the grade neither bleeds out nor leaves a rim."""

from dataclasses import replace

import cv2
import numpy as np

from chromacord.color.alpha import straight_codes
from chromacord.errors import InputError
from chromacord.masks.masks import Mask
from chromacord.render.cpu import alpha_of, unpack
from chromacord.render.finish.blocks import inside, reduced, touched, widened
from chromacord.render.finish.stage import grown, weights
from chromacord.types import FloatArray, Frame, VideoInfo

MOST_PIXELS = 16
"""Largest distance within which an edge is looked for."""

_AROUND = 10
"""Radius in pixels of the squares whose mean colours stand for both sides."""

_CELL = 8
_CERTAINTY = 2.0
"""Times the variances of both sides by which their colours must differ for half of the trust."""

_LEAST_SAMPLES = np.float32(1 / 40)
"""Share of a square that must be certain for full trust."""

_TINY = np.float32(1e-4)


def check_pixels(pixels: int) -> None:
    """Refuse a distance that is out of range.

    Raises:
        InputError: it is.
    """
    if not 1 <= pixels <= MOST_PIXELS:
        raise InputError(f"fit edge {pixels}: give a number of pixels from 1 to {MOST_PIXELS}")


class FittedEdge:
    """Estimates the coverage of pixels near a mask's edge from the colours on both sides of it.

    A pixel's coverage is where its colour lies between the mean colours of what is certainly foreground and certainly
    background around it. It counts as far as these differ by more than they vary; the rest is the given mask.
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

    def __call__(self, frame: Frame, mask: Mask) -> Mask:
        """Return a mask for a frame of the composite.

        Args:
            frame: as decoded.
            mask: its mask, of the whole picture.
        """
        if not mask.is_usable:
            return mask
        box = grown(mask, self._reach + _AROUND, self._info, step=_CELL)
        given = weights(mask, box)
        sure, possible = cv2.erode(given, self._disc), cv2.dilate(given, self._disc)
        fitted = given.copy()
        for part in touched(reduced(possible - sure, _CELL) > 0, box, _CELL):
            wide = widened(part, box, _AROUND + 2)
            seen = inside(wide, box)
            codes = unpack(frame.planes, self._info, wide)
            coverage = alpha_of(frame, self._info, wide)
            if coverage is not None:
                codes = straight_codes(codes, coverage, self._info)
            colors = cv2.cvtColor(codes, cv2.COLOR_BGRA2BGR) * np.float32(1 / self._info.pixel_format.max_code)
            found = _fit(colors, given[seen], sure[seen], 1 - possible[seen])
            fitted[inside(part, box)] = found[inside(part, wide)]
        plane = np.array(mask.plane)
        target = plane[box.top : box.bottom, box.left : box.right]
        codes = mask.black + (mask.white - mask.black) * fitted
        target[...] = np.where(fitted == given, target, np.rint(codes) if plane.dtype.kind == "u" else codes)
        fresh = Mask.from_plane(plane, black=mask.black, white=mask.white)
        return replace(fresh, origin=mask.origin)


def _fit(colors: FloatArray, given: FloatArray, inner: FloatArray, outer: FloatArray) -> FloatArray:
    """Return the coverage of pixels.

    Args:
        colors: of the composite. Shape (H, W, 3).
        given: the mask's weight. Shape (H, W).
        inner, outer: weight of what is certainly foreground, and background. Shape (H, W) each.
    """
    near, near_variance, near_share = _side(colors, inner)
    far, far_variance, far_share = _side(colors, outer)
    across = near - far
    distance = np.square(across).sum(axis=2)
    found = np.clip(((colors - far) * across).sum(axis=2) / (distance + _TINY**2), 0, 1)
    trust = distance / (distance + _CERTAINTY * (near_variance + far_variance) + _TINY)
    for share in (near_share, far_share):
        trust *= np.clip(share / _LEAST_SAMPLES, 0, 1)
    mixed = np.where(inner + outer < 1, given + trust * (found - given), given).astype(np.float32)
    # Single pixels are noise.
    calm = cv2.medianBlur(mixed, 3)
    fitted: FloatArray = np.where(inner >= 1, 1, np.where(outer >= 1, 0, calm)).astype(np.float32)
    return fitted


def _side(colors: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the mean colour of one side around each pixel, its variance, and the side's share of the square."""
    size = (2 * _AROUND + 1, 2 * _AROUND + 1)
    share = cv2.blur(weight, size) + _TINY
    weighted = colors * weight[..., None]
    mean = cv2.blur(weighted, size) / share[..., None]
    variance = np.maximum(cv2.blur(weighted * colors, size) / share[..., None] - np.square(mean), 0).sum(axis=2)
    return mean, variance, share
