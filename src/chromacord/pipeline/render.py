"""Pass 2: grade the foreground of a full-size frame, in the planes it was decoded to.

Only the box of the mask is touched. A sample is changed by the mask's weight times what the grade changes, so every
sample whose weight is 0 keeps its bits, whatever the method, the format and the strength.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from chromacord.color.alpha import over, premultiply, unpremultiply
from chromacord.color.transforms import ColorTransform, Identity
from chromacord.pipeline.grading import Grading, grading
from chromacord.pipeline.masks import MaskedFrame
from chromacord.types import Alpha, Box, FloatArray, Frame, Plane, VideoInfo

STRIP_PIXELS = 1 << 16
"""Pixels graded at once: 1 MB as RGBA float32, which stays in a core's cache, and keeps memory flat at any size."""


class Renderer:
    """Applies transforms to the frames of one clip."""

    def __init__(self, info: VideoInfo, foreground: VideoInfo | None = None) -> None:
        """Prepare for a clip.

        Args:
            info: of the composite.
            foreground: of the foreground's own clip, where it came as a layer.
        """
        self._info = info
        self._foreground = foreground
        self._last: tuple[ColorTransform, Grading, Grading | None] | None = None

    def render(self, masked: MaskedFrame, transform: ColorTransform | None) -> Frame:
        """Return the harmonized frame. Alpha, times and attributes are the composite's.

        Args:
            masked: composite and mask; with the foreground as a layer, that is graded and laid over the background
                again, so that soft edges hold no graded background.
            transform: for one picture; None leaves the frame as it is.
        """
        box = masked.mask.box
        if transform is None or isinstance(transform, Identity) or box is None or masked.mask.is_full:
            return masked.frame
        grade, ungraded = self._gradings(transform)
        colors = [plane.copy() for plane in masked.frame.planes[: self._info.pixel_format.num_colors]]
        for strip in self._strips(box):
            self._render_strip(masked, colors, strip, grade, ungraded)
        planes = (*colors, *masked.frame.planes[len(colors) :])
        return Frame(planes, masked.frame.index, masked.frame.pts, masked.frame.duration, masked.frame.attributes)

    def _gradings(self, transform: ColorTransform) -> tuple[Grading, Grading | None]:
        if self._last is None or self._last[0] is not transform:
            source = self._foreground or self._info
            ungraded = grading(Identity.for_frames(1), source, self._info) if self._foreground else None
            self._last = (transform, grading(transform, source, self._info), ungraded)
        return self._last[1:]

    def _strips(self, box: Box) -> Iterator[Box]:
        """Cut a box into strips of rows, aligned to whole chroma samples."""
        down, right = self._info.pixel_format.subsampling
        height, width = self._info.size
        top, left = box.top >> down << down, box.left >> right << right
        bottom = min(height, -(-box.bottom >> down << down))
        stop = min(width, -(-box.right >> right << right))
        rows = max(1, STRIP_PIXELS // (stop - left)) + down >> down << down
        for start in range(top, bottom, rows):
            yield Box(start, left, min(start + rows, bottom), stop)

    def _render_strip(
        self, masked: MaskedFrame, colors: list[Plane], strip: Box, grade: Grading, ungraded: Grading | None
    ) -> None:
        weight = masked.mask.crop(strip)
        if not weight.any():
            return
        codes = pack(masked.frame.planes, self._info, strip)
        coverage = _alpha(masked.frame, self._info, strip)
        if masked.foreground is not None and self._foreground is not None and ungraded is not None:
            layer = self._straight_layer(masked.foreground, self._foreground, strip)
            graded = codes + grade(layer.copy(), strip) - ungraded(layer, strip)
        elif coverage is not None:
            straight = unpremultiply(codes, coverage)
            graded = codes + premultiply(grade(straight.copy(), strip) - straight, coverage)
        else:
            graded = grade(codes.copy(), strip)
        for number, plane in enumerate(colors):
            changed = over(graded[..., number], codes[..., number], weight)
            self._store(plane, changed, codes[..., number], strip, is_chroma=number > 0)

    @staticmethod
    def _straight_layer(foreground: Frame, info: VideoInfo, strip: Box) -> FloatArray:
        layer = pack(foreground.planes, info, strip)
        coverage = _alpha(foreground, info, strip)
        return layer if coverage is None else unpremultiply(layer, coverage)

    def _store(self, plane: Plane, changed: FloatArray, before: FloatArray, strip: Box, *, is_chroma: bool) -> None:
        """Write changed samples into a plane; of subsampled chroma, add the mean change of the pixels it covers."""
        pixel_format = self._info.pixel_format
        down, right = pixel_format.subsampling if is_chroma and pixel_format.model == "yuv" else (0, 0)
        part = plane[strip.top >> down : -(-strip.bottom >> down), strip.left >> right : -(-strip.right >> right)]
        if down or right:
            changed = part.astype(np.float32) + block_mean(changed - before, down, right)
        if pixel_format.is_float:
            part[...] = changed
        else:
            part[...] = np.clip(np.rint(changed), 0, pixel_format.max_code)


def _alpha(frame: Frame, info: VideoInfo, strip: Box) -> FloatArray | None:
    """Return the coverage that colours are multiplied by, in [0, 1]; None where they are not multiplied."""
    if info.pixel_format.alpha is not Alpha.PREMULTIPLIED:
        return None
    alpha = frame.planes[-1][strip.top : strip.bottom, strip.left : strip.right, None]
    return alpha.astype(np.float32) / np.float32(info.pixel_format.max_code)


def pack(planes: tuple[Plane, ...], info: VideoInfo, box: Box) -> FloatArray:
    """Return the codes of a rectangle with each pixel's samples together, as OpenColorIO takes them.

    Subsampled chroma is repeated: each sample is then graded with exactly its own colour, and the mean change of the
    pixels that it covers, added back to it, loses nothing of its detail.

    Args:
        planes: of a frame.
        info: of its source.
        box: aligned to whole chroma samples.

    Returns:
        Shape (height, width, 4); the fourth is not used.
    """
    height, width = box.bottom - box.top, box.right - box.left
    down, right = info.pixel_format.subsampling
    samples = []
    for number in range(3):
        plane = planes[number if info.pixel_format.num_colors == 3 else 0]
        if number and (down or right):
            part = plane[box.top >> down : -(-box.bottom >> down), box.left >> right : -(-box.right >> right)]
            size = (part.shape[1] << right, part.shape[0] << down)
            part = cv2.resize(part, size, interpolation=cv2.INTER_NEAREST)[:height, :width]
        else:
            part = plane[box.top : box.bottom, box.left : box.right]
        samples.append(np.ascontiguousarray(part))
    merged: FloatArray = cv2.merge([*samples, samples[0]]).astype(np.float32)
    return merged


def block_mean(values: FloatArray, down: int, right: int) -> FloatArray:
    """Average blocks of 2**down rows and 2**right columns; blocks cut by the far edges average what there is.

    Args:
        values: Shape (height, width).
        down, right: log2 of the block's height and width.
    """
    rows, columns = 1 << down, 1 << right
    height, width = values.shape
    if height % rows or width % columns:
        values = np.pad(values, ((0, -height % rows), (0, -width % columns)), mode="edge")
    size = (values.shape[1] // columns, values.shape[0] // rows)
    means: FloatArray = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return means
