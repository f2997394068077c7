"""Split pictures into training and held-out sets."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from chromacord.color.cube import Cube
from chromacord.errors import ChromacordWarning, InputError, MissingFileError, one_of
from chromacord.lab.composites.photographs import Photographs, load_photographs
from chromacord.lab.data.clip_folder import MANIFEST, has_manifest
from chromacord.lab.data.luts import read_luts
from chromacord.lab.data.regions import load_unmasked
from chromacord.lab.training.recipe import MAX_SIDE, check_range
from chromacord.types import Progress

_CAN_BE_ABSENT = ("manifest", "luts", "unmasked")


@dataclass(frozen=True)
class PictureData:
    """What all objectives that learn from pictures have in their table [data]."""

    use: str = "train"
    licences: tuple[str, ...] | None = None
    """Of the folder's manifest.csv; without it all."""

    without: tuple[str, ...] = ()
    """Sets to leave out, as "still/labelme"."""

    unmasked: str | None = None
    """Folder of photographs without masks, below the data's folder, that are trained on by their regions."""

    optional: tuple[str, ...] = ()
    """What a folder of one's own need not hold: "luts", "unmasked", or "manifest", without which all clips are taken.
    A warning says what is absent."""

    picture_side: int = 192
    """What pictures are held at."""

    held_out: float = 0.04
    """Share of the pictures that validate; at 0 nothing does."""

    def __post_init__(self) -> None:
        """Refuse values that leave nothing to train on.

        Raises:
            InputError: names the value.
        """
        check_range("picture_side", self.picture_side, 1, MAX_SIDE)
        check_range("held_out", self.held_out, 0, 1, is_open=True)
        for name in self.optional:
            if name not in _CAN_BE_ABSENT:
                raise InputError(f"optional: {one_of(name, _CAN_BE_ABSENT)}, got {name!r}")


class Pictures(NamedTuple):
    """What a table asks for."""

    trained: Photographs
    held_out: Photographs
    """May be empty."""

    names: tuple[str, ...]
    """Of both."""


def read_pictures(data: PictureData, folder: Path, *, progress: Callable[[Progress], object] | None = None) -> Pictures:
    """Read pictures, and divide them into those to train on and those that validate.

    Args:
        data: the recipe's table.
        folder: of the training data.
        progress: called while pictures are read.

    Raises:
        InputError: there are no such pictures, or the share that is held out leaves none on one side.
    """
    is_own = "manifest" in data.optional and folder.is_dir() and not has_manifest(folder)
    if is_own:
        _warn(f"{folder}: no {MANIFEST} says what its clips are for: all are taken; mind their licences")
    photographs = load_photographs(
        folder,
        side=data.picture_side,
        use=None if is_own else data.use,
        licences=None if is_own else data.licences,
        without=() if is_own else data.without,
        progress=progress,
    )
    trained, held_out = _split(photographs, data, is_own=is_own)
    names = photographs.names
    if data.unmasked is not None and _is_there("unmasked", data, folder / data.unmasked):
        unmasked = load_unmasked(folder / data.unmasked, side=data.picture_side)
        trained, names = trained.joined(unmasked), names + unmasked.names
    if not len(trained) or (data.held_out and not len(held_out)):
        raise InputError(
            f"{folder}: {len(held_out)} of {len(photographs)} pictures are held out at [data] held_out = "
            f"{data.held_out:g}; "
            f"choose a {'larger share, or 0 to validate on none' if len(trained) else 'smaller share'}"
        )
    return Pictures(trained, held_out, names)


def _split(photographs: Photographs, data: PictureData, *, is_own: bool) -> tuple[Photographs, Photographs]:
    """Divide pictures; of a few of one's own hold out a larger share, where the recipe's would hold out none."""
    share = data.held_out
    trained, held_out = photographs.split(share)
    while is_own and share and not len(held_out) and share < 0.5:
        share = min(2 * share, 0.5)
        trained, held_out = photographs.split(share)
    return trained, held_out


def read_named_luts(luts: str | None, data: PictureData, folder: Path) -> dict[str, Cube]:
    """Read the LUTs that a table names, by name; none where it names none, or may do without.

    Args:
        luts: folder or archive, below the data's folder.
        data: the recipe's table.
        folder: of the training data.

    Raises:
        InputError: they are not there, or cannot be read.
    """
    if luts is None or not _is_there("luts", data, folder / luts):
        return {}
    return read_luts(folder / luts)


def _is_there(key: str, data: PictureData, path: Path) -> bool:
    """Whether something exists that a recipe names; warn of what is optional.

    Raises:
        MissingFileError: it does not, and is not optional.
    """
    if os.path.lexists(path):
        return True
    if key not in data.optional:
        raise MissingFileError(f"{path}: is missing, but the recipe's [data] {key} names it; correct or remove the key")
    _warn(f"{path}: is not there; trained without the recipe's {key}")
    return False


def _warn(message: str) -> None:
    warnings.warn(message, ChromacordWarning, stacklevel=4)
