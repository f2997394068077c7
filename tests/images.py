"""Small images for tests, made and read with OpenImageIO or byte by byte: a fault in chromacord's own writer cannot
hide one in its reader.
"""

import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio

from chromacord.io import FrameSink, FrameSource, open_sink, open_source
from chromacord.types import Alpha, Colorimetry, Frame, PixelFormat, Plane, Size, VideoInfo

Pixels = npt.NDArray[Any]

HEIGHT, WIDTH = 12, 18
_KINDS = {"float32": "float", "float64": "double"}


def noise(channels: int, dtype: str = "uint8", *, seed: int = 0, top: int | None = None) -> Pixels:
    """Random samples, (12, 18, channels): codes up to `top`, or floats around 0 that half precision holds exactly."""
    rng = np.random.default_rng(seed)
    if dtype in ("half", "float"):
        return rng.normal(size=(HEIGHT, WIDTH, channels)).astype(np.float16).astype(np.float32)
    top = np.iinfo(dtype).max if top is None else top
    return rng.integers(0, top + 1, (HEIGHT, WIDTH, channels)).astype(dtype)


def write(
    path: Path,
    pixels: Pixels,
    kind: str | None = None,
    *,
    names: Sequence[str] | None = None,
    kinds: Sequence[str] | None = None,
    window: tuple[int, int, int, int] | None = None,
    **attributes: Any,
) -> Path:
    """Write an image with OpenImageIO, without converting colours; `__` in an attribute's name means a colon.

    Args:
        path: its ending chooses the format.
        pixels: interleaved.
        kind: of the samples in the file; default: as in memory.
        names: of the channels.
        kinds: one for each channel where they differ.
        window: the display window as x, y, width, height; the pixels lie at (0, 0).
        attributes: of the header.
    """
    height, width, channels = pixels.shape
    spec = oiio.ImageSpec(width, height, channels, kind or _KINDS.get(str(pixels.dtype), str(pixels.dtype)))
    if names:
        spec.channelnames = tuple(names)
    if kinds:
        spec.channelformats = tuple(oiio.TypeDesc(each) for each in kinds)
    if window:
        spec.full_x, spec.full_y, spec.full_width, spec.full_height = window
    spec.attribute("oiio:UnassociatedAlpha", 1)
    for name, value in attributes.items():
        spec.attribute(name.replace("__", ":"), value)
    write_parts(path, [(spec, pixels)])
    return path


def write_parts(path: Path, parts: Sequence[tuple[oiio.ImageSpec, Pixels]]) -> None:
    """Write an image of one or more parts."""
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), [spec for spec, _ in parts]), output.geterror()
    for index, (spec, pixels) in enumerate(parts):
        assert index == 0 or output.open(str(path), spec, "AppendSubimage")
        assert output.write_image(pixels), output.geterror()
    assert output.close()


def parts(path: Path) -> list[tuple[oiio.ImageSpec, Pixels]]:
    """Read all parts of an image with OpenImageIO, colours as they are stored, wide enough for every channel."""
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)
    image = oiio.ImageInput.open(str(path), config)
    assert image is not None, oiio.geterror()
    found = []
    while image.seek_subimage(len(found), 0):
        spec = image.spec()
        found.append((spec, image.read_image(len(found), 0, 0, spec.nchannels, "double")))
    image.close()
    return found


def attributes(path: Path) -> dict[str, str]:
    """Return what the header of an image's first part says."""
    return {item.name: str(item.value) for item in parts(path)[0][0].extra_attribs}


def plain_png(path: Path, pixels: Pixels) -> Path:
    """Write an 8-bit RGB PNG without any colour chunk, by hand (W3C PNG specification, section 5)."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    )
    return path


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def copy(source: FrameSource, out: Path | str, **options: Any) -> FrameSource:
    """Write a source's frames unchanged to an output, and open that."""
    with open_sink(out, source.info, **options) as sink:
        write_all(source, sink)
    return open_source(out)


def write_all(source: FrameSource, sink: FrameSink) -> None:
    """Write all frames of a source, and keep the result."""
    for frame in source.frames():
        sink.write(frame)
    sink.finish()
    sink.commit()


def video_info(pixel_format: PixelFormat, colorimetry: Colorimetry, *, size: Size | None = None) -> VideoInfo:
    """Describe a clip without a file."""
    size = size or Size(HEIGHT, WIDTH)
    return VideoInfo(
        Path("memory"), size, pixel_format, colorimetry, Fraction(25), Fraction(1, 25), None, "rawvideo", "memory"
    )


class MemorySource(FrameSource):
    """Frames made in a test."""

    def __init__(self, info: VideoInfo, pictures: Sequence[tuple[Plane, ...]]) -> None:
        self.info = info
        self._pictures = pictures

    def frames(self, start: int = 0, stop: int | None = None) -> Any:
        for index in range(start, len(self._pictures) if stop is None else min(stop, len(self._pictures))):
            yield Frame(self._pictures[index], index, 10 * index, 10)


RGB8 = PixelFormat("rgb")
RGBA8 = PixelFormat("rgb", alpha=Alpha.STRAIGHT)
DISPLAY = Colorimetry(matrix=0, full_range=True)
SCENE_LINEAR = Colorimetry(matrix=0, full_range=True, scene_linear=True)
