"""Small clips for tests, made with PyAV alone: a fault in chromacord's own writer cannot hide one in its reader.

The picture is a bright disc that moves to the right over a gradient, written as code values of each plane: what the
file holds is known to the last bit, without any colour conversion.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from chromacord.types import Colorimetry, Size

BT709 = Colorimetry(primaries=1, transfer=1, matrix=1, full_range=False)
BT601 = Colorimetry(primaries=6, transfer=6, matrix=6, full_range=False)
BT2020 = Colorimetry(primaries=9, transfer=14, matrix=9, full_range=False)
UNTAGGED = Colorimetry()

SMALL = Size(64, 96)
DNXHR_SMALLEST = Size(128, 256)
"""The DNxHR encoder takes no smaller pictures."""

Array = npt.NDArray[np.generic]


def picture(pix_fmt: str, index: int = 0, *, size: Size = SMALL) -> list[Array]:
    """Make frame `index` as planes of a planar little-endian ffmpeg format, in the order of its components.

    Returns:
        Y U V [A], R G B [A] or Y: uint8 or uint16, each of its component's size. Values stay in the legal range of
        limited-range video, so that both ranges can carry them.
    """
    planes = []
    for component in av.VideoFormat(pix_fmt, size.width, size.height).components:
        rows = np.linspace(0, 1, component.height)[:, None]
        columns = np.linspace(0, 1, component.width)[None, :]
        distance = np.hypot((columns - 0.2 - 0.05 * index) * size.width / size.height, rows - 0.5)
        disc = np.clip((0.3 - distance) * 12, 0, 1)
        if component.is_alpha:
            values = disc
        elif component.is_chroma:
            values = 0.25 + 0.2 * rows + 0.15 * columns + 0.2 * disc
        else:
            values = 0.15 + 0.3 * columns + 0.1 * rows + 0.3 * disc
        dtype = np.uint8 if component.bits == 8 else np.uint16
        planes.append(np.round(values * ((1 << component.bits) - 1)).astype(dtype))
    return planes


def to_frame(pix_fmt: str, planes: Sequence[Array]) -> av.VideoFrame:
    """Put planes, in the order of the format's components, into a frame of a planar format."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pix_fmt)
    for component, values in zip(av.VideoFormat(pix_fmt, width, height).components, planes, strict=True):
        plane = frame.planes[component.plane]
        rows = np.frombuffer(plane, dtype=values.dtype).reshape(plane.height, -1)
        rows[:, : plane.width] = values
    return frame


def tag(target: av.VideoFrame | av.VideoCodecContext, colorimetry: Colorimetry) -> None:
    """Set the four colour tags of a frame or of an encoder."""
    target.color_primaries = colorimetry.primaries
    target.color_trc = colorimetry.transfer
    target.colorspace = colorimetry.matrix
    target.color_range = {None: 0, False: 1, True: 2}[colorimetry.full_range]


def make_clip(
    path: Path,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: Size = SMALL,
    num_frames: int = 8,
    rate: Fraction | int = 25,
    time_base: Fraction | None = None,
    pts: Sequence[int] | None = None,
    colorimetry: Colorimetry = BT709,
    rotation: int = 0,
    mirrored: bool = False,
    matrix: Sequence[int] | None = None,
    pixel_aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    audio: str | None = None,
    timecode: str | None = None,
    metadata: dict[str, str] | None = None,
    frames: Sequence[Sequence[Array]] | None = None,
    clock: int | None = None,
) -> Path:
    """Write a clip of the moving disc.

    Args:
        path: its ending chooses the container.
        codec: ffmpeg's name of the encoder.
        pix_fmt: a planar little-endian format that the encoder takes.
        size: of the picture.
        num_frames: how many frames; ignored where `frames` or `pts` say it.
        rate: frames a second.
        time_base: of `pts`; default: one tick a frame.
        pts: one tick count for each frame, for a variable rate; default: 0, 1, 2, ...
        colorimetry: the tags of the stream.
        rotation: degrees counter-clockwise, into the display matrix.
        mirrored: left and right are exchanged after the turn.
        matrix: the display matrix itself.
        pixel_aspect: width of a pixel by its height.
        options: of the encoder.
        audio: encoder of a tone of the clip's length ("aac", "pcm_s16le", "libopus"); default: no sound.
        timecode: of the first frame ("01:02:03:04").
        metadata: of the container.
        frames: the planes of each frame instead of the disc.
        clock: ticks a second of an MP4 or QuickTime track; default: the muxer's choice.

    Returns:
        `path`.
    """
    rate = Fraction(rate)
    pictures = frames or [picture(pix_fmt, index, size=size) for index in range(len(pts) if pts else num_frames)]
    ticks = list(pts) if pts is not None else list(range(len(pictures)))
    time_base = time_base or 1 / rate
    container_options = {"video_track_timescale": str(clock)} if clock else {}
    if path.suffix == ".y4m":
        container_options["strict"] = "unofficial"  # of more than 8 bits
    with av.open(str(path), "w", container_options=container_options) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, options={**_fast(codec), **(options or {})})
        stream.width, stream.height, stream.pix_fmt = size.width, size.height, pix_fmt
        stream.codec_context.time_base = time_base
        tag(stream.codec_context, colorimetry)
        if pixel_aspect:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        if matrix:
            stream.set_display_matrix(matrix)
        if timecode:
            stream.metadata["timecode"] = timecode
        sound = container.add_stream(audio, rate=48000) if audio else None
        for planes, tick in zip(pictures, ticks, strict=True):
            frame = to_frame(pix_fmt, planes)
            tag(frame, colorimetry)
            frame.pts, frame.time_base = tick, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            last = Fraction(ticks[-1]) * time_base + 1 / rate
            _write_tone(container, sound, seconds=last)
    return path


def make_audio(path: Path, *, codec: str = "aac", seconds: Fraction = Fraction(1)) -> Path:
    """Write a file that holds a tone and no picture."""
    with av.open(str(path), "w") as container:
        _write_tone(container, container.add_stream(codec, rate=48000), seconds=seconds)
    return path


def _fast(codec: str) -> dict[str, str]:
    """Return options that make a slow encoder quick enough for tests."""
    return {
        "libx264": {"preset": "ultrafast"},
        "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:bframes=0"},
        "libsvtav1": {"preset": "12"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    }.get(codec, {})


def _write_tone(
    container: av.container.OutputContainer, stream: av.audio.stream.AudioStream, *, seconds: Fraction
) -> None:
    """Encode 440 Hz in both channels."""
    count = round(seconds * 48000)
    stream.codec_context.open(strict=False)
    step = stream.codec_context.frame_size or 1024
    for start in range(0, count, step):
        time = np.arange(start, min(start + step, count)) / 48000
        tone = np.tile(0.2 * np.sin(2 * np.pi * 440 * time), (2, 1)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
