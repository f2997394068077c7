"""Map libav's pixel formats to planes without changing any sample."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from math import log2

import av
import av.error
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation

from chromacord.errors import UnreadableFileError
from chromacord.types import Alpha, Frame, PixelFormat, Plane, Size

_SUBSAMPLING = {(1, 1): "420", (0, 1): "422", (0, 0): "444", (1, 0): "440", (0, 2): "411", (2, 2): "410"}

EXACT = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.FULL_CHR_H_INT
)
"""swscale flags: round to nearest, interpolate chroma, and give the same result on every machine."""


def planar_name(pixel_format: PixelFormat) -> str:
    """Return libav's name of the planar little-endian format that stores these planes unchanged.

    If libav has no format of that depth, return the next deeper one. Grey with alpha has no planar format: it is stored
    as R G B A with three equal planes.
    """
    for depth in range(pixel_format.depth, 17):
        name = _planar_name(pixel_format, depth)
        if _is_known(name):
            return name
    raise UnreadableFileError(f"libav has no pixel format for {pixel_format}")


def _planar_name(pixel_format: PixelFormat, depth: int) -> str:
    has_alpha = pixel_format.alpha is not Alpha.NONE
    suffix = "f32le" if pixel_format.is_float else "" if depth == 8 else f"{depth}le"
    if pixel_format.model == "yuv":
        return f"yuv{'a' if has_alpha else ''}{_SUBSAMPLING[pixel_format.subsampling]}p{suffix}"
    if pixel_format.model == "gray" and not has_alpha:
        return f"gray{suffix}"
    return f"gbr{'a' if has_alpha else ''}p{suffix}"


def _is_known(name: str) -> bool:
    try:
        av.VideoFormat(name)
    except ValueError:
        return False
    return True


def describe(name: str) -> PixelFormat:
    """Return the plane layout for frames in libav's pixel format `name`.

    Raises:
        UnreadableFileError: the format is not Y'CbCr, RGB or grey (for example raw sensor data, CIE XYZ or GPU memory),
            or libav cannot unpack it.
    """
    if name.startswith(("bayer", "xyz")) or not av.VideoFormat(name).components or not _can_be_unpacked(name):
        raise UnreadableFileError(f"pixel format {name} is not supported; convert to RGB or Y'CbCr first")
    return _layout(name)


@cache
def _can_be_unpacked(name: str) -> bool:
    """Try to unpack a format, because PyAV cannot list the formats that swscale cannot read (rgb4, y210be)."""
    pixel_format = _layout(name)
    if pixel_format.is_float:
        return True  # float videos are refused elsewhere
    try:
        to_planar(av.VideoFrame(16, 16, name), planar_name(pixel_format))
    except (av.error.FFmpegError, UnreadableFileError):  # the latter: of 32-bit integers
        return False
    return True


def _layout(name: str) -> PixelFormat:
    layout = av.VideoFormat(name, 64, 64)
    components = layout.components
    alpha = Alpha.STRAIGHT if any(part.is_alpha for part in components) else Alpha.NONE
    depth = max(8, max(part.bits for part in components))
    is_float = "f16" in name or "f32" in name
    colors = [part for part in components if not part.is_alpha]
    if layout.is_rgb or layout.has_palette:
        alpha = Alpha.STRAIGHT if layout.has_palette else alpha
        # libav's palette entries are B G R A, so palette formats always have an alpha plane; `palettes` checks
        # whether it is used.
        return PixelFormat("rgb", depth, is_float=is_float, alpha=alpha)
    if len(colors) == 1:
        return PixelFormat("rgb" if alpha is Alpha.STRAIGHT else "gray", depth, is_float=is_float, alpha=alpha)
    # libav describes a format by the sizes of its planes; 64 is divisible by every step of chroma.
    chroma = colors[1]
    subsampling = (round(log2(64 / chroma.height)), round(log2(64 / chroma.width)))
    return PixelFormat("yuv", depth, is_float=is_float, subsampling=subsampling, alpha=alpha)


def frame_bytes(size: Size, pixel_format: PixelFormat) -> int:
    """Return the size of a frame's planes in memory."""
    vertical, horizontal = pixel_format.subsampling
    samples = pixel_format.num_colors if pixel_format.model != "yuv" else 1 + 2 / 2 ** (vertical + horizontal)
    samples += pixel_format.alpha is not Alpha.NONE
    return round(size.height * size.width * samples * pixel_format.dtype.itemsize)


