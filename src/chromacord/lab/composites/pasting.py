"""Pasted composites: a foreground cut from one photograph and pasted into another, as given in a list.

A list is a CSV file with one composite per line. Pictures are named relative to a folder, so that a list can be shared
without its pictures:

    name,foreground,labels,background,height,x,bottom,mismatch,foreground_licence,background_licence

The mask of `<set>/images/<name>.webp` is `<set>/masks/<name>.png`. `labels` lists the mask labels that form the
foreground, separated by spaces, or is `all`; if empty, the mask is coverage. `height` is the foreground's height
relative to the background's; `x` and `bottom` place its centre and its lowest row, relative to the background's width
and height. There is no ground truth for such a composite: its harmonization can only be judged by eye.
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
"""Prefixes of licences whose pictures may be shown publicly."""

EDGE = 1.0
"""Standard deviation of the blur that softens a foreground's edge, in pixels of the composite."""

_COLUMNS = (
    *("name", "foreground", "labels", "background", "height", "x", "bottom", "mismatch"),
    *("foreground_licence", "background_licence"),
)


@dataclass(frozen=True)
class Placement:
    """A line of a list."""

    name: str
    foreground: Path
    """Path relative to the folder of pictures, like `background`."""

    labels: frozenset[int] | None
    """Foreground labels of the mask; an empty set means all above 0. None: the mask is coverage."""

    background: Path
    height: float
    """Foreground height, relative to the background's."""

    x: float
    """Horizontal centre of the foreground, relative to the background's width."""

    bottom: float
    """Bottom of the foreground, relative to the background's height; above 1 it is cut off."""

    mismatch: str
    """Short description of the mismatch, such as "daylight on dusk"."""

    licences: tuple[str, str]
    """Licences of the foreground and the background."""

    @property
    def mask(self) -> Path:
        """Path of the foreground's mask."""
        return self.foreground.parent.parent / "masks" / f"{self.foreground.stem}.png"


class Pasted(NamedTuple):
    """A composite."""

    composite: Bytes
    """Shape (H, W, 3)."""

    mask: FloatArray
    """Foreground weight in [0, 1]. Shape (H, W)."""


def read_placements(path: Path) -> tuple[Placement, ...]:
    """Read a list.

    Raises:
        MissingFileError: there is no such file.
        InputError: a line cannot be read, repeats a composite's name, or has a non-free licence; names the line.
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
            raise InputError(f"{path}: {names.count(name)} composites are called {name}; each needs a unique name")
    if not found:
        raise InputError(f"{path}: lists no composite")
    return tuple(found)


def paste(placement: Placement, folder: Path) -> Pasted:
    """Make a composite: scale the foreground, soften its edge inwards, and lay it over the background.

    Args:
        placement: a line of the list.
        folder: base folder of the list's paths.

    Raises:
        InputError: a picture is missing or unreadable, or no foreground would be visible.
    """
    foreground = to_bytes(read_rgb(folder / placement.foreground))
    background = to_bytes(read_rgb(folder / placement.background))
    coverage = _coverage(placement, folder)
    if coverage.shape != foreground.shape[:2]:
        raise InputError(
            f"{folder / placement.mask}: has a different size than its picture; give a mask of the same size"
        )
    rows, columns = np.nonzero(coverage.max(axis=1))[0], np.nonzero(coverage.max(axis=0))[0]
    if not len(rows):
        raise InputError(
            f"{folder / placement.mask}: contains none of the labels listed for {placement.name}; correct the labels"
        )
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
        raise InputError(f"{where}: both pictures are required, and height must be above 0 and at most 4")
    if not re.fullmatch(r"[\w-]+", row["name"] or ""):
        raise InputError(f"{where}: name {row['name']!r} would be a path; use letters, digits and dashes only")
    licences = (row["foreground_licence"] or "", row["background_licence"] or "")
    for licence in licences:
        if not licence.startswith(FREE_LICENCES):
            known = ", ".join(FREE_LICENCES)
            raise InputError(f"{where}: licence {licence!r} is not known to be free; use a picture under {known}")
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
    """Return the matrix from foreground to background coordinates. Shape (2, 3)."""
    rows, columns = box
    scale = placement.height * size[0] / (rows.stop - rows.start)
    left = placement.x * size[1] - scale * (columns.start + columns.stop) / 2
    top = placement.bottom * size[0] - scale * rows.stop
    # Pixel coordinates refer to centres, half a pixel from the edge.
    half = (scale - 1) / 2
    return np.array([[scale, 0, left + half], [0, scale, top + half]])


def _moved(picture: FloatArray, matrix: npt.NDArray[np.float64], size: tuple[int, int], *, border: int) -> FloatArray:
    moved: FloatArray = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return moved


def _softened(picture: FloatArray, scale: float) -> FloatArray:
    """Low-pass a picture to prevent aliasing when it is reduced."""
    if scale >= 1:
        return picture
    softened: FloatArray = cv2.GaussianBlur(picture, (0, 0), 0.5 / scale - 0.4)
    return softened


def _soft_edge(mask: FloatArray) -> FloatArray:
    """Soften a mask's edge inwards, so that no pixel outside the cut-out becomes visible."""
    soft: FloatArray = np.clip(2 * cv2.GaussianBlur(mask, (0, 0), EDGE) - 1, 0, 1)
    return soft
