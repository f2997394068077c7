"""Contact shadow: darken a background plate where the foreground would block light."""

import math

import cv2
import numpy as np

from chromacord.errors import InputError
from chromacord.io.pixels import writable_copy
from chromacord.masks.masks import Mask
from chromacord.parsing import parse_numbers, shown
from chromacord.render.finish.blocks import enlarged, reduced, step_for, touched
from chromacord.render.finish.light import Light
from chromacord.render.finish.stage import grown, weights
from chromacord.types import Box, FloatArray, Frame, Plane, VideoInfo

_LEAST = 1 / 512
"""Minimum shade that is applied."""

_MAX_LENGTH = 1000


def parse_shadow(text: str) -> tuple[float, float, float, float]:
    """Parse "AMOUNT,ANGLE,LENGTH,BLUR".

    Returns:
        Amount in (0, 1], angle in degrees, length and blur in pixels.

    Raises:
        InputError: the text is something else, or a value is out of range.
    """
    match parse_numbers(text):
        case (amount, angle, length, blur) if (
            0 < amount <= 1 and abs(angle) <= 360 and 0 <= length <= _MAX_LENGTH and 0 <= blur <= _MAX_LENGTH
        ):
            return amount, angle, length, blur
    raise InputError(
        f"contact shadow {shown(text)}: is not AMOUNT,ANGLE,LENGTH,BLUR; give an amount above 0 and up to 1, an angle "
        f"in degrees, and a length and a blur of 0 to {_MAX_LENGTH} pixels, such as 0.5,90,30,12"
    )


class ContactShadow:
    """Darkens a plate by the foreground's matte, smeared in one direction, fading, and blurred."""

    def __init__(self, info: VideoInfo, white: int, amount: float, angle: float, length: float, blur: float) -> None:
        """Prepare for a clip.

        Args:
            info: properties of the background.
            white: the matte's code for 1.
            amount: share of the light that is removed at the foreground, in (0, 1].
            angle: direction of the shadow in degrees clockwise: 0 is right, 90 is down.
            length: distance in pixels over which it fades.
            blur: distance in pixels over which its edge is blurred.
        """
        self._info, self._light, self._white, self._amount = info, Light(info), white, amount
        self._length, self._blur = length, blur
        self._direction = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        self._step = step_for(blur, info)

    def __call__(self, background: Frame, matte: Plane) -> Frame:
        """Return the plate with the shadow; pixels outside the shadow stay bit-identical.

        Args:
            background: the plate; not modified.
            matte: coverage of the foreground, 0 to `white`. Shape (height, width).
        """
        mask = Mask.from_plane(np.ascontiguousarray(matte), black=0, white=self._white)
        if mask.box is None:
            return background
        frame = writable_copy(background, self._info.pixel_format)
        box = grown(mask, math.ceil(self._length + 1.5 * self._blur), self._info, step=self._step)
        shade = self._shade(mask, box)
        for part in touched(shade > _LEAST, box, self._step):
            light, before = self._light.read(frame, part)
            # Less the minimum, so that the shade begins at 0 where parts are skipped instead of at a visible step.
            left = 1 - np.maximum(enlarged(shade, part, box, self._step) - np.float32(_LEAST), 0)
            self._light.add(frame, part, before, cv2.multiply(light, cv2.merge([left] * light.shape[2])))
        return frame

    def _shade(self, mask: Mask, box: Box) -> FloatArray:
        """Return the share of light that is removed, in blocks of a box."""
        matte = reduced(weights(mask, box), self._step)
        length = self._length / self._step
        shade, distance = matte, 1.0
        while distance < length:
            # Double the distance at each step, so that every block along the shadow is covered at any length.
            along, down = (distance * part for part in self._direction)
            shift = np.array([[1, 0, along], [0, 1, down]], np.float32)
            moved = cv2.warpAffine(shade, shift, matte.shape[::-1], flags=cv2.INTER_LINEAR)
            shade = cv2.max(shade, cv2.subtract(moved, distance / length))
            distance *= 2
        if self._blur:
            # A Gaussian falls from 84 to 16 % over two standard deviations, hence half the requested distance.
            shade = cv2.GaussianBlur(shade, (0, 0), self._blur / 2 / self._step, borderType=cv2.BORDER_REPLICATE)
        dark: FloatArray = shade * np.float32(self._amount)
        return dark
