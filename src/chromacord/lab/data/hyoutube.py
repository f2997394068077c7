"""HYouTube's file layout (Lu et al., "Deep Video Harmonization with Color Mapping Consistency", IJCAI 2022).

    real_videos/<video>/<frame>.jpg                                 (or Ground-truth/...)
    foreground_mask/<video>/object_<k>/<frame>.png                  (or Mask/...)
    synthetic_composite_videos/<video>/object_<k>/<frame>.jpg       (or Composite/...)

The published lists name the first folders, the published description the second ones; either may be on the disk, with
either in the lists. A list has three paths a line, to real, mask and composite: folders, one line for each clip, or
pictures, one for each frame. Line ends may be CRLF and slashes backslashes.
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
"""Frames of a video from one listed frame to the next: YouTube-VOS has masks for every fifth."""

REAL, MASK, COMPOSITE = "real_videos", "foreground_mask", "synthetic_composite_videos"
"""The folders' names in the lists."""

MANIFEST = "manifest.json"
"""Lies in data sets that `chromacord synthesize` made, and not in HYouTube itself."""

TEMPORAL_LIST = "tl_task.txt"

_SPELLINGS = {
    REAL: ("realvideos", "groundtruth", "real"),
    MASK: ("foregroundmask", "mask", "masks"),
    COMPOSITE: ("syntheticcompositevideos", "composite", "composites"),
}
_LIST_NAMES = ("{split}_frames.txt", "{split}_list.txt", "{split}.txt")


class _Line(NamedTuple):
    """A line of a list, as it stands there."""

    origin: str
    real: PurePosixPath
    mask: PurePosixPath
    composite: PurePosixPath


class TemporalTask(NamedTuple):
    """A frame that the temporal loss looks at, with the video's next frame, which another archive holds."""

    clip: str
    """`Clip.name`, in both data sets."""

    frame: str
    """In the test set."""

    next_frame: str
    """In the temporal set, whose list is `future_list.txt`: open it as split "future"."""


def open_hyoutube(
    folder: Path,
    *,
    split: str = "test",
    size: Size | None = WORKING_SIZE,
    lists: Path | None = None,
    name: str | None = None,
) -> FileDataset:
    """Open HYouTube, or a data set in its layout.

    Args:
        folder: that holds the three folders.
        split: "train", "test", "future" (the temporal set), or whatever else a list is called by: `<split>_frames.txt`,
            `<split>_list.txt` or `<split>.txt`, the first that exists.
        size: what pictures are resized to; None: as they are.
        lists: folder with the lists; None: `folder`.
        name: of the data set, before the split; None: "hyoutube", of a synthesized set the folder's name.

    Raises:
        MissingFileError: there is no such list, or it names files that do not exist (first ten, and their number).
        InputError: a line of the list cannot be read (says which).
    """
    path = find_list(lists or folder, split)
    lines = _read_list(path)
    clips = _clips(_Folders(folder), lines)
    check_files(clips, where=str(path))
    if name is None:
        name = folder.absolute().name if (folder / MANIFEST).is_file() else "hyoutube"
    return FileDataset(f"{name}-{split}", clips, size=size)


def is_hyoutube(folder: Path) -> bool:
    """Tell whether a folder holds HYouTube's three folders, under either of their names."""
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
    """Read which frames the temporal loss is measured on (`tl_task.txt`; HYouTube's has 78).

    Args:
        folder: with the lists.

    Raises:
        MissingFileError: there is no such list.
        InputError: a line cannot be read.
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
    """Return which frames of a clip a method is shown with one of them, as the reference evaluation chooses them.

    A neighbour has the frame's number plus or minus a multiple of `spacing`. In place of one that does not exist
    stands the last existing one in that direction, or the frame itself.

    Args:
        frames: `Clip.frames`, numbers as text.
        index: of the frame.
        past, future: how many before and after it.
        spacing: from one neighbour to the next.

    Returns:
        past + 1 + future indices, ascending in time.
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
    """The data set's folders under the names that they have on the disk."""

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
        """Return where a path of a list is on the disk."""
        first, *rest = path.parts
        for top, spellings in _SPELLINGS.items():
            if _letters(first) in spellings:
                first = self._names[top] or first
                break
        return self._root.joinpath(first, *rest)

    def picture(self, folder: PurePosixPath, stem: str) -> str:
        """Return a picture's file name: the reference has JPEG, what is made here may be PNG."""
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
            raise InputError(f"{origin}: is listed already, see {lines[paths].origin}; take one out")
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
    """Return a line for each mask in the pair's mask folder, sorted by name, as the frame lists were made."""
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
        # The reference resizes each picture on its own, whatever their sizes.
        is_strict=False,
    )


def _clip_name(composite: PurePosixPath) -> str:
    return "/".join(composite.parts[1:]) or composite.name


def _spacing(frames: Sequence[str]) -> int:
    """Return the least distance between two frames; HYouTube's own where one frame says nothing."""
    if not all(frame.isdecimal() for frame in frames):
        return 1
    numbers = sorted({int(frame) for frame in frames})
    return min((b - a for a, b in pairwise(numbers)), default=SPACING)
