"""The shaper for scene-linear pictures, which makes display-referred grades applicable to light.

A grade is a map of [0, 1]. Light below 0 and above 1 is removed first and restored afterwards:

* the negative part (out-of-gamut colours, ringing of a resize filter) is removed and added again;
* a pixel brighter than 1 is divided by its largest component, graded, and multiplied again, so that a highlight gets
  the grade of the brightest colour of its hue and keeps its relative brightness. The map is continuous at 1.

Between 0 and 1, light is encoded with the sRGB curve (IEC 61966-2-1), which distributes tones as methods expect.
"""

from typing import NamedTuple

import numpy as np

from chromacord.color.curves import linear_to_srgb, srgb_to_linear
from chromacord.types import FloatArray


class Shaped(NamedTuple):
    """Gradable colours, and the removed parts."""

    display: FloatArray
    """sRGB-encoded, in [0, 1]. Shape (..., 3)."""

    exposure: FloatArray
    """Divisor of the light, 1 or more. Shape (..., 1)."""

    negative: FloatArray
    """The negative part. Shape (..., 3)."""


def linear_to_display(light: FloatArray) -> FloatArray:
    """Encode light of 0 or more with the sRGB curve. Any shape."""
    return linear_to_srgb(light)


def display_to_linear(display: FloatArray) -> FloatArray:
    """Decode sRGB. Any shape."""
    return srgb_to_linear(display)


def shape(light: FloatArray) -> Shaped:
    """Convert light of any value to display-referred colours in [0, 1].

    Args:
        light: scene-linear RGB. Shape (..., 3).
    """
    positive = np.maximum(light, 0)
    exposure = np.maximum(positive.max(axis=-1, keepdims=True), 1)
    return Shaped(linear_to_display(positive / exposure), exposure, np.minimum(light, 0))


def unshape(graded: FloatArray, shaped: Shaped) -> FloatArray:
    """Convert a graded picture back to light, restoring what `shape` removed.

    Args:
        graded: graded `shaped.display`, not clamped. Shape (..., 3).
        shaped: result of `shape`.

    Returns:
        Scene-linear RGB. Shape (..., 3).
    """
    return display_to_linear(np.maximum(graded, 0)) * shaped.exposure + shaped.negative
