"""A matte's edge, shrunk and softened."""

from typing import NamedTuple, Self

import cv2
import numpy as np

from chromacord.errors import InputError
from chromacord.parsing import parse_numbers, shown
from chromacord.types import Plane

_MOST = 100
"""Pixels."""


class Edge(NamedTuple):
    """What is done to the edge of a matte."""

    shrink: float
    """Pixels by which it moves inwards."""

    soften: float
    """Pixels over which it falls off, beyond what it does by itself."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "SHRINK,SOFTEN".

        Raises:
            InputError: it is something else, or out of range.
        """
        match parse_numbers(text):
            case (shrink, soften) if 0 <= shrink <= _MOST and 0 <= soften <= _MOST:
                return cls(shrink, soften)
        raise InputError(
            f"edge {shown(text)}: is not SHRINK,SOFTEN; give two numbers of pixels from 0 to {_MOST}, such as 1,2"
        )

    def change(self, plane: Plane, black: float) -> Plane:
        """Return a matte's codes with its edge moved and softened.

        Args:
            plane: codes. Shape (height, width).
            black: the largest code that means 0.
        """
        # Most of a picture is far from the matte, so only the matte's surroundings are eroded and blurred.
        rows = np.flatnonzero(plane.max(axis=1) > black)
        if not len(rows):
            return plane
        columns = np.flatnonzero(plane.max(axis=0) > black)
        # Four standard deviations, where OpenCV ends its kernels (for 8 bits at three): a larger area would
        # give the same.
        reach = int(2 * self.soften) + 2
        top, left = max(0, int(rows[0]) - reach), max(0, int(columns[0]) - reach)
        changed = np.array(plane)
        inside = changed[top : int(rows[-1]) + 1 + reach, left : int(columns[-1]) + 1 + reach]
        part = self._shrunk(np.ascontiguousarray(inside))
        if self.soften:
            # A Gaussian falls from 84 to 16 % over two standard deviations.
            part = cv2.GaussianBlur(part, (0, 0), self.soften / 2, borderType=cv2.BORDER_REPLICATE)
        inside[...] = part
        return changed

    def _shrunk(self, part: Plane) -> Plane:
        """Erode by a disc; a part of a pixel is a mean between two discs. The picture's sides are no edges."""
        whole, rest = int(self.shrink), self.shrink % 1
        smaller = _eroded(part, whole)
        if not rest:
            return smaller
        mixed: Plane = cv2.addWeighted(smaller, 1 - rest, _eroded(part, whole + 1), rest, 0)
        return mixed


def _eroded(part: Plane, radius: int) -> Plane:
    if not radius:
        return part
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    # Erosion's default border is the largest value, so a foreground that the frame cuts off does not shrink
    # there.
    eroded: Plane = cv2.erode(part, disc)
    return eroded
