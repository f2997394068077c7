"""Cuts: grades are smoothed inside a shot, never across."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.types import FloatArray

Item = TypeVar("Item")

MIN_SHOT_LENGTH = 4
"""Frames. Two cuts nearer than this are taken for one: a flash, a broken frame."""

_REACH = 2
"""Frames before and after a frame that its change is compared with."""

_LEAST_CHANGE, _LEAST_RATIO = 15.0, 3.0
"""Of a cut, against black and against the mean of its neighbours. With the reach they are PySceneDetect's defaults."""

_STILL = 1e-5
"""Mean change of neighbours that counts as none at all."""


class CutDetector:
    """Finds cuts from thumbnails, by the rule of PySceneDetect's adaptive detector.

    A frame's change is the mean difference of hue, saturation and value, each in 8 bits, from the frame before. It is
    compared with the changes of its neighbours, so that a moving camera or foreground is no cut. The package itself
    gives the same cuts (`tests/pipeline/test_shots.py`), but costs as much to load as to analyse ten frames.
    """

    delay = _REACH
    """How many frames after a cut it may be reported."""

    def __init__(self) -> None:
        """Start a clip."""
        self._before: npt.NDArray[np.uint8] | None = None
        self._changes: deque[float] = deque(maxlen=2 * _REACH + 1)
        self._number, self._last_cut = 0, 0

    def push(self, thumbnail: FloatArray) -> int | None:
        """Look at the next frame and return the number of a frame, counted from 0, that is found to begin a shot.

        Args:
            thumbnail: RGB in [0, 1], always of the same size. Shape (height, width, 3).
        """
        self._changes.append(self._change(thumbnail))
        candidate = self._number - _REACH
        self._number += 1
        if len(self._changes) < 2 * _REACH + 1 or candidate - self._last_cut < MIN_SHOT_LENGTH or not self._is_cut():
            return None
        self._last_cut = candidate
        return candidate

    def _change(self, thumbnail: FloatArray) -> float:
        hsv = cv2.cvtColor(np.rint(thumbnail * 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
        before, self._before = self._before, hsv
        return 0.0 if before is None else cv2.norm(hsv, before, cv2.NORM_L1) / hsv.size

    def _is_cut(self) -> bool:
        """Whether the frame in the middle of those that are known begins a shot."""
        change = self._changes[_REACH]
        neighbours = (sum(self._changes) - change) / (2 * _REACH)
        return change >= _LEAST_CHANGE and (neighbours < _STILL or change >= _LEAST_RATIO * neighbours)


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
