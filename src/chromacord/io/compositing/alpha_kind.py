"""Detect whether a layer's colours are premultiplied, if that differs from its format's convention."""

import warnings
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from chromacord.errors import ChromacordWarning, InputError
from chromacord.io.convert import PlaneConverter
from chromacord.io.interfaces import FrameSource
from chromacord.types import Alpha, FloatArray, PixelFormat, VideoInfo

_MOST_FRAMES = 10
_FEWEST_PIXELS = 50
"""Minimum number of soft edge pixels for a decision."""

_SOFT = (0.05, 0.95)
_NOISE = 6 / 255
"""Tolerance for the error of lossy codecs in colours and alpha."""

_LEAST_BRIGHTER = 0.02
"""Share of soft pixels brighter than their alpha above which integer colours are straight."""

_STRAIGHT_SLOPE, _PREMULTIPLIED_SLOPE = 0.3, 0.7
_LEAST_SPREAD = 0.2
"""Minimum standard deviation of log alpha: a slope cannot be fitted to glass of constant alpha."""


class _Found(NamedTuple):
    kind: Alpha
    why: str


def read_as(source: FrameSource, word: str) -> VideoInfo:
    """Return a layer's properties with its alpha as the user states, or as detected.

    Args:
        source: a layer with alpha; for "auto" its first frames are decoded.
        word: one of `chromacord.types.ALPHA_WORDS`.

    Warns:
        ChromacordWarning: the alpha was detected; names the result and the reason.

    Raises:
        InputError: the layer has no alpha.
    """
    info = source.info
    if not source.has_alpha:
        raise InputError(f"{info.path}: has no alpha that could be {word}; give a matte with --alpha FILE")
    kind = Alpha(word) if word != "auto" else _told(source)
    return replace(info, pixel_format=replace(info.pixel_format, alpha=kind))


def _told(source: FrameSource) -> Alpha:
    found, path = _find(source), source.info.path
    own = source.info.pixel_format.alpha
    if found is None:
        unclear = "its edges do not show whether colours are premultiplied"
        message = f"{path}: {unclear}; assumed to be {own.value}, as usual in this format"
    else:
        message = f"{path}: colours are treated as {found.kind.value}: {found.why}"
    other = "straight or premultiplied" if found is None else _other(found.kind).value
    warnings.warn(f"{message}; if that is wrong, use --alpha {other}", ChromacordWarning, stacklevel=3)
    return own if found is None else found.kind


def _find(source: FrameSource) -> _Found | None:
    """Decode frames until soft edges are conclusive: premultiplied colours fade with alpha, straight ones do not."""
    info = source.info
    stored = replace(info, pixel_format=replace(info.pixel_format, alpha=Alpha.STRAIGHT))
    target = PixelFormat("rgb", 32, is_float=True, alpha=Alpha.STRAIGHT)
    convert = PlaneConverter(stored, target, scene_linear=info.colorimetry.scene_linear)
    with closing(source.frames()) as frames:
        for frame in islice(frames, _MOST_FRAMES):
            planes = convert(frame.planes)
            peak = np.maximum.reduce(planes[:3]).astype(np.float32)
            found = _of_edge(peak, np.asarray(planes[3], np.float32), is_light=info.pixel_format.is_float)
            if found is not None:
                return found
    return None


def _of_edge(peak: FloatArray, alpha: FloatArray, *, is_light: bool) -> _Found | None:
    soft = (alpha > _SOFT[0]) & (alpha < _SOFT[1])
    if soft.sum() < _FEWEST_PIXELS:
        return None
    # A premultiplied colour cannot exceed its alpha, except as light (a glow in an EXR).
    if not is_light and (peak[soft] > alpha[soft] + _NOISE).mean() > _LEAST_BRIGHTER:
        return _Found(Alpha.STRAIGHT, "some are brighter than their alpha")
    lit = soft & (peak > _NOISE)
    if lit.sum() < _FEWEST_PIXELS or np.log(alpha[lit]).std() < _LEAST_SPREAD:
        return None
    # On logarithmic axes premultiplied colours have a slope of 1 against alpha, whatever their brightness, and
    # straight ones a slope of 0.
    slope = np.polyfit(np.log(alpha[lit]), np.log(peak[lit]), 1)[0]
    if slope < _STRAIGHT_SLOPE:
        return _Found(Alpha.STRAIGHT, "they do not fade with alpha at soft edges")
    if slope > _PREMULTIPLIED_SLOPE:
        return _Found(Alpha.PREMULTIPLIED, "they fade with alpha at soft edges")
    return None


def _other(kind: Alpha) -> Alpha:
    return Alpha.STRAIGHT if kind is Alpha.PREMULTIPLIED else Alpha.PREMULTIPLIED
