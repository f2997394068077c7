"""Orientation of stored pictures (EXIF, display matrices), applied in one place."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chromacord.types import Plane, VideoInfo

_EXIF = {2: (0, True), 3: (180, False), 4: (180, True), 5: (270, True), 6: (270, False), 7: (90, True), 8: (90, False)}


_ONE = 1 << 16
"""1 in a display matrix, but in its last column, where it is 1 << 30."""


class Orientation(NamedTuple):
    """What brings a stored picture upright: first the turn, then the mirror."""

    rotation: int = 0
    """Degrees counter-clockwise: 0, 90, 180 or 270."""

    mirrored: bool = False
    """Whether left and right are exchanged afterwards."""

    @classmethod
    def of(cls, info: VideoInfo) -> "Orientation":
        """Return how the pictures of a clip lie."""
        return cls(info.rotation, info.mirrored)

    @classmethod
    def from_exif(cls, code: int) -> "Orientation":
        """Return what a code of EXIF 2.3 (table 6) stands for; upright for one that it does not know."""
        return cls(*_EXIF.get(code, (0, False)))

    @classmethod
    def from_matrix(cls, matrix: Sequence[int]) -> tuple["Orientation", bool]:
        """Return what a display matrix does (ISO/IEC 14496-12, 8.3.2), and whether that is all that it does.

        Args:
            matrix: a, b, u, c, d, v, x, y, w. A stored pixel (p, q) is shown at (ap + cq + x, bp + dq + y). What is no
                quarter turn becomes the nearest. Where the picture is moved to does not count.
        """
        a, b, u, c, d, v = matrix[:6]
        mirrored = a * d - b * c < 0
        if mirrored:
            a, c = -a, -c
        rotation = round(math.degrees(math.atan2(-b, a)) / 90) * 90 % 360
        straight = {0: (a, d, b, c), 90: (-b, c, a, d), 180: (-a, -d, b, c), 270: (b, -c, a, d)}[rotation]
        is_exact = straight[0] == straight[1] == _ONE and (u, v, *straight[2:]) == (0, 0, 0, 0)
        return cls(rotation, mirrored), is_exact

    def matrix(self, shift: tuple[int, int] = (0, 0)) -> tuple[int, ...]:
        """Return the display matrix that does this and then moves the picture. See `from_matrix`.

        Args:
            shift: right and down, in 1/65536 of a pixel.
        """
        a, b = {0: (_ONE, 0), 90: (0, -_ONE), 180: (-_ONE, 0), 270: (0, _ONE)}[self.rotation]
        c, d = -b, a
        if self.mirrored:
            a, c = -a, -c
        return a, b, 0, c, d, 0, *shift, _ONE << 14

    def relative_to(self, other: "Orientation") -> "Orientation":
        """Return what brings pictures that lie as this says to lie as another says."""
        # With R a turn and F the mirror, FR is R'F, where R' turns the other way.
        sign = 1 if self.mirrored == other.mirrored else -1
        return Orientation((self.rotation - sign * other.rotation) % 360, self.mirrored != other.mirrored)

    def apply(self, plane: Plane) -> Plane:
        """Return a view of a plane, turned and mirrored. Shape (height, width), exchanged by a quarter turn."""
        turned: Plane = np.rot90(plane, self.rotation // 90) if self.rotation else plane
        return turned[:, ::-1] if self.mirrored else turned
