"""The shaper for scene-linear pictures: grades are display-referred, light is not.

A grade is a map of [0, 1]. Light below 0 and above 1 is taken off first and put back afterwards:

* the part below 0 (out-of-gamut colours, ringing of a resize filter) is set aside and added again;
* a pixel brighter than 1 is divided by its largest component, graded, and multiplied again, so that a highlight gets
  the grade of the brightest colour of its hue and keeps its relative brightness. The map is continuous at 1.

In between, light is encoded with the sRGB curve (IEC 61966-2-1), which spreads tones as methods expect them.
"""

from typing import NamedTuple

import numpy as np

from chromacord.color.curves import linear_to_srgb, srgb_to_linear
from chromacord.types import FloatArray


class Shaped(NamedTuple):
    """Light that a grade can take, and what was taken off."""

    display: FloatArray
    """sRGB-encoded, in [0, 1]. Shape (..., 3)."""

    exposure: FloatArray
    """What the light was divided by, 1 or more. Shape (..., 1)."""

    negative: FloatArray
    """The part below 0. Shape (..., 3)."""


def linear_to_display(light: FloatArray) -> FloatArray:
    """Encode light of 0 or more with the sRGB curve. Any shape."""
    return linear_to_srgb(light)


def display_to_linear(display: FloatArray) -> FloatArray:
    """Decode sRGB. Any shape."""
    return srgb_to_linear(display)


def shape(light: FloatArray) -> Shaped:
    """Bring light of any value into [0, 1], display-referred.

    Args:
        light: scene-linear RGB. Shape (..., 3).
    """
    positive = np.maximum(light, 0)
    exposure = np.maximum(positive.max(axis=-1, keepdims=True), 1)
    return Shaped(linear_to_display(positive / exposure), exposure, np.minimum(light, 0))


def unshape(graded: FloatArray, shaped: Shaped) -> FloatArray:
    """Bring a graded picture back to light, and put back what `shape` took off.

    Args:
        graded: the grade of `shaped.display`, not clamped. Shape (..., 3).
        shaped: what `shape` returned.

    Returns:
        Scene-linear RGB. Shape (..., 3).
    """
    return display_to_linear(np.maximum(graded, 0)) * shaped.exposure + shaped.negative
