"""Give outputs their final names: all of a run's or none of them, whatever ends the run.

Before the first file moves, a journal lists all moves; it lies, hidden, in each folder that files move to. It goes with
the last move, and the first journal decides: while it is there, the outputs are not complete. A failure or a signal
moves the files back at once. After a kill the next run that looks into one of the folders does (`recover`).

Without `force` no file is ever replaced, not even one that appeared a moment before: see `rename_new`.
"""

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from chromacord.errors import OutputError, OutputExistsError
from chromacord.io.renaming import rename_new
from chromacord.io.signals import KEPT, signals_held
from chromacord.io.temporary import JOURNAL, hidden_path, is_abandoned, is_hidden, remove, remove_leftovers

_own: set[Path] = set()
"""Journals of this process that are in use."""


class Move(NamedTuple):
    """A file or folder that is to get its final name."""

    source: Path
    target: Path
    backup: Path | None
    """Where a file waits that `source` replaces, in the same file system; None: nothing may be replaced."""


def commit(moves: Sequence[Move]) -> None:
    """Move files to their final names; if that fails for one of them, or a signal comes, move all of them back.

    Raises:
        OutputExistsError: a target is there that must not be replaced.
        OutputError: a file cannot be moved.
    """
    if not moves:
        return
    is_complete = False
    try:
        with signals_held() as came:
            is_complete = _move_all([_Entry.of(move) for move in moves], came)
    except (KeyboardInterrupt, SystemExit) as error:
        if is_complete:
            error.add_note(KEPT)
        raise
    if not is_complete:
        raise OutputError(f"{moves[0].target}: stopped by a signal while outputs were moved; nothing was kept")


def recover(folder: Path) -> None:
    """Undo what killed processes did not complete in a folder, and remove what they left.

    Raises:
        OSError: something cannot be moved or removed.
    """
    for path in _journals(folder):
        if not is_abandoned(path, in_use=_own):
            continue
        journal = _Journal.read(path)
        if journal is None:
            path.unlink(missing_ok=True)  # killed while it was written, so nothing was moved
        elif os.path.lexists(journal.paths[0]):
            journal.undo()
        else:
            journal.end()
    remove_leftovers(folder)


def unfinished(folder: Path) -> set[Path]:
    """Return what other runs are moving to a folder at this moment, or left half-way where `recover` cannot help."""
    journals = [_Journal.read(path) for path in _journals(folder)]
    return {entry.target for journal in journals if journal is not None for entry in journal.entries}


@dataclass(frozen=True)
class _Entry:
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
        source, backup = move.source.absolute(), move.backup and move.backup.absolute()
        names = [entry.name for entry in source.iterdir()] if source.is_dir() else []
        return cls(source, move.target.absolute(), backup, _mark(source), names)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        backup = data["backup"]
        paths = Path(data["source"]), Path(data["target"]), None if backup is None else Path(backup)
        return cls(*paths, data["mark"], data["names"])

    def move(self) -> None:
        """Give the file its final name."""
        if self.backup is None:
            rename_new(self.source, self.target)
            return
        _keep(self.target, self.backup)
        self.source.replace(self.target)

    def undo(self) -> None:
        """Bring back what was there before, if nobody else has written to that name since."""
        now = _mark(self.target)
        # Another process may be at it too: what it has done already need not be done.
        with contextlib.suppress(FileNotFoundError):
            if self.backup is not None and os.path.lexists(self.backup):
                if now in ([], self.mark, _mark(self.backup)):
                    self.backup.replace(self.target)
                remove(self.backup)  # replacing a file by a link to it leaves both
            elif now == self.mark and self.names:
                self._empty_folder()
            elif now == self.mark:
                self.target.replace(self.source)

    def _empty_folder(self) -> None:
        """Take our files out of a folder; those that others have put there since stay, and so does the folder."""
        for name in self.names:
            remove(self.target / name)
        with contextlib.suppress(OSError):
            self.target.rmdir()


@dataclass(frozen=True)
class _Journal:
    """All moves of a run, written before the first one."""

    paths: list[Path]
    """Where it lies: once in each folder that files move to. The first one decides."""

    entries: list[_Entry]

    @classmethod
    def begin(cls, entries: list[_Entry]) -> Self:
        """Write it."""
        folders = dict.fromkeys(entry.target.parent for entry in entries)
        name = entries[0].target.name
        journal = cls([hidden_path(folder, name, JOURNAL) for folder in folders], entries)
        _own.update(journal.paths)
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
        """Read it; None where it was not written to its end, or has gone meanwhile."""
        try:
            data = json.loads(path.read_text(encoding="ascii"))
            return cls([Path(each) for each in data["paths"]], [_Entry.from_json(each) for each in data["entries"]])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def undo(self) -> None:
        """Move everything back, and let the journal go."""
        for entry in reversed(self.entries):
            entry.undo()
        for path in reversed(self.paths):
            self._let_go(path)

    def end(self) -> None:
        """Let the journal go: with its first copy the moves are complete."""
        for path in self.paths:
            self._let_go(path)
        for entry in self.entries:
            if entry.backup is not None:
                remove(entry.backup)

    @staticmethod
    def _let_go(path: Path) -> None:
        remove(path)
        _own.discard(path)


def _move_all(entries: list[_Entry], came: Sequence[int]) -> bool:
    """Move files until a signal comes; return whether all of them have their names."""
    with _moving_errors(entries[0].target):
        journal = _Journal.begin(entries)
    try:
        for entry in entries:
            if came:
                break
            with _moving_errors(entry.target):
                entry.move()
    except BaseException:
        journal.undo()
        raise
    if came:
        journal.undo()
        return False
    journal.end()
    return True


@contextmanager
def _moving_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise OutputExistsError(
            f"{path}: appeared while this run was under way and was not replaced; nothing of this run was kept; "
            "use --force (force=True) to replace it, or another name"
        ) from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}; nothing was kept") from error


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


def _mark(path: Path) -> list[int]:
    """Return what a file keeps when it is renamed, as good as no other has; [] where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return []
    same = [found.st_dev, found.st_ino]
    return same if stat.S_ISDIR(found.st_mode) else [*same, found.st_size, found.st_mtime_ns]


def _journals(folder: Path) -> list[Path]:
    return [path.absolute() for path in folder.iterdir() if is_hidden(path, JOURNAL)]
