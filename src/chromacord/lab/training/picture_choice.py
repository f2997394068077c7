"""Pictures to train on, and pictures held out."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from chromacord.color.cube import Cube
from chromacord.errors import InputError, MissingFileError
from chromacord.lab.composites.photographs import Photographs, load_photographs
from chromacord.lab.data.luts import read_luts
from chromacord.lab.data.regions import load_unmasked
from chromacord.lab.training.recipe import MAX_SIDE, check_range
from chromacord.types import Progress


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
    photographs = load_photographs(
        folder,
        side=data.picture_side,
        use=data.use,
        licences=data.licences,
        without=data.without,
        progress=progress,
    )
    trained, held_out = photographs.split(data.held_out)
    names = photographs.names
    if data.unmasked is not None:
        check_named("unmasked", folder / data.unmasked)
        unmasked = load_unmasked(folder / data.unmasked, side=data.picture_side)
        trained, names = trained.joined(unmasked), names + unmasked.names
    if not len(trained) or (data.held_out and not len(held_out)):
        raise InputError(
            f"{folder}: {len(held_out)} of {len(photographs)} pictures are held out at [data] held_out = "
            f"{data.held_out:g}; "
            f"choose a {'larger share, or 0 to validate on none' if len(trained) else 'smaller share'}"
        )
    return Pictures(trained, held_out, names)


def read_named_luts(luts: str | None, folder: Path) -> dict[str, Cube]:
    """Read the LUTs that a table names, by name; none where it names none.

    Raises:
        InputError: they are not there, or cannot be read.
    """
    if luts is None:
        return {}
    check_named("luts", folder / luts)
    return read_luts(folder / luts)


def check_named(key: str, path: Path) -> None:
    """Make sure that something exists that a recipe names, and that a folder of one's own need not hold.

    Raises:
        MissingFileError: it does not.
    """
    if not os.path.lexists(path):
        raise MissingFileError(
            f"{path}: is not there, and the recipe's [data] {key} names it; change it, or leave it out"
        )
