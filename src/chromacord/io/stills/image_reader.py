"""Read one image file to planes, through OpenImageIO.

Pitfalls that this module avoids:
 - OpenImageIO premultiplies PNG and TIFF colours by a straight alpha when reading, unless told not to.
 - It widens 10 and 12-bit samples to 16 bits; the planes here contain the file's own codes.
 - It assumes sRGB for a PNG without colour chunks, and accepts a truncated JPEG.
 - An EXR's pixels (data window) may cover more or less than its picture (display window).
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio

from chromacord.errors import (
    ChromacordWarning,
    InputError,
    NonFiniteError,
    TruncatedFileError,
    UnreadableFileError,
)
from chromacord.io.orientation import Orientation
from chromacord.io.stills.image_attributes import any_attribute, channel_names, error_reason, text_attribute
from chromacord.io.stills.image_layers import Layer, choose_layer, find_layers, rivals
from chromacord.io.stills.png_chunks import has_end, has_srgb, is_animated
from chromacord.parsing import missing_file, parse_errors
from chromacord.types import UNSPECIFIED, Alpha, Box, Colorimetry, PixelFormat, Plane, Size

Pixels = npt.NDArray[Any]
"""Interleaved samples, (height, width, channels)."""

_STRAIGHT = "oiio:UnassociatedAlpha"
_DPX_TRANSFERS = {"ITU-R 709-4": 1, "ITU-R 601-5 system B or G": 6, "ITU-R 601-5 system M": 6}

_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class ImageHeader:
    """Properties of an image file, read before its pixels; `Frame.attributes` of image sequences."""

    path: Path
    format_name: str
    """OpenImageIO's name of the format."""

    spec: oiio.ImageSpec
    """The header with all attributes of the file; opaque outside this package."""

    subimage: int
    """Index of the part of a multi-part EXR that contains the picture."""

    num_subimages: int
    channels: tuple[int, ...]
    """Channels that form the planes, in order: R G B [A] or Y [A]."""

    size: Size
    """Size of the picture: for EXR, the display window."""

    data_window: Box
    """Area with pixels, relative to the picture; only in EXR may it differ from the whole picture."""

    pixel_format: PixelFormat
    colorimetry: Colorimetry
    layer: str
    """Name of the layer used as the picture; "" for the unnamed one."""

    other_layers: tuple[str, ...]
    """Other candidate layers."""

    @property
    def covers_picture(self) -> bool:
        """Whether the file contains exactly the picture's pixels."""
        return self.data_window == Box(0, 0, *self.size)

    @property
    def orientation(self) -> Orientation:
        """Orientation of the stored picture."""
        return Orientation.from_exif(self.spec.get_int_attribute("Orientation", 1))

    @property
    def icc_profile(self) -> bytes | None:
        """The embedded ICC profile."""
        profile = any_attribute(self.spec, "ICCProfile")
        return profile.tobytes() if isinstance(profile, np.ndarray) else None

    @property
    def pixel_aspect(self) -> Fraction:
        """Pixel aspect ratio, width over height."""
        aspect = self.spec.get_float_attribute("PixelAspectRatio", 1.0)
        # A float32 such as 1.3333334 stands for 4/3.
        return Fraction(aspect).limit_denominator(1000) if math.isfinite(aspect) and aspect > 0 else Fraction(1)

    @property
    def rate(self) -> Fraction | None:
        """Frames per second stated by EXR or DPX."""
        for name in ("framesPerSecond", "dpx:FrameRate", "dpx:TemporalFrameRate"):
            rate = _as_rate(any_attribute(self.spec, name))
            if rate is not None:
                return rate
        return None

    @property
    def timecode(self) -> str | None:
        """SMPTE 12M timecode "hh:mm:ss:ff" (";" before the frames if drop-frame) stated by EXR or DPX."""
        code = any_attribute(self.spec, "smpte:TimeCode")
        if not isinstance(code, tuple):
            return None
        # Binary-coded decimals, hours first; the upper bits of each byte are flags (SMPTE 12M, as OpenEXR keeps it).
        packed = int(code[0]).to_bytes(4, "big")
        hours, minutes, seconds, frames = (
            ((byte & mask) >> 4) * 10 + (byte & 15) for byte, mask in zip(packed, b"\x3f\x7f\x7f\x3f", strict=True)
        )
        return f"{hours:02}:{minutes:02}:{seconds:02}{';' if packed[3] & 0x40 else ':'}{frames:02}"


