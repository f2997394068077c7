"""True composites: a foreground cut out of one photograph and pasted into another, from a list.

A list is a CSV file with one composite a line; pictures are named relative to a folder, so that a list can be given to
others without any picture:

    name,foreground,labels,background,height,x,bottom,mismatch,foreground_licence,background_licence

The mask of `<set>/images/<name>.webp` is `<set>/masks/<name>.png`. `labels` says which labels of the mask are the
foreground, divided by blanks, or `all`; empty: the mask is coverage. `height` is the foreground's, as a share of the
background's; `x` and `bottom` say where its middle and its lowest line lie, as shares of the background's width and
height. Nobody knows how such a foreground would have been photographed there: only eyes can judge what becomes of it.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.color.alpha import over
from chromacord.errors import InputError, MissingFileError
from chromacord.io.stills.single import read_matte, read_rgb
from chromacord.lab.composites.synthesis import Bytes, to_bytes
from chromacord.types import FloatArray

FREE_LICENCES = ("CC0", "CC BY 2.0", "CC BY 4.0", "CC BY-SA", "MIT", "Apache-2.0", "public domain")
"""How licences begin whose pictures may be shown to anybody."""

EDGE = 1.0
"""Standard deviation, in pixels of the composite, of the blur that makes a foreground's edge soft."""

_COLUMNS = (
    *("name", "foreground", "labels", "background", "height", "x", "bottom", "mismatch"),
    *("foreground_licence", "background_licence"),
)


@dataclass(frozen=True)
class Placement:
    """A line of a list."""

    name: str
    foreground: Path
    """Relative to the folder of pictures, as is `background`."""

    labels: frozenset[int] | None
    """Of the mask; an empty set stands for all above 0. None: the mask is coverage."""

    background: Path
    height: float
    """Of the foreground, as a share of the background's."""

    x: float
    """Where the foreground's middle lies, as a share of the background's width."""

    bottom: float
    """Where the foreground ends, as a share of the background's height; above 1 it is cut off."""

    mismatch: str
    """In words, as "daylight on dusk"."""

    licences: tuple[str, str]
    """Of the foreground and of the background."""

    @property
    def mask(self) -> Path:
        """The foreground's mask."""
        return self.foreground.parent.parent / "masks" / f"{self.foreground.stem}.png"


class Pasted(NamedTuple):
    """A composite."""

    composite: Bytes
    """Shape (H, W, 3)."""

    mask: FloatArray
    """Weight of the foreground in [0, 1]. Shape (H, W)."""


def read_placements(path: Path) -> tuple[Placement, ...]:
    """Read a list.

    Raises:
        MissingFileError: there is no such file.
        InputError: a line cannot be read, names a composite twice or has a licence that is not free; says which.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file; it lists the composites")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(
                f"{path}: has no column {', '.join(missing)}; a list of composites has {', '.join(_COLUMNS)}"
            )
        found = [_placement(row, f"{path} line {reader.line_num}") for row in reader]
    names = [placement.name for placement in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}: {names.count(name)} composites are called {name}; each needs a name of its own")
    if not found:
        raise InputError(f"{path}: lists no composite")
    return tuple(found)


def paste(placement: Placement, folder: Path) -> Pasted:
    """Make a composite: the foreground scaled, its edge softened inwards, laid over the background.

    Args:
        placement: what goes where.
        folder: that the list's paths begin in.

    Raises:
        InputError: a picture is missing or cannot be read, or nothing of the foreground would be seen.
    """
    foreground = to_bytes(read_rgb(folder / placement.foreground))
    background = to_bytes(read_rgb(folder / placement.background))
    coverage = _coverage(placement, folder)
    if coverage.shape != foreground.shape[:2]:
        raise InputError(f"{folder / placement.mask}: differs in size from its picture")
    rows, columns = np.nonzero(coverage.max(axis=1))[0], np.nonzero(coverage.max(axis=0))[0]
    if not len(rows):
        raise InputError(f"{folder / placement.mask}: holds none of the foreground that {placement.name} names")
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    matrix = _fit(placement, box, background.shape[:2])
    size = (background.shape[1], background.shape[0])
    shrunk = min(1.0, float(matrix[0, 0]))
    moved = _moved(_softened(foreground.astype(np.float32), shrunk), matrix, size, border=cv2.BORDER_REPLICATE)
    mask = _soft_edge(_moved(_softened(coverage, shrunk), matrix, size, border=cv2.BORDER_CONSTANT))
    if not mask.any():
        raise InputError(f"{placement.name}: the foreground lies outside the background; change x, bottom or height")
    composite = over(moved, background.astype(np.float32), mask[..., None])
    return Pasted(np.rint(composite).clip(0, 255).astype(np.uint8), mask)


def _placement(row: dict[str, str], where: str) -> Placement:
    try:
        height, x, bottom = (float(row[name]) for name in ("height", "x", "bottom"))
        labels = _labels(row["labels"].split())
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where}: height, x and bottom must be numbers, labels whole numbers, or all") from error
    if not (0 < height <= 4 and row["foreground"] and row["background"]):
        raise InputError(f"{where}: needs two pictures, and a height above 0 and up to 4")
    if not re.fullmatch(r"[\w-]+", row["name"] or ""):
        raise InputError(f"{where}: name {row['name']!r} names a file; give it one of letters, digits and dashes")
    licences = (row["foreground_licence"] or "", row["background_licence"] or "")
    for licence in licences:
        if not licence.startswith(FREE_LICENCES):
            known = ", ".join(FREE_LICENCES)
            raise InputError(f"{where}: licence {licence!r} is not known to be free; take a picture of {known}")
    pictures = Path(row["foreground"]), Path(row["background"])
    return Placement(row["name"], pictures[0], labels, pictures[1], height, x, bottom, row["mismatch"] or "", licences)


def _labels(words: list[str]) -> frozenset[int] | None:
    if words == ["all"]:
        return frozenset()
    return frozenset(int(word) for word in words) or None


def _coverage(placement: Placement, folder: Path) -> FloatArray:
    matte = read_matte(folder / placement.mask)
    if placement.labels is not None:
        chosen = np.isin(matte, list(placement.labels)) if placement.labels else matte > 0
        return chosen.astype(np.float32)
    return matte.astype(np.float32) / np.float32(np.iinfo(matte.dtype).max)


def _fit(placement: Placement, box: tuple[slice, slice], size: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Return the matrix from the foreground's picture to the background's. Shape (2, 3)."""
    rows, columns = box
    scale = placement.height * size[0] / (rows.stop - rows.start)
    left = placement.x * size[1] - scale * (columns.start + columns.stop) / 2
    top = placement.bottom * size[0] - scale * rows.stop
    # Pixels are areas: half a pixel lies between an edge and the first centre.
    half = (scale - 1) / 2
    return np.array([[scale, 0, left + half], [0, scale, top + half]])


def _moved(picture: FloatArray, matrix: npt.NDArray[np.float64], size: tuple[int, int], *, border: int) -> FloatArray:
    moved: FloatArray = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return moved


def _softened(picture: FloatArray, scale: float) -> FloatArray:
    """Blur a picture by what would turn into false patterns where it is made smaller."""
    if scale >= 1:
        return picture
    softened: FloatArray = cv2.GaussianBlur(picture, (0, 0), 0.5 / scale - 0.4)
    return softened


def _soft_edge(mask: FloatArray) -> FloatArray:
    """Return a mask with a soft edge that begins at the border and rises inwards: what lies outside is not taken."""
    soft: FloatArray = np.clip(2 * cv2.GaussianBlur(mask, (0, 0), EDGE) - 1, 0, 1)
    return soft
