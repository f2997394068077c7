"""Receive files from the page: streamed to disk, with limits."""

import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

from starlette.concurrency import run_in_threadpool

from chromacord.errors import InputError, OutputError

_SPARED = 1 << 30
"""Bytes of the disk that uploads leave free."""

_MAX_NAME = 100


async def receive(stream: AsyncIterator[bytes], name: str, folder: Path, *, limit: int) -> Path:
    """Write a stream to a new file; return its path.

    Args:
        stream: the content in parts.
        name: the file's name in the browser; only its last part is used.
        folder: parent of the new folder for the file.
        limit: maximum number of bytes.

    Raises:
        InputError: the name is not a file name, or the stream is too long.
        OutputError: the disk is full.
    """
    # Both kinds of separators: the browser may run on either system.
    last = PurePosixPath(PureWindowsPath(name).name).name
    if not last or last.startswith(".") or "\0" in last or len(last) > _MAX_NAME:
        raise InputError(f"{name[:_MAX_NAME]!r} is not the name of a file; rename it")
    limit = min(limit, shutil.disk_usage(folder).free - _SPARED)
    # Each upload gets its own folder, so that equal names do not clash and the clip keeps its name.
    own = folder / secrets.token_hex(4)
    own.mkdir()
    path, size = own / last, 0
    try:
        with path.open("wb") as file:
            async for part in stream:
                size += len(part)
                if size > limit:
                    raise InputError(f"{last}: is larger than {max(limit, 0):,} bytes; open it by its path instead")
                await run_in_threadpool(file.write, part)
    except OSError as error:
        _remove(own)
        raise OutputError(f"{last}: cannot be stored: {error.strerror}; open it by its path instead") from error
    except BaseException:
        _remove(own)
        raise
    return path


def _remove(folder: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(folder)
