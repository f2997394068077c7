"""Compress masks that wait between analysis and rendering.

Masks consist mostly of runs of black and white. A box is stored as run lengths of eight-byte words, which is eight
times as fast as byte by byte and costs little more at edges. Masks without runs, such as wide soft gradients, are
stored uncompressed.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chromacord.masks.chroma_grid import COARSEST, aligned
from chromacord.masks.masks import Mask
from chromacord.types import Box, Plane, Size

_WORD = np.dtype(np.uint64)
_COUNT = np.dtype(np.uint32)


@dataclass(frozen=True)
class PackedMask:
    """A compressed mask; `unpack` restores one with the same weights."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    black: float
    white: float
    box: Box | None
    is_full: bool
    words: npt.NDArray[np.uint64]
    """The box's codes, row by row, padded to whole words; for runs only the first word."""

    counts: npt.NDArray[np.uint32] | None
    """Length of each run in words; None: uncompressed."""

    @classmethod
    def pack(cls, mask: Mask) -> "PackedMask":
        """Compress a mask. All codes that mean 0, or 1, are unified first, so that codec noise does not break runs."""
        words, counts = np.empty(0, _WORD), None
        if mask.box is not None:
            words = _words(_leveled(mask, mask.box))
            starts = np.append(0, np.flatnonzero(words[1:] != words[:-1]) + 1)
            # A run costs 12 bytes, a word 8: with many short runs the compressed form would be the larger one.
            if len(starts) * (_WORD.itemsize + _COUNT.itemsize) < words.nbytes:
                words, counts = words[starts], np.diff(starts, append=len(words)).astype(_COUNT)
        height, width = mask.plane.shape
        return cls((height, width), mask.plane.dtype, mask.black, mask.white, mask.box, mask.is_full, words, counts)

    def unpack(self) -> Mask:
        """Restore the mask. Outside its box all codes are 0."""
        return self._unpack(Box(0, 0, *self.shape))

    def unpack_box(self) -> Mask:
        """Restore the mask with a plane only as large as its box, extended to whole chroma samples of any format."""
        box = self.box or Box(0, 0, 0, 0)
        return self._unpack(aligned(box, COARSEST, Size(*self.shape)))

    def _unpack(self, part: Box) -> Mask:
        plane: Plane = np.zeros((part.bottom - part.top, part.right - part.left), self.dtype)
        mask = Mask(plane, self.black, self.white, self.box, self.is_full, (part.top, part.left))
        if self.box is not None:
            words = self.words if self.counts is None else np.repeat(self.words, self.counts)
            inside = mask.codes(self.box)
            inside[...] = words.view(self.dtype)[: inside.size].reshape(inside.shape)
        return mask

    @property
    def is_usable(self) -> bool:
        """See `Mask.is_usable`."""
        return self.box is not None and not self.is_full

    @property
    def nbytes(self) -> int:
        """Size of the stored codes."""
        return self.words.nbytes + (0 if self.counts is None else self.counts.nbytes)


def _leveled(mask: Mask, box: Box) -> Plane:
    """Return the codes in a box without differences that do not affect weights. Shape (height, width)."""
    part = mask.codes(box)
    if part.dtype.kind == "f":
        return part
    # One above white, because white itself may round to just below 1.
    highest = min(math.floor(mask.white) + 1, 256**part.itemsize - 1)
    leveled: Plane = np.clip(part, math.floor(mask.black), highest)
    return leveled


def _words(part: Plane) -> npt.NDArray[np.uint64]:
    """Return a copy of codes as eight-byte words, padded with zeros."""
    words = np.empty(-(-part.nbytes // _WORD.itemsize), _WORD)
    # A slice, because a mask without a box has no words. The padding must be equal each time, or it would break
    # a run.
    words[-1:] = 0
    words.view(part.dtype)[: part.size].reshape(part.shape)[...] = part
    return words
