"""A grade in familiar parameters: exposure, white balance, contrast around a pivot, saturation and black.

Colours are display-referred R'G'B'; exposure and balance are gains of light as shown by a BT.1886 display. Without
contrast, the map is affine in R'G'B'.
"""

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Self

import numpy as np

from chromacord.color.parameters.least_squares import Doubles, least_squares
from chromacord.color.spaces import LUMA
from chromacord.errors import InputError
from chromacord.parsing import shown
from chromacord.types import FloatArray

GREY = 0.18 ** (1 / 2.4)
"""Default pivot: 18 % of the light of white."""

_GAMMA = 2.4
_LUMA = np.array(LUMA)

_D65_KELVIN = 6504.0
_XYZ_TO_RGB = np.array(
    [[3.2409699, -1.5373832, -0.4986108], [-0.9692436, 1.8759675, 0.0415551], [0.0556301, -0.2039770, 1.0569715]]
)
_STOPS_PER_CC = np.log2(10) / 100
"""A colour compensating filter of 1 has a density of 0.01."""

_DIGITS = 4
_PULL = 1e-4
"""Weight of the pull towards neutral, relative to a data term of total weight 1, in steps of equal visibility."""

_UNITS = np.array([0.1, 5, 5, 0.05, 0.05, 0.01])
"""Steps of exposure, temperature, tint, contrast, saturation and black with about equal visibility."""

_KELVIN = re.compile(r"(\d{1,6}(?:\.\d+)?)\s*[kK]", re.ASCII)


def as_mired(temperature: float | str) -> float:
    """Return an offset of temperature in mired.

    Args:
        temperature: in mired, as a number or as text; or as text with a K ("5600K"): what white, of 6504 K, becomes.

    Raises:
        InputError: it is neither.
    """
    try:
        kelvin = _KELVIN.fullmatch(temperature.strip()) if isinstance(temperature, str) else None
        return 1e6 / float(kelvin[1]) - 1e6 / _D65_KELVIN if kelvin else float(temperature)
    except (TypeError, ValueError, ZeroDivisionError):
        raise InputError(
            f"temperature {shown(temperature)}: write mired, such as 15 (above 0 warmer), or what white becomes in "
            "kelvin, such as 5600K (6504K changes nothing)"
        ) from None


LIMITS = {
    "exposure": (-10.0, 10.0),
    "temperature": (-400.0, 400.0),
    "tint": (-200.0, 200.0),
    "contrast": (0.1, 10.0),
    "pivot": (0.01, 1.0),
    "black": (-0.5, 0.5),
    "saturation": (0.0, 10.0),
}
"""Allowed range of each parameter in manual adjustments."""

_LOWEST = np.array([-6, -300, -100, 0.25, 0, -0.25])
_HIGHEST = np.array([6, 300, 100, 4, 4, 0.25])


@dataclass(frozen=True)
class Parametric:
    """Parameters of a grade, applied in this order; the defaults are neutral."""

    exposure: float = 0.0
    """Exposure in stops."""

    temperature: float = 0.0
    """Mired, as for a filter: above 0 is warmer. Along the daylight locus (CIE 15:2004, 3.1), as gains of light."""

    tint: float = 0.0
    """CC, as for a filter: above 0 is towards magenta, below towards green."""

    contrast: float = 1.0
    """Exponent around the pivot."""

    pivot: float = GREY
    """Value that contrast keeps fixed."""

    black: float = 0.0
    """New value of black; white stays."""

    saturation: float = 1.0
    """Factor of the distance from grey with the same luma."""

    def checked(self) -> Self:
        """Return the object if all parameters are in range.

        Raises:
            InputError: a parameter is out of range; names it.
        """
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} must lie in {low:g}..{high:g}, got {value}")
        return self

    @property
    def is_neutral(self) -> bool:
        """Whether the map is the identity."""
        return replace(self, pivot=GREY) == Parametric()

    @property
    def affine(self) -> tuple[FloatArray, FloatArray] | None:
        """Matrix, shape (3, 3), and offset, shape (3,), in R'G'B'; None if contrast makes the map nonlinear."""
        if self.contrast != 1:
            return None
        matrix, offset = self._after_contrast()
        return (matrix * self._gains).astype(np.float32), offset.astype(np.float32)

    def __call__(self, colors: FloatArray) -> FloatArray:
        """Map colours. Not clamped; contrast is mirrored below 0.

        Args:
            colors: R'G'B'. Shape (P, 3).
        """
        return self._mapped(colors.astype(np.float64)).astype(np.float32)

    def _mapped(self, colors: Doubles) -> Doubles:
        numbers = colors * self._gains
        if self.contrast != 1:
            # Mirrored, because a power of a negative number is NaN.
            numbers = np.sign(numbers) * self.pivot * (np.abs(numbers) / self.pivot) ** self.contrast
        matrix, offset = self._after_contrast()
        mapped: Doubles = numbers @ matrix.T + offset
        return mapped

    @property
    def _gains(self) -> Doubles:
        """Gains of R', G' and B'."""
        warmer, magenta = _balance_stops()
        stops = self.exposure + self.temperature * warmer + self.tint * magenta
        # A gain of light by 2^stops is a gain of its encoded value by 2^(stops / gamma), so the map stays affine in
        # R'G'B'.
        gains: Doubles = np.exp2(stops / _GAMMA)
        return gains

    def _after_contrast(self) -> tuple[Doubles, Doubles]:
        saturate = self.saturation * np.eye(3) + (1 - self.saturation) * _LUMA
        # Scaled so that white stays at 1 while black moves.
        return (1 - self.black) * saturate, np.full(3, self.black)

    @classmethod
    def _from_numbers(cls, numbers: Doubles) -> Self:
        exposure, temperature, tint, contrast, saturation, black = map(float, numbers)
        return cls(exposure, temperature, tint, contrast, black=black, saturation=saturation)


