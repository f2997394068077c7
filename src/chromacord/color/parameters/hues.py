"""Hue ranges, and the degree to which colours lie in them."""

import re
from dataclasses import dataclass
from typing import Self

import numpy as np

from chromacord.color.parameters.least_squares import Doubles
from chromacord.errors import InputError
from chromacord.types import FloatArray

_FADE = 15.0
"""Width in degrees over which a range fades out on either side."""

_GREYEST = 0.06
"""Chroma, as largest minus smallest component, below which a colour has no meaningful hue."""

_NAMED = {"skin": (5.0, 45.0)}
"""Skin of all shades is around 25 degrees: blood and melanin change its depth, but hardly its hue."""

_DEGREES = re.compile(r"(\d{1,3}(?:\.\d+)?)-(\d{1,3}(?:\.\d+)?)", re.ASCII)


@dataclass(frozen=True)
class HueRange:
    """Hues from one angle up to another: 0 is red, 120 green, 240 blue; a range may wrap around 0."""

    first: float
    last: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse "skin", or degrees such as "20-60".

        Raises:
            InputError: the text is neither.
        """
        if text.strip().lower() in _NAMED:
            return cls(*_NAMED[text.strip().lower()])
        found = _DEGREES.fullmatch(text.strip())
        if found is None or max(map(float, found.groups())) > 360:
            raise InputError(f"range of hues {text!r}: write skin, or degrees in 0..360 as 20-60 (0 is red, 120 green)")
        return cls(float(found[1]), float(found[2]))

    def share(self, colors: FloatArray) -> FloatArray:
        """Return the degree to which each colour lies in the range, in [0, 1].

        Args:
            colors: R'G'B'. Shape (P, 3).

        Returns:
            Shares; grey is in no range. Shape (P,).
        """
        hue, chroma = _hue_and_chroma(colors.astype(np.float64).clip(0, 1))
        # Modulo, so that a range may wrap around 0: 350-20 is 30 degrees wide.
        width = (self.last - self.first) % 360
        middle = self.first + width / 2
        away = np.abs((hue - middle + 180) % 360 - 180) - width / 2
        # Smooth edges, because a hard one would split a face whose hues lie on both sides of it.
        inside = _smooth(1 - away / _FADE)
        coloured = _smooth((chroma - _GREYEST) / _GREYEST)
        return (inside * coloured).astype(np.float32)


def _hue_and_chroma(colors: Doubles) -> tuple[Doubles, Doubles]:
    """Return a colour's angle on the hexagon of R'G'B', in degrees, and its chroma. Shape (P,) each."""
    red, green, blue = colors.T
    chroma = colors.max(axis=1) - colors.min(axis=1)
    # The angle in the plane of equal sums, which is smooth everywhere; the usual six cases of HSV have kinks.
    hue = np.degrees(np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)) % 360
    return hue, chroma


def _smooth(share: Doubles) -> Doubles:
    """Return a smoothstep from 0 at 0 to 1 at 1."""
    held = share.clip(0, 1)
    stepped: Doubles = held * held * (3 - 2 * held)
    return stepped
