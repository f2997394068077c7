"""Small composites and masks in files, and readers that do not go through chromacord."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from chromacord.types import Colorimetry, Size
from tests.clips import make_clip, picture

SIZE = Size(72, 96)
RGB = Colorimetry(primaries=1, transfer=13, matrix=0, full_range=True)


def disc(index: int, size: Size = SIZE, top: int = 255) -> np.ndarray:
    """Return a soft disc that moves right, as codes. Shape (height, width)."""
    rows, columns = np.mgrid[: size.height, : size.width]
    distance = np.hypot(rows - size.height / 2, columns - size.width * (0.35 + 0.02 * index))
    dtype = np.uint8 if top == 255 else np.uint16
    return np.rint(np.clip((size.height / 4 - distance) / 4 + 0.5, 0, 1) * top).astype(dtype)


def make_mask(path: Path, *, num_frames: int = 8, size: Size = SIZE, **options: Any) -> Path:
    """Write the moving disc as a lossless grey clip."""
    frames = options.pop("frames", None) or [[disc(index, size)] for index in range(num_frames)]
    full = Colorimetry(primaries=1, transfer=1, matrix=1, full_range=True)
    return make_clip(path, codec="ffv1", pix_fmt="gray", size=size, frames=frames, colorimetry=full, **options)


def make_composite(
    path: Path, pix_fmt: str = "yuv420p", *, size: Size = SIZE, num_frames: int = 8, **options: Any
) -> Path:
    """Write a clip whose disc, where the mask is, is darker and redder than the rest."""
    if pix_fmt.startswith("gbr"):
        options.setdefault("colorimetry", RGB)
    if "frames" not in options:
        options["frames"] = [recoloured(pix_fmt, index, size) for index in range(num_frames)]
    return make_clip(path, pix_fmt=pix_fmt, size=size, **options)


def recoloured(pix_fmt: str, index: int, size: Size = SIZE) -> list[np.ndarray]:
    """Return the planes of a frame with a foreground that does not fit."""
    planes = picture(pix_fmt, index, size=size)
    weights = disc(index, size) / 255
    for number, plane in enumerate(planes[:3]):
        down, right = size.height // plane.shape[0], size.width // plane.shape[1]
        local = weights[::down, ::right][: plane.shape[0], : plane.shape[1]]
        gain = (0.7, 1.0, 1.15)[number]
        planes[number] = np.rint(plane * (1 + (gain - 1) * local)).astype(plane.dtype)
    return planes


def decoded(path: Path) -> list[list[np.ndarray]]:
    """Decode a file with PyAV alone: the planes of every frame, as stored."""
    with av.open(str(path)) as container:
        return [planes_of(frame) for frame in container.decode(video=0)]


def planes_of(frame: av.VideoFrame) -> list[np.ndarray]:
    """Return copies of a frame's planes, without padding, in memory order."""
    planes = []
    for plane in frame.planes:
        bits = max(component.bits for component in frame.format.components)
        values = np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16)
        planes.append(values.reshape(plane.height, -1)[:, : plane.width].copy())
    return planes


def times(path: Path) -> list[Fraction]:
    """Return every frame's time in seconds."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def audio_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    """Return time and bytes of every audio packet."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets]
