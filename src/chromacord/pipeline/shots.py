"""Cuts: grades are smoothed inside a shot, never across."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.types import FloatArray

Item = TypeVar("Item")

MIN_SHOT_LENGTH = 4
"""Frames. Two cuts nearer than this are taken for one: a broken frame."""

_BEFORE, _AFTER = 4, 3
"""Frames on either side of a cut that are compared: a flash of two frames leaves one unflashed behind it. Those before
the cut differ from each other, whatever lies between them."""

_SMALL, _LAYOUT = (36, 20), (18, 10)
"""Sizes (width, height) of the pictures that palettes and layouts are taken from."""

_CENTRE = (slice(1, 9), slice(5, 13))
"""Part of a layout that is looked for in another one: what a camera moves by a quarter of the width is found again."""

_BINS, _RANGES, _RELATIVE_RANGES = [8, 8, 8], [0.0, 1.0, 0.25, 0.75, 0.25, 0.75], [0.0, 256.0] * 3
"""Of palettes, for Y', Cr and Cb. Chroma beyond the ranges is rare and not counted."""

_LUMA_SPREAD, _CHROMA_SPREAD = 2.6, 1.6
"""Half the range of the relative palette, in deviations of luma; what lies beyond counts as its edge."""

_PLAIN = 2 / 255
"""Deviation of luma below which a picture shows nothing but noise."""

_BLACK, _WHITE = 0.1, 0.9
"""Mean luma of plain pictures that are taken for black, up to here, and for white, from here."""

_LEAST_DIFFERENCE = 1 / 255
"""Mean difference of frames that are not the same, shown again."""

_LEAST_CHANGE = 4 / 255
"""Mean difference across a cut between plain pictures, whose palettes change wholly with a small change of colour."""

_LEAST_RELATIVE, _LEAST_LAYOUT_AND_PALETTE = 0.15, 0.29
"""Distances of the two frames at a cut: they rule out nine of ten frames that move, for little."""


class _Distance(NamedTuple):
    """How two frames differ, from 0 to 1 (layouts: to 2)."""

    layout: float
    """One minus the best correlation of the middle of the later picture with parts of the earlier one."""

    palette: float
    """One minus the intersection of colour histograms. Motion hardly changes them."""

    relative: float
    """The same after luma's mean and deviation are made equal. Neither fades nor flashes change these."""


class _Look:
    """What is kept of a frame. Most is calculated only when it is asked for, which few frames need."""

    def __init__(self, thumbnail: FloatArray) -> None:
        self.small: FloatArray = cv2.cvtColor(cv2.resize(thumbnail, _SMALL), cv2.COLOR_RGB2YCrCb)

    def difference(self, other: "_Look") -> float:
        """Return the mean absolute difference of samples."""
        return float(cv2.norm(self.small, other.small, cv2.NORM_L1)) / self.small.size

    @cached_property
    def light(self) -> tuple[float, float]:
        """Mean and deviation of luma."""
        mean, deviation = cv2.meanStdDev(self.small)
        return mean.item(0), deviation.item(0)

    @property
    def is_plain(self) -> bool:
        """Whether the picture shows nothing."""
        return self.light[1] < _PLAIN

    @property
    def is_blank(self) -> bool:
        """Whether the picture is black or white, as between two shots that fade."""
        return self.is_plain and not _BLACK <= self.light[0] <= _WHITE

    @cached_property
    def layout(self) -> FloatArray:
        """Luma of a tiny picture. Shape (10, 18)."""
        layout: FloatArray = cv2.resize(cv2.extractChannel(self.small, 0), _LAYOUT, interpolation=cv2.INTER_AREA)
        return layout

    @cached_property
    def palette(self) -> FloatArray:
        """Number of pixels in each bin of colour. Shape (8, 8, 8)."""
        return _histogram(self.small, _RANGES)

    @cached_property
    def relative(self) -> FloatArray:
        """The same after luma's mean and deviation are made equal. Shape (8, 8, 8)."""
        mean, deviation = self.light
        deviation = max(deviation, _PLAIN)
        luma, chroma = 128 / _LUMA_SPREAD / deviation, 128 / _CHROMA_SPREAD / deviation
        middle = 128 - 0.5 * chroma
        stretch = np.array(
            [(luma, 0, 0, 128 - luma * mean), (0, chroma, 0, middle), (0, 0, chroma, middle)], np.float32
        )
        # To bytes, which ends the range above; of what lies below it, as good as nothing, the sign is lost.
        codes = cv2.convertScaleAbs(cv2.transform(self.small, stretch))
        return _histogram(codes, _RELATIVE_RANGES)