def open_image(path: Path) -> oiio.ImageInput:
    """Open an image for reading colours as stored, never premultiplied.

    Raises:
        MissingFileError: there is no such file.
        TruncatedFileError: the file ends before its pixels.
        UnreadableFileError: it is not a supported image.
    """
    if not path.is_file():
        raise missing_file(path)
    if any("\udc80" <= letter <= "\udcff" for letter in str(path)):  # surrogates stand for bytes that are not UTF-8
        raise UnreadableFileError(f"{path}: its name is not valid UTF-8, so it cannot be read as an image; rename it")
    config = oiio.ImageSpec()
    config[_STRAIGHT] = 1
    image = oiio.ImageInput.open(str(path), config)
    if image is None:
        reason = error_reason()
        if path.stat().st_size == 0:
            raise TruncatedFileError(f"{path}: is empty")
        raise UnreadableFileError(f"{path}: is damaged or not an image ({reason})")
    return image


@contextmanager
def _opened(path: Path) -> Iterator[oiio.ImageInput]:
    """Open an image temporarily. Unexpected header content counts as damage."""
    image = open_image(path)
    try:
        with parse_errors(path, said="is damaged", remedy="copy or render it again"):
            yield image
    finally:
        image.close()


def read_header(path: Path, *, layer: str | None = None) -> ImageHeader:
    """Read an image file's header.

    Args:
        path: the file.
        layer: layer of an EXR; None: the one most likely to be the picture.

    Raises:
        InputError: the layer does not exist.
        MissingFileError, TruncatedFileError, UnreadableFileError: see `open_image`; also if no part of the file has
            colours, or their type is not supported.
    """
    with _opened(path) as image:
        return _header(path, image, layer)


def holds_more_pictures(path: Path) -> bool:
    """Whether a file contains further pictures: pages of a TIFF, frames of a PNG."""
    with _opened(path) as image:
        return is_animated(path) or (image.format_name() != "openexr" and bool(image.seek_subimage(1, 0)))


def read_image(path: Path, *, layer: str | None = None) -> tuple[ImageHeader, tuple[Plane, ...]]:
    """Read an image.

    Args:
        path: the file.
        layer: as for `read_header`.

    Returns:
        The header and the planes: views of one interleaved array, uint8, uint16 with the file's own codes, or float32.
        Outside the data window of an EXR they are 0. Shape (height, width) each.

    Raises:
        TruncatedFileError: the file is truncated or damaged.
        NonFiniteError: a colour or alpha sample is NaN or infinite.
        MissingFileError, UnreadableFileError: see `read_header`.
    """
    if not has_end(path):
        # See png_chunks: libpng would print to the terminal.
        raise TruncatedFileError(f"{path}: is truncated")
    with _opened(path) as image:
        header = _header(path, image, layer)
        pixels = _read_pixels(image, header)
    planes = tuple(pixels[..., k] for k in range(pixels.shape[-1]))
    if header.pixel_format.is_float:
        _check_finite(header, planes)
    return header, planes


def read_all_channels(header: ImageHeader, subimage: int) -> tuple[oiio.ImageSpec, Pixels]:
    """Read every channel of one part of an EXR, for a sink that writes them back.

    Returns:
        The part's own header, and its pixels as float32, which represents halves and floats exactly. Shape (height,
        width, channels).

    Warns:
        ChromacordWarning: there are 32-bit integer channels beside float ones; OpenImageIO rounds them to 24 bits.

    Raises:
        TruncatedFileError: the file is truncated or damaged.
    """
    with _opened(header.path) as image:
        spec = image.spec(subimage)
        pixels = image.read_image(subimage, 0, 0, spec.nchannels, spec.format)
        integers = [
            name for name, kind in zip(channel_names(spec), spec.channelformats, strict=False) if str(kind) == "uint"
        ]
        if integers:
            message = f"integer channels beside float ones keep only their upper 24 bits: {', '.join(integers)}"
            warnings.warn(message, ChromacordWarning, stacklevel=2)
        return spec, _checked(header.path, image, pixels)


