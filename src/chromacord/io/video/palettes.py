"""Detect transparency in palette video, whose pixel format always has alpha."""

from collections.abc import Iterable

import av

from chromacord.io.pixels import planar_name, planes_of, to_planar
from chromacord.types import Alpha, PixelFormat

_PALETTE_CODECS = frozenset({"gif"})
"""Codecs whose decoder returns B G R A, even for opaque palettes."""


def has_palette_alpha(codec: str, picture: av.VideoFrame) -> bool:
    """Whether a decoded picture has an alpha plane only because its colours come from a palette.

    Args:
        codec: libav's name.
        picture: a picture of the video.
    """
    return codec in _PALETTE_CODECS or av.VideoFormat(picture.format.name).has_palette


def is_opaque(pictures: Iterable[av.VideoFrame]) -> bool:
    """Whether no pixel of any picture is transparent.

    This requires decoding: a GIF's transparent index often means "unchanged from the previous frame".

    Args:
        pictures: pictures of a video for which `has_palette_alpha` is true.
    """
    name = planar_name(PixelFormat("rgb", alpha=Alpha.STRAIGHT))
    return all(planes_of(to_planar(picture, name))[-1].min() == 255 for picture in pictures)
