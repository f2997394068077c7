"""Locks on files and folders, which end with the process that holds them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def lock(file: IO[Any] | int) -> None:
    """Lock a file or folder until it is closed; do nothing on Windows and on file systems that have no such locks.

    Args:
        file: an open file, or a file descriptor.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    try:
        import fcntl
    except ImportError:
        return
    try:
        # flock, not lockf: POSIX locks end as soon as the process closes any descriptor of the file.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass  # some network file systems have no locks


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Lock a folder; do nothing on Windows, which opens no folders, nor on file systems without locks.

    Raises:
        BlockingIOError: another process holds the lock.
        FileNotFoundError: there is no such folder.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        yield
        return
    try:
        lock(handle)
        yield
    finally:
        os.close(handle)
