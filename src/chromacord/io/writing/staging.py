"""Outputs appear whole or not at all: they are written under a hidden temporary name and renamed when complete.

`chromacord.io.writing.temporary` tells how the names are made, `chromacord.io.writing.commit` how all files of a run
get their final ones.
"""

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import av.error

from chromacord.errors import OutputError, OutputExistsError
from chromacord.io.writing.commit import commit, recover
from chromacord.io.writing.journal import Move
from chromacord.io.writing.places import check_output_path, is_same_file
from chromacord.io.writing.temporary import hidden_path, remove


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
    check_output_path(path)
    check_folder(path.parent, wanted=path)
    for source in inputs:
        if is_same_file(path, source):
            raise OutputExistsError(f"{path}: is also an input; choose another output")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    with output_errors(path):
        recover(path.parent)
    if not force and os.path.lexists(path):
        raise OutputExistsError(f"{path}: exists already; use --force to replace it, or another name")


def check_folder(folder: Path, *, wanted: Path) -> None:
    """Refuse a folder in which nothing can be made.

    Args:
        folder: where the temporary file or folder will lie.
        wanted: what the user asked for; the message names it.

    Raises:
        OutputError: the folder does not exist, is not a folder, or cannot be written to.
    """
    if not os.path.exists(folder):  # noqa: PTH110 - Path.exists raises where a name is too long
        raise OutputError(f"{wanted}: the folder {folder} does not exist; create it first")
    if not folder.is_dir():
        raise OutputError(f"{wanted}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{wanted}: the folder {folder} cannot be written to; check its permissions")
    # Permissions are not enough (root, read-only and virtual file systems): try before hours of work.
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(
            f"{wanted}: nothing can be created in the folder {folder} ({error.strerror}); choose another"
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


class Staging(ABC):
    """What a staged file and a staged folder share: as a context manager, they discard what was not committed."""

    temporary: Path

    @abstractmethod
    def moves(self) -> Sequence[Move]:
        """Return what gives the files that were written their final names."""

    def commit(self) -> None:
        """Give what was written its final name. See `commit_all`."""
        commit_all([self])

    def discard(self) -> None:
        """Remove what was written and not committed. May be called at any time, and twice."""
        remove(self.temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()


class StagedFile(Staging):
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
        self._force = force
        self.temporary = hidden_path(path.parent, path.name)

    def moves(self) -> list[Move]:
        """Return the move of the temporary file to `path`."""
        backup = hidden_path(self.path.parent, self.path.name) if self._force else None
        return [Move(self.temporary, self.path, backup)]


class StagedFolder(Staging):
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
        # Inside the existing folder, not beside it: it may be a mount point, and renames cannot cross mounts.
        place = self.folder if exists else self.folder.parent
        check_folder(place, wanted=folder)
        with output_errors(folder):
            for looked_at in (self.folder, self.folder.parent):
                if looked_at.is_dir():
                    recover(looked_at)
            self.temporary = hidden_path(place, name or self.folder.name)
            self.temporary.mkdir()

    def add(self, name: str) -> Path:
        """Return where to write the file that will be called `name` in the target folder.

        Raises:
            OutputExistsError: a file of that name is there and `force` was not given.
        """
        if not self._force and os.path.lexists(self.folder / name):
            raise OutputExistsError(f"{self.folder / name}: exists already; use --force to replace it, or another name")
        return self.temporary / name

    def moves(self) -> list[Move]:
        """Return the moves of all files into the target folder, or of the whole folder where there is none."""
        if not self.folder.exists():
            return [Move(self.temporary, self.folder, None)]
        files = sorted(self.temporary.iterdir())
        return [
            Move(file, self.folder / file.name, self.temporary / f".{number}.replaced" if self._force else None)
            for number, file in enumerate(files)
        ]


def commit_all(staged: Sequence[Staging]) -> None:
    """Give all files of a run their final names, or none.

    Raises:
        OutputExistsError: a file has appeared that must not be replaced.
        OutputError: a file cannot be renamed.
    """
    commit([move for each in staged for move in each.moves()])
    for each in staged:
        each.discard()


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
