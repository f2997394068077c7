"""Parse user-given cuts: frame numbers, an edit decision list, or "none".

Used by the command line to parse its options, so it loads no codec.
"""

import os
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from chromacord.errors import InputError, counted
from chromacord.parsing import shown

Item = TypeVar("Item")

Cuts = Sequence[int] | str | PathLike[str]
"""First frames of shots, counted from 0; the same as text ("24,48"); the path of an edit decision list; or "none"."""

CutSource = Literal["found", "given", "none", "grade"]
"""Origin of shot boundaries: the detector; the user; the user's statement that there is one shot; a grade file."""


class Cut(NamedTuple):
    """The first frame of a shot."""

    frame: int
    """Counted from 0."""

    timecode: str
    """Timecode of the frame, counted from the clip's start timecode, or from midnight without one."""

    file_number: int | None = None
    """File number, for sequences that do not start at 0."""


NONE = "none"
_NUMBERS = re.compile(r"\s*\d+\s*(,\s*\d+\s*)*")
_LARGEST = 10**9


@dataclass(frozen=True)
class GivenCuts:
    """Cuts given by the user."""

    frames: tuple[int, ...]
    """First frames of all shots but the first, counted from the start of the clip. Ascending."""

    file: Path | None = None
    """The list that the cuts were read from."""

    @property
    def source(self) -> CutSource:
        """Origin, as summaries name it."""
        return "given" if self.frames or self.file is not None else "none"

    def between(self, start: int, stop: int | None) -> tuple[int, ...]:
        """Return the cuts that divide frames start..stop-1."""
        return tuple(frame for frame in self.frames if start < frame and (stop is None or frame < stop))

    def check_end(self, num_frames: int, clip: Path) -> None:
        """Check that no cut lies beyond the end of a clip whose length was unknown at the start.

        Raises:
            InputError: one does; names it.
        """
        if self.frames and self.frames[-1] >= num_frames:
            raise beyond(self.frames[-1], clip, num_frames)


def check_cuts(cuts: Cuts | None, *, grade_in: object = None) -> None:
    """Check cuts for contradictions with themselves and other options, without reading files.

    Args:
        cuts: None: they will be detected.
        grade_in: the grade to render, if any.

    Raises:
        InputError: a contradiction; names it.
    """
    if cuts is None:
        return
    if grade_in is not None:
        raise InputError(
            f"{os.fspath(grade_in) if isinstance(grade_in, str | PathLike) else grade_in}: the grade already says "
            'where shots begin; omit --cuts (cuts), or edit its "start" and "stop"'
        )
    if edl_file(cuts) is None:
        _numbers(cuts)


def edl_file(cuts: Cuts | None) -> Path | None:
    """Return the path of an edit decision list; None if cuts are given otherwise or not at all."""
    if isinstance(cuts, PathLike):
        return Path(cuts)
    # A text of digits and punctuation that is not a valid list, such as "24;48", is a typing error, not a file name.
    if isinstance(cuts, str) and cuts != NONE and not _NUMBERS.fullmatch(cuts) and not _is_list(cuts):
        return Path(cuts)
    return None


def given_numbers(cuts: Sequence[int] | str | None) -> tuple[int, ...] | None:
    """Return the first frames of all shots but the first; None if cuts will be detected.

    Args:
        cuts: frame numbers counted from 0, as integers or text; or "none".

    Raises:
        InputError: they are not numbers, or do not increase.
    """
    # A cut at frame 0 divides nothing: the first shot begins there anyway.
    return None if cuts is None else tuple(frame for frame in _numbers(cuts) if frame)


def split_at(
    items: Iterable[Item], cuts: Sequence[int], *, number: Callable[[Item], int]
) -> Iterator[tuple[Item, int]]:
    """Yield each item with the number of its shot, from 0.

    Args:
        items: the frames of a clip in order.
        cuts: first frames of all shots but the first. Ascending.
        number: returns an item's frame number.
    """

    def numbered(item: Item) -> tuple[Item, int]:
        return item, bisect_right(cuts, number(item))

    # `map` keeps no reference to an item while the next one is read.
    return map(numbered, items)


def _is_list(text: str) -> bool:
    """Whether a text looks like numbers rather than a file name."""
    return not text.strip() or re.fullmatch(r"[\d\s,;:+-]+", text) is not None


def _numbers(cuts: Cuts) -> tuple[int, ...]:
    if isinstance(cuts, str):
        if cuts == NONE:
            return ()
        if not _NUMBERS.fullmatch(cuts) or len(cuts) > _LARGEST:
            raise InputError(
                f"cuts {shown(cuts)}: are not frame numbers; give the first frames of shots, counted from 0, such as "
                "24,48; an edit decision list; or none"
            )
        # int() is quadratic in the digits and refuses more than 4,300; such a number is too large anyway.
        cuts = [_LARGEST + 1 if len(part.strip()) > len(str(_LARGEST)) else int(part) for part in cuts.split(",")]
    if not isinstance(cuts, Iterable):
        raise InputError(f"cuts: {shown(cuts)} are not frame numbers; give a list of the first frames of shots")
    for frame in cuts:
        # `__index__` also admits NumPy's integers, which are not instances of int.
        if isinstance(frame, bool) or not hasattr(frame, "__index__") or not 0 <= frame <= _LARGEST:
            raise InputError(f"cuts: {shown(frame)} is not a frame number; give whole numbers from 0 to {_LARGEST:,}")
    for before, after in pairwise(cuts):
        if after <= before:
            raise InputError(f"cuts: {after} comes after {before}; frame numbers must increase")
    return tuple(int(frame) for frame in cuts)


def beyond(frame: int, clip: Path, num_frames: int, *, first_number: int = 0) -> InputError:
    """Return the error for a cut beyond the end of a clip.

    Args:
        frame: the cut's frame.
        clip: path of the clip.
        num_frames: number of frames in the clip.
        first_number: file number of a sequence's first frame.
    """
    hint = "frames are counted from 0"
    if first_number and 0 <= frame - first_number < num_frames:
        hint += f", that of file {frame} is {frame - first_number}"
    return InputError(
        f"{clip}: a cut at frame {frame} lies beyond the clip, which has {counted(num_frames, 'frame')}; {hint}"
    )
