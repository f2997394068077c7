"""Write before and after side by side, or show them."""

from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from chromacord.color.management.clip_space import settle
from chromacord.errors import ChromacordError
from chromacord.io import Encoding, FrameSink, open_sink, open_source
from chromacord.io.orientation import Orientation
from chromacord.io.stills.image_formats import is_image_name
from chromacord.job.clip import MaskedClip
from chromacord.job.options import Options
from chromacord.masks.masks import shown_size
from chromacord.masks.proxy import proxy
from chromacord.types import Alpha, Colorimetry, Frame, HdrMetadata, PixelFormat, Size, VideoInfo

MAX_WIDTH = 1920
"""Maximum width of each half: enough to judge colours, and twice this is within the limits of H.264 decoders."""

LOOK_WIDTH = 640
"""Maximum width of each half in a notebook."""


class Preview:
    """Writes before and after side by side: all frames to a video, or the most telling frame to a picture."""

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        *,
        picture_of: int | None,
        trimmed: bool,
        force: bool,
        inputs: tuple[Path, ...] = (),
    ) -> None:
        """Open the output.

        Args:
            path: a video file, or a picture by its suffix.
            info: properties of the composite.
            picture_of: index of the frame to show in a picture.
            trimmed: whether the run covers only a part of the clip.
            force: overwrite an existing file.
            inputs: input paths of the run, which must not be overwritten.
        """
        self._info = info
        is_picture = is_image_name(path.name)
        self._only = picture_of if is_picture else None
        upright = shown_size(info)
        scale = min(1.0, MAX_WIDTH / upright.width)
        # Even sides, which 4:2:0 needs.
        self._half = Size(*(max(2, round(length * scale / 2) * 2) for length in upright))
        described = replace(
            info,
            size=Size(self._half.height, 2 * self._half.width),
            pixel_format=PixelFormat("rgb", 8, alpha=Alpha.NONE),
            colorimetry=Colorimetry(1, 1, 0, full_range=True),
            codec="rawvideo",
            container="still" if is_picture else "frames",
            rotation=0,
            mirrored=False,
            display_shift=(0, 0),
            pixel_aspect=Fraction(1) if info.rotation % 180 else info.pixel_aspect,
            hdr_metadata=HdrMetadata(),
            # The preview is SDR video; only a profile of display colours still describes it.
            icc_profile=None if info.colorimetry.scene_linear else info.icc_profile,
            num_frames=1 if is_picture else info.num_frames,
        )
        encoding = Encoding() if is_picture else Encoding("h264", 20, "veryfast")
        self.sink: FrameSink = open_sink(
            path, described, encoding=encoding, force=force, copy_streams=False, trimmed=trimmed, inputs=inputs
        )

    def write(self, before: Frame, after: Frame) -> None:
        """Add a frame if it is to be shown."""
        if self._only is not None and before.index != self._only:
            return
        halves = np.concatenate([upright(each, self._info, self._half) for each in (before, after)], axis=1)
        self.sink.write(Frame(tuple(cv2.split(halves)), before.index, before.pts, before.duration))


def upright(frame: Frame, info: VideoInfo, size: Size) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a frame as players show it, as SDR video in codes. Shape (*size, 3)."""
    orientation = Orientation.of(info)
    stored = Size(size.width, size.height) if orientation.rotation % 180 else size
    codes = np.rint(proxy(frame, info, stored) * 255).astype(np.uint8)
    return np.ascontiguousarray(orientation.apply(codes))


def look(clip: MaskedClip, output: Path, options: Options) -> bytes | None:
    """Return before and after of the first frame with a foreground, side by side as PNG.

    Args:
        clip: the source.
        output: the written clip.
        options: the run's range and colour spaces.

    Returns:
        PNG of at most `LOOK_WIDTH` pixels a half; None if a file is gone or has changed.
    """
    start, stop = options.range
    try:
        result = open_source(output)
        info, _ = settle(result.info, options.spaces)
        full = shown_size(clip.info)
        scale = min(1.0, LOOK_WIDTH / full.width)
        size = Size(*(max(1, round(length * scale)) for length in full))
        masked = next((each for each in clip.frames(start, stop) if each.mask.is_usable), None)
        if masked is None:
            return None
        before, number = upright(masked.frame, clip.info, size), masked.frame.index - start
        with closing(result.frames(number, number + 1)) as frames_after:
            after = upright(next(frames_after), info, size)
    except (ChromacordError, StopIteration):
        return None
    return bytes(cv2.imencode(".png", np.concatenate([before, after], axis=1)[..., ::-1])[1])
