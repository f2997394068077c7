"""One image file to planes, through OpenImageIO.

Traps that this file is for:
 - OpenImageIO multiplies PNG and TIFF colours by a straight alpha when it reads, unless told not to.
 - It widens 10 and 12-bit samples to 16 bits; the planes here hold the file's own codes.
 - It takes a PNG without any colour chunk for sRGB, and a JPEG that is cut off for a complete one.
 - An EXR's pixels (data window) may cover more or less than its picture (display window).
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio

from chromacord.errors import (
    ChromacordWarning,
    MissingFileError,
    NonFiniteError,
    TruncatedFileError,
    UnreadableFileError,
)
from chromacord.io.png_chunks import has_end, has_srgb
from chromacord.types import UNSPECIFIED, Alpha, Box, Colorimetry, PixelFormat, Plane, Size

Pixels = npt.NDArray[Any]
"""Interleaved samples, (height, width, channels)."""

_STRAIGHT = "oiio:UnassociatedAlpha"
_DPX_TRANSFERS = {"ITU-R 709-4": 1, "ITU-R 601-5 system B or G": 6, "ITU-R 601-5 system M": 6}
_ROTATIONS = {3: 180, 6: 270, 8: 90}
"""EXIF orientation to degrees counter-clockwise that turn the stored picture upright."""

_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class ImageHeader:
    """What an image file says before its pixels. `Frame.attributes` of image sequences."""

    path: Path
    format_name: str
    """OpenImageIO's name of the format."""

    spec: oiio.ImageSpec
    """As read, with everything the file keeps: opaque outside this package."""

    subimage: int
    """Which part of a multi-part EXR holds the picture."""

    num_subimages: int
    channels: tuple[int, ...]
    """Channels of the file that make the planes, in their order: R G B [A] or Y [A]."""

    size: Size
    """Of the picture: for EXR the display window."""

    data_window: Box
    """Where the file has pixels, relative to the picture; only in EXR may it differ from the whole picture."""

    pixel_format: PixelFormat
    colorimetry: Colorimetry

    @property
    def covers_picture(self) -> bool:
        """Whether the file has exactly the picture's pixels."""
        return self.data_window == Box(0, 0, *self.size)

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise that turn the stored picture upright; 0 also for mirrored ones."""
        return _ROTATIONS.get(self.spec.get_int_attribute("Orientation", 1), 0)

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel by its height."""
        aspect = self.spec.get_float_attribute("PixelAspectRatio", 1.0)
        return Fraction(aspect).limit_denominator(1000) if math.isfinite(aspect) and aspect > 0 else Fraction(1)

    @property
    def rate(self) -> Fraction | None:
        """Frames a second where EXR or DPX state it."""
        for name in ("framesPerSecond", "dpx:FrameRate", "dpx:TemporalFrameRate"):
            rate = _as_rate(self.spec.getattribute(name))
            if rate is not None:
                return rate
        return None

    @property
    def timecode(self) -> str | None:
        """SMPTE 12M time code "hh:mm:ss:ff" (";" before the frames where it drops frames) where EXR or DPX state it."""
        code = self.spec.getattribute("smpte:TimeCode")
        if not isinstance(code, tuple):
            return None
        # Binary-coded decimals, hours first; the upper bits of each byte are flags (SMPTE 12M, as OpenEXR keeps it).
        packed = int(code[0]).to_bytes(4, "big")
        hours, minutes, seconds, frames = (
            ((byte & mask) >> 4) * 10 + (byte & 15) for byte, mask in zip(packed, b"\x3f\x7f\x7f\x3f", strict=True)
        )
        return f"{hours:02}:{minutes:02}:{seconds:02}{';' if packed[3] & 0x40 else ':'}{frames:02}"


