"""Pictures of a clip for the page: exact ones of any frame, and small ones of all frames on disk.

A picture is upright, display-referred and has 8 bits. Video cannot be read from the middle (every frame needs those
before it), so a proxy is made once: one small JPEG for each frame, which is read in a few milliseconds.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.color.spaces import code_to_rgb
from chromacord.errors import ChromacordError, InputError
from chromacord.io import open_source
from chromacord.io.convert import PlaneConverter
from chromacord.io.memory import return_freed_memory
from chromacord.io.orientation import Orientation
from chromacord.io.pixels import frame_bytes
from chromacord.job.clip import MaskedClip, open_clip
from chromacord.masks.masks import Mask, MaskedFrame, shown_size
from chromacord.masks.proxy import proxy
from chromacord.types import Alpha, Frame, PixelFormat, Progress, Size, VideoInfo
from chromacord.ui.session import Session

Codes = npt.NDArray[np.uint8]

KINDS = ("picture", "mask", "layer")
"""Pictures of a frame: the composite, its mask, and the foreground if it is a separate layer."""

_BAND = 64
"""Rows converted at once: whole pictures of floats would take 300 MB at 4K."""

_LARGE = 10_000_000
"""Bytes of a frame at 4K and more."""

_IDLE = 1.0
"""Seconds after which the decoders of a large clip are closed; each holds 100 MB."""

_QUALITY = 92
_WIDEST = ((1500, 1280), (6000, 960), (2**31, 640))
"""Width of proxies by the largest number of frames: about 300 MB in all."""


class FramePictures(NamedTuple):
    """The pictures of one frame."""

    picture: Codes
    """R'G'B'. Shape (height, width, 3)."""

    mask: Codes
    """Weight of the foreground, 255 for 1. Shape (height, width)."""

    layer: Codes | None = None
    """R'G'B' of the foreground layer. Shape (height, width, 3)."""


def open_session(session: Session) -> MaskedClip:
    """Open the clip of a session.

    Raises:
        ChromacordError: a file cannot be read, or they do not form a clip.
    """
    names = ("composite", "mask", "foreground", "alpha", "background")
    paths = {name: Path(session.clip[name]) if name in session.clip else None for name in names}
    clip, _ = open_clip(paths, session.how)
    return clip


class SupersededError(ChromacordError):
    """A frame is not wanted any more."""


class FrameReader:
    """Reads exact pictures of a clip's frames. The next frame is read without those before it."""

    def __init__(self, session: Session) -> None:
        """Open the clip.

        Raises:
            ChromacordError: see `open_session`.
        """
        self.clip = open_session(session)
        self.info = self.clip.info
        self._lock = threading.Lock()
        self._frames: Iterator[MaskedFrame] | None = None
        self._next = self._wanted = 0
        self._timer: threading.Timer | None = None
        self._last: tuple[int, FramePictures] | None = None

    def read(self, index: int) -> FramePictures:
        """Return the pictures of a frame.

        Raises:
            SupersededError: another frame was asked for in the meantime; decoding up to this one would delay it.
            InputError: the clip has no such frame.
            ChromacordError: the clip cannot be read.
        """
        # Set before the lock: a reader that is decoding towards an older frame sees it, and gives up.
        self._wanted = index
        with self._lock:
            if self._last is not None and self._last[0] == index:
                return self._last[1]
            self._last = None
            masked = self._masked(index)
            pictures = exact_pictures(masked, self.clip)
            self._last = (index, pictures)
            if self.is_large:
                self._release_later()
            return pictures

    @property
    def is_large(self) -> bool:
        """Whether a frame takes so much memory, 4K or more, that decoders are closed when nobody waits for frames."""
        return frame_bytes(self.info.size, self.info.pixel_format) >= _LARGE

    def _release_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(_IDLE, self._release_now)
        self._timer.daemon = True
        self._timer.start()

    def _release_now(self) -> None:
        with self._lock:
            self.release()
        return_freed_memory()

    def _masked(self, index: int) -> MaskedFrame:
        if self._frames is None or index < self._next:
            self.release()
            self._frames = iter(self.clip.frames())
        for masked in self._frames:
            self._next = masked.frame.index + 1
            if masked.frame.index == index:
                return masked
            if self._wanted != index:
                raise SupersededError("another frame was asked for")
        self.release()
        raise InputError(f"{self.info.path}: has no frame {index}")

    def release(self) -> None:
        """Close the files and forget the last pictures."""
        frames, self._frames, self._next, self._last = self._frames, None, 0, None
        if frames is not None:
            with suppress(ValueError):
                frames.close()  # type: ignore[attr-defined]


