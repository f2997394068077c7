"""Read any frame of a clip for the page: upright, display-referred, 8 bits."""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from chromacord.errors import InputError
from chromacord.io import open_source
from chromacord.io.convert import PlaneConverter
from chromacord.io.interfaces import check_wanted, reading_while
from chromacord.io.memory import return_freed_memory
from chromacord.io.orientation import Orientation
from chromacord.io.pixels import frame_bytes
from chromacord.job.clip import MaskedClip, open_clip
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.masks.proxy import proxy
from chromacord.types import Frame, PixelFormat, Size, VideoInfo
from chromacord.ui.session import Session

Codes = npt.NDArray[np.uint8]

_BAND = 64
"""Rows converted at once: whole pictures of floats would take 300 MB at 4K."""

_LARGE = 10_000_000
"""Bytes of a frame at 4K and more."""

_IDLE = 1.0
"""Seconds after which the decoders of a large clip are closed; each holds 100 MB."""

_NEAR = 12
"""Maximum distance in frames to reach by decoding on, instead of opening the files again."""


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


class FrameReader:
    """Reads frames of a clip: by decoding on if the frame is a little ahead, otherwise from the key frame before it."""

    def __init__(self, session: Session) -> None:
        """Open the clip.

        Raises:
            ChromacordError: see `open_session`.
        """
        self.clip = open_session(session)
        self.info = self.clip.info
        self._lock = threading.Lock()
        self._frames: Iterator[MaskedFrame] | None = None
        self._next = 0
        self._timer: threading.Timer | None = None
        self._last: MaskedFrame | None = None

    def read(self, index: int, is_wanted: Callable[[], bool] = lambda: True) -> MaskedFrame:
        """Return a frame with its mask.

        Args:
            index: number of the frame.
            is_wanted: called for each decoded frame; false once the page needs another frame.

        Raises:
            SupersededError: the frame is no longer needed.
            ChromacordError: the frame cannot be read.
        """
        with self._lock:
            if self._last is None or self._last.frame.index != index:
                self._last = None
                self._last = self._found(index, is_wanted)
            if self.is_large:
                self._release_later()
            return self._last

    @property
    def is_large(self) -> bool:
        """Whether frames are so large (4K or more) that idle decoders are closed to save memory."""
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

    def _found(self, index: int, is_wanted: Callable[[], bool]) -> MaskedFrame:
        with reading_while(is_wanted), ExitStack() as stack:
            check_wanted()
            # A source that failed or was cancelled returns no more frames, so open it again next time.
            stack.callback(self.release)
            if self._frames is None or not self._next <= index < self._next + _NEAR:
                self.release()
                self._frames, self._next = iter(self.clip.frames(index)), index
            for masked in self._frames:
                self._next = masked.frame.index + 1
                if masked.frame.index == index:
                    stack.pop_all()
                    return masked
                check_wanted()
            raise InputError(f"{self.info.path}: has no frame {index}")

    def release(self) -> None:
        """Close the files and forget the last frame."""
        frames, self._frames, self._next, self._last = self._frames, None, 0, None
        if frames is not None:
            with suppress(ValueError):
                frames.close()  # type: ignore[attr-defined]
            if self.is_large:
                # A cancelled decoder and its exception refer to each other, with all their pictures.
                gc.collect()
                return_freed_memory()


def exact_pictures(masked: MaskedFrame, clip: MaskedClip) -> FramePictures:
    """Return the pictures of a frame at the clip's size."""
    orientation = Orientation.of(clip.info)

    def turn(codes: Codes) -> Codes:
        return np.ascontiguousarray(orientation.apply(codes), np.uint8)

    layer = None
    if masked.foreground is not None and clip.foreground is not None:
        layer = turn(_rgb(masked.foreground, clip.foreground))
    return FramePictures(turn(_rgb(masked.frame, clip.info)), turn(weights(masked.mask)), layer)


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
    """Return the row of a possibly subsampled plane that belongs to a row of the picture."""
    # Round up: a subsampled plane of a picture with odd height has half a row more.
    return -(-row * len(plane) // height)


def weights(mask: Mask, dtype: type[np.generic] = np.uint8) -> npt.NDArray[Any]:
    """Return a mask's weights in bands of rows, as bytes or as half floats. Shape (height, width)."""
    out = np.empty(mask.plane.shape, dtype)
    white = 255 if dtype is np.uint8 else 1
    for top in range(0, len(out), _BAND):
        part = mask.plane[top : top + _BAND].astype(np.float32)
        share = np.clip((part - np.float32(mask.black)) * np.float32(white / (mask.white - mask.black)), 0, white)
        out[top : top + _BAND] = np.rint(share) if white == 255 else share
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
