"""Sample a clip for analysis: a few small frames per second, and shot boundaries."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from chromacord.analysis.cuts import split_at
from chromacord.analysis.shots import split_shots
from chromacord.grade.keys import Consistency
from chromacord.io.orientation import Orientation
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.masks.packed_masks import PackedMask
from chromacord.masks.proxy import proxy, thumbnail
from chromacord.methods.base import Method
from chromacord.types import FloatArray, Frame, Size, VideoInfo

ANALYSIS_RATE = 6
"""Analysed frames per second: HYouTube's rate, on which methods are trained."""

UPRIGHT = Orientation()

ANY_SIZE = 160
"""Longer side of the proxy for methods that accept any size: colour statistics need no more."""


@dataclass(frozen=True)
class Observation:
    """One analysed frame as methods see it."""

    index: int
    shot: int
    composite: FloatArray
    """RGB in [0, 1], upright. Shape (3, H, W)."""

    mask: FloatArray
    """Foreground weight. Shape (1, H, W)."""

    weight: float
    """Foreground share of the picture."""

    orientation: Orientation = UPRIGHT
    """Orientation of the stored frame, to which spatially varying transforms must be turned back."""


@dataclass(frozen=True)
class Seen:
    """What analysis keeps of a frame: little, because many frames wait."""

    index: int
    shot: int
    is_empty: bool
    is_full: bool
    observation: Observation | None
    """None: the method does not see this frame."""

    mask: PackedMask


class _Waiting(NamedTuple):
    """A frame that may still turn out to begin a shot. Its full-size picture is not kept."""

    frame: Frame
    mask: PackedMask


def observe(
    frames: Iterable[MaskedFrame],
    info: VideoInfo,
    method: Method,
    *,
    consistency: Consistency,
    cuts: Sequence[int] | None = None,
    measure: Callable[[Frame, PackedMask, int], object] | None = None,
) -> Iterator[Seen]:
    """Detect shots, and sample frames for the method: one frame per step, or the next with a usable mask.

    Args:
        frames: all frames in order; few are held, until any cut between them is known.
        info: properties of the composite.
        method: the method that will decide.
        consistency: "frame" samples every frame.
        cuts: first frames of all shots but the first; None: detect them.
        measure: is given each frame, its mask and its shot's number, in order.
    """
    size, orientation = working_size(method, info), Orientation.of(info)
    step = 1 if consistency == "frame" else step_between_keys(info.rate)
    due, last_shot = 0, -1

    def wait(masked: MaskedFrame) -> _Waiting:
        return _Waiting(masked.frame, PackedMask.pack(masked.mask))

    def see(item: tuple[_Waiting, int]) -> Seen:
        nonlocal due, last_shot
        (frame, mask), shot = item
        if shot != last_shot:
            # Each shot begins with an analysed frame, since no key of another shot may be used for it.
            due, last_shot = frame.index, shot
        if measure is not None:
            measure(frame, mask, shot)
        observation = None
        if mask.is_usable and frame.index >= due:
            # Counted from this frame rather than from the last due one: after a gap in the mask, samples would
            # otherwise follow each other closely until they had caught up.
            due = frame.index + step
            rgb, weights = _proxies(frame, mask.unpack(), info, size)
            # Methods learned from upright pictures; a clip stored sideways would get another grade.
            rgb, weights = (np.ascontiguousarray(turned_upright(each, orientation)) for each in (rgb, weights))
            observation = Observation(frame.index, shot, rgb, weights, float(weights.mean()), orientation)
        return Seen(frame.index, shot, mask.box is None, mask.is_full, observation, mask)

    # `map` keeps no reference to a frame while the next one is read.
    waiting = map(wait, frames)
    if cuts is not None:
        yield from map(see, split_at(waiting, cuts, number=lambda item: item.frame.index))
        return
    yield from map(see, split_shots(waiting, lambda item: thumbnail(item.frame, info, width=72)))


def _proxies(frame: Frame, mask: Mask, info: VideoInfo, size: Size) -> tuple[FloatArray, FloatArray]:
    """Return a reduced frame and its mask. Shape (3, H, W), (1, H, W)."""
    return np.ascontiguousarray(proxy(frame, info, size).transpose(2, 0, 1)), mask.scaled(size)[None]


def step_between_keys(rate: Fraction) -> int:
    """Return the number of frames from one analysed frame to the next.

    Args:
        rate: frames per second.
    """
    return max(1, round(rate / ANALYSIS_RATE))


def turned_upright(picture: FloatArray, orientation: Orientation) -> FloatArray:
    """Rotate a picture as players show it. Shape (..., H, W), swapped by a quarter turn."""
    turned = np.rot90(picture, orientation.rotation // 90, (-2, -1))
    return turned[..., ::-1] if orientation.mirrored else turned


def turned_as_stored(picture: FloatArray, orientation: Orientation) -> FloatArray:
    """Undo `turned_upright`. Shape (..., H, W), swapped by a quarter turn."""
    unmirrored = picture[..., ::-1] if orientation.mirrored else picture
    return np.rot90(unmirrored, -orientation.rotation // 90, (-2, -1))


def working_size(method: Method, info: VideoInfo) -> Size:
    """Return the proxies' size before rotation: the method's, or one with the picture's aspect ratio."""
    if method.working_size is not None:
        own = method.working_size
        # Frames are reduced as stored and turned upright afterwards, so a quarter turn swaps the sides.
        return Size(own.width, own.height) if info.rotation % 180 else own
    scale = min(1.0, ANY_SIZE / max(info.size))
    return Size(max(1, round(info.size.height * scale)), max(1, round(info.size.width * scale)))
