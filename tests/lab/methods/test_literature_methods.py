"""The methods of the literature, with random weights, through the whole pipeline on a dev clip at its own size."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import chromacord as cc
from chromacord.lab import weight_files
from chromacord.lab.reporting.literature import paper_tables
from chromacord.methods import METHODS, load_method

CLIP = Path(__file__).parents[4] / "shared/data/video/davis_blackswan"
METHODS_OF_TABLE_1 = ("dovenet", "iih", "rainnet", "issam", "huang2019", "co2net", "chen2024")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CLIP.is_dir(), reason="needs the project's footage beside the repository"),
]


def test_these_are_the_systems_of_table_1() -> None:
    assert len(METHODS_OF_TABLE_1) == len([row for row in paper_tables()[0].rows if not row.is_reference])
    assert set(METHODS_OF_TABLE_1) <= set(METHODS)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three original JPEG frames, and their masks."""
    folder = tmp_path_factory.mktemp("clip")
    for part in ("images", "masks"):
        (folder / part).mkdir()
        for path in sorted((CLIP / part).iterdir())[:3]:
            shutil.copy(path, folder / part)
    return folder


@pytest.mark.parametrize("name", METHODS_OF_TABLE_1)
def test_a_grade_of_full_size_frames_is_fitted_to_a_methods_pixels(name: str, clip: Path, tmp_path: Path) -> None:
    network = load_method(name, weights=None).network
    file = tmp_path / f"{name}.safetensors"
    weight_files.save(network.state_dict(), file)  # type: ignore[operator]
    cc.harmonize_video(
        clip / "images", mask=clip / "masks", output=tmp_path / "out/%05d.png", method=f"{name}:weights={file}"
    )
    for image, mask, made in zip(*(sorted(folder.iterdir()) for folder in folders(clip, tmp_path)), strict=True):
        before, after = (cv2.imread(str(path)) for path in (image, made))
        inside = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
        assert before is not None
        assert after is not None
        assert inside is not None
        assert after.shape == before.shape == (480, 854, 3)
        assert (
            np.abs(after[inside == 0].astype(int) - before[inside == 0]).max() <= 2
        )  # JPEG is decoded by two libraries
        assert np.abs(after[inside > 250].astype(int) - before[inside > 250]).mean() > 2  # random weights change much


def folders(clip: Path, tmp_path: Path) -> tuple[Path, Path, Path]:
    return clip / "images", clip / "masks", tmp_path / "out"