def open_image(path: Path) -> oiio.ImageInput:
    """Open an image so that its colours come as they are stored, never multiplied by alpha.

    Raises:
        MissingFileError: there is no such file.
        TruncatedFileError: the file is cut off before its pixels.
        UnreadableFileError: it is no image of a kind that can be read.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file")
    if any("\udc80" <= letter <= "\udcff" for letter in str(path)):  # how Python spells bytes of no UTF-8
        raise UnreadableFileError(f"{path}: has a name that is no UTF-8 text, by which no image is read; rename it")
    config = oiio.ImageSpec()
    config[_STRAIGHT] = 1
    image = oiio.ImageInput.open(str(path), config)
    if image is None:
        reason = _one_line(oiio.geterror())
        if path.stat().st_size == 0:
            raise TruncatedFileError(f"{path}: is empty")
        raise UnreadableFileError(f"{path}: is damaged or no image ({reason})")
    return image


def read_header(path: Path) -> ImageHeader:
    """Read what an image file says before its pixels.

    Raises:
        MissingFileError, TruncatedFileError, UnreadableFileError: as `open_image`; also where no part of the file
            holds colours, or they are of a type that is not supported.
    """
    image = open_image(path)
    try:
        return _header(path, image)
    finally:
        image.close()


def read_image(path: Path) -> tuple[ImageHeader, tuple[Plane, ...]]:
    """Read an image.

    Returns:
        Its header, and its planes: views of one interleaved array, uint8, uint16 with the file's own codes, or
        float32. Shape (height, width) each. Outside the data window of an EXR they are 0.

    Raises:
        TruncatedFileError: the file is cut off or damaged.
        NonFiniteError: a colour or alpha sample is NaN or infinite.
        MissingFileError, UnreadableFileError: as `read_header`.
    """
    if not has_end(path):
        raise TruncatedFileError(f"{path}: is cut off before its end")
    image = open_image(path)
    try:
        header = _header(path, image)
        pixels = _read_pixels(image, header)
    finally:
        image.close()
    planes = tuple(pixels[..., k] for k in range(pixels.shape[-1]))
    if header.pixel_format.is_float:
        _check_finite(header, planes)
    return header, planes


def read_all_channels(header: ImageHeader, subimage: int) -> tuple[oiio.ImageSpec, Pixels]:
    """Read every channel of one part of an EXR, for a sink that writes them back.

    Returns:
        The part's own header, and its pixels as float32, which brings halves and floats back to the bit.
        Shape (height, width, channels).

    Warns:
        ChromacordWarning: 32-bit integer channels lie beside float ones; OpenImageIO rounds them to 24 bits.

    Raises:
        TruncatedFileError: the file is cut off or damaged.
    """
    image = open_image(header.path)
    try:
        spec = image.spec(subimage)
        pixels = image.read_image(subimage, 0, 0, spec.nchannels, spec.format)
        integers = [
            name for name, kind in zip(spec.channelnames, spec.channelformats, strict=False) if str(kind) == "uint"
        ]
        if integers:
            message = f"integer channels beside float ones keep only their upper 24 bits: {', '.join(integers)}"
            warnings.warn(message, ChromacordWarning, stacklevel=2)
        return spec, _checked(header.path, image, pixels)
    finally:
        image.close()


def _header(path: Path, image: oiio.ImageInput) -> ImageHeader:
    spec, subimage, channels = _find_colors(path, image)
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
    )


def _find_colors(path: Path, image: oiio.ImageInput) -> tuple[oiio.ImageSpec, int, tuple[int, ...]]:
    """Find the first part of the file with colours: a plain RGB or grey layer, else a named one ("beauty.R")."""
    subimage = 0
    while image.seek_subimage(subimage, 0):
        spec = image.spec()
        if spec.deep:
            raise UnreadableFileError(f"{path}: is a deep image; flatten it first")
        channels = _color_channels(list(spec.channelnames))
        if channels:
            return spec, subimage, channels
        if image.format_name() != "openexr":
            break
        subimage += 1
    raise UnreadableFileError(f"{path}: has no colour channels (R, G and B, or Y); name them so when rendering")


def _color_channels(names: Sequence[str]) -> tuple[int, ...]:
    layers = ["", *dict.fromkeys(name.rpartition(".")[0] + "." for name in names if "." in name)]
    for colors in (("R", "G", "B"), ("Y",)):
        for layer in layers:
            wanted = [layer + color for color in colors]
            if all(name in names for name in wanted):
                wanted += [layer + "A"] * (layer + "A" in names)
                return tuple(names.index(name) for name in wanted)
    # A matte may be one channel of any name.
    return (0,) if len(names) == 1 else ()


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
    # Grey is luma of a matrix that no image format states.
    matrix = 0 if pixel_format.model == "rgb" else UNSPECIFIED
    if pixel_format.is_float:
        return Colorimetry(matrix=matrix, full_range=True, scene_linear=True)
    stated = spec.getattribute("CICP")
    if isinstance(stated, tuple):
        return Colorimetry(int(stated[0]), int(stated[1]), matrix, full_range=True)
    if has_srgb(path):
        return Colorimetry(1, 13, matrix, full_range=True)
    transfer = _DPX_TRANSFERS.get(spec.get_string_attribute("dpx:Transfer", ""), UNSPECIFIED)
    return Colorimetry(transfer, transfer, matrix, full_range=True)


def _read_pixels(image: oiio.ImageInput, header: ImageHeader) -> Pixels:
    first, last = min(header.channels), max(header.channels) + 1
    kind = "float" if header.pixel_format.is_float else "uint8" if header.pixel_format.depth == 8 else "uint16"
    pixels = _checked(header.path, image, image.read_image(header.subimage, 0, first, last, kind))
    order = [channel - first for channel in header.channels]
    if order != list(range(last - first)):
        pixels = pixels[..., order]
    if not header.pixel_format.is_float and 8 < header.pixel_format.depth < 16:
        pixels = pixels >> (16 - header.pixel_format.depth)
    return pixels if header.covers_picture else _place(pixels, header)


def _place(pixels: Pixels, header: ImageHeader) -> Pixels:
    """Copy the part of the data window that lies in the picture; the rest of the picture is transparent black."""
    picture = np.zeros((*header.size, pixels.shape[-1]), pixels.dtype)
    inside, source = overlap(header)
    picture[inside] = pixels[source]
    return picture


def overlap(header: ImageHeader) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where data window and picture meet: rows and columns in the picture, and the same in the data."""
    window, size = header.data_window, header.size
    top, bottom = max(window.top, 0), max(min(window.bottom, size.height), max(window.top, 0))
    left, right = max(window.left, 0), max(min(window.right, size.width), max(window.left, 0))
    inside = slice(top, bottom), slice(left, right)
    return inside, (
        slice(top - window.top, bottom - window.top),
        slice(left - window.left, right - window.left),
    )


