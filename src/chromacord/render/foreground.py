"""Render the graded foreground alone with its alpha, for compositing over the background elsewhere."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from chromacord.color.alpha import premultiply, straight_codes
from chromacord.color.transforms import ColorTransform, Identity
from chromacord.io import FrameSink, open_sink
from chromacord.masks.chroma_grid import aligned, chroma_grid
from chromacord.masks.masks import MaskedFrame
from chromacord.render.cpu import STRIP_PIXELS, alpha_of, unpack
from chromacord.render.graders import Grading, ManagedGrading, grading
from chromacord.types import Alpha, Box, Colorimetry, Encoding, FloatArray, Frame, PixelFormat, Plane, VideoInfo

AlphaOut = Literal["straight", "premultiplied"]


def foreground_info(info: VideoInfo, alpha: AlphaOut, depth: int = 16) -> VideoInfo:
    """Return the properties of `ForegroundRenderer`'s frames: R, G, B and alpha, at full size.

    Args:
        info: properties of the composite.
        alpha: straight or premultiplied colours.
        depth: bits per sample of integer formats.
    """
    is_float = info.pixel_format.is_float
    depth = info.pixel_format.depth if is_float else depth
    colors = info.colorimetry
    rgb = Colorimetry(colors.primaries, colors.transfer, 0, full_range=True, scene_linear=colors.scene_linear)
    return replace(info, pixel_format=PixelFormat("rgb", depth, is_float, alpha=Alpha(alpha)), colorimetry=rgb)


class ForegroundRenderer:
    """Renders a clip's foreground: graded as if every pixel were foreground, and 0 outside the mask's box."""

    def __init__(
        self, info: VideoInfo, foreground: VideoInfo | None = None, *, alpha: AlphaOut = "straight", depth: int = 16
    ) -> None:
        """Start a clip.

        Args:
            info: properties of the composite.
            foreground: properties of the foreground's own clip, if it is a layer.
            alpha: straight or premultiplied colours.
            depth: bits per sample of integer formats.
        """
        self.info = foreground_info(info, alpha, depth)
        """Properties of the rendered frames."""

        self._composite, self._source = info, foreground or info
        self._is_layer = foreground is not None
        self._grid = chroma_grid((self._source,))
        self._ungraded = grading(Identity.for_frames(1), self._source, self.info)
        # Must agree with `Renderer`, whose blend is reproduced here.
        self._mixes_as_shown = not self._is_layer and info.pixel_format.alpha is not Alpha.PREMULTIPLIED

    def render(self, masked: MaskedFrame, transform: ColorTransform | None) -> Frame:
        """Return the foreground, ungraded if there is no transform.

        Args:
            masked: composite and mask, and the foreground if it is a layer.
            transform: for one picture.
        """
        planes = tuple(np.zeros(self.info.size, self.info.pixel_format.dtype) for _ in range(4))
        box = masked.mask.box
        if box is not None:
            grade = grading(transform or Identity.for_frames(1), self._source, self.info)
            whole, step = aligned(box, self._grid, self._source.size), 1 << self._grid[0]
            rows = max(step, STRIP_PIXELS // (whole.right - whole.left) // step * step)
            for top in range(whole.top, whole.bottom, rows):
                self._fill(planes, masked, Box(top, whole.left, min(top + rows, whole.bottom), whole.right), grade)
        return replace(masked.frame, planes=planes, attributes=None, picture=None)

    def _fill(self, planes: tuple[Plane, ...], masked: MaskedFrame, part: Box, grade: Grading) -> None:
        pixel_format = self.info.pixel_format
        frame = masked.foreground if self._is_layer and masked.foreground is not None else masked.frame
        codes = unpack(frame.planes, self._source, part)
        coverage = alpha_of(frame, self._source, part)
        if coverage is not None:
            codes = straight_codes(codes, coverage, self._source)
        weight = masked.mask.crop(part)[..., None]
        graded = grade(codes, part)
        if isinstance(grade, ManagedGrading) and self._mixes_as_shown:
            graded = self._as_mixed(grade, graded, self._ungraded(codes, part), weight)
        colors = graded[..., :3]
        # Colours of weight 0 are 0 in either convention, like those outside the mask's box.
        if pixel_format.alpha is Alpha.PREMULTIPLIED:
            colors = premultiply(colors, weight)
        else:
            colors = np.where(weight > 0, colors, 0)
        stored = np.concatenate([colors, weight * pixel_format.max_code], axis=-1)
        if not pixel_format.is_float:
            stored = np.rint(stored).clip(0, pixel_format.max_code)
        for number, plane in enumerate(planes):
            plane[part.top : part.bottom, part.left : part.right] = stored[..., number].astype(plane.dtype)

    def _as_mixed(
        self, grade: ManagedGrading, graded: FloatArray, before: FloatArray, weight: FloatArray
    ) -> FloatArray:
        """Return colours that give the renderer's blend (in SDR video) when blended in the stored encoding.

        Args:
            grade: grade whose blend is to be reproduced.
            graded: graded foreground colours. Shape (height, width, 4).
            before: background colours. Shape (height, width, 4).
            weight: foreground weight. Shape (height, width, 1).
        """
        mixed = graded.copy()
        grade.lay_over(mixed, before, weight[..., 0])
        # Solves over(colour, before, weight) = mixed for the colour.
        return np.where(weight > 0, before + (mixed - before) / np.where(weight > 0, weight, 1), graded)


class ForegroundOut:
    """Writes the foreground of a clip to a separate file."""

    def __init__(
        self,
        path: str,
        info: VideoInfo,
        foreground: VideoInfo | None,
        *,
        alpha: AlphaOut | None,
        encoding: Encoding,
        force: bool,
        trimmed: bool,
        inputs: Iterable[Path],
    ) -> None:
        """Open the file.

        Args:
            path: a video with alpha (4444), a picture or a pattern.
            info: properties of the composite.
            foreground: properties of the foreground's own clip, if it is a layer.
            alpha: straight or premultiplied colours; None: the format's convention.
            encoding: encoding of the run; sets the compression of EXR files.
            force: overwrite existing files.
            trimmed: whether only a part of the clip is rendered.
            inputs: input paths of the run, which must not be overwritten.

        Raises:
            CodecError: the format has no alpha channel.
            OutputError: the file cannot be written.
        """
        self._renderer = ForegroundRenderer(info, foreground, alpha=alpha or "straight")
        like = self._renderer.info
        # Codec, quality and preset belong to the main output, which may be another format.
        own = Encoding(exr_compression=encoding.exr_compression)
        if Path(path).suffix.lower() == ".mov" and not like.pixel_format.is_float:
            like = replace(like, codec="prores", pixel_format=replace(like.pixel_format, depth=10))
            self._renderer = ForegroundRenderer(info, foreground, alpha=alpha or "straight", depth=10)
            own = Encoding(codec="prores4444")
        if alpha is not None:
            # The format's convention, so that colours are stored unchanged.
            held = Alpha.PREMULTIPLIED if Path(path).suffix.lower() == ".exr" else Alpha.STRAIGHT
            like = replace(like, pixel_format=replace(like.pixel_format, alpha=held))
        self.sink: FrameSink = open_sink(
            path, like, encoding=own, force=force, copy_streams=False, trimmed=trimmed, inputs=inputs
        )

    def write(self, masked: MaskedFrame, transform: ColorTransform | None) -> None:
        """Render and write the foreground of one frame. See `ForegroundRenderer.render`."""
        self.sink.write(self._renderer.render(masked, transform))
