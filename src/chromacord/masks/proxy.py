"""Small display-referred proxies of frames, for methods, cut detection and previews."""

from functools import lru_cache

import cv2
import numpy as np

from chromacord.color.alpha import straight_codes
from chromacord.color.management.managed import ManagedSpace
from chromacord.color.management.shaper import linear_to_display
from chromacord.color.spaces import code_to_rgb
from chromacord.masks.area import area_average
from chromacord.types import Alpha, Colorimetry, FloatArray, Frame, PixelFormat, Plane, Size, VideoInfo

_SHOWN = 4
"""Maximum size, relative to the result, at which a picture is converted to SDR video."""


def proxy(frame: Frame, info: VideoInfo, size: Size) -> FloatArray:
    """Reduce a frame to display-referred R'G'B' by area averaging in the file's codes.

    Pictures in another colour space are converted to SDR video first, so that they give the same proxy as SDR video of
    the same scene; large ones are reduced to `_SHOWN` times the result before. Scene-linear ones without a colour space
    are averaged in light and encoded with the sRGB curve, clipped at white. Premultiplied colours are divided by alpha.

    Args:
        frame: planes as decoded.
        info: properties of the frame's source.
        size: height and width of the result.

    Returns:
        RGB in [0, 1]. Shape (height, width, 3).
    """
    read = size if info.space is None else _read_size(frame, size)
    planes = [scaled(plane, read) for plane in frame.planes]
    if info.pixel_format.num_colors == 1:
        planes = [planes[0]] * 3 + planes[1:]
    codes = cv2.merge(planes[:3])
    if info.pixel_format.alpha is Alpha.PREMULTIPLIED:
        codes = straight_codes(codes, planes[-1][..., None] / np.float32(info.pixel_format.max_code), info)
    rgb: FloatArray = cv2.transform(codes, _decoding(info.colorimetry, info.size, info.pixel_format))
    if info.space is not None:
        shown = ManagedSpace.of(info.space).display(np.concatenate([rgb, rgb[..., :1]], axis=-1))
        return np.stack([scaled(shown[..., channel], size) for channel in range(3)], axis=-1)
    if info.colorimetry.scene_linear:
        rgb = linear_to_display(np.maximum(rgb, 0))
    return np.clip(rgb, 0, 1, out=rgb)


def _read_size(frame: Frame, size: Size) -> Size:
    """Return the size at which a picture is converted to SDR video: its own, or the smallest sufficient one."""
    height, width = frame.planes[0].shape
    enough = Size(_SHOWN * size.height, _SHOWN * size.width)
    return enough if height > enough.height and width > enough.width else Size(height, width)


def thumbnail(frame: Frame, info: VideoInfo, *, width: int) -> FloatArray:
    """Return a coarse picture of a frame by dropping pixels; for cut detection, which sees every frame.

    Args:
        frame: planes as decoded.
        info: properties of the frame's source.
        width: minimum number of columns, unless the frame has fewer; at most twice as many remain.

    Returns:
        RGB in [0, 1]. Shape (height, columns, 3).
    """
    step = max(1, info.size.width // width)
    rows, columns = range(0, info.size.height, step), range(0, info.size.width, step)
    size = Size(len(rows), len(columns))
    down, right = info.pixel_format.subsampling
    picked = []
    for number, plane in enumerate(frame.planes):
        is_chroma = info.pixel_format.model == "yuv" and number in (1, 2)
        # Small pictures have steps below the chroma's own; `proxy` then brings the planes to one size.
        vertical, horizontal = (max(1, step >> down), max(1, step >> right)) if is_chroma else (step, step)
        picked.append(plane[::vertical, ::horizontal])
    return proxy(Frame(tuple(picked), frame.index), info, size)


@lru_cache(maxsize=8)
def _decoding(colorimetry: Colorimetry, size: Size, pixel_format: PixelFormat) -> FloatArray:
    """Return the matrix from codes to R'G'B' with the offset as fourth column; cached, because it inverts matrices."""
    matrix: FloatArray = np.column_stack(code_to_rgb(colorimetry, size, pixel_format)).astype(np.float32)
    return matrix


def scaled(plane: Plane, size: Size) -> FloatArray:
    """Resize one plane, by area averaging when it shrinks and bilinearly when it grows.

    Large reductions start by halving, which is faster; the result differs only in the weights of pixels on the border
    between two cells.

    Args:
        plane: source plane. Shape (height, width).
        size: size of the result.

    Returns:
        In the plane's units. Shape (height, width).
    """
    height, width = plane.shape
    while height % 2 == width % 2 == 0 and height >= 4 * size.height and width >= 4 * size.width:
        height, width = height // 2, width // 2
        halved = cv2.resize(np.ascontiguousarray(plane), (width, height), interpolation=cv2.INTER_AREA)
        plane = halved.astype(np.float32, copy=False)  # rounding once is enough
    if plane.shape == size:
        return plane.astype(np.float32, copy=False)
    values: FloatArray = np.ascontiguousarray(plane, np.float32)
    if size.height <= height and size.width <= width:
        return area_average(values, size)
    resized: FloatArray = cv2.resize(values, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
    return resized
