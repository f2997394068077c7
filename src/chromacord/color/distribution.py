"""Weighted colour histograms of pictures."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from chromacord.types import FloatArray

_CELLS = 32
"""Cells per side of the colour cube. A cell's colour is the mean of its samples. With 16, these means fell between the
nodes of LUTs with 17, so that a CDL's residual missed the bends and came out a third too small."""


class ColorDistribution:
    """Weighted colours of any number of pictures, in memory that is limited by the number of cells."""

    def __init__(self) -> None:
        self._cells = np.empty(0, np.int64)
        """Cells with any weight, ascending."""

        self._sums = np.empty((4, 0))
        """Weighted sums of red, green and blue, and the sum of weights, in each of these cells."""

    def add(self, picture: FloatArray, mask: FloatArray) -> None:
        """Add the colours of a picture.

        Args:
            picture: RGB in [0, 1]. Shape (3, H, W).
            mask: weight of each pixel. Shape (1, H, W).
        """
        there = mask[0] > 0
        colors, weights = picture[:, there], mask[0][there]
        # Clipped to the last cell, which therefore includes 1 itself.
        red, green, blue = np.clip(colors * _CELLS, 0, _CELLS - 1).astype(np.int64)
        # Only occupied cells are kept: all 32,768 of them would take 1 MB for each shot, and a foreground fills
        # few.
        cells, place = np.unique((red * _CELLS + green) * _CELLS + blue, return_inverse=True)
        sums = [np.bincount(place, values, len(cells)) for values in (*(colors * weights), weights)]
        self._merge(cells, np.stack(sums))

    def _merge(self, cells: npt.NDArray[np.int64], sums: npt.NDArray[np.float64]) -> None:
        joined = np.union1d(self._cells, cells)
        merged = np.zeros((4, len(joined)))
        for own, values in ((self._cells, self._sums), (cells, sums)):
            merged[:, np.searchsorted(joined, own)] += values
        self._cells, self._sums = joined, merged

    @property
    def is_empty(self) -> bool:
        """Whether the total weight is 0."""
        return not len(self._cells)

    def colors(self) -> tuple[FloatArray, FloatArray]:
        """Return the colours, shape (P, 3), and their weights, shape (P,)."""
        return (self._sums[:3] / self._sums[3]).T.astype(np.float32), self._sums[3].astype(np.float32)


def shared(
    each: Sequence[ColorDistribution] | None, groups: Iterable[frozenset[int]]
) -> list[ColorDistribution] | None:
    """Give all members of a group the group's combined colours.

    Args:
        each: distributions; empty ones stay empty. None: unknown.
        groups: indices of each group's members.
    """
    if each is None:
        return None
    found = list(each)
    for group in groups:
        whole = ColorDistribution()
        for place in group:
            whole._merge(each[place]._cells, each[place]._sums)
        for place in group:
            found[place] = found[place] if found[place].is_empty else whole
    return found
