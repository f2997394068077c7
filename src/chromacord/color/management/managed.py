"""Grade pictures in any colour space: decide as SDR video, and apply without clipping.

A grade maps display-referred R'G'B' in [0, 1]. Light below 0 and above 1 is removed first and restored afterwards:

* a pixel brighter than 1 is divided by its largest component, graded, and multiplied again, so that a highlight gets
  the grade of the brightest colour of its hue and keeps its relative brightness. The map is continuous at 1;
* the negative part (colours outside BT.709) is removed, scaled like the largest component, and added again.

Only the resulting change of light is converted back to the picture's space. An identity grade is therefore exact, even
in spaces whose round trip is not.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from chromacord.color.management.config import ColorMap, from_light, to_light
from chromacord.types import ColorSpace, FloatArray

GAMMA = 2.4
"""Gamma of BT.1886 displays without a black level, on which SDR video is mastered."""

_DIM = np.float32(1e-3)
"""Light below which the largest component is no reliable measure of brightening."""

Grade = Callable[[FloatArray], FloatArray]
"""Maps display-referred R'G'B' in [0, 1] and a padding channel; not clamped. Shape (..., 4)."""


def light_to_display(light: FloatArray) -> FloatArray:
    """Encode light of 0 or more as SDR video (the inverse of ITU-R BT.1886's EOTF, black at 0). Any shape."""
    # OpenCV's powers are ten times as fast as numpy's, and alike to 1e-6.
    encoded: FloatArray = cv2.pow(light, 1 / GAMMA).reshape(light.shape)
    return encoded


def display_to_light(display: FloatArray) -> FloatArray:
    """Decode SDR video of 0 or more (ITU-R BT.1886, black at 0). Any shape."""
    light: FloatArray = cv2.pow(display, GAMMA).reshape(display.shape)
    return light


def grade_light(light: FloatArray, grade: Grade) -> FloatArray:
    """Grade display light without limits on its range.

    Args:
        light: BT.709 primaries, 1 is SDR white; the fourth channel is padding. Shape (..., 4).
        grade: a grade of display-referred pictures.

    Returns:
        Light, not clamped. Shape (..., 4).
    """
    positive = np.maximum(light[..., :3], 0)
    peak = positive.max(axis=-1, keepdims=True)
    exposure = np.maximum(peak, 1)
    display = np.empty_like(light)
    display[..., :3] = light_to_display(positive / exposure)
    display[..., 3] = 0
    shown = display_to_light(display[..., :3])  # computed before the grade, which may overwrite its argument
    graded = np.zeros_like(light)
    graded[..., :3] = display_to_light(np.maximum(grade(display)[..., :3], 0))
    # Near black the quotient of two small numbers is noise. The same addend on both sides lets it approach 1
    # there.
    brighter = (graded.max(axis=-1, keepdims=True) * exposure + _DIM) / (
        shown.max(axis=-1, keepdims=True) * exposure + _DIM
    )
    # Apply the change, not the result: encoding and decoding would round colours that the grade keeps.
    graded[..., :3] = light[..., :3] + (graded[..., :3] - shown) * exposure
    graded[..., :3] += np.minimum(light[..., :3], 0) * (brighter - 1)
    return graded


def _signed(values: FloatArray, power: float) -> FloatArray:
    """Raise to a power, mirrored below 0. Any shape."""
    # For fractional powers OpenCV drops the sign, so it is put back. The reshape undoes the axis that it adds
    # to one-dimensional arrays.
    raised: FloatArray = cv2.pow(np.abs(values), power).reshape(values.shape)
    signed: FloatArray = np.copysign(raised, values, out=raised)
    return signed


@dataclass(frozen=True)
class ManagedSpace:
    """A colour space in which pictures are viewed and graded."""

    space: ColorSpace
    _to_light: ColorMap
    _from_light: ColorMap

    @classmethod
    def of(cls, space: ColorSpace) -> "ManagedSpace":
        """Prepare the conversions of a space.

        Raises:
            InputError: it cannot be converted to a display.
        """
        return cls(space, to_light(space), from_light(space))

    def display(self, rgba: FloatArray) -> FloatArray:
        """Convert a picture to SDR video, as methods see it.

        Args:
            rgba: picture in the space; the fourth channel is padding. Shape (..., 4).

        Returns:
            R'G'B' in [0, 1]. Shape (..., 3).
        """
        light = self._to_light(rgba)[..., :3]
        return light_to_display(light.clip(0, 1, out=light))

    def light(self, rgba: FloatArray) -> FloatArray:
        """Return a picture's display light: BT.709 primaries, 1 is SDR white. Shape (..., 4)."""
        return self._to_light(rgba)

    def encoded(self, light: FloatArray) -> FloatArray:
        """Return light in the space; undoes `light`. Shape (..., 4)."""
        return self._from_light(light)

    def graded(self, rgba: FloatArray, grade: Grade) -> FloatArray:
        """Grade a picture in its space.

        Args:
            rgba: picture in the space; the fourth channel is padding. Shape (..., 4).
            grade: a grade of display-referred pictures.

        Returns:
            The graded picture in the space, not clamped. Shape (..., 4).
        """
        light = self._to_light(rgba)
        changed = self._from_light(grade_light(light, grade))
        # Both directions use the same conversion, so its losses cancel out.
        changed -= self._from_light(light)
        changed += rgba
        return changed

    def mixed(self, before: FloatArray, after: FloatArray, weight: FloatArray) -> FloatArray:
        """Blend two pictures of the space in SDR video.

        Args:
            before: picture in the space. Shape (..., 4).
            after: picture in the space. Shape (..., 4).
            weight: weight of `after` in [0, 1]. Shape (...).

        Returns:
            Picture in the space; bit-identical to `before` where the weight is 0. Shape (..., 4).
        """
        light, other = self._to_light(before), self._to_light(after)
        shown, shown_after = _signed(light, 1 / GAMMA), _signed(other, 1 / GAMMA)
        shown += weight[..., None] * (shown_after - shown)
        mixed = self._from_light(_signed(shown, GAMMA)) - self._from_light(light)
        # The conversions round even where nothing is mixed, and pixels outside the mask must keep their bits.
        return np.where(weight[..., None] > 0, before + mixed, before)

    def converted(self, rgba: FloatArray, target: "ManagedSpace") -> FloatArray:
        """Convert a picture to another space, preserving its light. Shape (..., 4)."""
        if target.space == self.space:
            return rgba
        return target._from_light(self._to_light(rgba))