def exact_pictures(masked: MaskedFrame, clip: MaskedClip) -> FramePictures:
    """Return the pictures of a frame in the clip's size."""
    orientation = Orientation.of(clip.info)

    def turn(codes: Codes) -> Codes:
        return np.ascontiguousarray(orientation.apply(codes), np.uint8)

    layer = None
    if masked.foreground is not None and clip.foreground is not None:
        layer = turn(_rgb(masked.foreground, clip.foreground))
    return FramePictures(turn(_rgb(masked.frame, clip.info)), turn(_weights(masked.mask)), layer)


def _rgb(frame: Frame, info: VideoInfo) -> Codes:
    """Return R'G'B' as codes. Shape (height, width, 3)."""
    height, width = frame.planes[0].shape
    out = np.empty((height, width, 3), np.uint8)
    convert = PlaneConverter(info, PixelFormat("rgb", 8), scene_linear=False)
    for top in range(0, height, _BAND):
        bottom = min(top + _BAND, height)
        if info.space is None:
            for channel, band in enumerate(convert.band(frame.planes, slice(top, bottom))[:3]):
                out[top:bottom, :, channel] = band
            continue
        planes = tuple(plane[_rows(plane, top, height) : _rows(plane, bottom, height)] for plane in frame.planes)
        rgb = proxy(Frame(planes, frame.index), info, Size(bottom - top, width))
        out[top:bottom] = np.rint(rgb * 255)
    return out


def _rows(plane: npt.NDArray[np.generic], row: int, height: int) -> int:
    """Return the row of a plane, maybe a subsampled one, that belongs to a row of the picture."""
    # Rounded up, as a subsampled plane of an odd height holds half a row more.
    return -(-row * len(plane) // height)


def _weights(mask: Mask) -> Codes:
    """Return a mask's weights as codes, in bands of rows. Shape (height, width)."""
    out = np.empty(mask.plane.shape, np.uint8)
    for top in range(0, len(out), _BAND):
        part = mask.plane[top : top + _BAND].astype(np.float32)
        share = (part - np.float32(mask.black)) * np.float32(255 / (mask.white - mask.black))
        out[top : top + _BAND] = np.rint(np.clip(share, 0, 255))
    return out


def first_picture(path: str) -> Codes:
    """Return the first frame of a clip that may have no mask, upright. Shape (height, width, 3).

    Raises:
        ChromacordError: the clip cannot be read or holds no frame.
    """
    source = open_source(path)
    with closing(source.frames(0, 1)) as frames:
        for frame in frames:
            return np.ascontiguousarray(Orientation.of(source.info).apply(_rgb(frame, source.info)), np.uint8)
    raise InputError(f"{path}: has no frames; check the file with a player")


def encoded(codes: Codes) -> tuple[bytes, str]:
    """Return a small picture as a file, and its type: JPEG without subsampling for colours, PNG for masks."""
    if codes.ndim == 2:
        return cv2.imencode(".png", codes, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes(), "image/png"
    settings = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    settings += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", codes[..., ::-1], settings)[1].tobytes(), "image/jpeg"


@dataclass(frozen=True)
class ProxyFolder:
    """The proxies of a clip on disk."""

    path: Path

    def file(self, index: int, kind: str) -> Path:
        """Return the path of one picture, which may not be there yet."""
        return self.path / f"{index:07d}.{kind}{'.png' if kind == 'mask' else '.jpg'}"

    def make(self, clip: MaskedClip, progress: Callable[[int], object]) -> int:
        """Make the proxies of all frames; return their number.

        Args:
            clip: the clip.
            progress: called with the number of frames that are there.

        Raises:
            ChromacordError: the clip cannot be read.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        size = proxy_size(clip.info)
        count = 0
        for masked in clip.frames():
            for kind, codes in zip(KINDS, _small_pictures(masked, clip, size), strict=True):
                if codes is not None:
                    self._write(self.file(masked.frame.index, kind), encoded(codes)[0])
            count += 1
            progress(count)
        return count

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        """Write a file so that readers see it whole or not at all."""
        hidden = path.with_name(f".{path.name}")
        hidden.write_bytes(content)
        hidden.rename(path)


def proxy_size(info: VideoInfo) -> Size:
    """Return the size of a clip's proxies, upright."""
    upright = shown_size(info)
    width = next(width for frames, width in _WIDEST if (info.num_frames or 0) <= frames)
    scale = min(1.0, width / upright.width)
    return Size(*(max(1, round(length * scale)) for length in upright))


def _small_pictures(masked: MaskedFrame, clip: MaskedClip, size: Size) -> FramePictures:
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

    Common video stays in integers, which takes a third of the time, and is off by a code at most.
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
