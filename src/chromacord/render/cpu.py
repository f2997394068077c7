"""Pass 2: grade the foreground of a full-size frame in its decoded planes.

Only the mask's box is touched. Samples change by the mask's weight times the grade's difference, so samples of weight 0
stay bit-identical, whatever the method, format and strength.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.color.alpha import lay_over, premultiply, straight_codes
from chromacord.color.transforms import ColorTransform, Identity
from chromacord.io.compositing.overlay import block_mean
from chromacord.io.pixels import writable_copy
from chromacord.masks.chroma_grid import aligned, chroma_grid, samples
from chromacord.masks.masks import MaskedFrame
from chromacord.render.graders import Grading, ManagedGrading, grading
from chromacord.render.native import NativeGrading
from chromacord.types import Alpha, Box, FloatArray, Frame, PixelFormat, Plane, VideoInfo

STRIP_PIXELS = 3 << 14
"""Pixels graded at once: 0.8 MB as RGBA float32 fits in a core's cache, and memory stays constant at any size."""


class Renderer:
    """Applies transforms to the frames of one clip."""

    def __init__(self, info: VideoInfo, foreground: VideoInfo | None = None) -> None:
        """Start a clip.

        Args:
            info: properties of the composite.
            foreground: properties of the foreground's own clip, if it is a layer.
        """
        self._info = info
        self._foreground = foreground
        layers = (info,) if foreground is None else (info, foreground)
        self._grid = chroma_grid(layers)
        # A single grade gives codes within the format, up to rounding; sums of several may exceed it.
        premultiplied = info.pixel_format.alpha is Alpha.PREMULTIPLIED
        self._adds_up = (foreground is not None or premultiplied) and not info.pixel_format.is_float
        # Layers are composited, and colours premultiplied, in the stored encoding.
        self._mixes_as_shown = foreground is None and not premultiplied
        self._last: tuple[ColorTransform, NativeGrading | tuple[Grading, Grading | None]] | None = None

    def render(self, masked: MaskedFrame, transform: ColorTransform | None) -> Frame:
        """Return the harmonized frame with the composite's alpha, timestamps and attributes.

        Args:
            masked: composite and mask. If the foreground is a layer, it is graded and composited over the background
                again, so that soft edges contain no graded background.
            transform: for one picture; None leaves the frame unchanged.
        """
        box = masked.mask.box
        # A full mask leaves no background to match, so its frame passes through, as in the analysis.
        if transform is None or isinstance(transform, Identity) or box is None or masked.mask.is_full:
            return masked.frame
        prepared = self._prepared(transform)
        harmonized = writable_copy(masked.frame, self._info.pixel_format)
        whole = aligned(box, self._grid, self._info.size)
        if isinstance(prepared, NativeGrading):
            prepared.render(masked.frame, harmonized, masked.mask, whole)
            return harmonized
        for strip in self._strips(whole):
            self._render_strip(masked, harmonized, strip, *prepared)
        return harmonized

    def _prepared(self, transform: ColorTransform) -> NativeGrading | tuple[Grading, Grading | None]:
        # Neighbouring frames often share a grade, and preparing a new LUT takes 2 ms.
        if self._last is None or not _are_equal(self._last[0], transform):
            # The compiled code grades one picture; layers need the difference of two gradings.
            native = None if self._foreground else NativeGrading.prepare(transform, self._info)
            self._last = (transform, native or self._gradings(transform))
        return self._last[1]

    def _gradings(self, transform: ColorTransform) -> tuple[Grading, Grading | None]:
        source = self._foreground or self._info
        ungraded = grading(Identity.for_frames(1), source, self._info) if self._foreground else None
        return grading(transform, source, self._info), ungraded

    def _strips(self, whole: Box) -> Iterator[Box]:
        """Split an aligned box into strips of rows, aligned to whole chroma samples."""
        down = self._grid[0]
        rows = -(-max(1, STRIP_PIXELS // (whole.right - whole.left)) >> down << down)
        for start in range(whole.top, whole.bottom, rows):
            yield Box(start, whole.left, min(start + rows, whole.bottom), whole.right)

    def _render_strip(
        self, masked: MaskedFrame, target: Frame, strip: Box, grade: Grading, ungraded: Grading | None
    ) -> None:
        held, whole = masked.mask.columns(strip)
        columns = held.nonzero()[0]
        if not len(columns):
            return
        covered = Box(strip.top, strip.left + int(columns[0]), strip.bottom, strip.left + int(columns[-1]) + 1)
        part = aligned(covered, self._grid, self._info.size)
        before = unpack(masked.frame.planes, self._info, part)
        after = self._graded(masked, before, part, grade, ungraded)
        for soft in spans((~whole[part.left - strip.left : part.right - strip.left]).nonzero()[0]):
            side = Box(part.top, part.left + soft.start, part.bottom, part.left + soft.stop)
            weight = self._share(masked, masked.mask.crop(side), side)
            # Only soft pixels are blended: where the weight is 1, the graded codes are the result.
            if isinstance(grade, ManagedGrading) and self._mixes_as_shown:
                grade.lay_over(after[:, soft], before[:, soft], weight)
                continue
            lay_over(after[:, soft], before[:, soft], weight)
        self._store(target, after, part)

    def _share(self, masked: MaskedFrame, weight: FloatArray, part: Box) -> FloatArray:
        """Return the layer's share of the composite's colours; over straight transparency, that of the visible part."""
        if masked.foreground is None or self._info.pixel_format.alpha is not Alpha.STRAIGHT:
            return weight
        # Straight colours are a mean weighted by coverage, so the layer's share is its coverage over the composite's.
        joined = masked.frame.planes[-1][part.top : part.bottom, part.left : part.right].astype(np.float32)
        joined /= np.float32(self._info.pixel_format.max_code)
        return np.minimum(weight / np.maximum(joined, np.float32(1e-6)), 1)

    def _graded(
        self, masked: MaskedFrame, before: FloatArray, part: Box, grade: Grading, ungraded: Grading | None
    ) -> FloatArray:
        """Grade all samples of a rectangle as if it were all foreground. Shape (height, width, 4)."""
        coverage = alpha_of(masked.frame, self._info, part)
        if masked.foreground is not None and self._foreground is not None and ungraded is not None:
            layer = unpack(masked.foreground.planes, self._foreground, part)
            layer_coverage = alpha_of(masked.foreground, self._foreground, part)
            if layer_coverage is not None:
                layer = straight_codes(layer, layer_coverage, self._foreground)
            # Add the layer's change instead of its colours: rounding in its conversion then cancels, and an identity
            # grade is exact.
            return before + (grade(layer, part) - ungraded(layer, part))
        if coverage is not None:
            straight = straight_codes(before, coverage, self._info)
            # Again only the change is premultiplied, so that light under alpha 0 (glows) passes unchanged.
            graded: FloatArray = before + premultiply(grade(straight, part) - straight, coverage)
            return graded
        return grade(before, part)

    def _store(self, target: Frame, after: FloatArray, part: Box) -> None:
        """Write the samples of a rectangle; subsampled chroma is averaged over the pixels that it covers."""
        pixel_format = self._info.pixel_format
        shift = pixel_format.subsampling
        if self._adds_up:
            np.clip(after, 0, pixel_format.max_code, out=after)
        means = block_mean(after, shift)
        for number, plane in enumerate(target.planes[: pixel_format.num_colors]):
            values = cv2.extractChannel(means if number else after, number)
            samples(plane, part, shift if number else (0, 0))[...] = rounded(values, pixel_format)


def _are_equal(one: ColorTransform, other: ColorTransform) -> bool:
    return one is other or (one.kind == other.kind and np.array_equal(one.parameters, other.parameters))


def alpha_of(frame: Frame, info: VideoInfo, part: Box) -> FloatArray | None:
    """Return the alpha by which colours are premultiplied, in [0, 1]; None if they are not.

    Shape (height, width, 1).
    """
    if info.pixel_format.alpha is not Alpha.PREMULTIPLIED:
        return None
    alpha = frame.planes[-1][part.top : part.bottom, part.left : part.right]
    return alpha[..., None].astype(np.float32) / np.float32(info.pixel_format.max_code)


def unpack(planes: tuple[Plane, ...], info: VideoInfo, part: Box) -> FloatArray:
    """Return the three colour codes of every pixel of a rectangle, and a padding channel.

    Subsampled chroma is repeated: each sample is graded with its own colour, and adding the mean change of the pixels
    that it covers preserves its detail. Grey is repeated for all three.

    Args:
        planes: planes of a frame.
        info: properties of its source.
        part: aligned to whole chroma samples.

    Returns:
        Shape (height, width, 4), C-contiguous.
    """
    shift = info.pixel_format.subsampling
    first, *others = (
        samples(plane, part, shift if number else (0, 0))
        for number, plane in enumerate(planes[: info.pixel_format.num_colors])
    )
    second, third = others or (first, first)
    if shift == (0, 0):
        # The fourth channel is padding (see graders.py); any plane will do.
        codes = cv2.merge([first, second, third, third])
    else:
        # OpenCV merges planes with gaps between their rows four times slower.
        second, third = np.ascontiguousarray(second), np.ascontiguousarray(third)
        small = cv2.merge([second, second, third, third])
        large = small.repeat(1 << shift[1], axis=1).repeat(1 << shift[0], axis=0)
        codes = np.ascontiguousarray(large[: first.shape[0], : first.shape[1]])
        cv2.insertChannel(first, codes, 0)
    packed: FloatArray = codes.astype(np.float32, copy=False)
    return packed


def rounded(codes: FloatArray, pixel_format: PixelFormat) -> Plane:
    """Convert values to samples of a format: rounded to the nearest code, ties to even; floats are kept.

    Args:
        codes: in the format's range up to rounding; may be overwritten. Shape (height, width).
        pixel_format: format of the samples.
    """
    if pixel_format.is_float:
        return codes
    if pixel_format.depth == 8:
        # This rounds and saturates in one pass. Its absolute value affects only rounding errors below 0.
        samples: Plane = cv2.convertScaleAbs(codes)
        return samples
    # Full-range chroma extends half a code above the largest one, because its midpoint is a whole code.
    np.minimum(np.rint(codes, out=codes), pixel_format.max_code, out=codes)
    return codes.astype(pixel_format.dtype)


def spans(columns: npt.NDArray[np.intp]) -> Iterator[slice]:
    """Cover columns by at most two slices, split at the widest gap between them.

    Partially covered pixels usually lie at the foreground's two sides.

    Args:
        columns: ascending; may be empty. Shape (N,).
    """
    gaps = columns[1:] - columns[:-1]
    # Without a gap, one slice covers all columns.
    widest = int(gaps.argmax()) + 1 if len(gaps) and gaps.max() > 1 else len(columns)
    for part in (columns[:widest], columns[widest:]):
        if len(part):
            yield slice(int(part[0]), int(part[-1]) + 1)
