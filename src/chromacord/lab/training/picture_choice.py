"""Read pictures and LUTs, and split them into training and held-out sets."""

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
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
    """Keys that the table [data] has for all objectives that train on pictures."""

    use: str = "train"
    licences: tuple[str, ...] | None = None
    """Licences to accept from the folder's manifest.csv; None: all."""

    without: tuple[str, ...] = ()
    """Sets to exclude, such as "still/labelme"."""

    unmasked: str | None = None
    """Folder of photographs without masks, relative to the data folder; their regions serve as foregrounds."""

    optional: tuple[str, ...] = ()
    """Parts of the data folder that may be missing, with a warning: "luts", "unmasked", or "manifest" (all clips are
    then used)."""

    picture_side: int = 192
    """Side at which pictures are stored."""

    held_out: float = 0.04
    """Share of pictures held out for validation; 0: none."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        check_range("picture_side", self.picture_side, 1, MAX_SIDE)
        check_range("held_out", self.held_out, 0, 1, is_open=True)
        for name in self.optional:
            if name not in _CAN_BE_ABSENT:
                raise InputError(f"optional: {one_of(name, _CAN_BE_ABSENT)}, got {name!r}")


@dataclass(frozen=True)
class GradeData(PictureData):
    """The table [data] of a recipe."""

    luts: str | None = None
    """Folder or archive of .cube files, relative to the data folder."""

    held_out_luts: float = 0.0
    """Share of the LUTs used only for validation; at 0, validation uses all LUTs."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        super().__post_init__()
        check_range("held_out_luts", self.held_out_luts, 0, 0.5)


class Pictures(NamedTuple):
    """The pictures and LUTs that a table selects."""

    trained: Photographs
    held_out: Photographs
    """Validation pictures; may be empty."""

    fingerprint: str
    """Digest of the names of all selected pictures and LUTs."""

    luts: Sequence[Cube] = ()
    held_out_luts: Sequence[Cube] = ()
    """LUTs for validation: those of training, unless a share is held out."""


def read_pictures(data: PictureData, folder: Path, *, progress: Callable[[Progress], object] | None = None) -> Pictures:
    """Read pictures, and the LUTs that a `GradeData` names, and split them into training and validation.

    Args:
        data: the recipe's table [data].
        folder: folder of the training data.
        progress: called while pictures are read.

    Raises:
        InputError: there are no such pictures or LUTs, or one side of the pictures' split is empty.
    """
    is_own = "manifest" in data.optional and folder.is_dir() and not has_manifest(folder)
    if is_own:
        _warn(f"{folder}: it has no {MANIFEST}, so all of its clips are used; check their licences")
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
    luts = _read_named_luts(data, folder) if isinstance(data, GradeData) else {}
    share = data.held_out_luts if isinstance(data, GradeData) else 0.0
    return Pictures(trained, held_out, digest([*names, *luts]), *_split_luts(list(luts.values()), share))


def digest(names: Iterable[str]) -> str:
    """Return the fingerprint of data by its names."""
    return sha256("\n".join(names).encode()).hexdigest()


def _split(photographs: Photographs, data: PictureData, *, is_own: bool) -> tuple[Photographs, Photographs]:
    """Split pictures; of a small data set of one's own, hold out at least one picture."""
    share = data.held_out
    trained, held_out = photographs.split(share)
    while is_own and share and not len(held_out) and share < 0.5:
        share = min(2 * share, 0.5)
        trained, held_out = photographs.split(share)
    return trained, held_out


def _read_named_luts(data: GradeData, folder: Path) -> dict[str, Cube]:
    """Read the LUTs that a table names, by name; empty if it names none, or if they are optional and missing."""
    if data.luts is None or not _is_there("luts", data, folder / data.luts):
        return {}
    return read_luts(folder / data.luts)


def _split_luts(luts: list[Cube], share: float) -> tuple[list[Cube], list[Cube]]:
    """Split LUTs into training and validation; at a share of 0, both use all."""
    if not share:
        return luts, luts
    step = round(1 / share)
    return [lut for number, lut in enumerate(luts) if number % step], luts[::step]


def _is_there(key: str, data: PictureData, path: Path) -> bool:
    """Whether a path named in a recipe exists; warn if it is missing but optional.

    Raises:
        MissingFileError: it is missing and not optional.
    """
    if os.path.lexists(path):
        return True
    if key not in data.optional:
        raise MissingFileError(f"{path}: is missing, but the recipe's [data] {key} names it; correct or remove the key")
    _warn(f"{path}: is missing; trained without the recipe's {key}")
    return False


def _warn(message: str) -> None:
    warnings.warn(message, ChromacordWarning, stacklevel=4)
