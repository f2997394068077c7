"""Pass 2 on a torch device: the same grade of a frame's foreground as render.py makes, to a rounding.

The mask's box goes to the device as it is stored, and only the box comes back.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from chromacord.color.transforms import ColorTransform, Identity
from chromacord.io.pixels import writable_copy
from chromacord.pipeline.chroma_grid import aligned, chroma_grid
from chromacord.pipeline.device_blend import Blend, Blocks, Fused, Gradings, Weights, blend
from chromacord.pipeline.device_grading import DeviceGrading
from chromacord.pipeline.masks import MaskedFrame
from chromacord.pipeline.staging_buffers import Slot, StagingBuffer, fill
from chromacord.types import Alpha, Box, Frame, PixelFormat, Plane, Size, VideoInfo

STRIP_PIXELS = 1 << 22
"""Pixels graded at once: half a 4K frame, and some hundred MB on the device whatever the size."""


FUSE_AFTER = 500
"""Frames that are graded with a kernel for each step. Then the steps are compiled into a few kernels, where torch can
(it needs Triton and a C compiler): that takes about a minute, which only long clips pay back."""


class Sent(NamedTuple):
    """A frame's box on the device."""

    box: Box
    """Whole chroma samples of every layer, but for what the picture's far edges cut."""

    padded: Size
    """Of the box with the last row and column repeated where the edges cut it, so that all blocks are whole."""

    composite: Blocks
    layer: Blocks | None
    weights: Weights
    results: tuple[Tensor, ...]
    """Where the graded colours go. Shape (h, rows, w, columns) each."""


