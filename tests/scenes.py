"""Frames, masks and methods for tests of the pipeline, made in memory."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from chromacord.color.transforms import AffineField
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.methods.base import Method, Prediction, State
from chromacord.types import Alpha, Colorimetry, FloatArray, Frame, PixelFormat, Size, VideoInfo

SIZE = Size(48, 64)


def describe(pixel_format: PixelFormat, size: Size = SIZE, rate: int = 24, **colorimetry: object) -> VideoInfo:
    """Return what a file of this format would say of itself."""
    return VideoInfo(
        path=Path("made.mov"),
        size=size,
        pixel_format=pixel_format,
        colorimetry=Colorimetry(**{"matrix": 1, "full_range": pixel_format.model != "yuv", **colorimetry}),
        rate=Fraction(rate),
        time_base=Fraction(1, rate),
        num_frames=None,
        codec="ffv1",
        container="matroska",
    )


def noise_frame(info: VideoInfo, index: int = 0, seed: int = 0) -> Frame:
    """Return a frame of random codes, in legal range for integers and in 0..1.5 for floats."""
    generator = np.random.default_rng(seed)
    pixel_format = info.pixel_format
    down, right = pixel_format.subsampling
    planes = []
    for number in range(pixel_format.num_colors):
        height, width = info.size
        if number and pixel_format.model == "yuv":
            height, width = -(-height >> down), -(-width >> right)
        if pixel_format.is_float:
            planes.append(generator.uniform(0, 1.5, (height, width)).astype(np.float32))
        else:
            low, high = 0.1 * pixel_format.max_code, 0.9 * pixel_format.max_code
            planes.append(generator.integers(int(low), int(high), (height, width)).astype(pixel_format.dtype))
    if pixel_format.alpha is not Alpha.NONE:
        planes.append(np.full(info.size, pixel_format.max_code, pixel_format.dtype))
    return Frame(tuple(planes), index, pts=index)


def soft_disc(size: Size = SIZE, *, soft: float = 4.0) -> np.ndarray:
    """Return a disc of half the height, 1 inside, falling to 0 over `soft` pixels. Shape (height, width)."""
    rows, columns = np.mgrid[: size.height, : size.width]
    distance = np.hypot(rows - size.height / 2, columns - size.width / 2)
    return np.clip((size.height / 4 - distance) / soft + 0.5, 0, 1).astype(np.float32)


def as_mask(weights: np.ndarray) -> Mask:
    """Return weights in [0, 1] as a mask."""
    return Mask.from_plane(np.ascontiguousarray(weights, np.float32), black=0.0, white=1.0)


def masked(info: VideoInfo, weights: np.ndarray | None = None, *, index: int = 0, seed: int = 0) -> MaskedFrame:
    """Return a random frame with a mask; a soft disc by default."""
    return MaskedFrame(noise_frame(info, index, seed), as_mask(soft_disc(info.size) if weights is None else weights))


class Brighten(Method):
    """Adds the window's number to every colour, so that tests can tell which frame a key came from."""

    working_size = Size(16, 16)

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        count = 0 if state is None else state
        offset = 0.01 * count
        transform = AffineField.from_matrix(np.eye(3, dtype=np.float32)[None], np.full((1, 3), offset, np.float32))
        return Prediction((composite + offset).clip(0, 1), transform, count + 1)


class Shade(Method):
    """Darkens towards the right, and gives pixels only."""

    fitted = "field"

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        gain = np.linspace(1, 0.5, composite.shape[-1], dtype=np.float32)
        return Prediction(composite * gain)
