"""Score frames that were harmonized by other software."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from chromacord.errors import InputError, MismatchError, MissingFileError, counted
from chromacord.io.stills.single import read_rgb
from chromacord.lab.data.item import Clip
from chromacord.lab.data.tensors import picture_tensor
from chromacord.types import Size

SUFFIXES = (".png", ".tif", ".tiff", ".webp", ".jpg", ".jpeg")
"""Accepted suffixes of a prediction, preferred ones first."""

LISTED = 10
"""Maximum missing frames named in a message; the rest are counted."""


@dataclass(frozen=True)
class Predictions:
    """A folder of frames named like the data set's: FOLDER/<clip>/<frame>.<suffix>."""

    name: str
    """Name in tables."""

    folder: Path

    def check(self, keys: Iterable[str]) -> None:
        """Check that no frames are missing, before any work starts.

        Args:
            keys: path of each frame without the suffix, as in `Clip.keys`.

        Raises:
            MissingFileError: frames are missing; names the first ten and counts the rest.
        """
        if not self.folder.is_dir():
            raise MissingFileError(f"{self.folder}: there is no such folder of predictions")
        missing = self.missing(keys)
        if missing:
            more = f", and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
            raise MissingFileError(
                f"{self.folder}: has no prediction for {counted(len(missing), 'frame')}: "
                f"{', '.join(missing[:LISTED])}{more}; "
                f"frames are named as in the data set, and end in {', '.join(SUFFIXES)}"
            )

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Return the keys of missing frames, as in `Clip.keys`."""
        return [key for key in keys if self._path(key) is None]

    def read(self, clip: Clip, own_size: Callable[[], Size]) -> Tensor:
        """Read the frames of a clip unchanged, including their background.

        Args:
            clip: at the measured size.
            own_size: returns the size of the clip's files; called if predictions differ from the measured size.

        Returns:
            RGB in [0, 1] at the clip's size. Shape (T, 3, H, W).

        Raises:
            MissingFileError: a frame is missing.
            UnreadableFileError: a frame cannot be decoded.
            MismatchError: a frame has neither the measured size nor that of the clip's files.
        """
        self.check(clip.keys)
        measured = Size(*clip.composite.shape[-2:])
        own = cache(own_size)
        frames = []
        for key in clip.keys:
            path = self._path(key) or self.folder / key
            pixels = read_rgb(path)
            size = Size(*pixels.shape[:2])
            if size != measured and size != own():
                raise MismatchError(
                    f"{path}: is {size.width}x{size.height}; predictions must be {measured.width}x{measured.height} as "
                    f"measured, or {own().width}x{own().height} as the clip's files"
                )
            frames.append(picture_tensor(pixels, None if size == measured else measured))
        return torch.stack(frames)

    def _path(self, key: str) -> Path | None:
        """Return a frame's file, preferring lossless formats; None if there is none."""
        endings = [ending for suffix in SUFFIXES for ending in (suffix, suffix.upper())]
        return next((path for ending in endings if (path := self.folder / f"{key}{ending}").is_file()), None)


def name_predictions(folders: Iterable[Path]) -> tuple[Predictions, ...]:
    """Name folders of predictions after their last path component.

    Raises:
        InputError: two folders would have one name.
    """
    found = [Predictions(folder.resolve().name, folder) for folder in folders]
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two folders of predictions are called {name}; rename one, because it names a row")
    return tuple(found)
