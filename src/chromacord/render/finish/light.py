"""Convert a file's codes to linear light, and changes of light to changes of codes."""

from itertools import islice

import cv2
import numpy as np

from chromacord.color.alpha import premultiply, straight_codes
from chromacord.color.management.managed import GAMMA, ManagedSpace, display_to_light, light_to_display
from chromacord.color.spaces import code_to_rgb, rgb_to_code
from chromacord.io.compositing.overlay import block_mean
from chromacord.masks.chroma_grid import samples
from chromacord.render.cpu import alpha_of, rounded, unpack
from chromacord.render.finish.blocks import reduced
from chromacord.types import Box, FloatArray, Frame, VideoInfo

_BLACK = 1e-6
_DARK = _BLACK**GAMMA
"""Replacements for 0, encoded and as light, because OpenCV's power function is ten times slower at 0."""


class Light:
    """Reads rectangles of frames as light, and writes changes of it.

    SDR video is decoded by BT.1886 (gamma 2.4), pictures in another colour space by that space; scene-linear ones are
    light already. Premultiplied colours are divided by alpha, and multiplied again.
    """

    def __init__(self, info: VideoInfo) -> None:
        """Prepare for a clip's frames."""
        self._info = info
        self._space = None if info.space is None else ManagedSpace.of(info.space)
        decode = code_to_rgb(info.colorimetry, info.size, info.pixel_format)
        encode = rgb_to_code(info.colorimetry, info.size, info.pixel_format)
        channels = 3 if self._space is None else 4  # OpenColorIO takes four
        self._decode, self._encode = (
            np.eye(channels, channels + 1, dtype=np.float32),
            np.eye(3, channels, dtype=np.float32),
        )
        self._decode[:3, :3], self._decode[:3, -1] = decode.matrix, decode.offset
        # Without the offset: `add` converts differences, in which it cancels.
        self._encode[:3, :3] = encode.matrix

    def read(self, frame: Frame, part: Box) -> tuple[FloatArray, FloatArray]:
        """Return the light of a rectangle, where 1 is SDR white, and the same light encoded.

        Args:
            frame: a frame of the clip.
            part: aligned to whole chroma samples.

        Returns:
            Light, and the same as encoded. Shape (height, width, 3 or 4) each; a fourth channel is padding.
        """
        codes = unpack(frame.planes, self._info, part)
        coverage = alpha_of(frame, self._info, part)
        if coverage is not None:
            codes = straight_codes(codes, coverage, self._info)
        light, encoded = self._light(codes)
        if self._space is not None or self._info.pixel_format.is_float:
            encoded = self._encoded(light)  # conversion errors cancel out, or vanish when codes are rounded
        return light, encoded

    def read_small(self, frame: Frame, part: Box, step: int) -> FloatArray:
        """Return the reduced light of a rectangle. Blocks are averaged as codes, which differ little within a block.

        Args:
            frame: a frame of the clip.
            part: aligned to whole chroma samples.
            step: side of a block in pixels.

        Returns:
            Shape (height / step, width / step, 3 or 4), rounded up.
        """
        codes = reduced_codes(frame, part, step, self._info)
        coverage = alpha_of(frame, self._info, part)
        if coverage is not None:
            codes = straight_codes(codes, reduced(coverage[..., 0], step)[..., None], self._info)
        return self._light(codes)[0]

    def _light(self, codes: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self._space is None:
            codes = cv2.cvtColor(codes, cv2.COLOR_BGRA2BGR)  # the first three, in their order
        rgb: FloatArray = cv2.transform(codes, self._decode)
        if self._space is not None:
            return self._space.light(rgb), rgb
        if self._info.colorimetry.scene_linear:
            return rgb, rgb
        rgb = cv2.max(rgb, (_BLACK,) * 4)
        return display_to_light(rgb), rgb

    def _encoded(self, light: FloatArray) -> FloatArray:
        if self._space is not None:
            return self._space.encoded(light)
        return light if self._info.colorimetry.scene_linear else light_to_display(cv2.max(light, (_DARK,) * 4))

    def add(self, frame: Frame, part: Box, before: FloatArray, after: FloatArray) -> None:
        """Add a change of light to a frame. Samples without change stay exact.

        Args:
            frame: modified in its colour planes.
            part: aligned to whole chroma samples.
            before: encoded light before the change, from `read`. Shape (height, width, 3 or 4).
            after: light after the change. The same shape.
        """
        # Only the change is written, so samples without one keep their codes, and rounding cannot accumulate over
        # stages.
        change = cv2.transform(cv2.subtract(self._encoded(after), before), self._encode)
        coverage = alpha_of(frame, self._info, part)
        if coverage is not None:
            change = np.ascontiguousarray(premultiply(change, coverage))
        add_change(frame, part, change, self._info)


def reduced_codes(frame: Frame, part: Box, step: int, info: VideoInfo) -> FloatArray:
    """Return the reduced codes of a rectangle, and a padding channel.

    Args:
        frame: a frame of the clip.
        part: aligned to whole chroma samples.
        step: side of a block in pixels.
        info: properties of the clip.

    Returns:
        Shape (height / step, width / step, 4), rounded up.
    """
    down, right = info.pixel_format.subsampling
    log = step.bit_length() - 1
    stored = (samples(plane, part, (down, right) if number else (0, 0)) for number, plane in enumerate(frame.planes))
    colors = islice(stored, info.pixel_format.num_colors)
    first, *others = (
        block_mean(each, (log - down, log - right) if number else (log, log)) for number, each in enumerate(colors)
    )
    second, third = others or (first, first)
    codes: FloatArray = cv2.merge([first, second, third, third]).astype(np.float32, copy=False)
    return codes


def add_change(frame: Frame, part: Box, change: FloatArray, info: VideoInfo) -> None:
    """Add a change to the colours of a rectangle; subsampled chroma changes by the mean of the pixels that it covers.

    Args:
        frame: modified in its colour planes.
        part: aligned to whole chroma samples.
        change: change in codes. Shape (height, width, 3 or more).
        info: properties of the clip.
    """
    shift = info.pixel_format.subsampling
    means = block_mean(change, shift)
    for number, plane in enumerate(frame.planes[: info.pixel_format.num_colors]):
        stored = samples(plane, part, shift if number else (0, 0))
        add_codes(stored, cv2.extractChannel(means if number else change, number), info)


def add_codes(stored: np.ndarray, change: FloatArray, info: VideoInfo) -> None:  # type: ignore[type-arg]
    """Add a change to a plane's samples, rounded and clipped to the format.

    Args:
        stored: modified in place. Shape (height, width).
        change: change in codes. Shape (height, width).
        info: properties of the clip.
    """
    if info.pixel_format.depth == 8:
        stored[...] = cv2.add(stored, change, dtype=cv2.CV_8U)  # rounds and clips at once
        return
    codes = cv2.add(stored, change, dtype=cv2.CV_32F)
    if not info.pixel_format.is_float:
        np.clip(codes, 0, info.pixel_format.max_code, out=codes)
    stored[...] = rounded(codes, info.pixel_format)
