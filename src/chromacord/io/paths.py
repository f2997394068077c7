"""What is no path of a file that can be read or written here: one check for every input, one for every output."""

import os
import re
import stat
from pathlib import Path

from chromacord.errors import InputError, OutputError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_KINDS = {
    stat.S_IFIFO: "is a pipe, which cannot be read twice; save it to a file first",
    stat.S_IFSOCK: "is a socket; name a file",
    stat.S_IFCHR: "is a device; name a file",
    stat.S_IFBLK: "is a device; name a file",
}


def check_input(path: Path | str) -> None:
    """Refuse standard input, URLs, pipes, devices, and names that no file system takes. What is missing passes.

    Raises:
        InputError: says what it is, and what to give.
    """
    text = os.fspath(path)
    if text == "-":
        raise InputError("-: standard input cannot be read, since a clip is read twice; save it to a file first")
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if _URL.match(text):
            raise InputError(f"{text}: is a URL; download the file first, and name the copy") from None
        return
    except (OSError, ValueError) as error:
        raise InputError(f"{text}: cannot be read: {_reason(error)}; check the name and its permissions") from error
    if stat.S_IFMT(mode) in _KINDS:
        raise InputError(f"{text}: {_KINDS[stat.S_IFMT(mode)]}")


def check_output_path(path: Path | str) -> None:
    """Refuse standard output, URLs, and names that no file system takes.

    Raises:
        OutputError: says what it is, and what to give.
    """
    text = os.fspath(path)
    if text == "-":
        raise OutputError("-: standard output cannot take an output, which is written as a whole; name a file")
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if _URL.match(text) and not Path(path).parent.exists():
            raise OutputError(f"{text}: is a URL; write to a file and upload it") from None
        return
    except (OSError, ValueError) as error:
        raise OutputError(f"{text}: cannot be written: {_reason(error)}; choose another name") from error
    if stat.S_IFMT(mode) in _KINDS:
        raise OutputError(f"{text}: {_KINDS[stat.S_IFMT(mode)].partition(',')[0].partition(';')[0]}; name a file")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