@cache
def _balance_stops() -> tuple[Doubles, Doubles]:
    """Return the stops of red, green and blue per mired and per CC, at constant luminance of white."""
    step = 1.0
    mired = 1e6 / _D65_KELVIN
    there, here = (np.log2(_daylight(1e6 / each)) for each in (mired + step, mired - step))
    warmer = (there - here) / (2 * step)
    magenta = np.array([0, -_STOPS_PER_CC, 0])
    # Without their luma, both leave exposure alone, and the three controls can be fitted independently.
    return warmer - _LUMA @ warmer, magenta - _LUMA @ magenta


def _daylight(kelvin: float) -> Doubles:
    """Return the colour of CIE daylight in BT.709 primaries (CIE 15:2004, equations 3.3 and 3.4)."""
    one, two, three = 1e3 / kelvin, 1e6 / kelvin**2, 1e9 / kelvin**3
    x = 0.244063 + 0.09911 * one + 2.9678 * two - 4.6070 * three
    # The standard defines the locus in two pieces; they meet at 7000 K.
    if kelvin > 7000:
        x = 0.237040 + 0.24748 * one + 1.9018 * two - 2.0064 * three
    y = -3.000 * x**2 + 2.870 * x - 0.275
    light: Doubles = _XYZ_TO_RGB @ np.array([x / y, 1, (1 - x - y) / y])
    return light


def fit_parametric(colors: FloatArray, wanted: FloatArray, weights: FloatArray, *, bends: bool = True) -> Parametric:
    """Fit parameters to a grade by weighted least squares.

    Args:
        colors: R'G'B' in [0, 1]. Shape (P, 3).
        wanted: target colours. Shape (P, 3).
        weights: weight of each colour; not negative, at least one above 0. Shape (P,).
        bends: whether to fit contrast; without it the result is affine.
    """
    neutral = np.array([0, 0, 0, 1, 1, 0], np.float64)
    own, target = colors.astype(np.float64), wanted.astype(np.float64)
    scale = np.sqrt(weights.astype(np.float64) / (3 * weights.sum(dtype=np.float64)))[:, None]
    free = np.array([True, True, True, bends, True, True])

    def numbers_of(steps: Doubles) -> Doubles:
        numbers = neutral.copy()
        numbers[free] += steps * _UNITS[free]
        return numbers

    def errors(steps: Doubles) -> Doubles:
        left = (Parametric._from_numbers(numbers_of(steps))._mapped(own) - target) * scale
        # The pull decides between parameters that the colours cannot tell apart, such as black and contrast of a flat
        # picture.
        return np.concatenate([left.ravel(), _PULL * steps])

    bounds = [((limit - neutral) / _UNITS)[free] for limit in (_LOWEST, _HIGHEST)]
    steps = least_squares(errors, np.zeros(int(free.sum())), lowest=bounds[0], highest=bounds[1])
    return Parametric._from_numbers(numbers_of(steps).round(_DIGITS))
