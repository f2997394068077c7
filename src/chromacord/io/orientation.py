"""Orientation of stored pictures (EXIF, display matrices), applied in one place."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chromacord.types import Plane, VideoInfo

_EXIF = {2: (0, True), 3: (180, False), 4: (180, True), 5: (270, True), 6: (270, False), 7: (90, True), 8: (90, False)}


_ONE = 1 << 16
"""1 in a display matrix, whose columns are 16.16 fixed point, except for the last one (2.30)."""


class Orientation(NamedTuple):
    """Transformation of a stored picture to upright: rotation, then mirroring."""

    rotation: int = 0
    """Degrees counter-clockwise: 0, 90, 180 or 270."""

    mirrored: bool = False
    """Whether to mirror horizontally after the rotation."""

    @classmethod
    def of(cls, info: VideoInfo) -> "Orientation":
        """Return the orientation of a clip's pictures."""
        return cls(info.rotation, info.mirrored)

    @classmethod
    def from_exif(cls, code: int) -> "Orientation":
        """Return the orientation for a code of EXIF 2.3 (table 6); upright for unknown codes."""
        return cls(*_EXIF.get(code, (0, False)))

    @classmethod
    def from_matrix(cls, matrix: Sequence[int]) -> tuple["Orientation", bool]:
        """Return a display matrix's orientation (ISO/IEC 14496-12, 8.3.2), and whether it represents the matrix fully.

        Args:
            matrix: a, b, u, c, d, v, x, y, w. A stored pixel (p, q) is displayed at (ap + cq + x, bp + dq + y). Other
                angles are rounded to the nearest quarter turn. Translation is ignored.
        """
        a, b, u, c, d, v = matrix[:6]
        # A negative determinant means a reflection. With the mirror removed, a rotation remains.
        mirrored = a * d - b * c < 0
        if mirrored:
            a, c = -a, -c
        rotation = round(math.degrees(math.atan2(-b, a)) / 90) * 90 % 360
        straight = {0: (a, d, b, c), 90: (-b, c, a, d), 180: (-a, -d, b, c), 270: (b, -c, a, d)}[rotation]
        # Scaling, shear and perspective (u, v) have no counterpart in EXIF or in the pixels, so callers report
        # them.
        is_exact = straight[0] == straight[1] == _ONE and (u, v, *straight[2:]) == (0, 0, 0, 0)
        return cls(rotation, mirrored), is_exact

    def matrix(self, shift: tuple[int, int] = (0, 0)) -> tuple[int, ...]:
        """Return the display matrix of this orientation, followed by a translation. See `from_matrix`.

        Args:
            shift: right and down, in 1/65536 of a pixel.
        """
        a, b = {0: (_ONE, 0), 90: (0, -_ONE), 180: (-_ONE, 0), 270: (0, _ONE)}[self.rotation]
        c, d = -b, a
        if self.mirrored:
            a, c = -a, -c
        return a, b, 0, c, d, 0, *shift, _ONE << 14

    def relative_to(self, other: "Orientation") -> "Orientation":
        """Return the transformation from this orientation's pictures to another orientation's."""
        # With R a rotation and F the mirror, FR is R'F, where R' rotates the other way.
        sign = 1 if self.mirrored == other.mirrored else -1
        return Orientation((self.rotation - sign * other.rotation) % 360, self.mirrored != other.mirrored)

    def apply(self, plane: Plane) -> Plane:
        """Return a rotated and mirrored view of a plane. Shape (height, width), swapped by a quarter turn."""
        turned: Plane = np.rot90(plane, self.rotation // 90) if self.rotation else plane
        return turned[:, ::-1] if self.mirrored else turned
