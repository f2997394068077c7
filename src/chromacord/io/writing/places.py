"""Check whether paths can be read or written, and whether two paths name the same file.

Files are compared by identity, because symbolic links, hard links, ".." and multiply mounted folders give a file
several names.
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
from chromacord.types import STDOUT, VideoInfo

Owner = TypeVar("Owner")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_KINDS = {
    stat.S_IFIFO: "is a pipe, which cannot be read twice; save it to a file first",
    stat.S_IFSOCK: "is a socket; name a file",
    stat.S_IFCHR: "is a device; name a file",
    stat.S_IFBLK: "is a device; name a file",
}


class FileId(NamedTuple):
    """Identity of a file, common to all its paths."""

    device: int
    inode: int
    """Inode of the file, or of the nearest existing parent folder."""

    rest: str = ""
    """Path below that folder; "" if the file exists."""


@dataclass(frozen=True)
class Place:
    """Files of one input or output: a single file, or all that a pattern may name."""

    path: Path
    """Path for messages."""

    names: Pattern
    folder: FileId
    """Folder of the names."""

    files: frozenset[FileId]
    """Existing files, and always a single file."""


def check_input(path: Path | str) -> None:
    """Refuse standard input, URLs, pipes, devices, and impossible names. Missing files pass.

    Raises:
        InputError: names the kind of path, and what to pass instead.
    """
    text = os.fspath(path)
    if text == "-":
        raise InputError(
            "-: only harmonize, grade and apply read standard input, for one clip; save it to a file first"
        )
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
    """Refuse standard output, URLs, and impossible names. Callers that can write to standard output look for it first.

    Raises:
        OutputError: names the kind of path, and what to pass instead.
    """
    text = os.fspath(path)
    if text == STDOUT:
        raise OutputError("-: only one clip can be written to standard output; name a file")
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        # A colon is allowed in names, so what exists, or could be created, is a path and not a URL.
        if _URL.match(text) and not Path(path).parent.exists():
            raise OutputError(f"{_as_url(text)}: is a URL; write to a file and upload it") from None
        return
    except (OSError, ValueError) as error:
        raise OutputError(f"{text}: cannot be written: {_reason(error)}; choose another name") from error
    if stat.S_IFMT(mode) in _KINDS:
        raise OutputError(f"{text}: {_KINDS[stat.S_IFMT(mode)].partition(',')[0].partition(';')[0]}; name a file")


def refuse_inputs(path: Path | str, like: VideoInfo, *, inputs: Iterable[Path] = ()) -> None:
    """Refuse an output that would overwrite an input of the run.

    Args:
        path: the output.
        like: properties of the source that the output follows, which is an input too.
        inputs: further input files or patterns, as in `VideoInfo.path`.

    Raises:
        OutputExistsError: output and input share a file.
    """
    read: Places[Path] = Places()
    for source in (like.path, *inputs):
        read.add(place_of(source), source)
    if read.find(output_place(path, like)) is not None:
        raise OutputExistsError(f"{path}: is also an input; choose another output")


def output_place(path: Path | str, like: VideoInfo) -> Place:
    """Return the place of an output with a given source: a video, a still, a pattern or a folder of images."""
    return place_of(Path(path), output_pattern(path, like) if is_image_output(path) else still_pattern(Path(path)))


def place_of(path: Path, names: Pattern | None = None) -> Place:
    """Return the place of a path.

    Args:
        path: a file or a pattern.
        names: pattern of the file names; None: as in the path.
    """
    names = names or parse_pattern(path) or still_pattern(path)
    return Place(path, names, file_id(names.folder), frozenset(map(file_id, names.files())))


def file_id(path: Path) -> FileId:
    """Return a file's identity: device and inode, plus the remainder of a path that does not exist."""
    resolved = Path(os.path.realpath(path))
    # An output does not exist yet. The nearest existing folder has an identity, and the rest of the path
    # distinguishes the files in it.
    for place in (resolved, *resolved.parents):
        try:
            found = place.stat()
        except (OSError, ValueError):
            continue
        return FileId(found.st_dev, found.st_ino, str(resolved.relative_to(place)) if place != resolved else "")
    return FileId(0, 0, str(resolved))


def is_same_file(path: Path, other: Path) -> bool:
    """Whether two paths refer to one file, existing or not."""
    return file_id(path) == file_id(other)


@dataclass
class Places(Generic[Owner]):
    """Places with owners, searchable by place."""

    _files: dict[FileId, Owner] = field(default_factory=dict)
    _folders: dict[FileId, Owner] = field(default_factory=dict)
    _stills: dict[FileId, list[tuple[Pattern, Owner]]] = field(default_factory=dict)
    _patterns: dict[FileId, list[tuple[Pattern, Owner]]] = field(default_factory=dict)

    def add(self, place: Place, owner: Owner) -> None:
        """Register a place."""
        for file in place.files:
            self._files.setdefault(file, owner)
        self._folders.setdefault(place.folder, owner)
        named = self._patterns if place.names.digits else self._stills
        named.setdefault(place.folder, []).append((place.names, owner))

    def find(self, place: Place) -> Owner | None:
        """Return the owner of a place that shares a file with this one, or contains it, or is contained in it."""
        for file in place.files:
            for known in (self._files, self._folders):
                if file in known:
                    return known[file]
        # The output lies in a folder whose path another output uses as its file.
        if place.folder in self._files:
            return self._files[place.folder]
        named = list(self._patterns.get(place.folder, ()))
        # Two single files were compared above, by identity.
        named += self._stills.get(place.folder, ()) if place.names.digits else ()
        return next((owner for names, owner in named if names.may_share(place.names)), None)


def _as_url(text: str) -> str:
    """Restore a URL's slashes, which `Path` merges."""
    return re.sub(":/+", ":///" if text.lower().startswith("file:") else "://", text, count=1)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
