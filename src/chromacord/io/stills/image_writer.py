"""Write planes to one image file through OpenImageIO, with the source's metadata.

Pitfalls that this module avoids:
 - OpenImageIO premultiplies colours by a straight alpha unless told that they are straight.
 - It expects 10 and 12-bit samples widened to 16 bits, and marks every PNG as sRGB unless told otherwise.
 - If a file cannot grow (full disk, system limit), libjpeg terminates the process, and PNGs are truncated silently.
   Files are therefore encoded in memory (image_encoding.py) and written by Python, which reports every error.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio

from chromacord.errors import OutputError
from chromacord.io.stills.icc import is_profile_of, is_sound
from chromacord.io.stills.image_attributes import any_attribute, channel_names, text_attribute
from chromacord.io.stills.image_encoding import Part, encode_in_memory
from chromacord.io.stills.image_formats import ImageFormat, is_lossy
from chromacord.io.stills.image_reader import ImageHeader, overlap, read_all_channels
from chromacord.io.writing.staging import output_errors
from chromacord.types import Alpha, Box, Colorimetry, PixelFormat, Plane

JPEG_QUALITY = 98
"""JPEG quality out of 100, with full chroma resolution: errors stay within a few codes."""

_NAMES = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}
_COPY_BYTES = 1 << 20
_PNG_FILTER_SUB = 0x10
# Attributes that describe the old samples, and would be wrong or lossy for the new ones.
_STALE = (
    "oiio:BitsPerSample",
    "oiio:UnassociatedAlpha",
    "tiff:UnassociatedAlpha",
    "tiff:PhotometricInterpretation",
    "tiff:ColorSpace",
    "tiff:PlanarConfiguration",
    "planarconfig",
    "jpeg:ColorSpace",
    "openexr:levelmode",
)

_LOSSY = ("jpeg", "ccitt")
"""Prefixes of TIFF compressions that would degrade the background again."""


@dataclass(frozen=True)
class ImageStyle:
    """Storage settings shared by all images of a sequence."""

    image_format: ImageFormat
    pixel_format: PixelFormat
    colorimetry: Colorimetry
    rate: Fraction
    pixel_aspect: Fraction = Fraction(1)
    icc_profile: bytes | None = None
    compression: str | None = None
    """EXR compression; None: the source's if that is lossless, otherwise zip."""


def write_image(
    path: Path,
    planes: Sequence[Plane],
    *,
    style: ImageStyle,
    header: ImageHeader | None = None,
    shown: Path | None = None,
) -> None:
    """Write one image.

    PNG and TIFF are lossless, JPEG has quality 98 and 4:4:4, EXR has the style's compression, or the source's if that
    is lossless, otherwise zip.

    Args:
        path: the file; its suffix is ignored in favour of `style`.
        planes: in the style's format. Shape (height, width) each.
        style: the format and its settings.
        header: header of the source's file if it has the same format and size; its attributes, additional channels,
            further parts, display and data window are written too.
        shown: path for messages; None: `path`.

    Raises:
        OutputError: the file cannot be written, for example because the disk is full.
    """
    pixels = _to_stored(np.stack(planes, axis=-1), style.pixel_format)
    if header is None:
        parts = [(_new_spec(pixels, style), pixels)]
    # In the common case the source's file holds only this picture, so it is not read again.
    elif header.covers_picture and header.num_subimages == 1 and header.spec.nchannels == len(planes):
        spec = _prepared(header.spec, style)
        names = [channel_names(header.spec)[channel] for channel in header.channels]
        _set_channels(spec, names, spec.format)
        parts = [(spec, pixels)]
    else:
        parts = _merged_parts(header, pixels, style)
    with output_errors(shown or path):
        encoded, reason = encode_in_memory(style.image_format.name, parts)
        with encoded:
            if reason:
                raise OutputError(f"{shown or path}: cannot be written: {reason}; nothing was kept")
            with path.open("wb") as file:
                shutil.copyfileobj(encoded, file, _COPY_BYTES)


def _merged_parts(header: ImageHeader, pixels: npt.NDArray[Any], style: ImageStyle) -> list[Part]:
    """Read the source's file again, and replace the picture among its channels and parts.

    Reading again takes time, but keeps frames that wait in queues as small as their picture.
    """
    parts = []
    for subimage in range(header.num_subimages):
        spec, samples = read_all_channels(header, subimage)
        spec = _prepared(spec, style)
        if subimage == header.subimage:
            spec, samples = _put(spec, samples, header, pixels)
        parts.append((spec, samples))
    return parts


def _put(
    spec: oiio.ImageSpec, samples: npt.NDArray[Any], header: ImageHeader, pixels: npt.NDArray[Any]
) -> tuple[oiio.ImageSpec, npt.NDArray[Any]]:
    inside, place = overlap(header)
    # Layers, or a grade that lifts black, may have put light where the file had no pixels.
    if _has_light_outside(pixels, inside):
        spec, samples, place = _grown(spec, samples, header)
        inside = slice(None), slice(None)
    for index, channel in enumerate(header.channels):
        samples[(*place, channel)] = pixels[(*inside, index)]
    return spec, samples


def _has_light_outside(pixels: npt.NDArray[Any], inside: tuple[slice, slice]) -> bool:
    rows, columns = inside
    return bool(
        pixels[: rows.start].any()
        or pixels[rows.stop :].any()
        or pixels[rows, : columns.start].any()
        or pixels[rows, columns.stop :].any()
    )


