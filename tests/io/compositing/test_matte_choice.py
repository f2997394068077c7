"""Whether a matte's coverage is its alpha or its luma."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from chromacord.errors import ChromacordWarning
from chromacord.io import LayeredSource, open_source
from chromacord.io.compositing.mattes import choose_alpha
from chromacord.types import Colorimetry
from tests.clips import make_clip
from tests.images import RGBA8, MemorySource, noise, video_info, write

SHAPE = (12, 18)
FULL, NONE = np.full(SHAPE, 255, np.uint8), np.zeros(SHAPE, np.uint8)
MATTE = np.zeros(SHAPE, np.uint8)
MATTE[3:9, 4:12] = 255
PHOTO = [np.ascontiguousarray(plane) for plane in np.moveaxis(noise(3), -1, 0)]


def chosen(*pictures: list[np.ndarray]) -> bool:
    source = MemorySource(video_info(RGBA8, Colorimetry(full_range=True)), [tuple(planes) for planes in pictures])
    return choose_alpha(source)


@pytest.mark.parametrize(
    "pictures",
    [
        [[*PHOTO, MATTE]],
        [[FULL, FULL, FULL, MATTE]],
        [[MATTE, MATTE, MATTE, MATTE]],
        [[*PHOTO, NONE], [*PHOTO, MATTE]],
        [[*PHOTO, FULL], [*PHOTO, MATTE]],
        [[NONE, NONE, NONE, FULL], [*PHOTO, MATTE]],
    ],
)
def test_alpha_that_is_not_the_same_everywhere_is_the_matte_and_it_is_said(pictures: list[list[np.ndarray]]) -> None:
    with pytest.warns(ChromacordWarning, match="^memory: its alpha is used as the mask, not its colours; remove the"):
        assert chosen(*pictures)


@pytest.mark.parametrize(
    "pictures",
    [
        [[MATTE, MATTE, MATTE, FULL]],
        [[NONE, NONE, NONE, FULL], [MATTE, MATTE, MATTE, FULL], [MATTE, MATTE, MATTE, MATTE]],
        [[MATTE, MATTE, MATTE, NONE]],
        [[*PHOTO, FULL]],
    ],
)
def test_alpha_that_is_the_same_everywhere_is_none(pictures: list[list[np.ndarray]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not chosen(*pictures)


@pytest.mark.parametrize("kind", ["png", "exr", "tif", "mov"])
def test_files_of_all_kinds_are_looked_at(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"m.{kind}"
    if kind == "mov":
        make_clip(path, codec="prores_ks", pix_fmt="yuva444p10le")
        opaque = make_clip(tmp_path / "o.mov", pix_fmt="yuv420p")
    else:
        pixels = np.dstack([*PHOTO, MATTE])
        dtype = "float32" if kind == "exr" else "uint8"
        scale = 255 if kind == "exr" else 1
        write(path, (pixels / scale).astype(dtype))
        opaque = write(tmp_path / f"o.{kind}", (pixels[..., :3] / scale).astype(dtype))
    with pytest.warns(ChromacordWarning, match="its alpha is used"):
        assert choose_alpha(open_source(path))
    assert not choose_alpha(open_source(opaque))


def test_the_matte_of_layers_is_chosen_the_same_way(tmp_path: Path) -> None:
    background = open_source(write(tmp_path / "b.png", noise(3)))
    foreground = open_source(write(tmp_path / "f.png", noise(3, seed=1)))
    with pytest.warns(ChromacordWarning, match=r"m\.png: its alpha is used"):
        layers = LayeredSource(
            foreground, background, open_source(write(tmp_path / "m.png", np.dstack([*PHOTO, MATTE])))
        )
    ((_, mask, _),) = layers.layers()
    np.testing.assert_array_equal(mask.planes[0], MATTE)
