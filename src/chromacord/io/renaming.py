"""Rename without ever replacing what is there."""

import ctypes
import errno
import os
from pathlib import Path

_NO_REPLACE = 1
"""RENAME_NOREPLACE of renameat2(2), which tests and renames in one step."""

_AT_WORKING_FOLDER = -100
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)

_libc = ctypes.CDLL(None, use_errno=True)


def rename_new(source: Path, target: Path) -> None:
    """Rename a file or a folder to a name that is free.

    Raises:
        FileExistsError: the name is taken, be it by a link that leads nowhere; nothing was changed.
        OSError: it cannot be renamed for another reason.
    """
    reason = _rename_without_replacing(source, target)
    if reason in _UNSUPPORTED:
        _rename_in_two_steps(source, target)
    elif reason:
        raise OSError(reason, os.strerror(reason), str(target))


def _rename_without_replacing(source: Path, target: Path) -> int:
    """Return 0, or the number of the error."""
    rename = getattr(_libc, "renameat2", None)
    if rename is None:
        return errno.ENOSYS
    places = (_AT_WORKING_FOLDER, os.fsencode(source), _AT_WORKING_FOLDER, os.fsencode(target))
    return ctypes.get_errno() if rename(*places, _NO_REPLACE) else 0


def _rename_in_two_steps(source: Path, target: Path) -> None:
    """Take the name first, for file systems that know no other way (NFS, FAT, many of FUSE)."""
    if source.is_dir():
        target.mkdir()
        source.rename(target)  # onto an empty folder, which POSIX allows
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
