"""HYouTube's file layout (Lu et al., "Deep Video Harmonization with Color Mapping Consistency", IJCAI 2022).

    real_videos/<video>/<frame>.jpg                                 (or Ground-truth/...)
    foreground_mask/<video>/object_<k>/<frame>.png                  (or Mask/...)
    synthetic_composite_videos/<video>/object_<k>/<frame>.jpg       (or Composite/...)

The published lists use the first folder names and the published description the second; either may exist on disk, with
either in the lists. Each line has three paths, to real, mask and composite: folders (one line per clip) or pictures
(one line per frame). Line ends may be CRLF, and slashes may be backslashes.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from chromacord.errors import InputError, MissingFileError
from chromacord.io.stills.image_formats import is_image_name
from chromacord.lab.data.files import FileDataset, PictureFiles, check_files, read_lines
from chromacord.lab.data.tensors import WORKING_SIZE
from chromacord.types import Size

SPACING = 5
"""Step between listed frames in the video: YouTube-VOS has masks for every fifth frame."""

REAL, MASK, COMPOSITE = "real_videos", "foreground_mask", "synthetic_composite_videos"
"""Folder names in the lists."""

MANIFEST = "manifest.json"
"""File that marks data sets made by `chromacord synthesize`; HYouTube itself has none."""

TEMPORAL_LIST = "tl_task.txt"

_SPELLINGS = {
    REAL: ("realvideos", "groundtruth", "real"),
    MASK: ("foregroundmask", "mask", "masks"),
    COMPOSITE: ("syntheticcompositevideos", "composite", "composites"),
}
_LIST_NAMES = ("{split}_frames.txt", "{split}_list.txt", "{split}.txt")


class _Line(NamedTuple):
    """A parsed line of a list."""

    origin: str
    real: PurePosixPath
    mask: PurePosixPath
    composite: PurePosixPath


class TemporalTask(NamedTuple):
    """A frame measured by the temporal loss, and the video's next frame, which is in another archive."""

    clip: str
    """`Clip.name` in both data sets."""

    frame: str
    """Frame name in the test set."""

    next_frame: str
    """Frame name in the temporal set, whose list is `future_list.txt`: open it as split "future"."""


def open_hyoutube(
    folder: Path,
    *,
    split: str = "test",
    size: Size | None = WORKING_SIZE,
    lists: Path | None = None,
    name: str | None = None,
) -> FileDataset:
    """Open HYouTube, or a data set with the same layout.

    Args:
        folder: the folder that holds the three folders.
        split: "train", "test", "future" (the temporal set), or another list's name; the first of `<split>_frames.txt`,
            `<split>_list.txt` and `<split>.txt` is read.
        size: size to resize to; None: keep the original size.
        lists: folder with the lists; None: `folder`.
        name: name of the data set, before the split; None: "hyoutube", or the folder's name for a synthesized set.

    Raises:
        MissingFileError: the list does not exist, or names missing files (the first ten, and their number).
        InputError: a line of the list is invalid; names it.
    """
    path = find_list(lists or folder, split)
    lines = _read_list(path)
    clips = _clips(_Folders(folder), lines)
    check_files(clips, where=str(path))
    if name is None:
        name = folder.absolute().name if (folder / MANIFEST).is_file() else "hyoutube"
    return FileDataset(f"{name}-{split}", clips, size=size)


def is_hyoutube(folder: Path) -> bool:
    """Whether a folder holds HYouTube's three folders, under either name."""
    found = _Folders(folder)
    return folder.is_dir() and all(found.exists(top) for top in _SPELLINGS)


def find_list(folder: Path, split: str) -> Path:
    """Return the list of a split.

    Raises:
        MissingFileError: there is none.
    """
    names = [pattern.format(split=split) for pattern in _LIST_NAMES]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise MissingFileError(f"{folder}: has no list of its {split} clips ({', '.join(names)})")


def read_temporal_tasks(folder: Path) -> tuple[TemporalTask, ...]:
    """Read the list of frames for the temporal loss (`tl_task.txt`; HYouTube's has 78).

    Args:
        folder: the folder with the lists.

    Raises:
        MissingFileError: there is no such list.
        InputError: a line is invalid.
    """
    path = folder / TEMPORAL_LIST
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file; it lists the frames of the temporal loss")
    tasks = []
    for line in _read_list(path):
        frame = line.composite.stem
        if not frame.isdecimal():
            raise InputError(f"{line.origin}: {line.composite} is not a numbered frame")
        tasks.append(TemporalTask(_clip_name(line.composite.parent), frame, f"{int(frame) + 1:0{len(frame)}d}"))
    return tuple(tasks)


