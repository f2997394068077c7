"""Single 8-bit pictures: read for data sets, and written like HYouTube's.

Sequences and stills as clips are `chromacord.io.stills.sequence`; this is for folders of pictures that belong together
by a list and not by their numbers.
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
"""Samples as codes from 0 to the type's largest: 8 bits where the file has no more, else 16."""


class RgbReader:
    """Turns the frames of one source into interleaved display-referred R'G'B'."""

    def __init__(self, source: VideoInfo) -> None:
        """Prepare for a source: Y'CbCr is decoded, scene-linear light is encoded with the sRGB curve.

        Args:
            source: what the frames are of. Alpha is left out.
        """
        pixel_format = source.pixel_format
        is_deep = pixel_format.is_float or pixel_format.depth > 8
        self._convert = PlaneConverter(source, PixelFormat("rgb", 16 if is_deep else 8), scene_linear=False)

    def read(self, frame: Frame) -> Codes:
        """Return the picture. Shape (height, width, 3)."""
        pixels: Codes = np.stack(self._convert(frame.planes), axis=-1)  # type: ignore[assignment]
        return pixels


def read_rgb(path: Path) -> Codes:
    """Read a picture of any kind that OpenImageIO knows (WebP too) as display-referred R'G'B'.

    Returns:
        Shape (height, width, 3).

    Raises:
        MissingFileError: there is no such file.
        UnreadableFileError: it is damaged, or no picture.
    """
    info, frame = _read(path)
    return RgbReader(info).read(frame)


def read_matte(path: Path) -> Codes:
    """Read a picture's coverage: its luma, cleaned of a lossy codec's noise.

    Returns:
        Shape (height, width).

    Raises:
        MissingFileError: there is no such file.
        UnreadableFileError: it is damaged, or no picture.
    """
    info, frame = _read(path)
    plane: Codes = MatteReader(info, from_alpha=False).read(frame.planes)  # type: ignore[assignment]
    return plane


def write_jpeg(path: Path, pixels: npt.NDArray[np.uint8], *, quality: int = 75) -> None:
    """Write a JPEG with chroma at half resolution; the defaults give the bytes that Pillow's give.

    Args:
        path: the file.
        pixels: RGB. Shape (height, width, 3).
        quality: 1 to 100, as libjpeg counts.

    Raises:
        OutputError: the disk is full, or the file cannot be written for another reason.
    """
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    _write(path, pixels[..., ::-1], ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality, *sampling])


def write_png(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """Write a PNG.

    Args:
        path: the file.
        pixels: grey or RGB. Shape (height, width) or (height, width, 3).

    Raises:
        OutputError: the disk is full, or the file cannot be written for another reason.
    """
    _write(path, pixels if pixels.ndim == 2 else pixels[..., ::-1], ".png", [])


def _write(path: Path, pixels: npt.NDArray[np.uint8], suffix: str, options: list[int]) -> None:
    """Encode in memory: a full disk is then an error of Python's, with its reason."""
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
