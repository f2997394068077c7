"""Journal of a run's renames, kept in each target folder so that any later run can undo them."""

import contextlib
import errno
import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from chromacord.io.writing.temporary import JOURNAL, PARTIAL, hidden_path, is_hidden, remove, rename_new

in_use: set[Path] = set()
"""Journals of this process's current renames."""


class Move(NamedTuple):
    """A rename to a final name."""

    source: Path
    """A hidden path in the target's folder, or in a hidden folder there."""

    target: Path
    backup: Path | None
    """Hidden path for the file that `source` replaces. None: nothing may be replaced."""


@dataclass(frozen=True)
class Entry:
    """A rename as recorded in the journal."""

    source: Path
    target: Path
    backup: Path | None
    mark: list[int]
    """Properties that identify the file under its final name."""

    names: list[str]
    """File names inside, if it is a folder."""

    @classmethod
    def of(cls, move: Move) -> Self:
        """Return the journal entry of a rename."""
        source, backup = move.source.absolute(), None if move.backup is None else move.backup.absolute()
        names = [entry.name for entry in source.iterdir()] if source.is_dir() else []
        return cls(source, move.target.absolute(), backup, _mark(source), names)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Parse an entry.

        Raises:
            ValueError: no run would record it. Anyone may create files in a folder, and entries must not lead
                elsewhere.
        """
        backup = None if data["backup"] is None else Path(data["backup"])
        entry = cls(Path(data["source"]), Path(data["target"]), backup, data["mark"], data["names"])
        hidden = [entry.source] if backup is None else [entry.source, backup]
        if not all(_is_hidden_in(entry.target.parent, path) for path in hidden):
            raise ValueError(f"{entry.target}: its source is in another folder")
        if any(name != Path(name).name for name in entry.names):
            raise ValueError(f"{entry.target}: it contains a path outside its folder")
        return entry

    def move(self) -> None:
        """Perform the rename."""
        if self.backup is None:
            rename_new(self.source, self.target)
            return
        _keep(self.target, self.backup)
        # The old file already has its second name, so at no moment is there neither the old nor the new one.
        self.source.replace(self.target)

    def undo(self) -> None:
        """Restore the previous file, unless another process has written to that name since."""
        now = _mark(self.target)
        # Another process may be recovering too; skip what it has done.
        with contextlib.suppress(FileNotFoundError):
            if self.backup is not None and os.path.lexists(self.backup):
                # Restore the old file if the name has our file, no file, or still the old one (killed before the
                # rename). Any other file was written by another process, and stays.
                if now in ([], self.mark, _mark(self.backup)):
                    self.backup.replace(self.target)
                remove(self.backup)  # renaming onto a hard link of the same file keeps both names
            elif now == self.mark and self.names:
                self._empty_folder()
            elif now == self.mark:
                self.target.replace(self.source)
                if _mark(self.target) == self.mark:  # the run was killed while the file had both names
                    self.target.unlink()

    def _empty_folder(self) -> None:
        """Move our files out of a folder; the folder stays if others have added files since."""
        for name in self.names:
            remove(self.target / name)
        with contextlib.suppress(OSError):
            self.target.rmdir()


@dataclass(frozen=True)
class Journal:
    """All renames of a run, written before the first one."""

    paths: list[Path]
    """Its paths, one in each target folder. Removing the first one marks the renames as complete or undone."""

    entries: list[Entry]

    @classmethod
    def begin(cls, entries: list[Entry]) -> Self:
        """Write the journal."""
        folders = dict.fromkeys(entry.target.parent for entry in entries)
        name = entries[0].target.name
        journal = cls([hidden_path(folder, name, JOURNAL) for folder in folders], entries)
        in_use.update(journal.paths)
        try:
            text = json.dumps(asdict(journal), default=str)
            for path in journal.paths:
                path.write_text(text, encoding="ascii")
        except BaseException:
            journal.end()
            raise
        return journal

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read a journal; None if it is incomplete, was removed meanwhile, or is not ours."""
        try:
            data = json.loads(path.read_text(encoding="ascii"))
            journal = cls([Path(each) for each in data["paths"]], [Entry.from_json(each) for each in data["entries"]])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        # Anyone can write such a file in a shared folder; one that does not name itself is not trusted.
        return journal if path in journal.paths and all(is_hidden(each, JOURNAL) for each in journal.paths) else None

    @property
    def is_moving(self) -> bool:
        """Whether its renames are incomplete."""
        return os.path.lexists(self.paths[0])

    def undo(self) -> None:
        """Undo all renames, and remove the journal."""
        for entry in reversed(self.entries):
            entry.undo()
        # The first copy is removed last: while it exists, the next run can finish an undo that is killed here.
        for path in reversed(self.paths):
            _let_go(path)

    def end(self) -> None:
        """Remove the journal, and the replaced files."""
        # The first copy is removed first: from then on the outputs count as complete, and a kill leaves only files
        # that the next run cleans up.
        for path in self.paths:
            _let_go(path)
        for entry in self.entries:
            if entry.backup is not None:
                remove(entry.backup)


def journals_in(folder: Path) -> list[Path]:
    """Return the journals in a folder."""
    return [path.absolute() for path in folder.iterdir() if is_hidden(path, JOURNAL)]


def _let_go(path: Path) -> None:
    remove(path)
    in_use.discard(path)


def _keep(target: Path, backup: Path) -> None:
    """Keep a file that will be replaced under a second name, by a hard link if supported."""
    if target.is_dir() and not target.is_symlink():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    try:
        # A link, not a rename: the target keeps its file until the new one replaces it. File systems without
        # hard links get the rename.
        os.link(target, backup, follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError:
        target.rename(backup)


def _is_hidden_in(folder: Path, path: Path) -> bool:
    return ".." not in path.parts and any(
        is_hidden(each, PARTIAL) and each.parent == folder for each in (path, path.parent)
    )


def _mark(path: Path) -> list[int]:
    """Return properties that survive a rename and are practically unique; [] if the file does not exist."""
    try:
        found = path.lstat()
    except OSError:
        return []
    # The size and time of a folder change with its content, those of a file only when it is written again.
    same = [found.st_dev, found.st_ino]
    return same if stat.S_ISDIR(found.st_mode) else [*same, found.st_size, found.st_mtime_ns]
