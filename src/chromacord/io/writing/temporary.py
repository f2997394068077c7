"""Hidden temporary names: create them, clean up after dead processes, and rename without replacing.

A name contains the final name, the host and the process id. Any later run in the same folder can therefore distinguish
the leftovers of a killed run (a process of this host that no longer exists) from files that another run, here or on
another host that shares the folder, is writing.
"""

import ctypes
import errno
import itertools
import os
import platform
import re
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from chromacord.io.memory import c_function

PARTIAL = "partial"
"""Kind of names under which outputs are written."""

JOURNAL = "moving"
"""Kind of names of journals (see `chromacord.io.writing.commit`)."""

NAME_MAX = 255
"""Maximum bytes of a file name on common file systems of Linux."""

_serials = itertools.count()
_MACHINE = re.sub(r"\W", "_", platform.node())[:64] or "unnamed"
_HIDDEN = re.compile(rf"\..+\.(?P<machine>\w+)-(?P<process>\d+)\.\d+\.(?P<kind>{PARTIAL}|{JOURNAL})", re.DOTALL)

_NO_REPLACE = 1
"""RENAME_NOREPLACE of renameat2(2), which tests and renames atomically."""

_AT_WORKING_FOLDER = -100
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)


def hidden_path(folder: Path, name: str, kind: str = PARTIAL) -> Path:
    """Return an unused hidden path for an output `name`; long names are shortened."""
    ending = os.fsencode(f".{_MACHINE}-{os.getpid()}.{next(_serials)}.{kind}")
    # File systems limit bytes, not characters, so the name is cut as bytes.
    shortened = os.fsencode(name)[: NAME_MAX - 1 - len(ending)]
    path = folder / os.fsdecode(b"." + shortened + ending)
    # The serial is unique in this process: an existing file of this name is from a dead process with the same id, as
    # happens in containers.
    remove(path)
    return path


def is_hidden(path: Path, kind: str) -> bool:
    """Whether a file has a hidden name of this kind, from any process."""
    found = _HIDDEN.fullmatch(path.name)
    return found is not None and found["kind"] == kind


def is_abandoned(path: Path, *, in_use: Collection[Path] | None = None) -> bool:
    """Whether a hidden name belongs to a process of this host that no longer exists.

    Args:
        path: the file.
        in_use: all such files of this process; others with its id are from a dead process with the same id.
    """
    found = _HIDDEN.fullmatch(path.name)
    # Whether a process of another host exists is unknown, so its files are left alone.
    if found is None or found["machine"] != _MACHINE:
        return False
    process = int(found["process"])
    if in_use is not None and process == os.getpid():
        return path not in in_use
    return not _is_running(process)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of dead processes in a folder."""
    for path in folder.iterdir():
        if is_hidden(path, PARTIAL) and is_abandoned(path):
            with suppress(PermissionError):  # another user's, in a shared folder
                remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def rename_new(source: Path, target: Path) -> None:
    """Rename a file or a folder to an unused name.

    Raises:
        FileExistsError: the name is in use, even if by a dangling link; nothing was changed.
        OSError: it cannot be renamed for another reason.
    """
    # os.rename would replace a file that appeared since the check.
    reason = _rename_without_replacing(source, target)
    if reason in _UNSUPPORTED:
        _rename_in_two_steps(source, target)
    elif reason:
        raise OSError(reason, os.strerror(reason), str(target))


def _is_running(process: int) -> bool:
    if os.name == "nt" or not hasattr(os, "kill"):
        return True  # os.kill of Windows ends the process; leftovers stay
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # PermissionError: the process exists and belongs to another user. OverflowError: this cannot be a process id, so
    # another program made the file.
    except (PermissionError, OverflowError):
        return True
    return True


def _rename_without_replacing(source: Path, target: Path) -> int:
    """Return 0, or the number of the error."""
    rename = c_function("renameat2")
    if rename is None:
        return errno.ENOSYS
    places = (_AT_WORKING_FOLDER, os.fsencode(source), _AT_WORKING_FOLDER, os.fsencode(target))
    return ctypes.get_errno() if rename(*places, _NO_REPLACE) else 0


def _rename_in_two_steps(source: Path, target: Path) -> None:
    """Reserve the name first, for file systems without an atomic rename (NFS, FAT, many FUSE ones)."""
    if source.is_dir():
        target.mkdir()
        try:
            source.rename(target)  # replaces the empty folder, which POSIX allows
        except OSError:
            target.rmdir()
            raise
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        source.rename(target)
    else:
        source.unlink()
