"""Cut detection. Grades are smoothed inside a shot, never across a cut."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np

from chromacord.analysis.dissolves import DissolveDetector
from chromacord.analysis.likeness import Distance, Look, distance, palette_distance
from chromacord.types import FloatArray

Item = TypeVar("Item")

MIN_SHOT_LENGTH = 4
"""Frames. Two cuts nearer than this are taken for one: a broken frame."""

_BEFORE, _AFTER = 4, 3
"""Frames on either side of a cut that are compared: a flash of two frames leaves one unflashed behind it. Those before
the cut differ from each other, whatever lies between them."""

_DISSOLVING = 12
"""Frames of a dissolve after it was found in which nothing is a cut."""

_LEAST_DIFFERENCE = 1 / 255
"""Mean difference of frames that are not the same, shown again."""

_LEAST_CHANGE = 4 / 255
"""Mean difference across a cut between plain pictures, whose palettes change wholly with a small change of colour."""

_LEAST_RELATIVE, _LEAST_LAYOUT_AND_PALETTE = 0.15, 0.29
"""Distances of the two frames at a cut: they rule out nine of ten frames that move, for little."""


class CutDetector:
    """Finds cuts from thumbnails, by comparing the frames on both sides of each place where one may lie.

    At a cut even the closest frames across it differ, which a flash does not do, and they differ by more than
    neighbours inside the shots do, which a moving camera does not do. Frames that are shown again count once, so that
    they hide no motion, and black or white ones not at all: shots that fade through them are compared with each other,
    and the second begins where it can be seen. A dissolve is reported once, inside it: see `DissolveDetector`.
    """

    delay = _AFTER - 1
    """How many frames after a cut it may be reported."""

    def __init__(self) -> None:
        """Start a clip."""
        self._before: deque[Look] = deque(maxlen=_BEFORE)
        """Different frames of the shot, the last ones."""

        self._coming: deque[Look] = deque(maxlen=_AFTER)
        self._dissolves = DissolveDetector()
        self._number, self._next_cut = 0, MIN_SHOT_LENGTH

    def push(self, thumbnail: FloatArray) -> int | None:
        """Look at the next frame and return the number of a frame, counted from 0, that is found to begin a shot.

        Args:
            thumbnail: RGB in [0, 1], always of the same size. Shape (height, width, 3).
        """
        self._coming.append(Look(thumbnail))
        candidate = self._number - self.delay
        self._number += 1
        if len(self._coming) < _AFTER:
            return None
        look = self._coming[0]
        self._dissolves.push(look)
        change = look.difference(self._before[-1]) if self._before else 1.0
        if change < _LEAST_DIFFERENCE or look.is_blank:
            return None
        if candidate < self._next_cut or not self._before:
            begins = False
        elif self._is_cut(change):
            begins, self._next_cut = True, candidate + MIN_SHOT_LENGTH
        else:
            begins = self._dissolves.is_found()
            self._next_cut = candidate + _DISSOLVING if begins else self._next_cut
        if begins:
            self._before.clear()
            self._dissolves.restart()
        self._before.append(look)
        return candidate if begins else None

    def _is_cut(self, change: float) -> bool:
        """Whether the first of the frames that come begins a shot.

        Args:
            change: how far it differs from the last one before.
        """
        look, before = self._coming[0], self._before[-1]
        if look.is_plain and change < _LEAST_CHANGE:
            return False
        # A lower bound on the difference, which rules out most positions.
        if palette_distance(before.relative, look.relative) < _LEAST_RELATIVE:
            return False
        nearest = distance(before, look)
        if nearest.layout + nearest.palette < _LEAST_LAYOUT_AND_PALETTE:
            return False
        after = [each for each in self._coming if not each.is_blank]
        across = [distance(one, other) for one in self._before for other in after]
        closest = Distance(*map(min, zip(*across, strict=True)))
        inside = [Distance(0.0, 0.0, 0.0)]
        if len(self._before) > 1:
            inside.append(distance(self._before[-2], before))
        if not self._coming[1].is_blank:
            inside.append(distance(look, self._coming[1]))
        return _evidence(closest, Distance(*map(max, zip(*inside, strict=True)))) > 0


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


def _evidence(across: Distance, inside: Distance) -> float:
    """Return how much speaks for a cut between frames that differ so, where neighbours inside the shots differ so."""
    values = np.array([*across, *inside, 1.0])
    return float(_FOR @ values - np.maximum(_AGAINST @ values, 0).sum())


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

    # `map` keeps no reference to an item while the next one is read.
    for _ in map(hold, items):
        if len(held) > detector.delay:
            yield give()
    while held:
        yield give()
