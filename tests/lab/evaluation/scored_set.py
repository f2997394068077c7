"""A data set of known figures: random pictures whose foreground is too bright by the same levels everywhere."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.types import Size

SIZE = Size(32, 48)
AREA = 12 * 16
"""Pixels of the foreground."""

Codes = npt.NDArray[np.uint8]


def make_set(
    folder: Path,
    *,
    offsets: dict[str, int],
    num_frames: int = 3,
    empty: tuple[str, int] | None = None,
    with_real: bool = True,
) -> Path:
    """Write clips as PNG: images, masks and real frames.

    Args:
        folder: where to.
        offsets: of each clip, the levels that its foreground is too bright by.
        num_frames: of each clip.
        empty: a clip and a frame of it that has no foreground.
        with_real: write the real frames too.
    """
    random = np.random.default_rng(0)
    for clip, offset in offsets.items():
        for index in range(num_frames):
            real = random.integers(40, 180, (*SIZE, 3), dtype=np.uint8)
            mask = np.zeros(SIZE, np.uint8)
            if (clip, index) != empty:
                mask[8:20, 10 + index : 26 + index] = 255
            composite = np.where(mask[..., None] > 0, real + np.uint8(offset), real)
            write(folder / clip / "images" / f"{index:05d}.png", composite)
            write(folder / clip / "masks" / f"{index:05d}.png", mask)
            if with_real:
                write(folder / clip / "real" / f"{index:05d}.png", real)
    return folder


def make_quality_footage(folder: Path) -> Path:
    """Write what the benchmark of quality takes: two clips of 5 frames, three pairs 16 levels apart, and ten LUTs."""
    make_set(folder / "video", offsets={"cat": 0, "dog": 0}, num_frames=5, with_real=False)
    make_set(folder, offsets={"pairs_dev": 16}, num_frames=3)
    corners = [(red, green, blue) for blue in (0, 1) for green in (0, 1) for red in (0, 1)]
    table = "".join(f"{red * 0.8} {green * 0.9} {blue}\n" for red, green, blue in corners)
    (folder / "luts").mkdir()
    with zipfile.ZipFile(folder / "luts" / "dev.zip", "w") as archive:
        for number in range(10):
            archive.writestr(f"look{number}.cube", f"LUT_3D_SIZE 2\n{table}")
    (folder / "manifest.csv").write_text("path,kind,mask,use\nvideo/cat,video,binary,dev\nvideo/dog,video,binary,dev\n")
    return folder


def make_pictures(folder: Path) -> Path:
    """Write a picture with a square on pure green, its mask, and a dark background, for composites."""
    mask = np.zeros((64, 96), np.uint8)
    mask[20:40, 30:50] = 255
    square = np.where(mask[..., None] > 0, np.array([200, 100, 50], np.uint8), np.array([0, 255, 0], np.uint8))
    write(folder / "things" / "images" / "square.png", square[..., ::-1])
    write(folder / "things" / "masks" / "square.png", mask)
    write(folder / "place.png", np.full((80, 120, 3), 40, np.uint8))
    return folder


def write_list(path: Path, *lines: dict[str, str]) -> Path:
    """Write a list of composites of `make_pictures`, each line as a square in the middle but for what is given."""
    usual = {
        **{"name": "one", "foreground": "things/images/square.png", "labels": "", "background": "place.png"},
        **{"height": "0.5", "x": "0.5", "bottom": "0.75", "mismatch": "bright on dark"},
        **{"foreground_licence": "CC0 1.0", "background_licence": "CC BY 4.0"},
    }
    rows = [usual.keys(), *((usual | line).values() for line in lines)]
    path.write_text("".join(f"{','.join(row)}\n" for row in rows))
    return path


def copy_frames(dataset: Path, kind: str, predictions: Path, *, size: Size = SIZE) -> Path:
    """Write a kind of frames ("real", "images") as predictions."""
    for path in sorted(dataset.glob(f"*/{kind}/*.png")):
        picture = cv2.imread(str(path))
        if picture.shape[:2] != size:
            picture = cv2.resize(picture, (size.width, size.height))
        write(predictions / path.parent.parent.name / path.name, picture)
    return predictions


def write(path: Path, picture: Codes) -> None:
    """Write a PNG, and the folder for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)
