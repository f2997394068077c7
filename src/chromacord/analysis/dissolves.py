"""Detect dissolves: gradual transitions whose frames mix two shots.

Only dissolves do so for long: with motion of objects or camera, intermediate frames show things at other places than
both ends, and brightness changes keep the layout.
"""

from collections import deque

import numpy as np
import numpy.typing as npt

from chromacord.analysis.likeness import Look, distance, palette_distance

_SPANS = (6, 10, 16, 22)
"""Distances between the compared frames; longer dissolves are detected from a part of them."""

_QUARTERS = (0.25, 0.5, 0.75)

_PAUSE = 24
"""Frames within which two detections count as one dissolve."""

_LEAST_CHANGE, _LEAST_RELATIVE, _LEAST_PALETTE, _MOST_STRAYED = 8 / 255, 0.3, 0.32, 0.25
"""Cheap tests that rule out almost all spans: minimum mean difference of the ends, minimum distances of their palettes,
and maximum deviation of the middle from the line between them, squared and relative to its length."""

_LEAST_LAYOUT = 0.08
"""Minimum distance of the ends' layouts: changes of light colour within a shot do not change the layout."""

_LEAST_CONTRAST = 0.3
"""Minimum contrast of the darker end, relative to the other: otherwise it is a fade from or to black."""

_FOR = np.array(
    [
        [-1.0, -32.25, 21.39, -19.41, -3.73, 4.28, 18.71, 7.61, -24.31, 35.62],
    ]
)
_AGAINST = np.array(
    [
        [-0.93, -28.93, 20.13, 2.57, 3.57, 7.54, 5.83, 8.12, 18.93, -12.28],
        [1.97, 27.48, -12.52, 18.99, -13.35, -9.62, 69.22, -0.74, 40.79, -77.71],
        [-1.7, -28.73, 16.28, -14.62, 12.79, 10.22, 10.34, 2.35, -43.05, 31.06],
        [-5.5, -4.97, -11.92, -12.43, -0.53, -5.84, 7.73, -2.68, -0.16, 14.57],
    ]
)
_THRESHOLD = 7.5
"""Weights of the hidden units of a logistic regression on a span's features and 1. Trained like those of `shots.py`."""


class DissolveDetector:
    """Detects dissolves as soon as enough of them has been seen."""

    def __init__(self) -> None:
        """Start a clip."""
        self._past: deque[Look] = deque(maxlen=max(_SPANS) + 1)
        self._number, self._pause_end = 0, 0

    def push(self, look: Look) -> None:
        """Add the next frame."""
        self._past.append(look)
        self._number += 1

    def restart(self) -> None:
        """Discard frames before the last one, which begins a shot."""
        last = self._past[-1]
        self._past.clear()
        self._past.append(last)

    def is_found(self) -> bool:
        """Whether the last frame belongs to the second of two dissolving shots, as far as can be known by then.

        Each dissolve is reported once, at the frame after which the caller must call `restart`.
        """
        # Test one span per frame: dissolves last, and testing all spans would double the cost.
        span = _SPANS[self._number % len(_SPANS)]
        if span >= len(self._past) or not self._is_dissolve(span):
            return False
        goes_on = self._number < self._pause_end
        self._pause_end = self._number + _PAUSE
        # A long dissolve is detected again while it lasts. It was reported already; without its past frames, fewer
        # spans find it once more.
        if goes_on:
            self.restart()
        return not goes_on

    def _is_dissolve(self, span: int) -> bool:
        begin = len(self._past) - 1 - span
        first, last = self._past[begin], self._past[-1]
        if last.difference(first) < _LEAST_CHANGE:
            return False
        # Fades are left to `CutDetector`, which compares the shots on both sides of the black or white frames.
        if not _LEAST_CONTRAST * first.light[1] < last.light[1] < first.light[1] / _LEAST_CONTRAST:
            return False
        if palette_distance(first.relative, last.relative) < _LEAST_RELATIVE:
            return False
        if palette_distance(first.palette, last.palette) < _LEAST_PALETTE:
            return False
        # In a dissolve every sample moves on a straight line from the first end to the last. A frame's position
        # along that line is its share, and its squared distance from the line the rest; motion leaves the line.
        start, way = first.colors, last.colors - first.colors
        length = float(way @ way)

        def share_and_rest(quarter: float) -> tuple[float, float]:
            step = self._past[begin + round(quarter * span)].colors - start
            share = float(step @ way) / length
            return share, float(step @ step) / length - share * share

        middle = share_and_rest(0.5)
        # The middle alone rules out most motion, before the costlier distance of layouts.
        if middle[1] > _MOST_STRAYED:
            return False
        differing = distance(first, last)
        if differing.layout < _LEAST_LAYOUT:
            return False
        done = share_and_rest(0.25), middle, share_and_rest(0.75)
        uneven = max(abs(share - quarter) for (share, _), quarter in zip(done, _QUARTERS, strict=True))
        strayed = max(0.0, *(rest for _, rest in done)) ** 0.5
        strength = 5 * (length / way.size) ** 0.5
        shares = done[0][0], done[2][0]
        # In the order of the columns of `_FOR` and `_AGAINST`.
        values = [*differing, uneven, strayed, strength, _SPANS.index(span) / 3, *shares, 1.0]
        return _evidence(np.array(values)) > _THRESHOLD


def _evidence(values: npt.NDArray[np.float64]) -> float:
    return float(np.maximum(_FOR @ values, 0).sum() - np.maximum(_AGAINST @ values, 0).sum())
