"""Small pictures of all frames of a clip, made once: they load in milliseconds, but video decodes from a key frame."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from chromacord.color.spaces import code_to_rgb
from chromacord.io.orientation import Orientation
from chromacord.job.clip import MaskedClip
from chromacord.masks.masks import MaskedFrame, shown_size
from chromacord.masks.proxy import proxy
from chromacord.types import Alpha, Frame, Progress, Size, VideoInfo
from chromacord.ui.packets import small_packet
from chromacord.ui.shown_frames import Codes, FramePictures

_WIDEST = ((6000, 960), (2**31, 640))
"""Width of proxies by the largest number of frames: about 300 MB in all."""


@dataclass(frozen=True)
class ProxyFolder:
    """The proxies of a clip on disk."""

    path: Path

    def file(self, index: int) -> Path:
        """Return the path of a frame's pictures, which may not exist yet."""
        return self.path / f"{index:07d}.frame"

    def make(self, clip: MaskedClip, progress: Callable[[int], object]) -> int:
        """Make the proxies of all frames; return their number.

        Args:
            clip: the clip.
            progress: called with the number of finished frames.

        Raises:
            ChromacordError: the clip cannot be read.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        size = proxy_size(clip.info)
        count = 0
        for masked in clip.frames():
            self._write(self.file(masked.frame.index), small_packet(small_pictures(masked, clip, size)))
            count += 1
            progress(count)
        return count

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        """Write a file so that readers see it complete or not at all."""
        hidden = path.with_name(f".{path.name}")
        hidden.write_bytes(content)
        hidden.rename(path)


def proxy_size(info: VideoInfo) -> Size:
    """Return the size of a clip's proxies, upright."""
    upright = shown_size(info)
    width = next(width for frames, width in _WIDEST if (info.num_frames or 0) <= frames)
    scale = min(1.0, width / upright.width)
    return Size(*(max(1, round(length * scale)) for length in upright))


def small_pictures(masked: MaskedFrame, clip: MaskedClip, size: Size) -> FramePictures:
    """Return the pictures of a frame at the size of proxies.

    Args:
        masked: the frame.
        clip: its clip.
        size: height and width, upright.
    """
    orientation = Orientation.of(clip.info)
    stored = Size(size.width, size.height) if orientation.rotation % 180 else size

    def upright(codes: Codes) -> Codes:
        return np.ascontiguousarray(orientation.apply(codes), np.uint8)

    layer = None
    if masked.foreground is not None and clip.foreground is not None:
        layer = upright(_small(masked.foreground, clip.foreground, stored))
    mask = np.rint(masked.mask.scaled(stored) * 255).astype(np.uint8)
    return FramePictures(upright(_small(masked.frame, clip.info, stored)), upright(mask), layer)


def _small(frame: Frame, info: VideoInfo, size: Size) -> Codes:
    """Return a reduced picture. Shape (height, width, 3).

    Common video is converted in integers, which takes a third of the time and differs by one code at most.
    """
    if not _is_plain(info):
        return np.rint(proxy(frame, info, size) * 255).astype(np.uint8)
    shape = (size.width, size.height)
    planes = []
    for plane in frame.planes[: info.pixel_format.num_colors]:
        shrinks = plane.shape[0] >= size.height
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        planes.append(
            plane if plane.shape == size else cv2.resize(np.ascontiguousarray(plane), shape, interpolation=how)
        )
    decode = code_to_rgb(info.colorimetry, info.size, info.pixel_format)
    matrix = 255 * np.column_stack([decode.matrix, decode.offset])
    small: Codes = cv2.transform(cv2.merge(planes if len(planes) == 3 else planes * 3), matrix.astype(np.float32))
    return small


def _is_plain(info: VideoInfo) -> bool:
    """Whether a picture is 8-bit SDR video with straight colours."""
    form = info.pixel_format
    is_sdr = info.space is None and not info.colorimetry.scene_linear
    return is_sdr and form.dtype == np.uint8 and not form.is_float and form.alpha is not Alpha.PREMULTIPLIED


def as_progress(done: int, total: int | None, seconds: float) -> Progress:
    """Return the progress of proxies."""
    return Progress("proxy", done, total, done / max(seconds, 1e-6))
