"""Read mattes from files: which plane contains the coverage, and what its codes mean."""

import warnings
from contextlib import closing
from dataclasses import replace

import cv2
import numpy as np

from chromacord.color.spaces import LUMA_WEIGHTS, code_scale
from chromacord.errors import ChromacordWarning, InputError
from chromacord.io.interfaces import FrameSource
from chromacord.io.video.codecs import LOSSLESS
from chromacord.types import Colorimetry, Frame, PixelFormat, Plane, VideoInfo

CODEC_NOISE = 4 / 255
"""Lossy codecs leave noise in a matte's black (up to 3 of 255 at usual qualities). Values this close to black or white
count as black or white, and the ramp in between is stretched."""

_FLOATS = (-1.0, 2.0)
"""Accepted range of coverage in floats."""

_LOSSLESS_STILLS = ("bmp", "gif", "pam", "pbm", "pcx", "pgm", "pgmyuv", "ppm", "qoi", "sgi", "sunrast", "targa")
"""libav's names of lossless still formats."""

_LOSSLESS = frozenset({*LOSSLESS, *_LOSSLESS_STILLS, "tiff", "openexr", "dpx"})
# ProRes is lossy for colours but lossless for alpha.
_LOSSLESS_ALPHA = _LOSSLESS | {"prores"}


class MatteReader:
    """Converts a source's frames to planes of coverage: 0 is none, the format's largest code is full."""

    def __init__(self, source: VideoInfo, *, from_alpha: bool) -> None:
        """Prepare for a source.

        Args:
            source: properties of the frames.
            from_alpha: read the alpha plane; otherwise luma.
        """
        self._from_alpha = from_alpha
        self._source, pixel_format = source, source.pixel_format
        self._black, self._white = matte_levels(source, from_alpha=from_alpha)
        depth = 16 if pixel_format.is_float else pixel_format.depth
        gray = PixelFormat("gray", depth)
        self._has_plain_codes = not pixel_format.is_float and (self._black, self._white) == (0, gray.max_code)
        self.info = replace(
            source,
            pixel_format=gray,
            colorimetry=Colorimetry(matrix=0, full_range=True),
            # The planes are generated here, without codec noise.
            codec="rawvideo",
        )
        """Format of the planes: grey, full range, with the source's depth (16 bits for floats)."""

    def read(self, planes: tuple[Plane, ...]) -> Plane:
        """Return the coverage of one frame. Shape (height, width)."""
        plane = matte_plane(planes, self._source, from_alpha=self._from_alpha)
        if self._has_plain_codes:
            return plane
        gray = self.info.pixel_format
        coverage = (plane.astype(np.float32) - np.float32(self._black)) * np.float32(1 / (self._white - self._black))
        codes: Plane = np.rint(np.clip(coverage, 0, 1) * gray.max_code).astype(gray.dtype)
        return codes


def choose_alpha(source: FrameSource) -> bool:
    """Whether a matte's coverage is in its alpha, as in a cut-out, rather than its luma.

    Decided by the first conclusive frame: if its alpha varies, coverage is in alpha; if the picture is grey with full
    alpha, it is in luma.

    Args:
        source: the matte; decoded up to that frame.

    Warns:
        ChromacordWarning: coverage is read from alpha.
    """
    if not source.has_alpha:
        return False
    alpha, luma = MatteReader(source.info, from_alpha=True), MatteReader(source.info, from_alpha=False)
    with closing(source.frames()) as frames:
        for frame in frames:
            # Constant alpha is inconclusive: a grey matte may be stored with opaque alpha.
            coverage = alpha.read(frame.planes)
            if coverage.min() < coverage.max():
                message = "its alpha is used as the mask, not its colours; remove the alpha to use the colours"
                warnings.warn(f"{source.info.path}: {message}", ChromacordWarning, stacklevel=2)
                return True
            if coverage.min() and _is_grey(frame, source.info):
                coverage = luma.read(frame.planes)
                if coverage.min() < coverage.max():
                    return False
    return False


def _is_grey(frame: Frame, info: VideoInfo) -> bool:
    """Whether a picture has no colour beyond codec noise."""
    pixel_format = info.pixel_format
    noise = 2 * CODEC_NOISE * pixel_format.max_code
    colors = [plane.astype(np.float32) for plane in frame.planes[: pixel_format.num_colors]]
    if pixel_format.model == "yuv":
        neutral = (pixel_format.max_code + 1) / 2
        return all(np.abs(chroma - neutral).max() <= noise for chroma in colors[1:])
    return all(np.abs(color - colors[0]).max() <= noise for color in colors[1:])


def matte_plane(planes: tuple[Plane, ...], source: VideoInfo, *, from_alpha: bool) -> Plane:
    """Return a frame's plane with coverage, as codes. Shape (height, width).

    Args:
        planes: planes of the frame.
        source: properties of the frames; the luma of R'G'B' is that of BT.709.
        from_alpha: read alpha; otherwise luma.

    Raises:
        InputError: float luma is outside the range of coverage.
    """
    if from_alpha:
        return planes[-1]
    pixel_format = source.pixel_format
    if pixel_format.is_float:
        _check_range(planes[: pixel_format.num_colors], source)
    if pixel_format.model != "rgb":
        return planes[0]
    red, blue = LUMA_WEIGHTS[1]
    # A grey matte stored as RGB has three equal channels, for which any weights with sum 1 give the same.
    luma: Plane = cv2.transform(
        cv2.merge([np.ascontiguousarray(p) for p in planes[:3]]), np.array([[red, 1 - red - blue, blue]])
    )
    return luma


def _check_range(colors: tuple[Plane, ...], source: VideoInfo) -> None:
    """Refuse floats that are not coverage, such as codes from 0 to 255 or distances; filters may overshoot 0 and 1."""
    low, high = min(float(plane.min()) for plane in colors), max(float(plane.max()) for plane in colors)
    if low < _FLOATS[0] or high > _FLOATS[1]:
        raise InputError(
            f"{source.path}: the mask goes from {low:g} to {high:g}; floats must be in 0..1: divide by the white level "
            "(255 for 8-bit values), or clip"
        )


def matte_levels(source: VideoInfo, *, from_alpha: bool) -> tuple[float, float]:
    """Return the largest code for no coverage, and the smallest code for full coverage.

    Args:
        source: the matte; codec noise counts as none or full.
        from_alpha: read alpha; otherwise luma.
    """
    scale, offset = float(source.pixel_format.max_code), 0.0
    if not from_alpha:
        scale, offset = code_scale(source.colorimetry, source.pixel_format)[:2]
    noise = scale * CODEC_NOISE if is_lossy(source, from_alpha=from_alpha) else 0.0
    return offset + noise, offset + scale - noise


def is_lossy(source: VideoInfo, *, from_alpha: bool) -> bool:
    """Whether a source's codec adds noise to coverage.

    Args:
        source: the matte.
        from_alpha: read alpha; otherwise luma.
    """
    return source.codec not in (_LOSSLESS_ALPHA if from_alpha else _LOSSLESS)
