"""Transfer curves, as `a_to_b` / `b_to_a` pairs that name their standard.

Every curve takes arrays or tensors of any shape and float type, and its gradient is finite everywhere. Values below 0
go through the curve mirrored at the origin, f(-x) = -f(x), so that colours outside a gamut survive a round trip.
"""

import math
from collections.abc import Callable

from chromacord.color.namespace import Values, namespace, where

# BT.709 prints 1.099 and 0.018, which leave a step at the knee; these solve the same equations exactly (ITU-T H.273,
# transfer code 1).
_BT709_SCALE = 1.099296826809442
_BT709_KNEE = 0.018053968510807

_PQ_M1 = 2610 / 16384
_PQ_M2 = 2523 / 4096 * 128
_PQ_C1 = 3424 / 4096
_PQ_C2 = 2413 / 4096 * 32
_PQ_C3 = 2392 / 4096 * 32
_PQ_BLACK = _PQ_C1**_PQ_M2

_HLG_A = 0.17883277
_HLG_B = 1 - 4 * _HLG_A
_HLG_C = 0.5 - _HLG_A * math.log(4 * _HLG_A)

# Roots have an infinite slope at 0; below this light level the slope is held constant.
_DARKEST = 1e-16


def _mirrored(curve: Callable[[Values], Values], values: Values) -> Values:
    """Apply a curve for values from 0 up to negative ones too; where() keeps the slope at 0, which sign() loses."""
    negative = values < 0
    mapped = curve(where(negative, -values, values))
    return where(negative, -mapped, mapped)


def srgb_to_linear(values: Values) -> Values:
    """Decode sRGB to linear light (IEC 61966-2-1).

    Args:
        values: sRGB, 1 is white; may lie below 0 and above 1. Any shape.

    Returns:
        Linear light, 1 is white. Same shape.
    """

    def curve(x: Values) -> Values:
        power: Values = ((x.clip(0.04045) + 0.055) / 1.055) ** 2.4
        return where(x <= 0.04045, x / 12.92, power)

    return _mirrored(curve, values)


def linear_to_srgb(values: Values) -> Values:
    """Encode linear light as sRGB (IEC 61966-2-1).

    Args:
        values: linear light, 1 is white; may lie below 0 and above 1. Any shape.

    Returns:
        sRGB, 1 is white. Same shape.
    """

    def curve(x: Values) -> Values:
        power: Values = 1.055 * x.clip(0.0031308) ** (1 / 2.4) - 0.055
        return where(x <= 0.0031308, 12.92 * x, power)

    return _mirrored(curve, values)


def bt709_to_linear(values: Values) -> Values:
    """Decode BT.709 camera values to scene light: the inverse of the OETF (ITU-R BT.709-6, item 1.2).

    BT.601 and BT.2020 have the same curve.

    Args:
        values: R'G'B', 1 is nominal white; may lie below 0 and above 1. Any shape.

    Returns:
        Scene light, 1 is nominal white. Same shape.
    """

    def curve(x: Values) -> Values:
        knee = 4.5 * _BT709_KNEE
        power: Values = ((x.clip(knee) + _BT709_SCALE - 1) / _BT709_SCALE) ** (1 / 0.45)
        return where(x < knee, x / 4.5, power)

    return _mirrored(curve, values)


def linear_to_bt709(values: Values) -> Values:
    """Encode scene light with the OETF of BT.709 (ITU-R BT.709-6, item 1.2).

    Args:
        values: scene light, 1 is nominal white; may lie below 0 and above 1. Any shape.

    Returns:
        R'G'B', 1 is nominal white. Same shape.
    """

    def curve(x: Values) -> Values:
        power: Values = _BT709_SCALE * x.clip(_BT709_KNEE) ** 0.45 - (_BT709_SCALE - 1)
        return where(x < _BT709_KNEE, 4.5 * x, power)

    return _mirrored(curve, values)


def pq_to_linear(values: Values) -> Values:
    """Decode PQ to display light (SMPTE ST 2084, eq. 4.1).

    Args:
        values: PQ; beyond 1 (and -1) they are clamped, since the curve has a pole there. Any shape.

    Returns:
        Display light, 1 is 10 000 cd/m2. Same shape.
    """

    def curve(x: Values) -> Values:
        root = x.clip(_PQ_BLACK, 1) ** (1 / _PQ_M2)
        light: Values = ((root - _PQ_C1).clip(0) / (_PQ_C2 - _PQ_C3 * root)) ** (1 / _PQ_M1)
        return light

    return _mirrored(curve, values)


def linear_to_pq(values: Values) -> Values:
    """Encode display light as PQ (SMPTE ST 2084, eq. 5.2).

    Args:
        values: display light, 1 is 10 000 cd/m2; beyond 1 (and -1) it is clamped. Any shape.

    Returns:
        PQ in [-1, 1]. Same shape.
    """

    def curve(x: Values) -> Values:
        root = x.clip(_DARKEST, 1) ** _PQ_M1
        code: Values = ((_PQ_C1 + _PQ_C2 * root) / (1 + _PQ_C3 * root)) ** _PQ_M2
        return code

    return _mirrored(curve, values)


def hlg_to_linear(values: Values) -> Values:
    """Decode HLG to scene light: the inverse of the OETF (ITU-R BT.2100-2, table 5).

    Args:
        values: HLG, 1 is peak white; may lie below 0 and above 1. Any shape.

    Returns:
        Scene light, 1 is peak white. Same shape.
    """

    def curve(x: Values) -> Values:
        bright: Values = (namespace(x).exp((x - _HLG_C) / _HLG_A) + _HLG_B) / 12
        return where(x <= 0.5, x**2 / 3, bright)

    return _mirrored(curve, values)


def linear_to_hlg(values: Values) -> Values:
    """Encode scene light with the OETF of HLG (ITU-R BT.2100-2, table 5).

    Args:
        values: scene light, 1 is peak white; may lie below 0 and above 1. Any shape.

    Returns:
        HLG, 1 is peak white. Same shape.
    """

    def curve(x: Values) -> Values:
        dark: Values = namespace(x).sqrt(3 * x.clip(_DARKEST))
        bright: Values = _HLG_A * namespace(x).log(12 * x.clip(1 / 12) - _HLG_B) + _HLG_C
        return where(x <= 1 / 12, dark, bright)

    return _mirrored(curve, values)
