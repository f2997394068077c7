"""Cuts: grades are smoothed inside a shot, never across."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import cv2
import numpy as np

from chromacord.types import FloatArray

Item = TypeVar("Item")

MIN_SHOT_LENGTH = 4
"""Frames. Two cuts nearer than this are taken for one: a broken frame."""

_BEFORE, _AFTER = 3, 3
"""Frames on either side of a cut that are compared: a flash of two frames leaves one unflashed on each side."""

_SMALL, _LAYOUT = (36, 20), (9, 5)
"""Sizes (width, height) of the pictures that the palette and the layout are taken from."""

_BINS, _RANGES = [8, 8, 8], [0.0, 1.0, 0.25, 0.75, 0.25, 0.75]
"""Of the palette, for Y', Cr and Cb. Chroma beyond the ranges is rare and not counted."""

_LEAST_CONTRAST = 1 / 255
"""Deviation of luma below which a layout is noise."""

_LAYOUT_ACROSS, _LAYOUT_INSIDE, _PALETTE_ACROSS, _PALETTE_INSIDE, _THRESHOLD = 13.2, 7.0, 24.2, 18.8, 10.2
"""Weights of a logistic regression on joins of real clips, and of flashes, pans and other changes inside a shot."""


_LEAST_CHANGE = 4 / 255
"""Mean change of a cut: a plain picture's palette changes wholly where its colour passes from one bin to the next."""


class _Look(NamedTuple):
    """What is kept of a frame."""

    small: FloatArray
    """Y'CrCb. Shape (20, 36, 3)."""

    layout: FloatArray
    """Luma of a tiny picture, without its mean, of length 1: exposure does not change it. Shape (45,)."""

    palette: FloatArray
    """Share of the pixels in each bin of colour: motion hardly changes it. Shape (512,)."""


class CutDetector:
    """Finds hard cuts from thumbnails, by comparing the frames on both sides of each place where a cut may lie.

    Two frames differ in layout (one minus the correlation of tiny pictures, which exposure leaves alone) and in palette
    (one minus the intersection of colour histograms, which motion leaves alone). At a cut both the closest pair of
    frames across it differs, which a flash does not do, and it differs by more than neighbours inside the shots do,
    which a moving camera does not do.
    """

    delay = _AFTER - 1
    """How many frames after a cut it may be reported."""

    def __init__(self) -> None:
        """Start a clip."""
        self._looks: deque[_Look] = deque(maxlen=_BEFORE + _AFTER)
        self._number, self._last_cut = 0, 0

    def push(self, thumbnail: FloatArray) -> int | None:
        """Look at the next frame and return the number of a frame, counted from 0, that is found to begin a shot.

        Args:
            thumbnail: RGB in [0, 1], always of the same size. Shape (height, width, 3).
        """
        self._looks.append(_look(thumbnail))
        candidate = self._number - self.delay
        self._number += 1
        if len(self._looks) < _BEFORE + _AFTER or candidate - self._last_cut < MIN_SHOT_LENGTH or not self._is_cut():
            return None
        self._last_cut = candidate
        return candidate

    def _is_cut(self) -> bool:
        """Whether the first frame after the middle of those that are known begins a shot."""
        looks = tuple(self._looks)
        before, after = looks[:_BEFORE], looks[_BEFORE:]
        if cv2.norm(before[-1].small, after[0].small, cv2.NORM_L1) < _LEAST_CHANGE * after[0].small.size:
            return False
        # The closest pair differs by no more than this one, which rules out most frames.
        if _evidence(_layout_distance(before[-1], after[0]), _palette_distance(before[-1], after[0])) <= 0:
            return False
        across = [(first, second) for first in before for second in after]
        inside = [(before[-2], before[-1]), (after[0], after[1])]
        evidence = _evidence(
            min(_layout_distance(*pair) for pair in across), min(_palette_distance(*pair) for pair in across)
        )
        evidence -= _LAYOUT_INSIDE * max(_layout_distance(*pair) for pair in inside)
        evidence -= _PALETTE_INSIDE * max(_palette_distance(*pair) for pair in inside)
        return evidence > 0


def _evidence(layout: float, palette: float) -> float:
    """Return how much speaks for a cut between frames that differ so, where nothing moves beside it."""
    return _LAYOUT_ACROSS * layout + _PALETTE_ACROSS * palette - _THRESHOLD


def _look(thumbnail: FloatArray) -> _Look:
    small = cv2.cvtColor(cv2.resize(thumbnail, _SMALL), cv2.COLOR_RGB2YCrCb)
    palette = cv2.calcHist([small], [0, 1, 2], None, _BINS, _RANGES).ravel() / (small.shape[0] * small.shape[1])
    luma = cv2.resize(cv2.extractChannel(small, 0), _LAYOUT, interpolation=cv2.INTER_AREA).ravel()
    luma -= luma.mean()  # exposure adds and multiplies
    layout = luma / np.sqrt(luma @ luma + np.float32(luma.size * _LEAST_CONTRAST**2))
    return _Look(small, palette=palette, layout=layout)


def _layout_distance(first: _Look, second: _Look) -> float:
    return 1.0 - float(first.layout @ second.layout)


def _palette_distance(first: _Look, second: _Look) -> float:
    return 1.0 - float(cv2.compareHist(first.palette, second.palette, cv2.HISTCMP_INTERSECT))


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