def _header(path: Path, image: oiio.ImageInput, layer: str | None = None) -> ImageHeader:
    spec, found, others = _find_colors(path, image, wanted=layer)
    subimage, channels = found.subimage, found.channels
    name = image.format_name()
    is_exr = name == "openexr"
    size = Size(spec.full_height, spec.full_width) if is_exr else Size(spec.height, spec.width)
    top, left = (spec.y - spec.full_y, spec.x - spec.full_x) if is_exr else (0, 0)
    pixel_format = _pixel_format(path, spec, channels, name=name)
    return ImageHeader(
        path=path,
        format_name=name,
        spec=spec,
        subimage=subimage,
        num_subimages=max(1, spec.get_int_attribute("oiio:subimages", 1)),
        channels=channels,
        size=size,
        data_window=Box(top, left, top + spec.height, left + spec.width),
        pixel_format=pixel_format,
        colorimetry=_colorimetry(path, spec, pixel_format),
        layer=found.name,
        other_layers=others,
    )


def _find_colors(
    path: Path, image: oiio.ImageInput, *, wanted: str | None
) -> tuple[oiio.ImageSpec, Layer, tuple[str, ...]]:
    """Find the picture's layer: return its part's header, the layer, and the names of other candidates."""
    parts: list[tuple[str, list[str]]] = []
    is_exr = image.format_name() == "openexr"
    # Parts of an EXR are layers of one picture. Parts of other formats are further pictures, and only the first is
    # used.
    while (is_exr or not parts) and image.seek_subimage(len(parts), 0):
        spec = image.spec()
        parts.append((text_attribute(spec, "oiio:subimagename"), [] if spec.deep else channel_names(spec)))
    layers = find_layers(parts)
    if not layers:
        if any(not names for _, names in parts):
            raise UnreadableFileError(f"{path}: is a deep image; flatten it first")
        held = ", ".join(name for _, names in parts for name in names[:8])
        raise UnreadableFileError(
            f"{path}: has no R, G and B channels and no Y channel, only {held}; convert it to RGB"
        )
    try:
        chosen = choose_layer(layers, wanted)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    image.seek_subimage(chosen.subimage, 0)
    return image.spec(), chosen, rivals(layers, chosen)


def _pixel_format(path: Path, spec: oiio.ImageSpec, channels: tuple[int, ...], *, name: str) -> PixelFormat:
    kinds = {str(spec.channelformat(channel)) for channel in channels}
    has_alpha = len(channels) in (2, 4)
    alpha = Alpha.NONE
    if has_alpha:
        straight = name in ("png", "dpx") or spec.get_int_attribute(_STRAIGHT, 0)
        alpha = Alpha.STRAIGHT if straight else Alpha.PREMULTIPLIED
    model: Literal["rgb", "gray"] = "rgb" if len(channels) >= 3 else "gray"
    if kinds <= {"half", "float"}:
        return PixelFormat(model, depth=16 if kinds == {"half"} else 32, is_float=True, alpha=alpha)
    if kinds == {"uint8"}:
        return PixelFormat(model, alpha=alpha)
    if kinds == {"uint16"}:
        stated = spec.get_int_attribute("oiio:BitsPerSample", 16)
        return PixelFormat(model, depth=stated if 8 < stated < 16 else 16, alpha=alpha)
    raise UnreadableFileError(
        f"{path}: samples of type {', '.join(sorted(kinds))} are not supported; use 8 or 16-bit integers, half or float"
    )


def _colorimetry(path: Path, spec: oiio.ImageSpec, pixel_format: PixelFormat) -> Colorimetry:
    # Image formats do not state the matrix from which grey was computed.
    matrix = 0 if pixel_format.model == "rgb" else UNSPECIFIED
    if pixel_format.is_float:
        return Colorimetry(matrix=matrix, full_range=True, scene_linear=True)
    stated = any_attribute(spec, "CICP")
    if isinstance(stated, tuple):
        return Colorimetry(int(stated[0]), int(stated[1]), matrix, full_range=True)
    if has_srgb(path):
        return Colorimetry(1, 13, matrix, full_range=True)
    # H.273 numbers primaries and transfer of these systems alike, so one code serves for both.
    transfer = _DPX_TRANSFERS.get(text_attribute(spec, "dpx:Transfer"), UNSPECIFIED)
    return Colorimetry(transfer, transfer, matrix, full_range=True)