def neighbours(frames: Sequence[str], index: int, *, past: int, future: int, spacing: int = SPACING) -> list[int]:
    """Return the window of frames that the reference evaluation shows a method for one frame.

    A neighbour's number differs by a multiple of `spacing`. A missing neighbour is replaced by the last existing one in
    that direction, or by the frame itself.

    Args:
        frames: `Clip.frames`, numbers as text.
        index: index of the frame.
        past, future: number of neighbours before and after it.
        spacing: step between neighbours.

    Returns:
        past + 1 + future indices in temporal order.
    """
    at = {int(name): place for place, name in enumerate(frames)}
    number = int(frames[index])

    def side(step: int, count: int) -> list[int]:
        chosen, last = [], index
        for k in range(1, count + 1):
            last = at.get(number + k * step, last)
            chosen.append(last)
        return chosen

    return [*reversed(side(-spacing, past)), index, *side(spacing, future)]


class _Folders:
    """The data set's folders by their names on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        found = {_letters(entry.name): entry.name for entry in root.iterdir()} if root.is_dir() else {}
        self._names = {
            top: next((found[spelling] for spelling in spellings if spelling in found), None)
            for top, spellings in _SPELLINGS.items()
        }
        self._files: dict[PurePosixPath, set[str]] = {}

    def exists(self, top: str) -> bool:
        return self._names[top] is not None

    def place(self, path: PurePosixPath) -> Path:
        """Return the location of a listed path on disk."""
        first, *rest = path.parts
        for top, spellings in _SPELLINGS.items():
            if _letters(first) in spellings:
                first = self._names[top] or first
                break
        return self._root.joinpath(first, *rest)

    def picture(self, folder: PurePosixPath, stem: str) -> str:
        """Return a picture's file name: the original uses JPEG, synthesized sets may use PNG."""
        if folder not in self._files:
            place = self.place(folder)
            self._files[folder] = {entry.name for entry in place.iterdir()} if place.is_dir() else set()
        return f"{stem}.png" if f"{stem}.png" in self._files[folder] else f"{stem}.jpg"


def _letters(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def _read_list(path: Path) -> list[_Line]:
    lines: dict[tuple[PurePosixPath, ...], _Line] = {}
    for number, line in enumerate(read_lines(path), start=1):
        words = line.replace("\\", "/").split()
        if not words:
            continue
        origin = f"{path} line {number}"
        if len(words) != 3:
            raise InputError(f"{origin}: has {len(words)} paths; three are expected: real, mask and composite")
        paths = tuple(map(PurePosixPath, words))
        if any(each.is_absolute() or ".." in each.parts for each in paths):
            raise InputError(f"{origin}: a path leads outside the data set; give it relative to the data set's folder")
        if not all(each.parts for each in paths):
            raise InputError(f"{origin}: a path is empty; three are expected: real, mask and composite")
        if paths in lines:
            raise InputError(f"{origin}: is already listed in {lines[paths].origin}; remove one of them")
        lines[paths] = _Line(origin, *paths)
    return list(lines.values())


def _clips(folders: _Folders, lines: Iterable[_Line]) -> list[PictureFiles]:
    framed: dict[PurePosixPath, list[_Line]] = defaultdict(list)
    for line in lines:
        if is_image_name(line.composite.name):
            framed[line.composite.parent].append(line)
        else:
            framed[line.composite] += _frames_of_pair(folders, line)
    return [_clip(folders, composite, frames) for composite, frames in framed.items()]


def _frames_of_pair(folders: _Folders, line: _Line) -> list[_Line]:
    """Return one line per mask in the pair's mask folder, sorted by name, as the frame lists were made."""
    masks = folders.place(line.mask)
    names = sorted(entry.name for entry in masks.iterdir() if is_image_name(entry.name)) if masks.is_dir() else []
    if not names:
        raise MissingFileError(f"{masks}: holds no masks ({line.origin})")
    return [
        _Line(
            line.origin,
            line.real / folders.picture(line.real, Path(name).stem),
            line.mask / name,
            line.composite / folders.picture(line.composite, Path(name).stem),
        )
        for name in names
    ]


def _clip(folders: _Folders, composite: PurePosixPath, lines: Sequence[_Line]) -> PictureFiles:
    name = _clip_name(composite)
    frames = tuple(line.composite.stem for line in lines)
    if len(set(frames)) < len(frames):
        place = next(place for place, frame in enumerate(frames) if frame in frames[:place])
        raise InputError(f"{lines[place].origin}: frame {frames[place]} of {name} is listed already; remove one")
    return PictureFiles(
        name=name,
        frames=frames,
        composites=tuple(folders.place(line.composite) for line in lines),
        masks=tuple(folders.place(line.mask) for line in lines),
        reals=tuple(folders.place(line.real) for line in lines),
        foreground=name.rpartition("/")[2] if "/" in name else None,
        spacing=_spacing(frames),
        origins=tuple(line.origin for line in lines),
        # The reference resizes each picture separately, whatever its size.
        is_strict=False,
    )


def _clip_name(composite: PurePosixPath) -> str:
    return "/".join(composite.parts[1:]) or composite.name


def _spacing(frames: Sequence[str]) -> int:
    """Return the smallest distance between two frames; HYouTube's own for a single frame."""
    if not all(frame.isdecimal() for frame in frames):
        return 1
    numbers = sorted({int(frame) for frame in frames})
    return min((b - a for a, b in pairwise(numbers)), default=SPACING)
