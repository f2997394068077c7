"""Write before and after side by side."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from chromacord.io import Encoding, FrameSink, open_sink
from chromacord.io.orientation import Orientation
from chromacord.io.stills.image_formats import is_image_name
from chromacord.masks.masks import shown_size
from chromacord.masks.proxy import proxy
from chromacord.types import Alpha, Colorimetry, Frame, HdrMetadata, PixelFormat, Size, VideoInfo

MAX_WIDTH = 1920
"""Maximum width of each half: enough to judge colours, and twice this is within the limits of H.264 decoders."""


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
        halves = np.concatenate([self._upright(before), self._upright(after)], axis=1)
        self.sink.write(Frame(tuple(cv2.split(halves)), before.index, before.pts, before.duration))

    def _upright(self, frame: Frame) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        orientation = Orientation.of(self._info)
        size = Size(self._half.width, self._half.height) if orientation.rotation % 180 else self._half
        codes = np.rint(proxy(frame, self._info, size) * 255).astype(np.uint8)
        return np.ascontiguousarray(orientation.apply(codes))
