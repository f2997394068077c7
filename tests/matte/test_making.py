"""Clips of unusual sizes and kinds, with every way that needs no second clip."""

from pathlib import Path

import numpy as np
import pytest

from chromacord.errors import InputError
from chromacord.io import open_source
from chromacord.matte.making import make_matte
from chromacord.matte.ways import MatteOptions
from chromacord.types import Size
from tests.images import write
from tests.matte import networks
from tests.matte.test_model import described


def scene(size: tuple[int, int], index: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture in [0, 1] of a disc before a green screen, and its matte."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    away = (rows - size[0] / 2) ** 2 + (columns - size[1] / 2 - index) ** 2
    matte = away < (min(size) / 3) ** 2
    noise = np.random.default_rng(0).normal(0, 0.01, (*size, 3))
    return np.clip(np.where(matte[..., None], (0.7, 0.4, 0.35), (0.15, 0.7, 0.2)) + noise, 0, 1), matte


KINDS = {
    "one.png": (1, 1),
    "row.png": (1, 7),
    "odd.png": (17, 33),
    "deep.png": (40, 61),
    "alpha.png": (40, 60),
    "float.exr": (40, 60),
    "deep.tif": (41, 59),
    "seq.%04d.png": (40, 60),
}


def make(folder: Path, name: str) -> Path:
    for index in range(3 if "%" in name else 1):
        picture, matte = scene(KINDS[name], index)
        if name.startswith("deep"):
            codes = np.rint(picture * 65535).astype(np.uint16)
        elif name == "float.exr":
            codes = (picture**2.2).astype(np.float32)
        else:
            codes = np.rint(picture * 255).astype(np.uint8)
        if name == "alpha.png":
            codes = np.dstack([codes, matte.astype(np.uint8) * 255])
        write(folder / (name % (index + 7) if "%" in name else name), codes)
    return folder / name


@pytest.mark.filterwarnings("ignore::chromacord.ChromacordWarning", "error::RuntimeWarning")
@pytest.mark.parametrize("way", ["key", "click", "model"])
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_clip_has_a_matte_of_its_size(tmp_path: Path, name: str, way: str) -> None:
    clip, size = make(tmp_path, name), KINDS[name]
    if way == "model":
        options = MatteOptions(model=str(described(networks.modnet(tmp_path / "modnet.onnx"))))
    else:
        center = f"{size[1] // 2},{size[0] // 2}"
        options = MatteOptions(key="green") if way == "key" else MatteOptions(clicks=(center,))
    out = tmp_path / ("mask.%04d.png" if "%" in name else "mask.png")
    if way == "click" and min(size) < 16:
        with pytest.raises(InputError, match="--click: holds nothing that stands out"):
            make_matte(clip, out, options)
        assert not out.exists()
        return
    summary = make_matte(clip, out, options)
    source = open_source(out)
    frames = list(source.frames())
    assert source.info.size == Size(*size)
    assert len(frames) == summary.num_frames == (3 if "%" in name else 1)
    assert source.info.pixel_format.depth == (16 if name in ("deep.png", "deep.tif", "float.exr") else 8)
    if way != "model" and min(size) >= 16:
        found = frames[-1].planes[0] > source.info.pixel_format.max_code / 2
        truth = scene(size, len(frames) - 1)[1]
        assert (found & truth).sum() > 0.9 * (found | truth).sum()
