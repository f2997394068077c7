"""Outputs appear complete or not at all: they are written under hidden temporary names and renamed when complete.

`chromacord.io.writing.temporary` defines the names, `chromacord.io.writing.commit` renames all files of a run.
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
from chromacord.types import STDOUT


def check_output(path: Path, *, force: bool = False, inputs: Iterable[Path] = ()) -> None:
    """Check that a file can and may be written, before any work starts.

    Args:
        path: the file to write.
        force: overwrite an existing file.
        inputs: input files of the run, which are never overwritten, even with `force`.

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
        # Before checking for an existing file: a killed run may have moved it away, or left its own there.
        recover(path.parent)
    if not force and os.path.lexists(path):
        raise OutputExistsError(f"{path}: exists already; use --force to replace it, or another name")


def check_folder(folder: Path, *, wanted: Path) -> None:
    """Check that files can be created in a folder.

    Args:
        folder: folder of the temporary file or folder.
        wanted: the requested output, for the message.

    Raises:
        OutputError: the folder does not exist, is not a folder, or cannot be written to.
    """
    if not os.path.exists(folder):  # noqa: PTH110 - Path.exists raises where a name is too long
        raise OutputError(f"{wanted}: the folder {folder} does not exist; create it first")
    if not folder.is_dir():
        raise OutputError(f"{wanted}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{wanted}: the folder {folder} cannot be written to; check its permissions")
    # Permissions are not sufficient (root, read-only and virtual file systems): try before hours of work.
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(
            f"{wanted}: no file can be created in {folder} ({error.strerror}); choose another folder"
        ) from error


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Convert errors of the system or libav while writing to an `OutputError` that names the output.

    Raises:
        OutputError: for any `OSError` or libav error in the block, with the system's reason.
    """
    try:
        yield
    except OutputError:
        raise
    except (OSError, av.error.FFmpegError) as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path}: cannot be written: {reason}; nothing was kept") from error


class Staging(ABC):
    """Base of staged files and folders: as context managers, they discard what was not committed."""

    temporary: Path

    @abstractmethod
    def moves(self) -> Sequence[Move]:
        """Return the renames from temporary to final names."""

    def commit(self) -> None:
        """Rename the output to its final name. See `commit_all`."""
        commit_all([self])

    def discard(self) -> None:
        """Remove everything that was not committed. May be called at any time, and repeatedly."""
        remove(self.temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()


class StandardOutput(Staging):
    """Standard output, to which frames are written at once: nothing is renamed, and nothing can be undone."""

    temporary = Path(STDOUT)

    def moves(self) -> Sequence[Move]:
        """Return no renames."""
        return ()

    def discard(self) -> None:
        """Do nothing: written bytes cannot be taken back."""


class StagedFile(Staging):
    """One output file, written to `temporary` in the same folder."""

    def __init__(self, path: Path, *, force: bool = False) -> None:
        """Check the output, and remove leftovers of killed runs.

        Args:
            path: the final name.
            force: overwrite an existing file.

        Raises:
            OutputExistsError: the file exists and `force` is not set.
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
    """Several output files, written to the folder `temporary` on the same file system.

    If the target folder exists, it may hold other files and receives the new files one by one at `commit`. Otherwise it
    appears at once with all its files.
    """

    def __init__(self, folder: Path, *, name: str | None = None, force: bool = False) -> None:
        """Check the folder, remove leftovers of killed runs, and create the temporary folder.

        Args:
            folder: the target folder; created at `commit` if missing, but not its parent.
            name: distinguishes this output from others in the same folder, such as "shot.%04d.png"; None: the folder's
                name.
            force: overwrite existing files.

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
        """Return the temporary path of the file whose final name in the target folder is `name`.

        Raises:
            OutputExistsError: a file of that name exists and `force` is not set.
        """
        if not self._force and os.path.lexists(self.folder / name):
            raise OutputExistsError(f"{self.folder / name}: exists already; use --force to replace it, or another name")
        return self.temporary / name

    def moves(self) -> list[Move]:
        """Return the renames of all files into the target folder, or of the whole folder if it does not exist."""
        if not self.folder.exists():
            return [Move(self.temporary, self.folder, None)]
        files = sorted(self.temporary.iterdir())
        return [
            Move(file, self.folder / file.name, self.temporary / f".{number}.replaced" if self._force else None)
            for number, file in enumerate(files)
        ]


def commit_all(staged: Sequence[Staging]) -> None:
    """Rename all files of a run to their final names, or none.

    Raises:
        OutputExistsError: a file has appeared that must not be replaced.
        OutputError: a file cannot be renamed.
    """
    commit([move for each in staged for move in each.moves()])
    for each in staged:
        each.discard()


def write_text(path: Path, text: str, *, force: bool = False) -> None:
    """Write a text file (UTF-8) completely or not at all.

    Raises:
        OutputExistsError: the file exists and `force` is not set.
        OutputError: it cannot be written.
    """
    with StagedFile(path, force=force) as staged:
        with output_errors(path):
            staged.temporary.write_text(text, encoding="utf-8")
        staged.commit()
