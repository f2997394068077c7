"""iHarmony4 (Cong et al., "DoveNet", CVPR 2020): four sets of stills, each treated as a clip of one frame.

<subset>/composite_images/<picture>_<foreground>_<version>.jpg
<subset>/masks/<picture>_<foreground>.png
<subset>/real_images/<picture>.jpg
<subset>/<subset>_<split>.txt                                   (names of composites, one a line)
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from chromacord.errors import InputError, MissingFileError
from chromacord.lab.data.files import FileDataset, PictureFiles, check_files, read_lines
from chromacord.lab.data.tensors import WORKING_SIZE
from chromacord.types import Size

SUBSETS = ("HAdobe5k", "HCOCO", "Hday2night", "HFlickr")


def open_iharmony4(
    folder: Path,
    *,
    split: str = "test",
    size: Size | None = WORKING_SIZE,
    subsets: Sequence[str] = SUBSETS,
) -> FileDataset:
    """Open iHarmony4, or those of its subsets that exist.

    Args:
        folder: the folder with the subsets' folders, or the folder of one subset.
        split: "train" or "test".
        size: size to resize to; None: keep the original size.
        subsets: names of the subsets to open.

    Raises:
        MissingFileError: a list, or a file named in it, does not exist.
        InputError: a line of a list does not name a composite.
    """
    places = {place.name: place for place in _places(folder)}
    wanted = [name for name in SUBSETS if name in places and name in subsets]
    if not wanted:
        raise MissingFileError(f"{folder}: holds none of {', '.join(subsets)}")
    clips = [clip for name in wanted for clip in _subset_clips(places[name], split)]
    check_files(clips, where=str(folder))
    name = "iharmony4" if len(wanted) > 1 else wanted[0].lower()
    return FileDataset(f"{name}-{split}", clips, size=size)


def is_iharmony4(folder: Path) -> bool:
    """Whether a folder holds a subset of iHarmony4, or is one."""
    return next(_places(folder), None) is not None


def _places(folder: Path) -> Iterator[Path]:
    for place in (folder.absolute(), *(folder / name for name in SUBSETS)):
        if place.name in SUBSETS and (place / "composite_images").is_dir():
            yield place


def _subset_clips(place: Path, split: str) -> Iterator[PictureFiles]:
    path = place / f"{place.name}_{split}.txt"
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file; it lists the {split} pictures")
    for number, line in enumerate(read_lines(path), start=1):
        # Some copies of the lists contain paths instead of names.
        composite = line.strip().replace("\\", "/").rpartition("/")[2]
        if composite:
            yield _clip(place, composite, f"{path} line {number}")


def _clip(place: Path, composite: str, origin: str) -> PictureFiles:
    stem, _, suffix = composite.rpartition(".")
    parts = stem.rsplit("_", 2)
    if len(parts) != 3:
        raise InputError(f"{origin}: {composite} is not called <picture>_<foreground>_<version>.jpg")
    picture, foreground, _ = parts
    return PictureFiles(
        name=f"{place.name}/{stem}",
        frames=(stem,),
        composites=(place / "composite_images" / composite,),
        masks=(place / "masks" / f"{picture}_{foreground}.png",),
        reals=(place / "real_images" / f"{picture}.{suffix}",),
        foreground=foreground,
        origins=(origin,),
        # A few composites differ from their real picture by a row; the literature resizes each separately.
        is_strict=False,
    )
