"""Synthetic clips for speed measurements: a pan over a grainy picture, and a moving ellipse as mask."""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chromacord.io import Encoding, open_sink
from chromacord.types import Colorimetry, Frame, PixelFormat, Size, VideoInfo

SIZES = {"1080p": Size(1080, 1920), "4k": Size(2160, 3840)}
RATE = Fraction(25)

_MARGIN = 64
"""Pixels around the frame, into which the camera pans."""

_NUM_GRAINS = 5

Codes = npt.NDArray[np.uint8]


class Clips(NamedTuple):
    """A composite and its mask."""

    composite: Path
    mask: Path


def make_clips(folder: Path, *, size: Size, num_frames: int, foreground: float) -> Clips:
    """Write a composite and a mask as 8-bit 4:2:0 H.264 with BT.709 tags.

    Args:
        folder: target folder.
        size: frame size; even.
        num_frames: length of the clips.
        foreground: share of the picture that the mask covers, in (0, 0.5].
    """
    clips = Clips(folder / "composite.mp4", folder / "mask.mp4")
    composite = (_composite_frame(parts, index, size) for parts in [_Pan(size)] for index in range(num_frames))
    mask = (_mask_frame(index, size, foreground) for index in range(num_frames))
    for path, frames, crf in ((clips.composite, composite, 23), (clips.mask, mask, 18)):
        write_clip(path, frames, describe(size, num_frames), crf=crf)
    return clips


def write_clip(path: Path, frames: Iterable[Frame], info: VideoInfo, *, crf: float) -> None:
    """Write frames as H.264 with x264's preset veryfast."""
    encoding = Encoding(codec="h264", crf=crf, preset="veryfast")
    with open_sink(path, info, encoding=encoding, copy_streams=False) as sink:
        for frame in frames:
            sink.write(frame)
        sink.finish()
        sink.commit()


def synthetic_frames(size: Size, num_frames: int, foreground: float) -> Iterator[tuple[Frame, Frame]]:
    """Yield frames of a composite and its mask; arguments as for `make_clips`."""
    pan = _Pan(size)
    for index in range(num_frames):
        yield _composite_frame(pan, index, size), _mask_frame(index, size, foreground)


class _Pan:
    """Source of the frames: three planes larger than the frame, and several grain fields."""

    def __init__(self, size: Size) -> None:
        random = np.random.default_rng(0)
        wide = Size(size.height + _MARGIN, size.width + _MARGIN)
        half = Size(wide.height // 2, wide.width // 2)
        contrasts = ((wide, 110.0, 38.0), (half, 118.0, 14.0), (half, 136.0, 14.0))
        self.planes = [mean + deviation * natural_texture(shape, random) for shape, mean, deviation in contrasts]
        self.grains = [random.standard_normal(size, dtype=np.float32) * 1.5 for _ in range(_NUM_GRAINS)]


def natural_texture(size: Size, random: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return noise with the amplitude spectrum of photographs (Field 1987), mean 0 and deviation 1.

    Returns:
        Shape (height, width).
    """
    rows, columns = np.fft.fftfreq(size.height)[:, None], np.fft.rfftfreq(size.width)[None, :]
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(size))
    spectrum = np.fft.rfft2(random.standard_normal(size, dtype=np.float32)) / frequency**1.2
    texture: npt.NDArray[np.float32] = np.fft.irfft2(spectrum, s=size).astype(np.float32)
    texture -= texture.mean()
    texture /= texture.std()
    return texture


def _composite_frame(pan: _Pan, index: int, size: Size) -> Frame:
    # Even steps, so that the chroma planes move by whole samples too.
    top = 2 * round(_MARGIN / 4 * (1 + math.sin(index / 17)))
    left = 2 * round(_MARGIN / 4 * (1 + math.cos(index / 23)))
    luma, *chroma = pan.planes
    picture = luma[top : top + size.height, left : left + size.width] + pan.grains[index % _NUM_GRAINS]
    parts = [plane[top // 2 :, left // 2 :][: size.height // 2, : size.width // 2] for plane in chroma]
    planes = tuple(_to_codes(plane, 16, 235) for plane in (picture, *parts))
    return Frame(planes, index, pts=index, duration=1)


def _mask_frame(index: int, size: Size, foreground: float) -> Frame:
    rows = np.arange(size.height, dtype=np.float32)[:, None]
    columns = np.arange(size.width, dtype=np.float32)[None, :]
    # Half axes in the picture's own proportion: their product times pi is the area.
    scale = math.sqrt(foreground / math.pi)
    half_height, half_width = scale * size.height, scale * size.width
    center = size.width * (0.5 + 0.08 * math.sin(index / 11))
    distance = np.hypot((rows - size.height / 2) / half_height, (columns - center) / half_width)
    soft = np.clip((1 - distance) * min(half_height, half_width) / 3 + 0.5, 0, 1)
    neutral = np.full((size.height // 2, size.width // 2), 128, np.uint8)
    return Frame((_to_codes(16 + 219 * soft, 16, 235), neutral, neutral), index, pts=index, duration=1)


def _to_codes(values: npt.NDArray[np.float32], low: int, high: int) -> Codes:
    return np.clip(np.rint(values), low, high).astype(np.uint8)


def describe(size: Size, num_frames: int) -> VideoInfo:
    """Return the properties of a file with such frames: 8-bit 4:2:0 with BT.709 tags."""
    return VideoInfo(
        path=Path("made"),
        size=size,
        pixel_format=PixelFormat("yuv", 8, subsampling=(1, 1)),
        colorimetry=Colorimetry(primaries=1, transfer=1, matrix=1, full_range=False),
        rate=RATE,
        time_base=1 / RATE,
        num_frames=num_frames,
        codec="h264",
        container="mov",
    )