def _read_pixels(image: oiio.ImageInput, header: ImageHeader) -> Pixels:
    first, last = min(header.channels), max(header.channels) + 1
    # Halves are read as floats: NumPy computes with float16 many times slower, and the conversion is exact.
    kind = "float" if header.pixel_format.is_float else "uint8" if header.pixel_format.depth == 8 else "uint16"
    pixels = _checked(header.path, image, image.read_image(header.subimage, 0, first, last, kind))
    order = [channel - first for channel in header.channels]
    if order != list(range(last - first)):
        pixels = pixels[..., order]
    if not header.pixel_format.is_float and 8 < header.pixel_format.depth < 16:
        # OpenImageIO has widened the codes by repeating their upper bits, so a shift restores them exactly.
        pixels = pixels >> (16 - header.pixel_format.depth)
    return pixels if header.covers_picture else _place(pixels, header)


def _place(pixels: Pixels, header: ImageHeader) -> Pixels:
    """Copy the part of the data window inside the picture; the rest of the picture is transparent black."""
    picture = np.zeros((*header.size, pixels.shape[-1]), pixels.dtype)
    inside, source = overlap(header)
    picture[inside] = pixels[source]
    return picture


def overlap(header: ImageHeader) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the intersection of data window and picture: rows and columns in the picture, and in the data."""
    window, size = header.data_window, header.size
    top, bottom = max(window.top, 0), max(min(window.bottom, size.height), max(window.top, 0))
    left, right = max(window.left, 0), max(min(window.right, size.width), max(window.left, 0))
    inside = slice(top, bottom), slice(left, right)
    return inside, (
        slice(top - window.top, bottom - window.top),
        slice(left - window.left, right - window.left),
    )


def _checked(path: Path, image: oiio.ImageInput, pixels: Pixels | None) -> Pixels:
    reason = error_reason(image)
    # libjpeg fills missing data with grey and only warns.
    if pixels is None or "remature end" in reason:
        raise TruncatedFileError(f"{path}: is truncated or damaged ({reason})")
    return pixels


def _check_finite(header: ImageHeader, planes: tuple[Plane, ...]) -> None:
    bad = [_count_bad(plane) for plane in planes]
    if not any(count for count, _ in bad):
        return
    channel = next(index for index, (count, _) in enumerate(bad) if count)
    row, column = bad[channel][1]
    total = sum(count for count, _ in bad)
    name = channel_names(header.spec)[header.channels[channel]]
    raise NonFiniteError(
        f"{header.path}: {total} samples are NaN or infinite, the first at x={column}, y={row} in channel {name}; "
        "repair or render the frame again"
    )


def _count_bad(plane: Plane) -> tuple[int, tuple[int, int]]:
    """Count non-finite samples and find the first, without allocating a map of the whole picture."""
    count, first = 0, (0, 0)
    for top in range(0, len(plane), _ROWS_AT_ONCE):
        bad = ~np.isfinite(plane[top : top + _ROWS_AT_ONCE])
        found = int(np.count_nonzero(bad))
        if found and not count:
            row, column = np.argwhere(bad)[0]
            first = (top + int(row), int(column))
        count += found
    return count, first


def _as_rate(value: object) -> Fraction | None:
    if isinstance(value, tuple) and len(value) == 2:
        return Fraction(int(value[0]), int(value[1])) if value[0] > 0 and value[1] > 0 else None
    if not isinstance(value, float | int) or not math.isfinite(value) or not 0 < value < 1e6:
        return None
    broadcast = Fraction(round(value * 1001), 1001)
    # 23.976, 29.97 etc. stand for multiples of 1000/1001.
    if broadcast.denominator == 1001 and broadcast.numerator % 1000 == 0:
        return broadcast
    return Fraction(value).limit_denominator(1000)
