"""What a path refers to: whether it can be read or written, and whether two paths share a file.

Files are compared, not names. Two names lead to one file by symbolic links, hard links, "..", or in a folder that is
itself reached in two ways.
"""

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from chromacord.errors import InputError, OutputError, OutputExistsError
from chromacord.io.stills.patterns import Pattern, is_image_output, output_pattern, parse_pattern, still_pattern
from chromacord.types import VideoInfo

Owner = TypeVar("Owner")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_KINDS = {
    stat.S_IFIFO: "is a pipe, which cannot be read twice; save it to a file first",
    stat.S_IFSOCK: "is a socket; name a file",
    stat.S_IFCHR: "is a device; name a file",
    stat.S_IFBLK: "is a device; name a file",
}


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


def check_input(path: Path | str) -> None:
    """Refuse standard input, URLs, pipes, devices, and names that no file system takes. What is missing passes.

    Raises:
        InputError: says what it is, and what to give.
    """
    text = os.fspath(path)
    if text == "-":
        raise InputError("-: standard input cannot be read, since a clip is read twice; save it to a file first")
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if _URL.match(text):
            raise InputError(f"{_as_url(text)}: is a URL; download the file first, and name the copy") from None
        return
    except (OSError, ValueError) as error:
        raise InputError(f"{text}: cannot be read: {_reason(error)}; check the name and its permissions") from error
    if stat.S_IFMT(mode) in _KINDS:
        raise InputError(f"{text}: {_KINDS[stat.S_IFMT(mode)]}")


def check_output_path(path: Path | str) -> None:
    """Refuse standard output, URLs, and names that no file system takes.

    Raises:
        OutputError: says what it is, and what to give.
    """
    text = os.fspath(path)
    if text == "-":
        raise OutputError("-: standard output cannot be an output, because outputs are written whole; name a file")
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if _URL.match(text) and not Path(path).parent.exists():
            raise OutputError(f"{_as_url(text)}: is a URL; write to a file and upload it") from None
        return
    except (OSError, ValueError) as error:
        raise OutputError(f"{text}: cannot be written: {_reason(error)}; choose another name") from error
    if stat.S_IFMT(mode) in _KINDS:
        raise OutputError(f"{text}: {_KINDS[stat.S_IFMT(mode)].partition(',')[0].partition(';')[0]}; name a file")


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
    return Place(path, names, file_id(names.folder), frozenset(map(file_id, names.files())))


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


def _as_url(text: str) -> str:
    """Return a URL as it was given: a `Path` leaves one slash of two, or of three where there is no host."""
    return re.sub(":/+", ":///" if text.lower().startswith("file:") else "://", text, count=1)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
