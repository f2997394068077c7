"""Clean edges of a foreground layer: the true colours of soft pixels, and no spill of a screen."""

import warnings
from collections.abc import Sequence
from threading import Lock
from typing import Literal

import cv2
import numpy as np

from chromacord.color.spaces import code_to_rgb, rgb_to_code
from chromacord.errors import ChromacordWarning
from chromacord.masks.chroma_grid import chroma_grid
from chromacord.masks.masks import Mask
from chromacord.render.cpu import unpack
from chromacord.render.finish.blocks import enlarged, inside, reduced, strips, touched, widened
from chromacord.render.finish.light import add_change, reduced_codes
from chromacord.render.finish.stage import grown, weights
from chromacord.types import Box, FloatArray, Frame, Plane, VideoInfo

Despill = Literal["green", "blue", "auto"]

_STEP = 8
_FAR, _NEAR = 90, 6
"""Radii of the two passes, in pixels, as published."""

_LEAST = np.float32(1e-5)
_SCREEN = 0.1
"""How far green, or blue, must stand out of what lies outside the matte for a screen of that colour."""


class CleanLayer:
    """Changes the planes of a foreground layer before it is laid over its new background.

    Soft pixels of footage hold colours of the background that it was filmed in front of. Blur fusion (Forte,
    "Approximate Fast Foreground Colour Estimation", ICIP 2021), in two passes, splits them: into the means of
    foreground and background around a pixel, and a rest that the foreground gets by its coverage. The means of the
    first, wide pass hold no detail, and are taken from a picture of an eighth of the size.
    """

    def __init__(self, info: VideoInfo, white: int, *, decontaminate: bool, despill: Despill | None) -> None:
        """Prepare for a layer.

        Args:
            info: of the foreground; its colours are straight.
            white: the matte's code for 1.
            decontaminate: estimate the colours of soft pixels.
            despill: the colour of the screen; "auto" detects it in the first frame.
        """
        self._info, self._white = info, white
        self._decontaminate, self._despill = decontaminate, despill
        self._detecting = Lock()
        self._step = max(_STEP, 1 << max(chroma_grid((info,))))
        self._decode = code_to_rgb(info.colorimetry, info.size, info.pixel_format)
        self._encode = rgb_to_code(info.colorimetry, info.size, info.pixel_format)

    def __call__(self, planes: Sequence[Plane], matte: Plane) -> tuple[Plane, ...]:
        """Return the layer's planes, cleaned.

        Args:
            planes: as decoded; not changed.
            matte: its coverage, 0 to `white`. Shape (height, width).
        """
        mask = Mask.from_plane(np.ascontiguousarray(matte), black=0, white=self._white)
        if mask.box is None or self._info.pixel_format.num_colors != 3:
            return tuple(planes)
        copies = (np.array(plane) for plane in planes[:3])
        frame = Frame((*copies, *planes[3:]), 0)
        with self._detecting:  # analysis and render read layers at the same time
            if self._despill == "auto":
                self._despill = self._screen(frame, mask)
                _say(self._info.path, self._despill)
        if self._decontaminate:
            self._estimate(frame, planes, mask)
        if self._despill is not None:
            self._take_spill(frame, mask, 1 if self._despill == "green" else 2)
        return frame.planes

    def _estimate(self, frame: Frame, planes: Sequence[Plane], mask: Mask) -> None:
        """Change a frame's soft pixels; the planes are the same before, since neighbours read what others write."""
        box = grown(mask, _FAR, self._info, step=self._step)
        matte = np.ascontiguousarray(mask.codes(box))
        small = cv2.cvtColor(reduced_codes(frame, box, self._step, self._info), cv2.COLOR_BGRA2BGR)
        share = reduced(matte, self._step).astype(np.float32) / np.float32(self._white)
        window = 2 * (_FAR // self._step) + 1
        near, far = (_mean(small, part, window) for part in (share, 1 - share))
        soft = cv2.bitwise_and(cv2.compare(matte, mask.black, cv2.CMP_GT), cv2.compare(matte, mask.white, cv2.CMP_LT))
        cells = reduced(soft, self._step) > 0
        for part in touched(cells, box, self._step):
            wide = widened(part, box, _NEAR)
            weight = weights(mask, wide)
            codes = cv2.cvtColor(unpack(tuple(planes), self._info, wide), cv2.COLOR_BGRA2BGR)  # the first three
            foreground, background = (enlarged(means, wide, box, self._step) for means in (near, far))
            foreground = _split(codes, foreground, background, weight)
            # The background's mean is wide already; the narrow one of the second pass is the same.
            foreground = _mean(foreground, weight, 2 * _NEAR + 1)
            change = cv2.subtract(_split(codes, foreground, background, weight), codes)
            change = cv2.copyTo(change, _soft(weight))
            add_change(frame, part, np.ascontiguousarray(change[inside(part, wide)]), self._info)

    def _take_spill(self, frame: Frame, mask: Mask, channel: int) -> None:
        """Limit green, or blue, to the mean of the two others."""
        mix = np.full(3, -0.5)
        mix[channel] = 1
        row = np.append(mix @ self._decode.matrix, [0, mix @ self._decode.offset]).astype(np.float32)
        box = grown(mask, 0, self._info)
        for part in strips(box):
            excess = cv2.transform(unpack(frame.planes, self._info, part), row[None])
            excess = np.maximum(excess, 0) * (mask.crop(part) > 0)
            if excess.any():
                scales = -self._encode.matrix[:, channel].astype(np.float32)
                add_change(frame, part, cv2.merge([excess * each for each in scales]), self._info)

    def _screen(self, frame: Frame, mask: Mask) -> Literal["green", "blue"] | None:
        """Detect the colour of the screen in what lies outside the matte, and say so."""
        height, width = self._info.size
        whole = Box(0, 0, height, width)
        codes = reduced_codes(frame, whole, self._step, self._info)[..., :3]
        share = reduced(weights(mask, whole), self._step)
        outside = codes[share <= 0]
        if not len(outside):
            return None
        red, green, blue = self._decode.matrix @ np.median(outside, axis=0) + self._decode.offset
        if green > max(red, blue) + _SCREEN:
            return "green"
        return "blue" if blue > max(red, green) + _SCREEN else None


def _say(path: object, screen: Literal["green", "blue"] | None) -> None:
    found = f"found a {screen} screen" if screen else "found no screen colour outside the matte, so no spill is limited"
    choice = "" if screen else "; if there is a screen, give --despill green or blue"
    warnings.warn(ChromacordWarning(f"{path}: --despill auto {found}{choice}"), stacklevel=2)


def _soft(weight: FloatArray) -> Plane:
    """Return 255 where a weight is neither 0 nor 1, else 0. Shape (height, width)."""
    soft: Plane = cv2.inRange(weight, float(np.nextafter(np.float32(0), 1)), float(np.nextafter(np.float32(1), 0)))
    return soft


def _mean(values: FloatArray, weight: FloatArray, size: int) -> FloatArray:
    """Return weighted means in a square around each pixel. Shape (height, width, 3)."""
    total = cv2.blur(cv2.multiply(values, cv2.merge([weight] * values.shape[2])), (size, size))
    share = np.maximum(cv2.blur(weight, (size, size)), _LEAST)
    mean: FloatArray = cv2.divide(total, cv2.merge([share] * values.shape[2]))
    return mean


def _split(codes: FloatArray, foreground: FloatArray, background: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the foreground's part of pixels, from the means around them. Shape (height, width, 3)."""
    alpha = cv2.merge([weight] * codes.shape[2])
    mixed = cv2.add(background, cv2.multiply(alpha, cv2.subtract(foreground, background)))
    split: FloatArray = cv2.add(foreground, cv2.multiply(alpha, cv2.subtract(codes, mixed)))
    return split
