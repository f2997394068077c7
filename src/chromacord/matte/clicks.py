"""Clicks on a foreground and around it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import cv2
import numpy as np

from chromacord.errors import InputError
from chromacord.matte.soft_edge import Binary
from chromacord.parsing import shown
from chromacord.types import Size

_RADIUS = 0.008
"""Radius of the disc that a click marks, relative to the picture's longest side."""

_SMOOTH = 2.0
"""Standard deviation of the blur before flooding, in pixels; grain would otherwise form edges."""

_ALIKE = 32
"""Maximum difference in codes, per channel, between a click and the pixels that it includes."""

_MOST_CUT = 0.5
"""Share of the picture's border above which a region that reaches it counts as background."""

_BORDER, _INSIDE, _OUTSIDE = 2, 1, 2


class Click(NamedTuple):
    """A pixel of an upright picture that is foreground, or is not."""

    row: int
    column: int
    frame: int
    """Number of the frame, from 0."""

    is_inside: bool

    @classmethod
    def parse(cls, text: str, size: Size, where: object, *, is_inside: bool) -> Self:
        """Parse "X,Y" or "X,Y,FRAME".

        Args:
            text: the click.
            size: size of the picture.
            where: name of the clip, for messages.
            is_inside: whether it marks the foreground.

        Raises:
            InputError: the text is something else, or the pixel is outside the picture.
        """
        option = "--click" if is_inside else "--click-out"
        try:
            column, row, *rest = (int(part) for part in text.split(","))
            (frame,) = rest or [0]
        except ValueError:
            raise InputError(
                f"{option} {shown(text)}: is not X,Y or X,Y,FRAME; give pixels from left and top, such as 320,180"
            ) from None
        if not (0 <= row < size.height and 0 <= column < size.width):
            raise InputError(f"{option} {shown(text)}: is outside {where}, which is {size.width}x{size.height}")
        if frame < 0:
            raise InputError(f"{option} {shown(text)}: frames are counted from 0")
        return cls(row, column, frame, is_inside)


def parse_clicks(inside: Iterable[str], outside: Iterable[str], size: Size, where: object) -> list[Click]:
    """Parse the clicks on a foreground and those around it; see `Click.parse`."""
    return [
        *(Click.parse(text, size, where, is_inside=True) for text in inside),
        *(Click.parse(text, size, where, is_inside=False) for text in outside),
    ]


class Seeds(NamedTuple):
    """Pixels of a reduced picture that are known to be foreground, and known not to be."""

    inside: Binary
    outside: Binary

    @classmethod
    def of(cls, clicks: Sequence[Click], shape: tuple[int, int], scale: float) -> Self:
        """Draw clicks as discs on the reduced picture, the full one scaled by `scale`. Shape (H, W)."""
        planes = (np.zeros(shape, np.uint8), np.zeros(shape, np.uint8))
        radius = round(_RADIUS * max(shape))
        for click in clicks:
            center = tuple(
                min(round((place + 0.5) * scale - 0.5), limit - 1)
                for place, limit in zip((click.column, click.row), reversed(shape), strict=True)
            )
            cv2.circle(planes[0 if click.is_inside else 1], center, radius, 1, -1)
        # Where discs overlap, the click on the foreground wins: users aim at the foreground, and near it for the rest.
        planes[1][planes[0] == 1] = 0
        return cls(*planes)


def flooded(small: Binary, seeds: Seeds) -> Binary:
    """Grow both kinds of seeds until they meet at edges (watershed, Meyer 1992).

    The picture's border counts as outside, except where the clicks' colour reaches it, because many foregrounds are cut
    off by the frame. A colour that fills most of the border belongs to the background.

    Args:
        small: R'G'B' codes. Shape (H, W, 3).
        seeds: the known pixels, some of them inside.

    Returns:
        The foreground. Shape (H, W).
    """
    markers = np.full(small.shape[:2], _OUTSIDE, np.int32)
    markers[_BORDER:-_BORDER, _BORDER:-_BORDER] = 0
    cut = (markers == _OUTSIDE) & (alike(small, seeds.inside) == 1)
    # A click's colour along most of the border means that the background has it too.
    if cut.sum() <= _MOST_CUT * (markers == _OUTSIDE).sum():
        markers[cut] = 0
    markers[seeds.outside == 1] = _OUTSIDE
    markers[seeds.inside == 1] = _INSIDE
    cv2.watershed(cv2.GaussianBlur(small, (0, 0), _SMOOTH), markers)
    # OpenCV leaves the outermost pixels undecided; they follow their neighbours.
    inside: Binary = (markers == _INSIDE).astype(np.uint8)
    if min(inside.shape) > 2:
        inside = cv2.copyMakeBorder(np.ascontiguousarray(inside[1:-1, 1:-1]), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return inside | seeds.inside


def alike(small: Binary, seeds: Binary) -> Binary:
    """Return the regions connected to seeds by similar colour. Shape (H, W).

    Args:
        small: R'G'B' codes. Shape (H, W, 3).
        seeds: discs. Shape (H, W).
    """
    smooth = cv2.GaussianBlur(small, (0, 0), _SMOOTH)
    # OpenCV wants the mask of a flood one pixel wider on each side.
    found = np.zeros((small.shape[0] + 2, small.shape[1] + 2), np.uint8)
    _, _, _, centers = cv2.connectedComponentsWithStats(seeds)
    for column, row in np.rint(centers[1:]).astype(int):
        # A fixed range compares with the click itself; a floating one would creep along every gradient.
        flags = 4 | (1 << 8) | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
        cv2.floodFill(smooth, found, (int(column), int(row)), (0, 0, 0), (_ALIKE,) * 3, (_ALIKE,) * 3, flags)
    inner: Binary = np.ascontiguousarray(found[1:-1, 1:-1])
    return inner
