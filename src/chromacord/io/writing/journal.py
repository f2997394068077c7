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
"""Journals of this process whose moves are under way."""


class Move(NamedTuple):
    """A file or folder that is to get its final name."""

    source: Path
    """Hidden in the target's folder, or in a hidden folder there."""

    target: Path
    backup: Path | None
    """Where a file waits that `source` replaces; hidden likewise. None: nothing may be replaced."""


@dataclass(frozen=True)
class Entry:
    """A move as the journal states it."""

    source: Path
    target: Path
    backup: Path | None
    mark: list[int]
    """By which the file is known again under its final name."""

    names: list[str]
    """Of the files inside, where it is a folder."""

    @classmethod
    def of(cls, move: Move) -> Self:
        """Return what the journal states of a move."""
        source, backup = move.source.absolute(), None if move.backup is None else move.backup.absolute()
        names = [entry.name for entry in source.iterdir()] if source.is_dir() else []
        return cls(source, move.target.absolute(), backup, _mark(source), names)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read it.

        Raises:
            ValueError: no run has such a move. Anybody can lay a file into a folder, and it must not lead elsewhere.
        """
        backup = None if data["backup"] is None else Path(data["backup"])
        entry = cls(Path(data["source"]), Path(data["target"]), backup, data["mark"], data["names"])
        hidden = [entry.source] if backup is None else [entry.source, backup]
        if not all(_is_hidden_in(entry.target.parent, path) for path in hidden):
            raise ValueError(f"{entry.target}: would come from elsewhere")
        if any(name != Path(name).name for name in entry.names):
            raise ValueError(f"{entry.target}: would hold what lies elsewhere")
        return entry

    def move(self) -> None:
        """Give the file its final name."""
        if self.backup is None:
            rename_new(self.source, self.target)
            return
        _keep(self.target, self.backup)
        self.source.replace(self.target)

    def undo(self) -> None:
        """Restore the previous file, unless another process has written to that name since."""
        now = _mark(self.target)
        # Another process may be recovering too; skip what it has done.
        with contextlib.suppress(FileNotFoundError):
            if self.backup is not None and os.path.lexists(self.backup):
                if now in ([], self.mark, _mark(self.backup)):
                    self.backup.replace(self.target)
                remove(self.backup)  # renaming a file onto another name of itself leaves both
            elif now == self.mark and self.names:
                self._empty_folder()
            elif now == self.mark:
                self.target.replace(self.source)
                if _mark(self.target) == self.mark:  # the run was killed while the file had both names
                    self.target.unlink()

    def _empty_folder(self) -> None:
        """Take our files out of a folder; those that others have put there since stay, and so does the folder."""
        for name in self.names:
            remove(self.target / name)
        with contextlib.suppress(OSError):
            self.target.rmdir()


@dataclass(frozen=True)
class Journal:
    """All moves of a run, written before the first one."""

    paths: list[Path]
    """Where it lies: once in each folder that files move to. With the first one the moves are complete, or undone."""

    entries: list[Entry]

    @classmethod
    def begin(cls, entries: list[Entry]) -> Self:
        """Write it."""
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
        """Read it; None where it was not written to its end, has gone meanwhile, or is none of ours."""
        try:
            data = json.loads(path.read_text(encoding="ascii"))
            journal = cls([Path(each) for each in data["paths"]], [Entry.from_json(each) for each in data["entries"]])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return journal if path in journal.paths and all(is_hidden(each, JOURNAL) for each in journal.paths) else None

    @property
    def is_moving(self) -> bool:
        """Whether its moves are not complete."""
        return os.path.lexists(self.paths[0])

    def undo(self) -> None:
        """Move everything back, and let the journal go."""
        for entry in reversed(self.entries):
            entry.undo()
        for path in reversed(self.paths):
            _let_go(path)

    def end(self) -> None:
        """Let the journal go, and what was replaced."""
        for path in self.paths:
            _let_go(path)
        for entry in self.entries:
            if entry.backup is not None:
                remove(entry.backup)


def journals_in(folder: Path) -> list[Path]:
    """Return the journals that lie in a folder."""
    return [path.absolute() for path in folder.iterdir() if is_hidden(path, JOURNAL)]


def _let_go(path: Path) -> None:
    remove(path)
    in_use.discard(path)


def _keep(target: Path, backup: Path) -> None:
    """Keep a file that is going to be replaced, by a second name where the file system has such."""
    if target.is_dir() and not target.is_symlink():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    try:
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
    """Return what a file keeps when it is renamed, as good as no other has; [] where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return []
    same = [found.st_dev, found.st_ino]
    return same if stat.S_ISDIR(found.st_mode) else [*same, found.st_size, found.st_mtime_ns]
