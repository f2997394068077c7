"""Rename a run's outputs to their final names, all or none, even if the run is killed.

A journal of all renames is written before the first one; while it exists, the outputs are incomplete. On failures and
signals the renames are undone at once. After a kill, the next run that uses one of the folders undoes them (`recover`).

Without `force` no file is ever replaced, not even one that has just appeared.
"""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from chromacord.errors import OutputError, OutputExistsError
from chromacord.io.writing.journal import Entry, Journal, Move, in_use, journals_in
from chromacord.io.writing.places import is_same_file
from chromacord.io.writing.temporary import is_abandoned, remove_leftovers

_STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))
"""Windows has the first two."""

completed: list[str] = []
"""Descriptions of the committed outputs of each run in this process; later signals do not undo them."""


def commit(moves: Sequence[Move]) -> None:
    """Rename files to their final names; if one rename fails, or a signal arrives, undo all.

    Raises:
        OutputExistsError: a target exists and must not be replaced.
        OutputError: a file cannot be moved.
    """
    if not moves:
        return
    with _signals_held() as came:
        if _move_all([Entry.of(move) for move in moves], came):
            more = f" and {len(moves) - 1} more" if len(moves) > 1 else ""
            completed.append(f"{moves[0].target}{more}")
            return
    raise OutputError(f"{moves[0].target}: stopped by a signal while outputs were being moved; nothing was kept")


def recover(folder: Path) -> None:
    """Undo the incomplete renames of killed processes in a folder, and remove their leftovers.

    Raises:
        OSError: something cannot be moved or removed.
    """
    for path in journals_in(folder):
        # The journal of a running process is in use: undoing it would destroy that run's outputs.
        if not is_abandoned(path, in_use=in_use):
            continue
        journal = Journal.read(path)
        if journal is None:
            path.unlink(missing_ok=True)  # the run was killed while writing it, so nothing was moved
        elif journal.is_moving:
            journal.undo()
        else:
            journal.end()
    remove_leftovers(folder)


def unfinished(folder: Path) -> set[str]:
    """Return names that other runs are writing to a folder, or left incomplete beyond `recover`'s reach."""
    journals = [Journal.read(path) for path in journals_in(folder)]
    entries = [entry for journal in journals if journal is not None for entry in journal.entries]
    parents = {parent for parent in {entry.target.parent for entry in entries} if is_same_file(parent, folder)}
    return {entry.target.name for entry in entries if entry.target.parent in parents}


def _move_all(entries: list[Entry], came: Sequence[int]) -> bool:
    """Rename files until a signal arrives; return whether all were renamed."""
    with _moving_errors(entries[0].target):
        journal = Journal.begin(entries)
    try:
        for entry in entries:
            # Only between renames: each rename is atomic, so this is the one place where a signal leaves a
            # known state.
            if came:
                break
            with _moving_errors(entry.target):
                entry.move()
    # Also KeyboardInterrupt and SystemExit: a half-renamed set of outputs must not survive.
    except BaseException:
        _undo(journal)
        raise
    if came:
        _undo(journal)
        return False
    with _moving_errors(entries[0].target):
        journal.end()
    return True


def _undo(journal: Journal) -> None:
    try:
        journal.undo()
    except OSError as error:
        raise OutputError(
            f"{error.filename}: cannot be moved back: {error.strerror}; the next run into {journal.paths[0].parent} "
            "tries again"
        ) from error


@contextmanager
def _moving_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise OutputExistsError(
            f"{path}: appeared while this run was under way and was not replaced; no output of this run was kept; "
            "use --force to replace it, or another name"
        ) from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}; nothing was kept") from error


@contextmanager
def _signals_held() -> Iterator[list[int]]:
    """Delay signals that would stop the process, and raise them at the end.

    Handlers are replaced rather than masked: a masked signal reaches another thread, and Python's handler runs anyway.
    Python runs handlers only in the main thread, so nothing is delayed in others.

    Yields:
        The signals received so far.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def hold(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        came.append(number)

    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in _STOPPING}
    # None is a handler that Python cannot restore (installed by C code); ignored signals need no delay.
    held = {number: handler for number, handler in handlers.items() if handler not in (None, signal.SIG_IGN)}
    try:
        for number in held:
            signal.signal(number, hold)
        yield came
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        # Each kind once, after the handlers are back, so that the process ends as it would have without the
        # delay.
        for number in dict.fromkeys(came):
            signal.raise_signal(number)
