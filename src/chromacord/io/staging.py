"""Outputs appear whole or not at all: they are written under a hidden temporary name and renamed when complete.

The temporary name holds the final name, the writer's machine and its process id. So the next run into the same folder,
whatever it writes, can tell what a killed run left behind (a process of this machine that is gone) from what another
run is writing at this moment, here or on another machine that shares the folder.
"""

import itertools
import os
import platform
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import av.error

from chromacord.errors import OutputError, OutputExistsError

_serials = itertools.count()
_MACHINE = re.sub(r"\W", "_", platform.node())
_TEMPORARY = re.compile(rf"\..+\.{_MACHINE}-(\d+)\.\d+\.partial")


def check_output(path: Path, *, force: bool = False, inputs: Iterable[Path] = ()) -> None:
    """Refuse a file that cannot, or must not, be written, before any work is done.

    Args:
        path: the file that is to be written.
        force: replace the file if it exists.
        inputs: files that the run reads; to write over one of them is refused even with `force`.

    Raises:
        OutputExistsError: the file exists, or is one of the inputs.
        OutputError: its folder does not exist or cannot be written to, or the path is a folder.
    """
    check_folder(path.parent, wanted=path)
    for source in inputs:
        if _is_same_file(path, source):
            raise OutputExistsError(f"{path}: is also an input; choose another output")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    if not force and path.exists():
        raise OutputExistsError(f"{path}: exists already; use --force to replace it, or another name")


def check_folder(folder: Path, *, wanted: Path) -> None:
    """Refuse a folder in which nothing can be made.

    Args:
        folder: where the temporary file or folder will lie.
        wanted: what the user asked for; the message names it.

    Raises:
        OutputError: the folder does not exist, is no folder, or cannot be written to.
    """
    if not folder.exists():
        raise OutputError(f"{wanted}: the folder {folder} does not exist; make it first")
    if not folder.is_dir():
        raise OutputError(f"{wanted}: {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{wanted}: the folder {folder} cannot be written to; check its permissions")
    # Permissions do not tell all (root, read-only and virtual file systems): only trying does, before hours of work.
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(
            f"{wanted}: nothing can be made in the folder {folder} ({error.strerror}); choose another"
        ) from error


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn whatever the system or libav says while writing into an `OutputError` that names the output.

    Raises:
        OutputError: for any `OSError` or libav error inside the block; the reason is the system's own words.
    """
    try:
        yield
    except OutputError:
        raise
    except (OSError, av.error.FFmpegError) as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path}: cannot be written: {reason}; nothing was kept") from error


class _Staging(ABC):
    """What a staged file and a staged folder share: as a context manager, they discard what was not committed."""

    temporary: Path

    @abstractmethod
    def commit(self) -> None:
        """Give what was written its real name."""

    def discard(self) -> None:
        """Remove what was written and not committed. May be called at any time, and twice."""
        _remove(self.temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()


class StagedFile(_Staging):
    """One output file, written at `temporary` in the same folder."""

    def __init__(self, path: Path, *, force: bool = False) -> None:
        """Check the output and remove what killed runs left of it.

        Args:
            path: the final name.
            force: replace a file of that name.

        Raises:
            OutputExistsError: the file exists and `force` is not given.
            OutputError: the folder does not exist or cannot be written to.
        """
        check_output(path, force=force)
        self.path = path
        with output_errors(path):
            self.temporary = _make_room(path.parent, path.name)

    def commit(self) -> None:
        """Rename the temporary file to `path`.

        Raises:
            OutputError: the file cannot be renamed.
        """
        with output_errors(self.path):
            self.temporary.replace(self.path)


class StagedFolder(_Staging):
    """Many output files, written in the folder `temporary` on the same file system.

    The target folder may exist and hold other files; it then receives the new files one by one at `commit`. A folder
    that does not exist appears at once, with all its files.
    """

    def __init__(self, folder: Path, *, name: str | None = None, force: bool = False) -> None:
        """Check the folder, remove what killed runs left of this output, and make the temporary folder.

        Args:
            folder: the target folder; made at `commit` if it does not exist, its parent must.
            name: what tells this output from others in the same folder, as "shot.%04d.png"; None: the folder's name.
            force: replace files of the same names.

        Raises:
            OutputError: the folder, or its parent, cannot be written to.
        """
        self.folder = folder.absolute()
        self._force = force
        exists = self.folder.exists()
        # Inside a folder that exists, not beside it: it may be a mount of its own, and a rename cannot cross mounts.
        place = self.folder if exists else self.folder.parent
        check_folder(place, wanted=folder)
        with output_errors(folder):
            label = name or self.folder.name
            if exists and self.folder.parent.is_dir():
                _remove_leftovers(self.folder.parent)
            self.temporary = _make_room(place, label)
            self.temporary.mkdir()

    def add(self, name: str) -> Path:
        """Return where to write the file that will be called `name` in the target folder.

        Raises:
            OutputExistsError: a file of that name is there and `force` was not given.
        """
        if not self._force and (self.folder / name).exists():
            raise OutputExistsError(f"{self.folder / name}: exists already; use --force to replace it, or another name")
        return self.temporary / name

    def commit(self) -> None:
        """Move all files into the target folder.

        Raises:
            OutputError: a file cannot be moved.
        """
        with output_errors(self.folder):
            if not self.folder.exists():
                self.temporary.rename(self.folder)
                return
            for file in sorted(self.temporary.iterdir()):
                file.replace(self.folder / file.name)
            self.temporary.rmdir()


def write_text(path: Path, text: str, *, force: bool = False) -> None:
    """Write a text file (UTF-8) whole or not at all.

    Raises:
        OutputExistsError: the file exists and `force` is not given.
        OutputError: it cannot be written.
    """
    with StagedFile(path, force=force) as staged:
        with output_errors(path):
            staged.temporary.write_text(text, encoding="utf-8")
        staged.commit()


def _is_same_file(path: Path, other: Path) -> bool:
    if path.exists() and other.exists():
        return path.samefile(other)
    return path.absolute() == other.absolute()


def _make_room(folder: Path, name: str) -> Path:
    """Return a free temporary name for `name`, after removing what dead processes left in the folder."""
    _remove_leftovers(folder)
    temporary = folder / f".{name}.{_MACHINE}-{os.getpid()}.{next(_serials)}.partial"
    # The serial is unique in this process: what has this very name stems from a dead one with the same process id,
    # as happens in containers.
    _remove(temporary)
    return temporary


def _remove_leftovers(folder: Path) -> None:
    for path in folder.iterdir():
        found = _TEMPORARY.fullmatch(path.name)
        if found and not _is_running(int(found[1])):
            _remove(path)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
