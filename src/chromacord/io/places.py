"""Which files a path stands for, and whether two paths share one: files are compared, not names.

Two names lead to one file by symbolic links, hard links, "..", or in a folder that is itself reached in two ways.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from chromacord.errors import OutputExistsError
from chromacord.io.patterns import Pattern, is_image_output, output_pattern, parse_pattern, still_pattern
from chromacord.types import VideoInfo

Owner = TypeVar("Owner")


class FileId(NamedTuple):
    """What all paths to a file have in common."""

    device: int
    inode: int
    """Of the file, or of the nearest folder above it that exists."""

    rest: str = ""
    """From that folder on; "" for what exists."""


@dataclass(frozen=True)
class Place:
    """The files of one input or output: a file, the files of a pattern, or those that it may name."""

    path: Path
    """For messages."""

    names: Pattern
    folder: FileId
    """In which the names lie."""

    files: frozenset[FileId]
    """Of the files that exist, and of a single file in any case."""


def refuse_inputs(path: Path | str, like: VideoInfo, *, inputs: Iterable[Path] = ()) -> None:
    """Refuse an output that would be written over a file that the run reads.

    Args:
        path: the output.
        like: the source that the output follows; itself an input.
        inputs: further files or patterns, as `VideoInfo.path` gives them.

    Raises:
        OutputExistsError: they share a file.
    """
    read: Places[Path] = Places()
    for source in (like.path, *inputs):
        read.add(place_of(source), source)
    if read.find(output_place(path, like)) is not None:
        raise OutputExistsError(f"{path}: is also an input; choose another output")


def output_place(path: Path | str, like: VideoInfo) -> Place:
    """Return the place of an output that follows a source: a video, a still, a pattern or a folder of images."""
    return place_of(Path(path), output_pattern(path, like) if is_image_output(path) else still_pattern(Path(path)))


def place_of(path: Path, names: Pattern | None = None) -> Place:
    """Return the place of a path.

    Args:
        path: a file or a pattern.
        names: what the files are called; None: as the path says.
    """
    names = names or parse_pattern(path) or still_pattern(path)
    files = [names.path(number) for number in (names.numbers() if names.digits else (0,))]
    return Place(path, names, file_id(names.folder), frozenset(map(file_id, files)))


def file_id(path: Path) -> FileId:
    """Return what tells a file from all others, under whatever name: device and inode, and the rest of a new path."""
    resolved = Path(os.path.realpath(path))
    for place in (resolved, *resolved.parents):
        try:
            found = place.stat()
        except (OSError, ValueError):
            continue
        return FileId(found.st_dev, found.st_ino, str(resolved.relative_to(place)) if place != resolved else "")
    return FileId(0, 0, str(resolved))


def is_same_file(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file, or would, if it were there."""
    return file_id(path) == file_id(other)


@dataclass
class Places(Generic[Owner]):
    """Places that belong to somebody, to be searched by place."""

    _files: dict[FileId, Owner] = field(default_factory=dict)
    _folders: dict[FileId, Owner] = field(default_factory=dict)
    _stills: dict[FileId, list[tuple[Pattern, Owner]]] = field(default_factory=dict)
    _patterns: dict[FileId, list[tuple[Pattern, Owner]]] = field(default_factory=dict)

    def add(self, place: Place, owner: Owner) -> None:
        """Remember a place."""
        for file in place.files:
            self._files.setdefault(file, owner)
        self._folders.setdefault(place.folder, owner)
        named = self._patterns if place.names.digits else self._stills
        named.setdefault(place.folder, []).append((place.names, owner))

    def find(self, place: Place) -> Owner | None:
        """Return to whom a place belongs that shares a file with this one, or of which one is a folder of the other."""
        for file in place.files:
            for known in (self._files, self._folders):
                if file in known:
                    return known[file]
        if place.folder in self._files:
            return self._files[place.folder]
        named = list(self._patterns.get(place.folder, ()))
        # Two single files are compared above, under whatever name.
        named += self._stills.get(place.folder, ()) if place.names.digits else ()
        return next((owner for names, owner in named if names.may_share(place.names)), None)
