"""What a clip is called: {name} on the command line, and its LUTs and their titles."""

import os
import re
from pathlib import Path

_NUMBER = re.compile(r"[._-]?(%0?\d*d|#+|@+)$")


def clip_name(source: str | os.PathLike[str]) -> str:
    """Return a clip's name without suffix and frame number.

    Args:
        source: "shot.mp4", "shot/" (a folder), "shot.%04d.exr" and "shot/%04d.exr" are all called "shot".
    """
    path = Path(source)
    stem = path.resolve().name if path.is_dir() else path.stem
    return _NUMBER.sub("", stem) or path.absolute().parent.name