def to_planar(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    """Convert a packed, semi-planar or big-endian frame to the planar format `name` by shuffling samples, losslessly.

    Args:
        frame: in any format that `describe` accepts.
        name: `planar_name(describe(frame.format.name))`.
    """
    if frame.format.name.replace("yuvj", "yuv") == name:
        return frame
    # Equal ranges on both sides; otherwise swscale would rescale.
    color_range = frame.color_range or 1
    return frame.reformat(
        format=name, interpolation=EXACT, src_color_range=color_range, dst_color_range=color_range, threads=1
    )


def planes_of(frame: av.VideoFrame) -> tuple[Plane, ...]:
    """Return the planes of a planar frame as read-only views, in the order Y U V [A], R G B [A] or Y.

    No sample is copied; the views keep the frame's memory alive.
    """
    return tuple(_view(plane, dtype) for plane, dtype in _parts(frame))


def frame_of(planes: Sequence[Plane], pixel_format: PixelFormat) -> av.VideoFrame:
    """Return a libav frame in the format `planar_name(pixel_format)` with a copy of the planes.

    Args:
        planes: in the layout of `pixel_format`, with any memory layout.
        pixel_format: format of the planes.
    """
    name = planar_name(pixel_format)
    if pixel_format.model == "gray" and pixel_format.alpha is not Alpha.NONE:
        planes = (planes[0], planes[0], planes[0], planes[1])
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, name)
    for (plane, dtype), values in zip(_parts(frame), planes, strict=True):
        _view(plane, dtype, writable=True)[...] = values
    return frame


def writable_copy(frame: Frame, pixel_format: PixelFormat) -> Frame:
    """Return a copy with writable colour planes, in memory that an encoder can use directly.

    Changing pixels requires one copy; a second one for the encoder would double the cost.

    Args:
        frame: a frame in `pixel_format`.
        pixel_format: format of the planes.
    """
    if pixel_format.is_float:  # image formats that libav does not write
        return replace(frame, planes=tuple(plane.copy() for plane in frame.planes))
    picture = frame_of(frame.planes, pixel_format)
    planes = tuple(_view(plane, dtype, writable=True) for plane, dtype in _parts(picture))
    if len(planes) != len(frame.planes):  # grey with alpha, which libav stores as three equal colours
        planes = (planes[0], planes[-1])
    return replace(frame, planes=planes, picture=picture)


def picture_of(frame: Frame, pixel_format: PixelFormat) -> av.VideoFrame:
    """Return the libav picture that owns a frame's planes, or a copy of them. See `frame_of`."""
    picture = frame.picture
    if isinstance(picture, av.VideoFrame) and len(picture.planes) == len(frame.planes):
        # Planes may have been replaced since the picture was made; only memory that is still the same is passed
        # on uncopied.
        places = (plane.buffer_ptr for plane, _ in _parts(picture))
        if all(place == plane.ctypes.data for place, plane in zip(places, frame.planes, strict=True)):
            return picture
    return frame_of(frame.planes, pixel_format)


def with_neutral_chroma(frame: av.VideoFrame) -> av.VideoFrame:
    """Convert a grey frame to Y'CbCr 4:2:0 with the same luma codes.

    Args:
        frame: integer grey without alpha.
    """
    (luma,) = planes_of(frame)
    depth = describe(frame.format.name).depth
    chroma = np.full(tuple(-(-length // 2) for length in luma.shape), 1 << (depth - 1), luma.dtype)
    return frame_of((luma, chroma, chroma), PixelFormat("yuv", depth, subsampling=(1, 1)))


def _parts(frame: av.VideoFrame) -> Iterator[tuple[VideoPlane, np.dtype[np.generic]]]:
    """Yield the planes of a planar frame in the order of `planes_of`, with the dtype of their samples."""
    name = frame.format.name
    return ((frame.planes[part.plane], _dtype(name, part.bits)) for part in frame.format.components)


def _dtype(name: str, bits: int) -> np.dtype[np.generic]:
    if "f32" in name:
        return np.dtype(np.float32)
    return np.dtype(np.uint8 if bits <= 8 else np.uint16)


def _view(plane: VideoPlane, dtype: np.dtype[np.generic], *, writable: bool = False) -> Plane:
    # libav pads rows for its vector code, so a row in memory is longer than the picture is wide.
    line = abs(plane.line_size) // dtype.itemsize
    view: Plane = np.frombuffer(memoryview(plane), dtype=dtype).reshape(plane.height, line)[:, : plane.width]
    view.flags.writeable = writable
    # A negative line size means that rows are stored bottom up.
    return view if plane.line_size > 0 else view[::-1]
