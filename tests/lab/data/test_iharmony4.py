from pathlib import Path

import cv2
import numpy as np
import pytest

from chromacord.errors import InputError, MissingFileError
from chromacord.lab.data import open_dataset
from chromacord.lab.data.iharmony4 import open_iharmony4

COMPOSITES = {
    "HAdobe5k": ["a0001_1_1.jpg", "a0001_1_2.jpg"],
    "HCOCO": ["c103_1253840_1.jpg"],
    "Hday2night": ["d90000014-9_1_2.jpg"],
    "HFlickr": ["f10_2_1.jpg"],
}
"""Names as they are in the data set's lists."""

MASKS = {"HAdobe5k": "a0001_1", "HCOCO": "c103_1253840", "Hday2night": "d90000014-9_1", "HFlickr": "f10_2"}
REALS = {"HAdobe5k": "a0001", "HCOCO": "c103", "Hday2night": "d90000014-9", "HFlickr": "f10"}


def make_iharmony4(folder: Path) -> Path:
    """Flat pictures of 10x12: composites of code 50, real ones of 100; the left half is foreground."""
    mask = np.zeros((10, 12), np.uint8)
    mask[:, :6] = 255
    for subset, names in COMPOSITES.items():
        for kind in ("composite_images", "masks", "real_images"):
            (folder / subset / kind).mkdir(parents=True)
        for name in names:
            cv2.imwrite(str(folder / subset / "composite_images" / name), np.full((10, 12, 3), 50, np.uint8))
        cv2.imwrite(str(folder / subset / "masks" / f"{MASKS[subset]}.png"), mask)
        cv2.imwrite(str(folder / subset / "real_images" / f"{REALS[subset]}.jpg"), np.full((10, 12, 3), 100, np.uint8))
        (folder / subset / f"{subset}_test.txt").write_bytes("\r\n".join([*names, ""]).encode())
    return folder


def test_the_four_subsets_are_clips_of_one_frame(tmp_path: Path) -> None:
    dataset = open_dataset(make_iharmony4(tmp_path))
    assert dataset.name == "iharmony4-test"
    assert dataset.names == (
        "HAdobe5k/a0001_1_1",
        "HAdobe5k/a0001_1_2",
        "HCOCO/c103_1253840_1",
        "Hday2night/d90000014-9_1_2",
        "HFlickr/f10_2_1",
    )
    for index, name in enumerate(dataset.names):
        clip = dataset[index]
        assert clip.composite.shape == (1, 3, 256, 256)
        assert clip.keys == (name,)
        assert (255 * clip.composite).round().unique().tolist() == [50]
        assert clip.real is not None
        assert (255 * clip.real).round().unique().tolist() == [100]
        assert clip.mask[0, 0, :, :100].min() == 1
        assert clip.mask[0, 0, :, -100:].max() == 0


def test_one_subset_is_a_data_set_of_its_own(tmp_path: Path) -> None:
    folder = make_iharmony4(tmp_path)
    assert open_dataset(folder / "HCOCO").names == ("HCOCO/c103_1253840_1",)
    assert open_iharmony4(folder, subsets=["HFlickr"]).name == "hflickr-test"


def test_a_line_may_give_the_path_of_the_composite(tmp_path: Path) -> None:
    folder = make_iharmony4(tmp_path)
    (folder / "HCOCO/HCOCO_test.txt").write_text("HCOCO\\composite_images\\c103_1253840_1.jpg\n")
    assert open_dataset(folder / "HCOCO").names == ("HCOCO/c103_1253840_1",)


def test_an_absent_mask_is_named_with_its_line(tmp_path: Path) -> None:
    folder = make_iharmony4(tmp_path)
    (folder / "HAdobe5k/masks/a0001_1.png").unlink()
    with pytest.raises(MissingFileError, match=r"2 files do not exist: .*a0001_1.png \(.*HAdobe5k_test.txt line 1\)"):
        open_dataset(folder)


def test_a_name_of_another_form_is_refused_with_its_line(tmp_path: Path) -> None:
    folder = make_iharmony4(tmp_path)
    (folder / "HCOCO/HCOCO_test.txt").write_text("c103_1253840_1.jpg\nc103.jpg\n")
    with pytest.raises(InputError, match=r"HCOCO_test.txt line 2: c103.jpg is not called"):
        open_dataset(folder)


def test_a_subset_without_its_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"HAdobe5k_train.txt: no such file"):
        open_dataset(make_iharmony4(tmp_path), split="train")


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (b"\xff\xfe\n", "is not called <picture>_<foreground>_<version>.jpg"),
        (b"c_1_1" * 60 + b".jpg\n", "this cannot be a file name"),
        (None, "2 clips are called"),
    ],
)
def test_lines_that_cannot_be_meant_are_refused(tmp_path: Path, added: bytes | None, said: str) -> None:
    make_iharmony4(tmp_path)
    path = tmp_path / "HCOCO/HCOCO_test.txt"
    content = path.read_bytes()
    path.write_bytes(content + b"\n" + (content if added is None else added))
    with pytest.raises(InputError, match=said):
        open_dataset(tmp_path)