class DeviceRenderer:
    """Applies transforms to the frames of one clip, on a torch device; see `chromacord.pipeline.render.Renderer`."""

    def __init__(
        self,
        info: VideoInfo,
        foreground: VideoInfo | None = None,
        *,
        device: torch.device,
        fuse_after: int | None = None,
    ) -> None:
        """Prepare for a clip.

        Args:
            info: of the composite.
            foreground: of the foreground's own clip, where it came as a layer.
            device: where pixels are graded.
            fuse_after: frames; None: `FUSE_AFTER`, on CUDA with Triton.
        """
        if fuse_after is None and device.type == "cuda" and find_spec("triton") is not None:
            fuse_after = FUSE_AFTER
        self._blend: Blend = blend
        self._left = fuse_after
        self._info, self._foreground, self._device = info, foreground, device
        layers = (info,) if foreground is None else (info, foreground)
        self._grid = chroma_grid(layers)
        self._outward, self._homeward = StagingBuffer(device), StagingBuffer(device)
        self._last: tuple[ColorTransform, DeviceGrading, DeviceGrading | None] | None = None

    def render(self, masked: MaskedFrame, transform: ColorTransform | None) -> Frame:
        """Return the harmonized frame. Alpha, times and attributes are the composite's.

        Args:
            masked: composite and mask, and the foreground where it came as a layer.
            transform: for one picture; None leaves the frame as it is.
        """
        if transform is None or isinstance(transform, Identity) or not masked.mask.is_usable:
            return masked.frame
        sent = self.send(masked)
        self.grade(sent, transform)
        self._homeward.download()
        harmonized = writable_copy(masked.frame, self._info.pixel_format)
        for number, graded in enumerate(self._homeward.host):
            part = harmonized.planes[number][_samples(sent.box, _shift(self._info.pixel_format, number))]
            part[...] = graded[: part.shape[0], : part.shape[1]]
        return harmonized

    def send(self, masked: MaskedFrame) -> Sent:
        """Start the upload of a frame's box; what was sent before is overwritten.

        Args:
            masked: with a mask that is usable.
        """
        assert masked.mask.box is not None, "an empty mask has no box"
        box, (down, right) = aligned(masked.mask.box, self._grid, self._info.size), self._grid
        blocks = Size(-(-(box.bottom - box.top) >> down), -(-(box.right - box.left) >> right))
        padded = Size(blocks.height << down, blocks.width << right)
        layer = masked.foreground if self._foreground is not None else None
        pictures = [(masked.frame, self._info.pixel_format, self._counts(self._info, under_layer=layer is not None))]
        if layer is not None and self._foreground is not None:
            pictures.append((layer, self._foreground.pixel_format, self._counts(self._foreground)))
        parts = [
            (frame.planes[number][_samples(box, _shift(pixel_format, number))], _shift(pixel_format, number))
            for frame, pixel_format, numbers in pictures
            for number in numbers
        ]
        parts.append((_as_sent(masked.mask.codes(box)), (0, 0)))
        slots = [Slot(Size(padded.height >> shift[0], padded.width >> shift[1]), plane.dtype) for plane, shift in parts]
        self._outward.lay_out(slots)
        for target, (samples, _) in zip(self._outward.host, parts, strict=True):
            fill(target, samples)
        self._outward.upload()
        self._homeward.lay_out(slots[: self._info.pixel_format.num_colors])
        there = iter([_in_blocks(plane, blocks) for plane in self._outward.there])
        made = [
            Blocks(
                tuple(next(there) for _ in range(pixel_format.num_colors)),
                next(there) if len(numbers) > pixel_format.num_colors else None,
                pixel_format,
            )
            for _, pixel_format, numbers in pictures
        ]
        weights = Weights(next(there), masked.mask.black, masked.mask.white)
        results = tuple(_in_blocks(plane, blocks) for plane in self._homeward.there)
        return Sent(box, padded, made[0], made[1] if len(made) > 1 else None, weights, results)

    def grade(self, sent: Sent, transform: ColorTransform) -> None:
        """Start the grade of what was sent; the results stay on the device.

        Args:
            sent: what `send` returned last.
            transform: for one picture.
        """
        if self._left == 0:
            self._blend = Fused()
        self._left = None if self._left in (None, 0) else self._left - 1
        grading, ungraded = self._gradings(transform)
        for strip, coefficients in self._strips(sent, grading):
            self._blend(
                _cut(sent.composite, strip),
                None if sent.layer is None else _cut(sent.layer, strip),
                sent.weights._replace(codes=sent.weights.codes[strip]),
                Gradings(grading, ungraded, coefficients),
                tuple(plane[strip] for plane in sent.results),
            )

    def _strips(self, sent: Sent, grading: DeviceGrading) -> Iterator[tuple[slice, Tensor | None]]:
        """Cut blocks into strips of rows, each with the coefficients of its places."""
        num_rows, rows, num_columns, columns = sent.weights.codes.shape
        # A field brings twelve numbers for each pixel.
        pixels = STRIP_PIXELS if grading.is_global else STRIP_PIXELS // 4
        step = max(1, pixels // (rows * sent.padded.width))
        for start in range(0, num_rows, step):
            stop = min(start + step, num_rows)
            top, bottom = (sent.box.top + rows * number for number in (start, stop))
            part = Box(top, sent.box.left, min(bottom, sent.box.bottom), sent.box.right)
            coefficients = grading.coefficients(part, Size(bottom - top, sent.padded.width))
            if coefficients is not None:
                coefficients = coefficients.view(12, stop - start, rows, num_columns, columns)
            yield slice(start, stop), coefficients

    def _gradings(self, transform: ColorTransform) -> tuple[DeviceGrading, DeviceGrading | None]:
        if self._last is None or self._last[0] is not transform:
            source = self._foreground or self._info
            ungraded = None
            if self._foreground is not None:
                ungraded = DeviceGrading(Identity.for_frames(1), source, self._info, self._device)
            self._last = (transform, DeviceGrading(transform, source, self._info, self._device), ungraded)
        return self._last[1:]

    def _counts(self, info: VideoInfo, *, under_layer: bool = False) -> tuple[int, ...]:
        """Return which planes of a picture count: its colours, and alpha where `blend` looks at it."""
        colors = tuple(range(info.pixel_format.num_colors))
        counting = Alpha.STRAIGHT if under_layer else Alpha.PREMULTIPLIED
        return (*colors, len(colors)) if info.pixel_format.alpha is counting else colors


def _as_sent(plane: Plane) -> Plane:
    return plane if plane.dtype in (np.uint8, np.uint16, np.float32) else plane.astype(np.float32)


def _shift(pixel_format: PixelFormat, number: int) -> tuple[int, int]:
    """Return the subsampling of one plane of a frame."""
    return pixel_format.subsampling if pixel_format.model == "yuv" and number in (1, 2) else (0, 0)


def _samples(box: Box, shift: tuple[int, int]) -> tuple[slice, slice]:
    down, right = shift
    return slice(box.top >> down, -(-box.bottom >> down)), slice(box.left >> right, -(-box.right >> right))


def _in_blocks(plane: Tensor, blocks: Size) -> Tensor:
    height, width = plane.shape
    return plane.view(blocks.height, height // blocks.height, blocks.width, width // blocks.width)


def _cut(picture: Blocks, strip: slice) -> Blocks:
    alpha = None if picture.alpha is None else picture.alpha[strip]
    return Blocks(tuple(plane[strip] for plane in picture.colors), alpha, picture.pixel_format)
