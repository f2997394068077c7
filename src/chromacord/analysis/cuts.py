"""Parse user-given cuts: frame numbers, an edit decision list, or "none".

The command line reads its options with this: it loads no codec.
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
"""First frames of shots, counted from 0; the same as text ("24,48"); a file of an edit decision list; or "none"."""

CutSource = Literal["found", "given", "none", "grade"]
"""Who says where shots begin: the detector; the user; the user, that there is one shot; a grade file."""


class Cut(NamedTuple):
    """The first frame of a shot."""

    frame: int
    """Counted from 0."""

    timecode: str
    """On from the clip's own, or from midnight where it has none."""

    file_number: int | None = None
    """In the name of its file, where a sequence's numbers begin with another than 0."""


NONE = "none"
_NUMBERS = re.compile(r"\s*\d+\s*(,\s*\d+\s*)*")
_LARGEST = 10**9


@dataclass(frozen=True)
class ToldCuts:
    """What the user says of the cuts."""

    frames: tuple[int, ...]
    """First frames of all shots but the first, counted from the start of the clip. Rising."""

    file: Path | None = None
    """The list that they were read from."""

    @property
    def source(self) -> CutSource:
        """How a summary calls it."""
        return "given" if self.frames or self.file is not None else "none"

    def between(self, start: int, stop: int | None) -> tuple[int, ...]:
        """Return those that divide the frames start..stop-1."""
        return tuple(frame for frame in self.frames if start < frame and (stop is None or frame < stop))

    def check_end(self, num_frames: int, clip: Path) -> None:
        """Refuse cuts behind the end of a clip that did not state its length.

        Raises:
            InputError: says which.
        """
        if self.frames and self.frames[-1] >= num_frames:
            raise beyond(self.frames[-1], clip, num_frames)


def check_cuts(cuts: Cuts | None, *, grade_in: object = None) -> None:
    """Refuse what contradicts itself or another option, without looking at any file.

    Args:
        cuts: None: they are to be found.
        grade_in: a grade to render, if there is one.

    Raises:
        InputError: says what.
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
    """Return the file of an edit decision list; None if cuts are given otherwise or not at all."""
    if isinstance(cuts, PathLike):
        return Path(cuts)
    if isinstance(cuts, str) and cuts != NONE and not _NUMBERS.fullmatch(cuts) and not _is_list(cuts):
        return Path(cuts)
    return None


def given_numbers(cuts: Sequence[int] | str | None) -> tuple[int, ...] | None:
    """Return the first frames of all shots but the first; None where cuts are to be found.

    Args:
        cuts: frame numbers, counted from 0, as they are or as text; or "none".

    Raises:
        InputError: they are no numbers, or do not rise.
    """
    return None if cuts is None else tuple(frame for frame in _numbers(cuts) if frame)


def split_at(
    items: Iterable[Item], cuts: Sequence[int], *, number: Callable[[Item], int]
) -> Iterator[tuple[Item, int]]:
    """Give each item the number of its shot, from 0.

    Args:
        items: the frames of a clip in order.
        cuts: first frames of all shots but the first. Rising.
        number: gives an item's frame number.
    """

    def numbered(item: Item) -> tuple[Item, int]:
        return item, bisect_right(cuts, number(item))

    # `map` keeps no reference to an item while the next one is read.
    return map(numbered, items)


def _is_list(text: str) -> bool:
    """Whether a text was meant for numbers, if not for a file."""
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
        cuts = [_LARGEST + 1 if len(part.strip()) > len(str(_LARGEST)) else int(part) for part in cuts.split(",")]
    if not isinstance(cuts, Iterable):
        raise InputError(f"cuts: {shown(cuts)} are not frame numbers; give a list of the first frames of shots")
    for frame in cuts:
        if isinstance(frame, bool) or not hasattr(frame, "__index__") or not 0 <= frame <= _LARGEST:
            raise InputError(f"cuts: {shown(frame)} is not a frame number; give whole numbers from 0 to {_LARGEST:,}")
    for before, after in pairwise(cuts):
        if after <= before:
            raise InputError(f"cuts: {after} comes after {before}; frame numbers must increase")
    return tuple(int(frame) for frame in cuts)


def beyond(frame: int, clip: Path, num_frames: int, *, first_number: int = 0) -> InputError:
    """Return what is said of a cut behind the end of a clip.

    Args:
        frame: that is not there.
        clip: its path.
        num_frames: of the clip.
        first_number: in the name of a sequence's first file.
    """
    hint = "frames are counted from 0"
    if first_number and 0 <= frame - first_number < num_frames:
        hint += f", that of file {frame} is {frame - first_number}"
    return InputError(
        f"{clip}: there is no frame {frame} for a cut, the clip has {counted(num_frames, 'frame')}; {hint}"
    )
