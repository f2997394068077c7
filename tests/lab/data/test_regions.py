"""Regions that stand in for masks."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from chromacord.errors import MissingFileError, UnreadableFileError
from chromacord.lab.data.regions import color_regions, load_unmasked


def halves() -> np.ndarray:
    """Red above, blue below. Shape (96, 96, 3)."""
    picture = np.zeros((96, 96, 3), np.uint8)
    picture[:48], picture[48:] = (200, 40, 40), (40, 40, 200)
    return picture


def test_no_region_crosses_a_plain_edge_of_colour() -> None:
    regions = color_regions(halves(), seed=0)
    assert regions.shape == (96, 96)
    assert not set(np.unique(regions[:42])) & set(np.unique(regions[54:]))
    assert np.unique(regions).size <= 4


def test_the_seed_decides_how_many_there_are() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    assert [int(color_regions(noise, seed=seed).max()) for seed in range(5)] == [4, 5, 6, 7, 8]


def test_photographs_are_read_with_labels_and_named_by_their_folder(tmp_path: Path) -> None:
    for name in ("a/one", "b/two"):
        path = tmp_path / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True)
        assert cv2.imwrite(str(path), halves()[..., ::-1])
    found = load_unmasked(tmp_path / "photos", side=32)
    assert found.names == found.clips == ("photos/a/one", "photos/b/two")
    assert found.pictures.shape == (2, 3, 32, 32)
    assert found.pictures[0, :, 4, 4].tolist() == [200, 40, 40]
    assert found.has_labels.all()
    assert found.masks.min() == 1
    assert torch.equal(found.masks, load_unmasked(tmp_path / "photos", side=32).masks)


def test_an_empty_folder_and_a_broken_picture_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="holds no pictures"):
        load_unmasked(tmp_path, side=32)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(UnreadableFileError, match=r"bad\.png: cannot be read as a picture"):
        load_unmasked(tmp_path, side=32)