class CutDetector:
    """Finds cuts from thumbnails, by comparing the frames on both sides of each place where one may lie.

    At a cut even the closest frames across it differ, which a flash does not do, and they differ by more than
    neighbours inside the shots do, which a moving camera does not do. Frames that are shown again count once, so that
    they hide no motion, and black or white ones not at all: shots that fade through them are compared with each other,
    and the second begins where it can be seen.
    """

    delay = _AFTER - 1
    """How many frames after a cut it may be reported."""

    def __init__(self) -> None:
        """Start a clip."""
        self._before: deque[_Look] = deque(maxlen=_BEFORE)
        """Different frames of the shot, the last ones."""

        self._coming: deque[_Look] = deque(maxlen=_AFTER)
        self._number, self._last_cut = 0, 0

    def push(self, thumbnail: FloatArray) -> int | None:
        """Look at the next frame and return the number of a frame, counted from 0, that is found to begin a shot.

        Args:
            thumbnail: RGB in [0, 1], always of the same size. Shape (height, width, 3).
        """
        self._coming.append(_Look(thumbnail))
        candidate = self._number - self.delay
        self._number += 1
        if len(self._coming) < _AFTER:
            return None
        look = self._coming[0]
        change = look.difference(self._before[-1]) if self._before else 255.0
        if change < _LEAST_DIFFERENCE or look.is_blank:
            return None
        is_cut = candidate - self._last_cut >= MIN_SHOT_LENGTH and bool(self._before) and self._is_cut(change)
        if is_cut:
            self._before.clear()
            self._last_cut = candidate
        self._before.append(look)
        return candidate if is_cut else None

    def _is_cut(self, change: float) -> bool:
        """Whether the first of the frames that come begins a shot.

        Args:
            change: how far it differs from the last one before.
        """
        look, before = self._coming[0], self._before[-1]
        if look.is_plain and change < _LEAST_CHANGE:
            return False
        # The closest frames differ by no more than these, which rules out most places.
        if _palette_distance(before.relative, look.relative) < _LEAST_RELATIVE:
            return False
        nearest = _distance(before, look)
        if nearest.layout + nearest.palette < _LEAST_LAYOUT_AND_PALETTE:
            return False
        after = [each for each in self._coming if not each.is_blank]
        across = [_distance(one, other) for one in self._before for other in after]
        closest = _Distance(*map(min, zip(*across, strict=True)))
        inside = [_Distance(0.0, 0.0, 0.0)]
        if len(self._before) > 1:
            inside.append(_distance(self._before[-2], before))
        if not self._coming[1].is_blank:
            inside.append(_distance(look, self._coming[1]))
        return _evidence(closest, _Distance(*map(max, zip(*inside, strict=True)))) > 0


_FOR = np.array([-1.4, -1.1, 5.2, -1.2, -5.7, -2.0, 7.9])
_AGAINST = np.array(
    [
        [-5.8, -33.7, -7.0, 7.1, -19.9, 23.5, 17.0],
        [-3.5, 2.3, -35.6, -6.5, -1.1, 13.2, 13.5],
        [-23.3, -6.1, 0.7, -12.0, -2.7, 2.1, 11.5],
    ]
)
"""Weights for the distances across a cut, inside the shots, and 1: a logistic regression with three hidden units, on
films of the training clips that `chromacord bench cuts` makes, with other seeds."""


def _evidence(across: _Distance, inside: _Distance) -> float:
    """Return how much speaks for a cut between frames that differ so, where neighbours inside the shots differ so."""
    values = np.array([*across, *inside, 1.0])
    return float(_FOR @ values - np.maximum(_AGAINST @ values, 0).sum())


def _histogram(picture: npt.NDArray[Any], ranges: list[float]) -> FloatArray:
    histogram: FloatArray = cv2.calcHist([picture], [0, 1, 2], None, _BINS, ranges)
    return histogram


def _distance(earlier: _Look, later: _Look) -> _Distance:
    correlations = cv2.matchTemplate(earlier.layout, later.layout[_CENTRE], cv2.TM_CCOEFF_NORMED)
    return _Distance(
        1.0 - float(correlations.max()),
        _palette_distance(earlier.palette, later.palette),
        _palette_distance(earlier.relative, later.relative),
    )


def _palette_distance(first: FloatArray, second: FloatArray) -> float:
    return 1.0 - cv2.compareHist(first, second, cv2.HISTCMP_INTERSECT) / (_SMALL[0] * _SMALL[1])


def split_shots(items: Iterable[Item], thumbnail: Callable[[Item], FloatArray]) -> Iterator[tuple[Item, int]]:
    """Give each item the number of its shot, holding back only as many items as the detector needs to be sure.

    Args:
        items: the frames of a clip in order.
        thumbnail: gives an item's picture for `CutDetector.push`.

    Yields:
        The item and its shot's number, from 0.
    """
    detector = CutDetector()
    held: deque[Item] = deque()
    starts: set[int] = set()
    num_given, shot = 0, 0

    def hold(item: Item) -> None:
        cut = detector.push(thumbnail(item))
        if cut is not None:
            starts.add(cut)
        held.append(item)

    def give() -> tuple[Item, int]:
        nonlocal num_given, shot
        shot += num_given in starts
        num_given += 1
        return held.popleft(), shot

    # By `map`, so that an item that was given is not held until the next one is read.
    for _ in map(hold, items):
        if len(held) > detector.delay:
            yield give()
    while held:
        yield give()
