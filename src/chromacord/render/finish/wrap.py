"""Light wrap: blurred background light over the inside of the foreground's edge."""

import math

import cv2
import numpy as np

from chromacord.errors import InputError
from chromacord.masks.masks import Mask
from chromacord.parsing import parse_numbers, shown
from chromacord.render.finish.blocks import enlarged, inside, reduced, step_for, touched
from chromacord.render.finish.light import Light
from chromacord.render.finish.stage import grown, weights
from chromacord.types import Box, FloatArray, Frame, VideoInfo

_LEAST = np.float32(1 / 128)
"""Minimum share of the background's light that is applied."""

_MAX_RADIUS = 1000


def parse_wrap(text: str) -> tuple[float, float | None]:
    """Parse "AMOUNT" or "AMOUNT,RADIUS".

    Returns:
        Amount in (0, 1], and radius in pixels; None if omitted.

    Raises:
        InputError: the text is neither, or a value is out of range.
    """
    match parse_numbers(text):
        case (amount,) if 0 < amount <= 1:
            return amount, None
        case (amount, radius) if 0 < amount <= 1 and 1 <= radius <= _MAX_RADIUS:
            return amount, radius
    raise InputError(
        f"wrap {shown(text)}: is not AMOUNT or AMOUNT,RADIUS; give an amount above 0 and up to 1, and a radius of 1 to "
        f"{_MAX_RADIUS} pixels, such as 0.5,20"
    )


class LightWrap:
    """Adds the background's light to the foreground's edge, as scattering in a lens does.

    At the edge, a pixel moves by AMOUNT towards the background's blurred light where that is brighter; the effect
    decreases inwards and ends at about the radius. Nothing becomes brighter than the background, or darker than before.
    """

    def __init__(self, info: VideoInfo, amount: float, radius: float | None = None) -> None:
        """Prepare for a clip.

        Args:
            info: properties of the composite.
            amount: strength in (0, 1].
            radius: reach of the light in pixels; None: a fiftieth of the picture's shorter side.
        """
        self._info, self._light, self._amount = info, Light(info), amount
        self._radius = max(1.0, min(info.size) / 50) if radius is None else radius
        self._step = step_for(self._radius, info)

    def __call__(self, frame: Frame, mask: Mask) -> None:
        """Change a frame. See `Stage`."""
        box = grown(mask, math.ceil(1.5 * self._radius), self._info, step=self._step)
        weight = weights(mask, box)
        small = reduced(weight, self._step)
        spilled, share = self._spilled(frame, box, small)
        cells = (share > _LEAST) & (small > 0)
        for part in touched(cells, box, self._step):
            taken = cv2.multiply(enlarged(share, part, box, self._step), weight[inside(part, box)])
            light, before = self._light.read(frame, part)
            change = cv2.max(cv2.subtract(enlarged(spilled, part, box, self._step), light), 0)
            after = cv2.add(light, cv2.multiply(change, cv2.merge([taken] * light.shape[2])))
            self._light.add(frame, part, before, after)

    def _spilled(self, frame: Frame, box: Box, foreground: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the background's blurred light, and the foreground's share of it in [0, amount]; reduced."""
        outside = 1 - foreground
        # Scene-linear pictures may hold light below 0, which a blur would spread as dark fringes.
        light = np.maximum(self._light.read_small(frame, box, self._step), 0)
        light = cv2.multiply(light, cv2.merge([outside] * light.shape[2]))
        light, outside = (_blurred(values, self._radius / 2 / self._step) for values in (light, outside))
        light /= np.maximum(outside, np.float32(1e-6))[..., None]
        # Half of the window is background at a straight edge.
        return light, np.minimum(2 * self._amount * np.maximum(outside - _LEAST, 0), self._amount).astype(np.float32)


def _blurred(values: FloatArray, sigma: float) -> FloatArray:
    blurred: FloatArray = cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return blurred
