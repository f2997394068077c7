"""Convert a clip's frames to upright pictures, and read other files in step with it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from chromacord.color.management.clip_space import Spaces, settle
from chromacord.errors import InputError, MismatchError, counted
from chromacord.io import FrameSource
from chromacord.io.compositing.mattes import choose_alpha
from chromacord.io.compositing.partners import check_size, frames_beside
from chromacord.io.orientation import Orientation
from chromacord.masks.masks import MaskReader, shown_size
from chromacord.masks.proxy import proxy
from chromacord.types import Alpha, Box, Colorimetry, FloatArray, Frame, HdrMetadata, PixelFormat, VideoInfo

Of = Callable[[Frame], FloatArray]
"""A function from a decoded frame to a picture or coverage."""


def pictures_of(source: FrameSource) -> Of:
    """Return a function from a source's frames to upright R'G'B' in [0, 1]. Shape (H, W, 3)."""
    info, _ = settle(source.info, Spaces())
    orientation = Orientation.of(info)

    def picture(frame: Frame) -> FloatArray:
        return np.ascontiguousarray(orientation.apply(proxy(frame, info, info.size)))

    return picture


def coverage_of(source: FrameSource, like: VideoInfo, *, own: bool = False) -> Of:
    """Return a function from a source's frames to coverage in [0, 1]. Shape (H, W).

    Args:
        source: a mask, in its luma or its alpha.
        like: properties of the upright pictures.
        own: use only alpha, never luma.

    Raises:
        InputError: `own` is set, and there is no alpha.
        MismatchError: the sizes differ.
    """
    if own and not source.has_alpha:
        raise InputError(f"{source.info.path}: has no alpha; make the matte with --key, --plate, --box or --click")
    check_shown_size(source.info, like)
    reader = MaskReader(source.info, like, from_alpha=own or choose_alpha(source))
    whole = Box(0, 0, *like.size)
    return lambda frame: reader.read(frame).crop(whole)


def check_shown_size(info: VideoInfo, like: VideoInfo) -> None:
    """Refuse a file whose shown size is not that of the upright pictures.

    Raises:
        MismatchError: the sizes differ.
    """
    check_size(info.path, shown_size(info), like, like.size, name="clip")


def beside(source: FrameSource, of: Of, like: VideoInfo) -> Iterator[FloatArray]:
    """Yield a source's picture for each frame of a clip; a still is repeated.

    Raises:
        MismatchError: it ends before the clip.
    """
    count, last, held = 0, None, None
    for frame in frames_beside(source, like):
        if frame is not last or held is None:
            last, held = frame, of(frame)
        yield held
        count += 1
    raise MismatchError(
        f"{source.info.path}: ends after {counted(count, 'frame')}, the clip {like.path} is longer; give one of the "
        "clip's length, or a still"
    )


def matte_info(clip: VideoInfo) -> VideoInfo:
    """Return the properties of a clip's matte: upright, grey, full range, of 8 bits or, for deeper clips, 16."""
    depth = 8 if clip.pixel_format.depth == 8 and not clip.pixel_format.is_float else 16
    aspect = clip.pixel_aspect
    return replace(
        clip,
        size=shown_size(clip),
        pixel_format=PixelFormat("gray", depth, alpha=Alpha.NONE),
        colorimetry=Colorimetry(1, 1, 1, full_range=True),
        codec="ffv1" if clip.container != "still" else clip.codec,
        profile=None,
        rotation=0,
        mirrored=False,
        display_shift=(0, 0),
        pixel_aspect=Fraction(1) / aspect if clip.rotation % 180 else aspect,
        hdr_metadata=HdrMetadata(),
        icc_profile=None,
        stated_spaces=(),
        space=None,
        layer="",
        other_layers=(),
    )
