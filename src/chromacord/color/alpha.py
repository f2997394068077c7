"""Alpha compositing: the only place in chromacord where pictures are blended."""

import cv2

from chromacord.color.namespace import Values
from chromacord.types import FloatArray


def over(foreground: Values, background: Values, alpha: Values) -> Values:
    """Lay a straight foreground over a background (Porter and Duff, "Compositing Digital Images", 1984).

    Written as background + alpha * (foreground - background), so that the result equals the background to the bit
    where alpha is 0. Works on codes as well as on [0, 1].

    Args:
        foreground: colours not multiplied by alpha. Any shape.
        background: same shape.
        alpha: coverage in [0, 1]. Any shape that broadcasts.

    Returns:
        The composite, same shape as `background`.
    """
    composite: Values = background + alpha * (foreground - background)
    return composite


def lay_over(foreground: FloatArray, background: FloatArray, alpha: FloatArray) -> None:
    """Lay a foreground over a background as `over` does, into the memory of the foreground: twice as fast.

    Args:
        foreground: is overwritten with the composite. Shape (height, width, 4).
        background: same shape.
        alpha: coverage in [0, 1]. Shape (height, width).
    """
    change = cv2.multiply(cv2.subtract(foreground, background), cv2.merge([alpha] * 4))
    foreground[...] = cv2.add(background, change)


def premultiply(straight: Values, alpha: Values) -> Values:
    """Multiply colours by their coverage.

    Args:
        straight: colours. Any shape.
        alpha: coverage in [0, 1]. Any shape that broadcasts.
    """
    premultiplied: Values = straight * alpha
    return premultiplied


def unpremultiply(premultiplied: Values, alpha: Values) -> Values:
    """Divide colours by their coverage; where there is none, colours are returned as they are.

    A pixel with alpha 0 may hold light of its own (a glow, a reflection); dividing it has no meaning.

    Args:
        premultiplied: colours times coverage. Any shape.
        alpha: coverage in [0, 1]. Any shape that broadcasts.
    """
    straight: Values = premultiplied / (alpha + (alpha <= 0))
    return straight