def _checked(path: Path, image: oiio.ImageInput, pixels: Pixels | None) -> Pixels:
    reason = _one_line(image.geterror())
    # libjpeg fills up what is missing with grey and only mentions it.
    if pixels is None or "remature end" in reason:
        raise TruncatedFileError(f"{path}: is cut off or damaged ({reason})")
    return pixels


def _check_finite(header: ImageHeader, planes: tuple[Plane, ...]) -> None:
    bad = [_count_bad(plane) for plane in planes]
    if not any(count for count, _ in bad):
        return
    channel = next(index for index, (count, _) in enumerate(bad) if count)
    row, column = bad[channel][1]
    total = sum(count for count, _ in bad)
    name = header.spec.channelnames[header.channels[channel]]
    raise NonFiniteError(
        f"{header.path}: {total} samples are NaN or infinite, the first at x={column}, y={row} in channel {name}; "
        "repair or render the frame again"
    )


def _count_bad(plane: Plane) -> tuple[int, tuple[int, int]]:
    """Count samples that are not finite, and find the first, without a map of the whole picture."""
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
    # 23.976, 29.97 and the like stand for multiples of 1000/1001.
    if broadcast.denominator == 1001 and broadcast.numerator % 1000 == 0:
        return broadcast
    return Fraction(value).limit_denominator(1000)


def _one_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason given"
