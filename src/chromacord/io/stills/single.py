"""Single 8-bit pictures: read for data sets, and written like HYouTube's.

`chromacord.io.stills.sequence` handles sequences and stills as clips; this module is for folders whose pictures are
related by a list instead of numbers.
"""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.io.compositing.mattes import MatteReader
from chromacord.io.convert import PlaneConverter
from chromacord.io.stills.image_reader import read_image
from chromacord.io.writing.staging import output_errors
from chromacord.types import Frame, PixelFormat, VideoInfo

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""Codes from 0 to the dtype's maximum: 8 bits if the file has no more, otherwise 16."""


class RgbReader:
    """Converts a source's frames to interleaved display-referred R'G'B'."""

    def __init__(self, source: VideoInfo) -> None:
        """Prepare for a source: Y'CbCr is decoded, scene-linear light is encoded with the sRGB curve.

        Args:
            source: properties of the frames. Alpha is dropped.
        """
        pixel_format = source.pixel_format
        is_deep = pixel_format.is_float or pixel_format.depth > 8
        self._convert = PlaneConverter(source, PixelFormat("rgb", 16 if is_deep else 8), scene_linear=False)

    def read(self, frame: Frame) -> Codes:
        """Return the picture. Shape (height, width, 3)."""
        pixels: Codes = np.stack(self._convert(frame.planes), axis=-1)  # type: ignore[assignment]
        return pixels


def read_rgb(path: Path) -> Codes:
    """Read a picture in any format that OpenImageIO supports (including WebP) as display-referred R'G'B'.

    Returns:
        RGB codes. Shape (height, width, 3).

    Raises:
        MissingFileError: there is no such file.
        UnreadableFileError: it is damaged, or not a picture.
    """
    info, frame = _read(path)
    return RgbReader(info).read(frame)


def read_matte(path: Path) -> Codes:
    """Read a matte: its luma, cleaned of a lossy codec's noise.

    Returns:
        Coverage as codes. Shape (height, width).

    Raises:
        MissingFileError: there is no such file.
        UnreadableFileError: it is damaged, or not a picture.
    """
    info, frame = _read(path)
    plane: Codes = MatteReader(info, from_alpha=False).read(frame.planes)  # type: ignore[assignment]
    return plane


def write_jpeg(path: Path, pixels: npt.NDArray[np.uint8], *, quality: int = 75) -> None:
    """Write a JPEG with chroma at half resolution; the defaults reproduce Pillow's output bytes.

    Args:
        path: the file.
        pixels: RGB. Shape (height, width, 3).
        quality: libjpeg's quality, 1 to 100.

    Raises:
        OutputError: the file cannot be written, for example because the disk is full.
    """
    # OpenCV's default may change, but data sets must have the same bytes with every version.
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    _write(path, pixels[..., ::-1], ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality, *sampling])


def write_png(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """Write a PNG.

    Args:
        path: the file.
        pixels: grey or RGB. Shape (height, width) or (height, width, 3).

    Raises:
        OutputError: the file cannot be written, for example because the disk is full.
    """
    _write(path, pixels if pixels.ndim == 2 else pixels[..., ::-1], ".png", [])


def _write(path: Path, pixels: npt.NDArray[np.uint8], suffix: str, options: list[int]) -> None:
    """Encode in memory, so that Python writes the file and reports the reason of a failure."""
    _, encoded = cv2.imencode(suffix, np.ascontiguousarray(pixels), options)
    with output_errors(path):
        path.write_bytes(encoded.tobytes())


def _read(path: Path) -> tuple[VideoInfo, Frame]:
    header, planes = read_image(path)
    info = VideoInfo(
        path=path,
        size=header.size,
        pixel_format=header.pixel_format,
        colorimetry=header.colorimetry,
        rate=Fraction(1),
        time_base=Fraction(1),
        num_frames=1,
        codec=header.format_name,
        container="still",
    )
    return info, Frame(planes, 0)
