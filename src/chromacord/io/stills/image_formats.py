"""Image formats and their capabilities; sinks choose from this table."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from chromacord.errors import CodecError, one_of
from chromacord.types import Alpha, PixelFormat


@dataclass(frozen=True)
class ImageFormat:
    """A still image format."""

    name: str
    """OpenImageIO's name, also `VideoInfo.codec` of its sequences."""

    suffixes: tuple[str, ...]
    depths: tuple[int, ...]
    """Supported bits of integer samples, ascending; empty: no integers."""

    floats: tuple[int, ...] = ()
    """Supported bits of float samples."""

    alphas: tuple[Alpha, ...] = (Alpha.STRAIGHT,)
    """Supported relations of colours to alpha; empty: no alpha."""

    has_icc: bool = False
    """Whether it can embed an ICC profile."""


IMAGE_FORMATS: dict[str, ImageFormat] = {
    image_format.name: image_format
    for image_format in (
        ImageFormat("png", (".png",), (8, 16), has_icc=True),
        ImageFormat("tiff", (".tif", ".tiff"), (8, 16), (32,), (Alpha.STRAIGHT, Alpha.PREMULTIPLIED), has_icc=True),
        ImageFormat("openexr", (".exr",), (), (16, 32), (Alpha.PREMULTIPLIED,)),
        ImageFormat("dpx", (".dpx",), (8, 10, 12, 16)),
        ImageFormat("jpeg", (".jpg", ".jpeg"), (8,), alphas=(), has_icc=True),
    )
}
"""All formats that can be read and written, by name."""

_LOSSLESS = ("none", "rle", "zip", "zips", "piz")
_LOSSY = ("pxr24", "b44", "b44a", "dwaa", "dwab")
"""Lossy EXR compressions. PXR24 is lossless for halves, but not for floats."""

_COMPRESSION = re.compile(r"(\w+)(:\d{1,4}(\.\d+)?)?", re.ASCII)


def is_lossy(compression: str) -> bool:
    """Whether an EXR compression changes pixels."""
    return compression.startswith(_LOSSY)


def checked_compression(text: str) -> str:
    """Normalize the name of an EXR compression for OpenImageIO.

    Args:
        text: the name, optionally with a level: "zip:6", "dwaa:45".

    Raises:
        CodecError: EXR has no such compression.
    """
    found = _COMPRESSION.fullmatch(text.strip().lower())
    known = (*_LOSSLESS, *_LOSSY)
    if found is None or found[1] not in known or (found[2] and found[1] not in ("zip", "zips", "dwaa", "dwab")):
        raise CodecError(f"exr compression {text!r}: is not known; {one_of(text, known)}")
    return found[0]


IMAGE_SUFFIXES: tuple[str, ...] = tuple(suffix for kind in IMAGE_FORMATS.values() for suffix in kind.suffixes)
"""Suffixes of image files in lower case; upper case is accepted too."""


def is_image_name(name: str) -> bool:
    """Whether a file has the suffix of an image."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def format_of(path: Path) -> ImageFormat:
    """Return a file's format by its suffix.

    Raises:
        CodecError: it is not the suffix of an image.
    """
    for image_format in IMAGE_FORMATS.values():
        if path.suffix.lower() in image_format.suffixes:
            return image_format
    raise CodecError(f"{path}: unknown image extension {path.suffix!r}; {one_of(path.suffix, IMAGE_SUFFIXES)}")


def choose_pixel_format(image_format: ImageFormat, source: PixelFormat, *, out: Path) -> PixelFormat:
    """Choose the storage format that loses as little of the source as possible.

    Y'CbCr becomes RGB. Depths are rounded up to a supported one: 10 bits are stored as 10 in DPX and as 16 in PNG.
    Floats become 16-bit integers if the format has no floats. In EXR, integers of up to 10 bits become half floats,
    whose 11-bit mantissa resolves them in linear light; deeper ones become 32-bit floats.

    Args:
        image_format: the format of the output.
        source: the format of the source.
        out: path of the output, for messages.

    Raises:
        CodecError: the source has alpha, or more than 8 bits, and the format does not support it.
    """
    alpha = source.alpha
    if alpha is not Alpha.NONE:
        if not image_format.alphas:
            raise CodecError(f"{out}: {image_format.name} cannot hold the source's alpha; write .png, .tif or .exr")
        alpha = alpha if alpha in image_format.alphas else image_format.alphas[0]
    model: Literal["rgb", "gray"] = "gray" if source.model == "gray" else "rgb"
    target = PixelFormat(model, alpha=alpha)
    if not image_format.depths or (source.is_float and image_format.floats):
        # A half has 11 bits of mantissa, and light needs the most of them near black, where halves are finest.
        wanted = source.depth if source.is_float else (16 if source.depth <= 10 else 32)
        return replace(target, is_float=True, depth=max(wanted, image_format.floats[0]))
    wanted = 16 if source.is_float else source.depth
    depth = next((depth for depth in image_format.depths if depth >= wanted), None)
    if depth is None:
        held = "float" if source.is_float else f"{source.depth}-bit"
        raise CodecError(f"{out}: {image_format.name} cannot hold {held} values; write .png, .tif, .exr or .dpx")
    return replace(target, depth=depth)
