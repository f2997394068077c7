"""Clean a foreground layer: recover the colours of soft pixels, and remove the spill of a screen."""

import warnings
from collections.abc import Sequence
from threading import Lock
from typing import Literal

import cv2
import numpy as np

from chromacord.color.spaces import code_to_rgb, rgb_to_code
from chromacord.errors import ChromacordWarning
from chromacord.io.compositing.overlay import block_mean
from chromacord.masks.chroma_grid import chroma_grid, samples
from chromacord.masks.masks import Mask
from chromacord.render.cpu import unpack
from chromacord.render.finish.blocks import enlarged, inside, reduced, strips, touched, widened
from chromacord.render.finish.light import add_change, add_codes, reduced_codes
from chromacord.render.finish.stage import grown, weights
from chromacord.types import Box, FloatArray, Frame, Plane, VideoInfo

Despill = Literal["green", "blue", "auto"]

_STEP = 8
_FAR, _NEAR = 90, 6
"""Radii of the two passes, in pixels, as published."""

_LEAST = 1e-5
_SCREEN = 0.1
"""Minimum excess of green, or blue, outside the matte to detect a screen of that colour."""

_SHARED = 0xF0
"""Value of a covered pixel; divisible by 2 to 16, so that means over chroma samples are exact."""


class CleanLayer:
    """Changes the planes of a foreground layer before it is composited over its new background.

    Soft pixels of footage contain colours of the original background. Two passes of blur fusion (Forte, "Approximate
    Fast Foreground Colour Estimation", ICIP 2021) separate them: a pixel's foreground colour is the mean foreground
    colour around it, plus its share, by coverage, of what the means of both sides do not explain. The first pass has a
    wide radius and no detail, so its means are computed at an eighth of the size.
    """

    def __init__(self, info: VideoInfo, white: int, *, decontaminate: bool, despill: Despill | None) -> None:
        """Prepare for a layer.

        Args:
            info: properties of the foreground; its colours are straight.
            white: the matte's code for 1.
            decontaminate: whether to recover the colours of soft pixels.
            despill: colour of the screen; "auto" detects it in the first frame.
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
            planes: decoded planes; not modified.
            matte: coverage, 0 to `white`. Shape (height, width).
        """
        mask = Mask.from_plane(np.ascontiguousarray(matte), black=0, white=self._white)
        if mask.box is None or self._info.pixel_format.num_colors != 3:
            return tuple(planes)
        copies = (np.array(plane) for plane in planes[:3])
        frame = Frame((*copies, *planes[3:]), 0)
        with self._detecting:  # analysis and rendering read layers concurrently
            if self._despill == "auto":
                self._despill = self._screen(frame, mask)
                _say(self._info.path, self._despill)
        if self._decontaminate:
            self._estimate(frame, planes, mask)
        if self._despill is not None:
            self._take_spill(frame, mask, 1 if self._despill == "green" else 2)
        return frame.planes

    def _estimate(self, frame: Frame, planes: Sequence[Plane], mask: Mask) -> None:
        """Change a frame's soft pixels. `planes` stay unmodified, because strips read pixels of their neighbours."""
        box = grown(mask, _FAR, self._info, step=self._step)
        matte = np.ascontiguousarray(mask.codes(box))
        small = cv2.cvtColor(reduced_codes(frame, box, self._step, self._info), cv2.COLOR_BGRA2BGR)
        share = reduced(matte, self._step).astype(np.float32) / np.float32(self._white)
        window = 2 * (_FAR // self._step) + 1
        near, far = (_mean(cv2.multiply(small, _thrice(part)), part, window) for part in (share, 1 - share))
        cells = reduced(_soft(matte, mask.black, mask.white), self._step).astype(bool)
        for part in touched(cells, box, self._step):
            wide = widened(part, box, _NEAR)
            weight = weights(mask, wide)
            alpha = _thrice(weight)
            codes = cv2.cvtColor(unpack(tuple(planes), self._info, wide), cv2.COLOR_BGRA2BGR)  # the first three
            foreground, background = (enlarged(means, wide, box, self._step) for means in (near, far))
            foreground = _split(codes, foreground, background, alpha)
            # The background's mean needs no second pass: a narrow mean of the wide one is nearly the same.
            foreground = _mean(cv2.multiply(foreground, alpha), weight, 2 * _NEAR + 1)
            change = cv2.subtract(_split(codes, foreground, background, alpha), codes)
            change = cv2.copyTo(change, _soft(weight, 0, 1))
            add_change(frame, part, np.ascontiguousarray(change[inside(part, wide)]), self._info)

    def _take_spill(self, frame: Frame, mask: Mask, channel: int) -> None:
        """Limit green, or blue, to the mean of the two others."""
        mix = np.full(3, -0.5)
        mix[channel] = 1
        row = np.append(mix @ self._decode.matrix, [0, mix @ self._decode.offset]).astype(np.float32)
        scales = -self._encode.matrix[:, channel].astype(np.float32)
        box = grown(mask, 0, self._info)
        take = self._take_by_chroma if self._info.pixel_format.model == "yuv" else self._take_by_pixel
        for part in strips(box):
            take(frame, part, cv2.compare(np.ascontiguousarray(mask.codes(part)), mask.black, cv2.CMP_GT), row, scales)

    def _take_by_pixel(self, frame: Frame, part: Box, covered: Plane, row: FloatArray, scales: FloatArray) -> None:
        """Subtract the excess, computed from codes by a row of factors, from the covered pixels of a strip."""
        excess = cv2.max(cv2.transform(unpack(frame.planes, self._info, part), row[None]), 0)
        excess = cv2.copyTo(excess, covered)
        if cv2.hasNonZero(excess):
            add_change(frame, part, cv2.merge([excess * each for each in scales]), self._info)

    def _take_by_chroma(self, frame: Frame, part: Box, covered: Plane, row: FloatArray, scales: FloatArray) -> None:
        """Do the same in chroma samples: brightness adds equally to all channels, so luma's factor is 0."""
        shift = self._info.pixel_format.subsampling
        first, *others = (samples(plane, part, shift if at else (0, 0)) for at, plane in enumerate(frame.planes[:3]))
        blue, red = (np.ascontiguousarray(plane).astype(np.float32, copy=False) for plane in others)
        excess = cv2.max(cv2.addWeighted(blue, float(row[1]), red, float(row[2]), float(row[4])), 0)
        if not cv2.hasNonZero(excess):
            return
        size = excess.shape[1] << shift[1], excess.shape[0] << shift[0]
        repeated = cv2.resize(excess * scales[0], size, interpolation=cv2.INTER_NEAREST)
        height, width = first.shape
        add_codes(first, cv2.copyTo(np.ascontiguousarray(repeated[:height, :width]), covered), self._info)
        share = block_mean(cv2.bitwise_and(covered, _SHARED), shift)
        excess = cv2.multiply(excess, share, scale=1 / _SHARED, dtype=cv2.CV_32F)
        for stored, scale in zip(others, scales[1:], strict=True):
            add_codes(stored, excess * scale, self._info)

    def _screen(self, frame: Frame, mask: Mask) -> Literal["green", "blue"] | None:
        """Detect the colour of the screen outside the matte, and report it."""
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


def _soft(values: Plane, black: float, white: float) -> Plane:
    """Return 255 where a matte is neither 0 nor 1, otherwise 0. Shape (height, width)."""
    if values.dtype.kind == "f":
        black, white = (float(np.nextafter(np.float32(end), np.float32(0.5))) for end in (black, white))
    else:
        black, white = black + 1, white - 1
    soft: Plane = cv2.inRange(values, black, white)
    return soft


def _thrice(plane: FloatArray) -> FloatArray:
    """Return a plane as three channels."""
    channels: FloatArray = cv2.merge([plane] * 3)
    return channels


def _mean(weighted: FloatArray, weight: FloatArray, size: int) -> FloatArray:
    """Return the weighted mean in a square around each pixel. Shape (height, width, 3)."""
    share = cv2.max(cv2.blur(weight, (size, size)), _LEAST)
    mean: FloatArray = cv2.divide(cv2.blur(weighted, (size, size)), _thrice(share))
    return mean


def _split(codes: FloatArray, foreground: FloatArray, background: FloatArray, alpha: FloatArray) -> FloatArray:
    """Return the foreground colour of pixels from the means around them. Shape (height, width, 3) each."""
    mixed = cv2.add(background, cv2.multiply(alpha, cv2.subtract(foreground, background)))
    split: FloatArray = cv2.add(foreground, cv2.multiply(alpha, cv2.subtract(codes, mixed)))
    return split
