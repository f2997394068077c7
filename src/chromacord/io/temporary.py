"""Hidden names of files in the making: whose they are, and what dead processes left of them.

A name holds the final name, the writer's machine and its process id. So the next run into the same folder, whatever it
writes, can tell what a killed run left (a process of this machine that is gone) from what another run is writing at
this moment, here or on another machine that shares the folder.
"""

import itertools
import os
import platform
import re
import shutil
from collections.abc import Collection
from pathlib import Path

PARTIAL = "partial"
"""Kind of name under which an output is written."""

JOURNAL = "moving"
"""Kind of name of a list of moves that are under way (see `chromacord.io.commit`)."""

NAME_MAX = 255
"""Bytes that a name may have on every usual file system of Linux."""

_serials = itertools.count()
_MACHINE = re.sub(r"\W", "_", platform.node())[:64]
_HIDDEN = re.compile(rf"\..+\.(?P<machine>\w+)-(?P<process>\d+)\.\d+\.(?P<kind>{PARTIAL}|{JOURNAL})", re.DOTALL)


def hidden_path(folder: Path, name: str, kind: str = PARTIAL) -> Path:
    """Return a free hidden path for what will be called `name`; a long name is shortened in it."""
    ending = os.fsencode(f".{_MACHINE}-{os.getpid()}.{next(_serials)}.{kind}")
    shortened = os.fsencode(name)[: NAME_MAX - 1 - len(ending)]
    path = folder / os.fsdecode(b"." + shortened + ending)
    # The serial is unique in this process: what has this very name stems from a dead one with the same process id,
    # as happens in containers.
    remove(path)
    return path


def is_hidden(path: Path, kind: str) -> bool:
    """Whether a file has a hidden name of this kind, of whatever process."""
    found = _HIDDEN.fullmatch(path.name)
    return found is not None and found["kind"] == kind


def is_abandoned(path: Path, *, in_use: Collection[Path] | None = None) -> bool:
    """Whether a hidden name is that of a process of this machine that is gone.

    Args:
        path: the file.
        in_use: all such files of this process; any other that bears its id stems from a dead one that had the same.
    """
    found = _HIDDEN.fullmatch(path.name)
    if found is None or found["machine"] != _MACHINE:
        return False
    process = int(found["process"])
    if in_use is not None and process == os.getpid():
        return path not in in_use
    return not _is_running(process)


def remove_leftovers(folder: Path) -> None:
    """Remove what dead processes were writing in a folder."""
    for path in folder.iterdir():
        if is_hidden(path, PARTIAL) and is_abandoned(path):
            remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
