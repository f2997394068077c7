"""Weighted colour histograms of pictures."""

from collections.abc import Iterable, Sequence

import numpy as np

from chromacord.types import FloatArray

_CELLS = 16
"""Cells per side of the colour cube. A cell's colour is the mean of its samples."""


class ColorDistribution:
    """Weighted colours of any number of pictures, in constant memory."""

    def __init__(self) -> None:
        self._sums = np.zeros((4, _CELLS**3))
        """Weighted sums of red, green and blue, and the sum of weights, in each cell."""

    def add(self, picture: FloatArray, mask: FloatArray) -> None:
        """Add the colours of a picture.

        Args:
            picture: RGB in [0, 1]. Shape (3, H, W).
            mask: weight of each pixel. Shape (1, H, W).
        """
        there = mask[0] > 0
        colors, weights = picture[:, there], mask[0][there]
        red, green, blue = np.clip(colors * _CELLS, 0, _CELLS - 1).astype(np.int64)
        cell = (red * _CELLS + green) * _CELLS + blue
        for total, values in zip(self._sums, [*(colors * weights), weights], strict=True):
            total += np.bincount(cell, values, total.size)

    @property
    def is_empty(self) -> bool:
        """Whether the total weight is 0."""
        return not self._sums[3].any()

    def colors(self) -> tuple[FloatArray, FloatArray]:
        """Return the colours, shape (P, 3), and their weights, shape (P,)."""
        sums = self._sums[:, self._sums[3] > 0]
        return (sums[:3] / sums[3]).T.astype(np.float32), sums[3].astype(np.float32)


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
        whole._sums = np.sum([each[place]._sums for place in group], axis=0)
        for place in group:
            found[place] = found[place] if found[place].is_empty else whole
    return found
