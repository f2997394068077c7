"""Data sets of clips.

`open_dataset` recognises a data set by its folders.
"""

import os
from pathlib import Path

from chromacord.errors import InputError, MissingFileError
from chromacord.lab.data.clip_folder import find_clips, open_clips
from chromacord.lab.data.files import FileDataset
from chromacord.lab.data.hyoutube import is_hyoutube, open_hyoutube
from chromacord.lab.data.iharmony4 import is_iharmony4, open_iharmony4
from chromacord.lab.data.item import Clip, ClipDataset
from chromacord.lab.data.tensors import WORKING_SIZE
from chromacord.types import Size

__all__ = ["Clip", "ClipDataset", "FileDataset", "open_dataset"]


def open_dataset(
    path: Path | str,
    *,
    split: str = "test",
    size: Size | None = WORKING_SIZE,
    use: str | None = None,
    stills: bool = False,
) -> FileDataset:
    """Open a data set: HYouTube or one in its layout, iHarmony4, or a folder of clips with images and masks.

    Args:
        path: the data set's folder.
        split: "test" or "train"; a folder of clips has no splits.
        size: size to resize to, ignoring the aspect ratio; None: keep the original size.
        use: in a folder of clips, take only those with this `use` in manifest.csv.
        stills: in a folder of clips, treat each picture as a clip of its own.

    Raises:
        MissingFileError: the folder, or a file named by its lists, does not exist.
        InputError: the folder's layout is unknown.
    """
    folder = Path(path)
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises on overlong names
        raise MissingFileError(f"{folder}: no such folder")
    if is_hyoutube(folder):
        return open_hyoutube(folder, split=split, size=size)
    if is_iharmony4(folder):
        return open_iharmony4(folder, split=split, size=size)
    if find_clips(folder):
        return open_clips(folder, size=size, use=use, stills=stills)
    raise InputError(
        f"{folder}: is not a known data set: HYouTube (real_videos, foreground_mask, synthetic_composite_videos), "
        "iHarmony4 (HCOCO, ...), or folders with images and masks"
    )
