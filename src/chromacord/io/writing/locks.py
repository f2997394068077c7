"""Locks on files and folders, which end with the process that holds them."""

from typing import IO, Any


def lock(file: IO[Any] | int) -> None:
    """Lock a file or folder until it is closed; do nothing on Windows, which has no such locks.

    Args:
        file: an open file, or a file descriptor.

    Raises:
        BlockingIOError: another process holds the lock.
        OSError: the file system has no locks.
    """
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
