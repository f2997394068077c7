"""Resolve user-given cuts against one clip."""

import warnings
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from chromacord.analysis.cuts import Cut, Cuts, GivenCuts, beyond, edl_file, given_numbers
from chromacord.errors import ChromacordWarning, InputError
from chromacord.io.edl import Edl, read_edl
from chromacord.io.timecode import advance, can_drop, frame_of, is_drop, is_timecode
from chromacord.types import VideoInfo


def read_cuts(cuts: Cuts | None, info: VideoInfo) -> GivenCuts | None:
    """Return the cuts of a clip; None if they are to be detected.

    Args:
        cuts: as the user gave them.
        info: properties of the composite.

    Raises:
        InputError: numbers do not increase or lie beyond the clip, or a list cannot be read or belongs to another clip.
    """
    if cuts is None:
        return None
    file = edl_file(cuts)
    if file is not None:
        return GivenCuts(_of_edl(file, info), file)
    assert not isinstance(cuts, PathLike)
    frames = given_numbers(cuts) or ()
    for frame in frames:
        if info.num_frames is not None and frame >= info.num_frames:
            raise beyond(frame, info.path, info.num_frames, first_number=info.first_number)
    return GivenCuts(frames)


def named_cuts(info: VideoInfo, frames: Iterable[int]) -> tuple[Cut, ...]:
    """Add timecodes and file numbers to cuts.

    Args:
        info: properties of the composite.
        frames: counted from 0.
    """
    first = info.timecode if info.timecode is not None and is_timecode(info.timecode) else "00:00:00:00"
    begin = info.first_number
    return tuple(
        Cut(frame, advance(first, frame, rate=info.rate), begin + frame if begin else None) for frame in frames
    )


def _of_edl(path: Path, info: VideoInfo) -> tuple[int, ...]:
    edl = read_edl(path, rate=info.rate)
    zero, is_placed = _first_frame(path, edl, info)
    frames = [(start - zero, line) for start, line in edl.shots]
    for frame, line in frames:
        # A list that is placed by timecode may cover a whole reel, so events outside the clip are other shots.
        # Without timecode they mean that the list is of something else.
        if not is_placed and info.num_frames is not None and frame >= info.num_frames:
            raise InputError(
                f"{path} line {line}: begins a shot at frame {frame}, counted from the list's first; the clip "
                f"{info.path} has {info.num_frames}; check that the list is for this clip and "
                f"this rate ({float(info.rate):.5g})"
            )
    inside = (frame for frame, _ in frames if frame > 0 and (info.num_frames is None or frame < info.num_frames))
    return tuple(inside)


def _first_frame(path: Path, edl: Edl, info: VideoInfo) -> tuple[int, bool]:
    """Return the record time of the clip's first frame, and whether it is the clip's own timecode."""
    if info.timecode is None or not is_timecode(info.timecode):
        return edl.start, False
    drop = is_drop(info.timecode) and can_drop(info.rate)
    try:
        own = frame_of(info.timecode, rate=info.rate, drop=drop)
    except ValueError:
        # Lies in no list, so the warning below is given.
        own = -1
    if edl.start <= own < edl.stop:
        return own, True
    warnings.warn(
        ChromacordWarning(
            f"{path}: the clip's timecode {info.timecode} lies outside the record times, so the list's first event is "
            f"taken to begin with the clip {info.path}"
        ),
        stacklevel=2,
    )
    return edl.start, False
