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
"""Minimum frames between cuts. Two closer cuts are one broken frame."""

_BEFORE, _AFTER = 4, 3
"""Number of frames compared before and after a cut: a two-frame flash leaves one unflashed frame after it. Repeated
frames before the cut are counted once."""

_DISSOLVING = 12
"""Frames after the detection of a dissolve in which no cut is reported."""

_LEAST_DIFFERENCE = 1 / 255
"""Mean difference below which a frame counts as a repetition."""

_LEAST_CHANGE = 4 / 255
"""Minimum mean difference across a cut between plain pictures, whose palettes are sensitive to small changes."""

_LEAST_RELATIVE, _LEAST_LAYOUT_AND_PALETTE = 0.15, 0.29
"""Minimum distances of the two frames at a cut: cheap tests that rule out nine of ten moving frames."""


class CutDetector:
    """Finds cuts in thumbnails by comparing the frames on both sides of each possible position.

    At a cut even the most similar frames across it differ, unlike at a flash, and they differ by more than neighbours
    within the shots, unlike in a pan. Repeated frames count once, so that they do not hide motion; black and white
    frames are skipped, so that shots that fade through them are compared with each other, and the second begins where
    it becomes visible. A dissolve is reported once, inside it: see `DissolveDetector`.
    """

    delay = _AFTER - 1
    """Maximum number of frames from a cut to its detection."""

    def __init__(self) -> None:
        """Start a clip."""
        self._before: deque[Look] = deque(maxlen=_BEFORE)
        """The shot's last distinct frames."""

        self._coming: deque[Look] = deque(maxlen=_AFTER)
        self._dissolves = DissolveDetector()
        self._number, self._next_cut = 0, MIN_SHOT_LENGTH

    def push(self, thumbnail: FloatArray) -> int | None:
        """Add the next frame, and return the number of a frame, counted from 0, found to begin a shot; None otherwise.

        Args:
            thumbnail: RGB in [0, 1], all of the same size. Shape (height, width, 3).
        """
        # A `Look` is a small copy, so the frame itself can be freed.
        self._coming.append(Look(thumbnail))
        candidate = self._number - self.delay
        self._number += 1
        if len(self._coming) < _AFTER:
            return None
        look = self._coming[0]
        self._dissolves.push(look)
        change = look.difference(self._before[-1]) if self._before else 1.0
        # Repeated frames (pulldown, held frames) would make neighbours within a shot look still and any motion a cut.
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
        """Whether the first of the buffered frames begins a shot.

        Args:
            change: its mean difference from the previous frame.
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
        # All pairs across the cut: after a flash of one or two frames, some later frame resembles an earlier one.
        after = [each for each in self._coming if not each.is_blank]
        across = [distance(one, other) for one in self._before for other in after]
        closest = Distance(*map(min, zip(*across, strict=True)))
        # How much neighbours within each shot differ: fast motion raises the bar for a cut.
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
"""Weights for the distances across a cut, within the shots, and 1: a logistic regression with three hidden units,
trained on films that `chromacord bench cuts` makes from training clips with other seeds."""


def _evidence(across: Distance, inside: Distance) -> float:
    """Return the evidence for a cut, from distances across it and between neighbours within the shots."""
    values = np.array([*across, *inside, 1.0])
    return float(_FOR @ values - np.maximum(_AGAINST @ values, 0).sum())


def split_shots(items: Iterable[Item], thumbnail: Callable[[Item], FloatArray]) -> Iterator[tuple[Item, int]]:
    """Yield each item with its shot's number, holding back only the items that the detector still needs.

    Args:
        items: the frames of a clip in order.
        thumbnail: returns an item's picture for `CutDetector.push`.

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
        # A cut is reported up to `delay` frames late, so an older item's shot is certain.
        if len(held) > detector.delay:
            yield give()
    while held:
        yield give()
