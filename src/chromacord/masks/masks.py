"""A frame's mask, read from a decoded plane without converting pixels outside its box."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.io.compositing.mattes import matte_levels, matte_plane
from chromacord.io.orientation import Orientation
from chromacord.masks.edge import Edge
from chromacord.masks.proxy import scaled
from chromacord.types import Alpha, Box, FloatArray, Frame, Plane, Size, VideoInfo


@dataclass(frozen=True)
class Mask:
    """Foreground weight of one frame, as codes; `crop` returns weights in [0, 1]."""

    plane: Plane
    """Codes of the picture, or of a part of it that contains the box. Shape (height, width)."""

    black: float
    """Largest code that means 0."""

    white: float
    """Smallest code that means 1."""

    box: Box | None
    """Bounding box of all pixels above 0; None if there are none."""

    is_full: bool
    """Whether every pixel is 1, which leaves no background to match."""

    origin: tuple[int, int] = (0, 0)
    """Row and column of the plane's first pixel in the picture."""

    @classmethod
    def from_plane(cls, plane: Plane, *, black: float, white: float) -> "Mask":
        """Make a mask: find its box, and whether it is full.

        Args:
            plane: codes. Shape (height, width).
            black, white: codes of 0 and 1; other codes are clamped to them.
        """
        box = _box(plane, black)
        # The minimum needs a pass over the whole plane, so it is taken only where the box does not decide.
        is_full = box == Box(0, 0, *plane.shape) and bool(plane.min() >= white)
        return cls(plane, black, white, box, is_full)

    @property
    def is_usable(self) -> bool:
        """Whether there is both a foreground and a background."""
        return self.box is not None and not self.is_full

    @property
    def peak(self) -> float:
        """The largest weight, in [0, 1]."""
        return min(1.0, max(0.0, (float(self.plane.max()) - self.black) / (self.white - self.black)))

    def codes(self, box: Box) -> Plane:
        """Return a view of the codes inside a rectangle of the picture. Shape (bottom - top, right - left)."""
        top, left = self.origin
        assert min(box.top - top, box.left - left) >= 0, "these codes are not held"
        return self.plane[box.top - top : box.bottom - top, box.left - left : box.right - left]

    def crop(self, box: Box) -> FloatArray:
        """Return the weights inside a rectangle, in [0, 1]. Shape (bottom - top, right - left)."""
        codes = self.codes(box)
        if codes.dtype == np.uint8 and codes.size:
            looked_up: FloatArray = cv2.LUT(np.ascontiguousarray(codes), _table(self.black, self.white))
            return looked_up
        return _weights(codes, self.black, self.white)

    def columns(self, box: Box) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Return which columns of a rectangle have weight, and which are all 1. Shape (right - left,) each."""
        part = self.codes(box)
        return part.max(axis=0) > self.black, part.min(axis=0) >= self.white

    def scaled(self, size: Size) -> FloatArray:
        """Return the weights resized by area averaging, in [0, 1]. Shape (height, width)."""
        assert self.origin == (0, 0), "only a part of the picture's codes is held"
        ramp = (scaled(self.plane, size) - self.black) * (1 / (self.white - self.black))
        weights: FloatArray = np.clip(ramp, 0, 1, dtype=np.float32)
        return weights


def _weights(codes: Plane, black: float, white: float) -> FloatArray:
    part = codes.astype(np.float32)
    part -= np.float32(black)
    part *= np.float32(1 / (white - black))
    weights: FloatArray = part.clip(0, 1, out=part)
    return weights


@lru_cache(maxsize=8)
def _table(black: float, white: float) -> FloatArray:
    """Return the weights of all codes of 8 bits: looking them up is four times as fast."""
    return _weights(np.arange(256, dtype=np.uint8), black, white)


def _box(plane: Plane, black: float) -> Box | None:
    """Return the bounding box of all codes above black."""
    rows = np.flatnonzero(plane.max(axis=1) > black)
    if not len(rows):
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    # Rows first, since they are contiguous; columns then need only the rows that hold something.
    columns = np.flatnonzero(plane[top:bottom].max(axis=0) > black)
    return Box(top, int(columns[0]), bottom, int(columns[-1]) + 1)


class MaskedFrame(NamedTuple):
    """A composite frame, its mask, and the separate foreground if it is a layer."""

    frame: Frame
    mask: Mask
    foreground: Frame | None = None


class MaskReader:
    """Converts frames of a mask clip, or the composite's own alpha, to masks for the composite's pixels."""

    def __init__(
        self,
        mask: VideoInfo,
        composite: VideoInfo,
        *,
        from_alpha: bool = False,
        fit: bool = False,
        edge: Edge | None = None,
    ) -> None:
        """Prepare for a pair of clips.

        Args:
            mask: properties of the clip with the mask.
            composite: properties of the composite; if players rotate or mirror the two clips differently, the mask is
                rotated to match.
            from_alpha: use the alpha plane instead of luma.
            fit: scale masks of another size; otherwise the sizes must match (checked by the caller).
            edge: how the edge is changed; None: not at all.
        """
        self._source = mask
        self._from_alpha, self._edge = from_alpha, edge
        self._orientation = Orientation.of(mask).relative_to(Orientation.of(composite))
        self._size = composite.size if fit else None
        self._black, self._white = matte_levels(mask, from_alpha=from_alpha)

    def read(self, frame: Frame) -> Mask:
        """Return the mask in a frame."""
        plane = matte_plane(frame.planes, self._source, from_alpha=self._from_alpha)
        plane = np.ascontiguousarray(self._orientation.apply(plane))
        if self._size is not None and plane.shape != self._size:
            plane = cv2.resize(plane, (self._size.width, self._size.height), interpolation=cv2.INTER_LINEAR)
        if self._edge is not None:
            plane = self._edge.change(plane, self._black)
        return Mask.from_plane(np.ascontiguousarray(plane), black=self._black, white=self._white)


def shown_size(info: VideoInfo) -> Size:
    """Return the size after the player's rotation."""
    return Size(info.size.width, info.size.height) if info.rotation % 180 else info.size


def without_alpha(info: VideoInfo) -> VideoInfo:
    """Return the properties of a clip whose alpha is only a mask, so that colours are not divided by it."""
    alpha = Alpha.STRAIGHT if info.pixel_format.alpha is not Alpha.NONE else Alpha.NONE
    return replace(info, pixel_format=replace(info.pixel_format, alpha=alpha))
