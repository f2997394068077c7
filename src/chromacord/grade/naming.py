"""Derive the names for {name} and {folder}, and for exported LUTs, from a clip's path."""

import os
import re
from pathlib import Path

_NUMBER = re.compile(r"[._-]?(%0?\d*d|#+|@+)$")


def clip_name(source: str | os.PathLike[str]) -> str:
    """Return a clip's name without suffix and frame number.

    Args:
        source: "shot.mp4", "shot/" (a folder), "shot.%04d.exr" and "shot/%04d.exr" are all named "shot". In the name of
            an existing file, nothing is treated as a frame number.
    """
    path = Path(source)
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        return path.resolve().name
    if os.path.isfile(path):  # noqa: PTH113
        return path.stem
    return _NUMBER.sub("", path.stem) or folder_name(path)


def folder_name(source: str | os.PathLike[str]) -> str:
    """Return the name of the folder that contains a clip, without its parents."""
    folder = Path(source).parent
    return folder.resolve().name if folder.name in ("", "..") else folder.name


def readable(name: str) -> str:
    """Return a file name as text that UTF-8 can encode: names may contain any bytes."""
    return os.fsencode(name).decode(errors="replace")


def printable(name: str) -> str:
    """Return a file name, or a text with one, as one line without control characters, which XML does not allow."""
    return "".join(each if each.isprintable() else "?" for each in readable(name))
