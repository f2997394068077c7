"""Write the sample clips as a compositor would deliver them."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from chromacord.color.spaces import AffineMap, rgb_to_code
from chromacord.io import Encoding, FrameSink, open_sink
from chromacord.io.video.sound import write_sound
from chromacord.sample.scene import NUM_FRAMES, RATE, SIZE, as_filmed, sample_layers
from chromacord.types import Colorimetry, FloatArray, Frame, PixelFormat, Plane, Progress, VideoInfo

_PIXELS = PixelFormat("yuv", 8, subsampling=(1, 1))
_BT709 = Colorimetry(primaries=1, transfer=1, matrix=1, full_range=False)
_CHORD = (220.0, 277.183, 329.628, 440.0)
"""A major in equal temperament, in Hz."""


class SampleFiles(NamedTuple):
    """Paths of the sample: the composite with its mask, and the same as layers."""

    composite: Path
    mask: Path
    foreground: Path
    background: Path


def write_sample(
    folder: Path,
    *,
    num_frames: int = NUM_FRAMES,
    filmed: bool = False,
    force: bool = False,
    progress: Callable[[Progress], object] | None = None,
) -> SampleFiles:
    """Write the sample's clips: H.264, 1280x720, 25 frames per second, BT.709; the composite has sound.

    Args:
        folder: target folder; must exist.
        num_frames: length of the clips.
        filmed: the foreground before a green screen, the background with grain: something to finish.
        force: overwrite existing files.
        progress: called for every frame.

    Raises:
        MissingFileError: a photograph is missing or damaged.
        OutputError: a file exists, or cannot be written.
    """
    files = SampleFiles(*(folder / f"{name}.mp4" for name in SampleFiles._fields))
    sound = folder / "sound.m4a"
    write_sound(sound, make_chord(num_frames / RATE), force=force)
    to_code = rgb_to_code(_BT709, SIZE, _PIXELS)
    started = time.perf_counter()
    with ExitStack() as stack:
        sinks = [stack.enter_context(_open(path, sound, num_frames, force=force)) for path in files]
        for index, layers in enumerate(sample_layers(num_frames)):
            layers = as_filmed(layers, index) if filmed else layers
            matte = np.repeat(layers.alpha, 3, axis=2)
            pictures = (layers.composite, matte, layers.foreground, layers.background)
            for sink, picture in zip(sinks, pictures, strict=True):
                sink.write(Frame(to_planes(picture, to_code), index, pts=index, duration=1))
            if progress is not None:
                seconds = time.perf_counter() - started
                progress(Progress("sample", index + 1, num_frames, (index + 1) / seconds))
        for sink in sinks:
            sink.finish()
        for sink in sinks:
            sink.commit()
    sound.unlink()
    return files


def make_chord(seconds: Fraction, *, rate: int = 48000) -> FloatArray:
    """Synthesize a soft chord that swells and fades, with each tone panned to its own position.

    Returns:
        Samples in [-1, 1]. Shape (2, number of samples).
    """
    times = np.arange(round(seconds * rate), dtype=np.float64) / rate
    swell = np.sin(np.pi * times / float(seconds)) ** 0.5
    sound = np.zeros((2, len(times)))
    for number, frequency in enumerate(_CHORD):
        tone = np.sin(2 * np.pi * frequency * times) * (1 + 0.2 * np.sin(2 * np.pi * (0.7 + 0.2 * number) * times))
        right = number / (len(_CHORD) - 1)
        sound += 0.05 * np.stack([(1 - 0.7 * right) * tone, (0.3 + 0.7 * right) * tone])
    return (sound * swell).astype(np.float32)


def to_planes(picture: FloatArray, to_code: AffineMap) -> tuple[Plane, ...]:
    """Convert a picture to 8-bit 4:2:0 planes.

    Args:
        picture: R'G'B' in [0, 1]. Shape (H, W, 3), H and W even.
        to_code: from `rgb_to_code` for the file.
    """
    codes = picture @ to_code.matrix.T.astype(np.float32) + to_code.offset.astype(np.float32)
    height, width = codes.shape[:2]
    chroma = cv2.resize(codes[..., 1:], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    planes = (codes[..., 0], chroma[..., 0], chroma[..., 1])
    return tuple(np.rint(plane).astype(np.uint8) for plane in planes)


def _open(path: Path, sound: Path, num_frames: int, *, force: bool) -> FrameSink:
    with_sound = path.stem == "composite"
    info = VideoInfo(
        path=sound,
        size=SIZE,
        pixel_format=_PIXELS,
        colorimetry=_BT709,
        rate=RATE,
        time_base=1 / RATE,
        num_frames=num_frames,
        codec="h264",
        container="mov",
    )
    encoding = Encoding(codec="h264", crf=16, preset="veryfast")
    return open_sink(path, info, encoding=encoding, force=force, copy_streams=with_sound)
