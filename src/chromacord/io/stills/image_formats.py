"""Image formats and what each can hold; the sink picks from this table."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from chromacord.errors import CodecError, one_of
from chromacord.types import Alpha, PixelFormat


@dataclass(frozen=True)
class ImageFormat:
    """One file format of stills."""

    name: str
    """OpenImageIO's name, which is `VideoInfo.codec` of its sequences."""

    suffixes: tuple[str, ...]
    depths: tuple[int, ...]
    """Bits of integer samples, ascending; empty: none."""

    floats: tuple[int, ...] = ()
    """Bits of float samples."""

    alphas: tuple[Alpha, ...] = (Alpha.STRAIGHT,)
    """How colours may relate to alpha; empty: the format has no alpha."""

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
"""Every format that can be read and written, by name."""

_LOSSLESS = ("none", "rle", "zip", "zips", "piz")
_LOSSY = ("pxr24", "b44", "b44a", "dwaa", "dwab")
"""Compressions of EXR. PXR24 keeps halves, but not floats."""

_COMPRESSION = re.compile(r"(\w+)(:\d{1,4}(\.\d+)?)?", re.ASCII)


def is_lossy(compression: str) -> bool:
    """Tell whether a compression of EXR changes pixels."""
    return compression.startswith(_LOSSY)


def checked_compression(text: str) -> str:
    """Return a compression of EXR, as OpenImageIO takes it.

    Args:
        text: its name, with a level if wanted: "zip:6", "dwaa:45".

    Raises:
        CodecError: EXR has none of that name.
    """
    found = _COMPRESSION.fullmatch(text.strip().lower())
    known = (*_LOSSLESS, *_LOSSY)
    if found is None or found[1] not in known or (found[2] and found[1] not in ("zip", "zips", "dwaa", "dwab")):
        raise CodecError(f"exr compression {text!r}: is not known; {one_of(text, known)}")
    return found[0]


IMAGE_SUFFIXES: tuple[str, ...] = tuple(suffix for kind in IMAGE_FORMATS.values() for suffix in kind.suffixes)
"""Endings of image files, lower case; capitals are understood too."""


def is_image_name(name: str) -> bool:
    """Tell whether a file's ending is that of an image."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def format_of(path: Path) -> ImageFormat:
    """Return the format that a file's ending stands for.

    Raises:
        CodecError: the ending is not that of an image.
    """
    for image_format in IMAGE_FORMATS.values():
        if path.suffix.lower() in image_format.suffixes:
            return image_format
    raise CodecError(f"{path}: unknown image ending {path.suffix!r}; {one_of(path.suffix, IMAGE_SUFFIXES)}")


def choose_pixel_format(image_format: ImageFormat, source: PixelFormat, *, out: Path) -> PixelFormat:
    """Choose how a format stores a source without losing anything that the format can hold.

    Y'CbCr becomes RGB. Depths go up to the next that exists: 10 bits are 10 in DPX and 16 in PNG. Floats become 16
    bits where there are no floats. In EXR, integers of up to 10 bits become half floats, which resolve them in linear
    light (11 bits of mantissa), deeper ones 32-bit floats.

    Args:
        image_format: the format of the output.
        source: the layout of the source.
        out: the output; messages name it.

    Raises:
        CodecError: the source has alpha, or more than 8 bits, and the format holds neither.
    """
    alpha = source.alpha
    if alpha is not Alpha.NONE:
        if not image_format.alphas:
            raise CodecError(f"{out}: {image_format.name} cannot hold the source's alpha; write .png, .tif or .exr")
        alpha = alpha if alpha in image_format.alphas else image_format.alphas[0]
    model: Literal["rgb", "gray"] = "gray" if source.model == "gray" else "rgb"
    target = PixelFormat(model, alpha=alpha)
    if not image_format.depths or (source.is_float and image_format.floats):
        wanted = source.depth if source.is_float else (16 if source.depth <= 10 else 32)
        return replace(target, is_float=True, depth=max(wanted, image_format.floats[0]))
    wanted = 16 if source.is_float else source.depth
    depth = next((depth for depth in image_format.depths if depth >= wanted), None)
    if depth is None:
        held = "float" if source.is_float else f"{source.depth}-bit"
        raise CodecError(f"{out}: {image_format.name} cannot hold {held} values; write .png, .tif, .exr or .dpx")
    return replace(target, depth=depth)
