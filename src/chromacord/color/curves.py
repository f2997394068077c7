"""Transfer curves, named after their domain and range, with the standard that defines them.

Every curve accepts arrays or tensors of any shape and float dtype, with finite gradients everywhere. Negative values
use the mirrored curve, f(-x) = -f(x), so that out-of-gamut colours survive a round trip.
"""

from collections.abc import Callable

from chromacord.color.namespace import Values, where

# BT.709 prints 1.099 and 0.018, which leave a step at the knee; these constants solve the same equations exactly
# (ITU-T H.273, transfer code 1).
_BT709_SCALE = 1.099296826809442
_BT709_KNEE = 0.018053968510807


def _mirrored(curve: Callable[[Values], Values], values: Values) -> Values:
    """Extend a curve to negative values by mirroring; where() keeps the slope at 0, which sign() would lose."""
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
        # where() evaluates both branches, and autograd multiplies the gradient of the unused one by 0. The clip
        # keeps that gradient finite: 0 times the infinity or NaN of a power at or below 0 would be NaN.
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
