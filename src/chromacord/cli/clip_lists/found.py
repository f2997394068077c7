"""Expand folders and globs to clips, and mirror the folder's tree in outputs."""

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from chromacord.cli.batch.clips import OUTPUTS, PLACEHOLDER, StrPath
from chromacord.errors import InputError, MissingFileError

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mxf", ".y4m", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts")
_GLOB = "*?["


class Found(NamedTuple):
    """A clip, and the folder argument in which it was found."""

    path: str
    root: Path | None = None
    """None: the clip was given by its own path or by a glob."""


def find_clips(named: Sequence[str]) -> list[Found]:
    """Expand globs and folders to their clips, sorted by name.

    A folder of images is one clip, and is not expanded.

    Raises:
        MissingFileError: nothing matches a glob.
    """
    return [found for path in named for found in _expanded(path)]


def _expanded(path: str) -> list[Found]:
    if any(mark in path for mark in _GLOB) and not os.path.lexists(path):
        matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - as shells do, hidden files left out
        files = [each for each in matches if not Path(each).is_dir() or _holds_images(Path(each))]
        if not files:
            raise MissingFileError(f"{path}: matches no clip; check the pattern and the working folder")
        return [Found(each) for each in files]
    root = Path(path)
    if path and os.path.isdir(path) and not _holds_images(root) and (clips := _clips_below(root)):  # noqa: PTH112
        return [Found(str(each), root) for each in clips]
    return [Found(path)]


def _clips_below(root: Path) -> list[Path]:
    clips: list[Path] = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(folder)
        if _holds_images(here):
            clips.append(here)
        videos = (name for name in files if name.lower().endswith(VIDEOS) and not name.startswith("."))
        clips += [here / name for name in videos]
    return sorted(clips)


def _holds_images(folder: Path) -> bool:
    from chromacord.io.stills.image_formats import is_image_name

    with os.scandir(folder) as entries:
        return any(is_image_name(each.name) and not each.name.startswith(".") for each in entries)


def mirrored(found: Found, others: Mapping[str, StrPath | None]) -> dict[str, StrPath | None]:
    """Return the other paths of a clip, with each folder replaced by the clip's counterpart in it.

    Args:
        found: the clip, below a folder.
        others: paths by field of `Clip`. Those with placeholders are not changed.

    Raises:
        InputError: an input's folder has no counterpart of the clip, or several; or an output is not a folder.
    """
    if found.root is None:
        return dict(others)
    below = Path(found.path).relative_to(found.root)
    return {name: _mirror(name, path, below, found.path) for name, path in others.items()}


def _mirror(name: str, path: StrPath | None, below: Path, clip: str) -> StrPath | None:
    if path is None or PLACEHOLDER.search(os.fspath(path)):
        return path
    folder = Path(path)
    if name == "output":
        if folder.suffix and not folder.is_dir():
            raise InputError(f"{path}: is one output for all clips of a folder; name a folder, or put {{name}} in it")
        is_folder = Path(clip).is_dir()
        return str(folder / below) + ("/" if is_folder else "")
    if name in OUTPUTS or not folder.is_dir() or _holds_images(folder):
        return path
    same = folder / below
    matches = [same] if same.exists() else sorted(same.parent.glob(glob.escape(below.stem) + ".*"))
    if len(matches) != 1:
        what = f"{len(matches)} files" if matches else "no file"
        raise InputError(f"{clip}: --{name} {path} has {what} called {below.with_suffix('')}; keep one for each clip")
    return str(matches[0])


def make_folders(outputs: Sequence[str]) -> None:
    """Create the folders of outputs.

    Raises:
        OutputError: one cannot be created.
    """
    from chromacord.io.writing.staging import output_errors

    for output in outputs:
        folder = Path(output) if output.endswith("/") else Path(output).parent
        with output_errors(Path(output)):
            folder.mkdir(parents=True, exist_ok=True)
