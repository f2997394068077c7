"""Alpha compositing, implemented only here."""

import cv2
import numpy as np

from chromacord.color.namespace import Values
from chromacord.color.spaces import rgb_to_code
from chromacord.types import FloatArray, VideoInfo


def over(foreground: Values, background: Values, alpha: Values) -> Values:
    """Composite a straight foreground over a background (Porter and Duff, "Compositing Digital Images", 1984).

    Written as background + alpha * (foreground - background), so that the result is bit-identical to the background
    where alpha is 0. Works on codes as well as on [0, 1].

    Args:
        foreground: straight (not premultiplied) colours. Any shape.
        background: same shape.
        alpha: coverage in [0, 1]. Any shape that broadcasts.

    Returns:
        The composite, same shape as `background`.
    """
    composite: Values = background + alpha * (foreground - background)
    return composite


def lay_over(foreground: FloatArray, background: FloatArray, alpha: FloatArray) -> None:
    """Composite like `over`, but in place in the foreground's memory, which is twice as fast.

    Args:
        foreground: overwritten with the composite. Shape (height, width, 4).
        background: same shape.
        alpha: coverage in [0, 1]. Shape (height, width).
    """
    # OpenCV does not broadcast, so alpha is repeated for each channel.
    change = cv2.multiply(cv2.subtract(foreground, background), cv2.merge([alpha] * 4))
    foreground[...] = cv2.add(background, change)


def premultiply(straight: Values, alpha: Values) -> Values:
    """Multiply colours by alpha.

    Args:
        straight: colours. Any shape.
        alpha: coverage in [0, 1]. Any shape that broadcasts.
    """
    premultiplied: Values = straight * alpha
    return premultiplied


def unpremultiply(premultiplied: Values, alpha: Values) -> Values:
    """Divide colours by alpha; where alpha is 0, colours are returned unchanged.

    Pixels with alpha 0 may still emit light (a glow, a reflection), for which a division is meaningless.

    Args:
        premultiplied: colours times alpha. Any shape.
        alpha: coverage in [0, 1]. Any shape that broadcasts.
    """
    # Where alpha is 0 this divides by 1. A where() after the division would work too, but NumPy would warn of
    # the division by 0, and torch would give NaN gradients.
    straight: Values = premultiplied / (alpha + (alpha <= 0))
    return straight


def straight_codes(codes: FloatArray, coverage: FloatArray, info: VideoInfo) -> FloatArray:
    """Divide colours by their coverage. Black, which they fade to, is not 0 in all formats.

    Args:
        codes: of the three colours, and perhaps padding. Shape (height, width, 3 or 4).
        coverage: in [0, 1]. Shape (height, width, 1).
        info: properties of their source.
    """
    black = np.zeros(codes.shape[-1], np.float32)
    black[:3] = rgb_to_code(info.colorimetry, info.size, info.pixel_format).offset
    straight: FloatArray = np.ascontiguousarray(unpremultiply(codes - black, coverage) + black, np.float32)
    return straight
