"""The folders that the page may read and write, named when the server starts."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chromacord.errors import InputError, MissingFileError
from chromacord.io.compositing.mask_forms import split_form
from chromacord.io.stills.image_formats import is_image_name

_VIDEOS = (".mp4", ".mov", ".mkv", ".m4v", ".webm", ".avi", ".mxf", ".mpg", ".ts", ".y4m", ".gif")
_OTHERS = (".json", ".cube", ".clf", ".cdl", ".cc", ".ccc", ".edl", ".otio")

MAX_LISTED = 2000
"""Maximum number of listed entries of a folder."""


class Folders:
    """Confines paths to a few folders and their contents, after resolving symbolic links."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Set the folders.

        Raises:
            MissingFileError: one of them is not a folder.
        """
        for folder in folders:
            if not folder.is_dir():
                raise MissingFileError(f"{folder}: is not a folder; name one that exists")
        self.roots = tuple(dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders))

    def confined(self, path: str) -> str:
        """Return a path as an absolute one if it is in one of the folders.

        Args:
            path: a file, a folder or a pattern of files; relative to the first folder.

        Raises:
            InputError: it is outside the folders.
        """
        if not path or "\0" in path:
            raise InputError("the path is empty or holds a null character; name a file")
        whole = os.path.join(self.roots[0], path)  # noqa: PTH118 - keeps a slash at the end, which means a folder
        # A mask's path may end in "@" and its form, which is not a part of the file name to resolve.
        for name in (whole, split_form(whole)[0]):
            # Resolve links before the comparison: a link inside a folder could lead out of it.
            real = Path(os.path.realpath(name))
            if any(real.is_relative_to(root) for root in self.roots):
                continue
            raise InputError(
                f"{path}: lies outside the folders that this page may use; start it with --folder {real.parent}"
            )
        return whole

    def listing(self, path: str | None) -> dict[str, Any]:
        """Return the entries of a folder that the page can use.

        Args:
            path: the folder; None: the first one.

        Raises:
            InputError: it is outside the folders, or not a folder.
        """
        folder = Path(self.confined(path or str(self.roots[0])))
        try:
            entries = sorted(folder.iterdir(), key=lambda each: each.name.lower())[:MAX_LISTED]
        except OSError as error:
            raise InputError(f"{folder}: cannot be listed: {error.strerror}; name a folder") from error
        shown = [each for each in entries if not each.name.startswith(".")]
        is_root = Path(os.path.realpath(folder)) in self.roots
        return {
            "folder": str(folder),
            "parent": None if is_root else str(folder.parent),
            "roots": [str(root) for root in self.roots],
            "folders": [each.name for each in shown if each.is_dir()],
            "files": [{"name": each.name, "kind": kind} for each in shown if (kind := _kind(each)) is not None],
        }


def _kind(path: Path) -> str | None:
    """Return "clip", "text" or None for a file that the page cannot use."""
    suffix = path.suffix.lower()
    if not path.is_file():
        return None
    if suffix in _VIDEOS or is_image_name(path.name):
        return "clip"
    return "text" if suffix in _OTHERS else None
