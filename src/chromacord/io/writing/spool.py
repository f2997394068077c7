"""Copy pipes into temporary files: a clip is decoded twice, but a pipe can be read only once."""

import os
import selectors
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from chromacord.errors import InputError

RESERVE = 1 << 30
"""Bytes that a spool leaves free on its file system."""

_STDIN = "-"
_CHUNK = 1 << 20


def is_pipe(path: str) -> bool:
    """Whether a path is standard input or a named pipe."""
    if path == _STDIN:
        return True
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)  # noqa: PTH116 - Path.stat raises the same, and costs an object
    except (OSError, ValueError):
        return False


@contextmanager
def spooled(paths: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Copy pipes into files of a temporary folder ($TMPDIR), all at once, and delete them at the end.

    A program that feeds several pipes may write to them alternately; reading one to its end first would deadlock.

    Args:
        paths: inputs by name.

    Yields:
        The same, with the files in place of "-" and named pipes.

    Raises:
        InputError: a pipe is named twice, is a terminal, is empty, or does not fit on the file system with `RESERVE`
            bytes left.
    """
    pipes = {name: path for name, path in paths.items() if is_pipe(path)}
    _refuse_repeated(pipes)
    if not pipes:
        yield dict(paths)
        return
    with tempfile.TemporaryDirectory(prefix="chromacord-") as folder, ExitStack() as stack:
        files = {name: Path(folder) / name for name in pipes}
        ends = {name: stack.enter_context(_reading_end(path)) for name, path in pipes.items()}
        copies = {name: stack.enter_context(file.open("wb")) for name, file in files.items()}
        _copy({ends[name]: (pipes[name], copies[name]) for name in pipes})
        # Close the files now, so that buffered bytes are included in their sizes.
        stack.close()
        for name, file in files.items():
            if not file.stat().st_size:
                raise InputError(f"{pipes[name]}: gave no data; check the program that writes to it")
        yield {**paths, **{name: str(file) for name, file in files.items()}}


def _refuse_repeated(pipes: Mapping[str, str]) -> None:
    owners: dict[str, str] = {}
    for name, path in pipes.items():
        first = owners.setdefault(os.path.realpath(path), name)
        if first != name:
            raise InputError(f"{path}: is the {first} and the {name}, but a pipe is read once; use a pipe for each")


@contextmanager
def _reading_end(path: str) -> Iterator[int]:
    if path == _STDIN:
        if os.isatty(0):
            raise InputError("-: standard input is a terminal; pipe a clip into the command")
        yield 0
        return
    try:
        # Without O_NONBLOCK, open waits for the writer, which may wait for another pipe of ours.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; check its permissions") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _copy(copies: Mapping[int, tuple[str, BinaryIO]]) -> None:
    # poll also takes a regular file as standard input, and reports the end of a pipe only after a writer has come.
    with selectors.PollSelector() as ready:
        for descriptor in copies:
            ready.register(descriptor, selectors.EVENT_READ)
        while ready.get_map():
            for key, _ in ready.select():
                path, file = copies[key.fd]
                try:
                    data = os.read(key.fd, _CHUNK)
                except BlockingIOError:  # another reader was quicker
                    continue
                if data:
                    _write(data, file, path)
                else:
                    ready.unregister(key.fd)


def _write(data: bytes, file: BinaryIO, path: str) -> None:
    # Checked for each block of 1 MB, because other processes write to the same file system.
    room = os.statvfs(file.fileno())
    if room.f_bavail * room.f_frsize < RESERVE + len(data):
        raise InputError(
            f"{path}: holds more than fits into {tempfile.gettempdir()}, of which {RESERVE >> 30} GiB stays free; set "
            "TMPDIR to a larger folder"
        )
    file.write(data)