def _grown(
    spec: oiio.ImageSpec, samples: npt.NDArray[Any], header: ImageHeader
) -> tuple[oiio.ImageSpec, npt.NDArray[Any], tuple[slice, slice]]:
    """Extend the data window to the picture, filling new pixels with 0."""
    window, size = header.data_window, header.size
    union = Box(min(window.top, 0), min(window.left, 0), max(window.bottom, size.height), max(window.right, size.width))
    grown = np.zeros((union.bottom - union.top, union.right - union.left, samples.shape[-1]), samples.dtype)
    top, left = window.top - union.top, window.left - union.left
    grown[top : top + samples.shape[0], left : left + samples.shape[1]] = samples
    spec.x, spec.y = spec.full_x + union.left, spec.full_y + union.top
    spec.height, spec.width = grown.shape[:2]
    return spec, grown, (slice(-union.top, size.height - union.top), slice(-union.left, size.width - union.left))


def _prepared(source: oiio.ImageSpec, style: ImageStyle) -> oiio.ImageSpec:
    """Copy a source's header without attributes that do not apply to the output."""
    spec = oiio.ImageSpec(source)
    color_space = text_attribute(spec, "oiio:ColorSpace")
    for name in _STALE:
        spec.erase_attribute(name)
    profile = any_attribute(spec, "ICCProfile")
    if isinstance(profile, np.ndarray) and not is_sound(profile.tobytes()):
        spec.erase_attribute("ICCProfile")
    _set_storage(spec, style)
    # OpenImageIO would mark the copy as sRGB although the source was not.
    if style.image_format.name == "png" and not color_space.startswith("srgb"):
        spec.attribute("oiio:ColorSpace", color_space)
    compression = text_attribute(spec, "compression")
    if style.compression is None and (compression.startswith(_LOSSY) or is_lossy(compression)):
        spec.attribute("compression", "zip")
    return spec


def _new_spec(pixels: npt.NDArray[Any], style: ImageStyle) -> oiio.ImageSpec:
    height, width, num_channels = pixels.shape
    spec = oiio.ImageSpec(width, height, num_channels, _sample_type(style.pixel_format))
    spec.channelnames = _NAMES[num_channels]
    if style.pixel_format.alpha is not Alpha.NONE:
        spec.alpha_channel = num_channels - 1
    _set_storage(spec, style)
    spec.attribute("PixelAspectRatio", float(style.pixel_aspect))
    if style.icc_profile is not None and is_profile_of(style.icc_profile, style.pixel_format):
        profile = np.frombuffer(style.icc_profile, np.uint8)
        spec.attribute("ICCProfile", oiio.TypeDesc(f"uint8[{profile.size}]"), profile)
    if style.image_format.name == "openexr":
        # The attribute holds 32-bit integers, and the rate of a damaged file may have more.
        rate = style.rate.limit_denominator(1 << 20)
        spec.attribute("framesPerSecond", oiio.TypeDesc("rational"), (rate.numerator, rate.denominator))
    elif style.image_format.name == "dpx":
        spec.attribute("dpx:FrameRate", float(style.rate))
    return spec


def _set_channels(spec: oiio.ImageSpec, names: Sequence[str], kind: oiio.TypeDesc) -> None:
    spec.nchannels = len(names)
    spec.channelnames = tuple(names)
    spec.channelformats = ()
    spec.set_format(kind)
    spec.alpha_channel = len(names) - 1 if len(names) in (2, 4) else -1


def _set_storage(spec: oiio.ImageSpec, style: ImageStyle) -> None:
    name, pixel_format, colors = style.image_format.name, style.pixel_format, style.colorimetry
    if not pixel_format.is_float and 8 < pixel_format.depth < 16:
        spec.attribute("oiio:BitsPerSample", pixel_format.depth)
    if pixel_format.alpha is Alpha.STRAIGHT:
        spec.attribute("oiio:UnassociatedAlpha", 1)
    if name == "openexr" and style.compression is not None:
        spec.attribute("compression", style.compression)
    if name == "jpeg":
        spec.attribute("Compression", f"jpeg:{JPEG_QUALITY}")
        spec.attribute("jpeg:subsampling", "4:4:4")
    if name == "png":
        # A quarter of the default's time, and files a tenth larger.
        spec.attribute("png:compressionLevel", 2)
        spec.attribute("png:filter", _PNG_FILTER_SUB)
        is_srgb = (colors.primaries, colors.transfer) == (1, 13)
        spec.attribute("oiio:ColorSpace", "srgb_rec709_scene" if is_srgb else "unknown")
        # Readers prefer CICP to a profile (PNG, third edition, 4.3).
        if style.icc_profile is None and not is_srgb and 2 not in (colors.primaries, colors.transfer):
            spec.attribute("CICP", oiio.TypeDesc("int[4]"), (colors.primaries, colors.transfer, 0, 1))


def _sample_type(pixel_format: PixelFormat) -> str:
    if pixel_format.is_float:
        return "half" if pixel_format.depth == 16 else "float"
    return "uint8" if pixel_format.depth == 8 else "uint16"


def _to_stored(pixels: npt.NDArray[Any], pixel_format: PixelFormat) -> npt.NDArray[Any]:
    """Widen codes of 9 to 15 bits to 16, of which OpenImageIO stores the upper bits."""
    if pixel_format.is_float or pixel_format.depth in (8, 16):
        return pixels
    widened: npt.NDArray[Any] = pixels << (16 - pixel_format.depth)
    return widened
