"""The graded foreground in a separate file: laid over the background by hand, it equals the result."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from chromacord import harmonize_video
from tests import images
from tests.clips import BT709, make_clip
from tests.color.spaces import in_spaces
from tests.footage import SIZE, disc, make_mask

NUM_FRAMES = 2
TO_RGB = np.array([[1, 0, 1.5748], [1, -0.1873, -0.4681], [1, 1.8556, 0]])
"""From Y', Cb and Cr of BT.709 (ITU-R BT.709-6, clause 3)."""

HOW = {"method": "mkl", "consistency": "shot", "force": True}
ALPHAS = pytest.mark.parametrize("alpha", ["straight", "premultiplied"])


def background(index: int) -> np.ndarray:
    """A sky of SDR video. Shape (H, W, 3)."""
    rows, columns = np.mgrid[: SIZE.height, : SIZE.width] / np.array(SIZE)[:, None, None]
    return np.stack([0.25 + 0.4 * columns, 0.3 + 0.3 * rows, 0.6 - 0.3 * columns * rows + 0.02 * index], axis=-1)


def foreground(index: int) -> np.ndarray:
    """What is laid over it, darker and redder. Shape (H, W, 3)."""
    return 0.2 + 0.6 * (background(index) - 0.2) * [1.0, 0.7, 0.5]


def composite(index: int) -> np.ndarray:
    weights = disc(index)[..., None] / 255
    return background(index) + weights * (foreground(index) - background(index))


def with_alpha(index: int) -> np.ndarray:
    return np.concatenate([foreground(index), disc(index)[..., None] / 255], axis=-1)


def pngs(folder: Path, name: str, picture: Callable[[int], np.ndarray], kind: type = np.uint8) -> Path:
    for index in range(NUM_FRAMES):
        images.write(folder / f"{name}.{index:04}.png", np.rint(picture(index) * np.iinfo(kind).max).astype(kind))
    return folder / f"{name}.%04d.png"


def exrs(folder: Path, name: str, picture: Callable[[int], np.ndarray]) -> Path:
    """Write light; colours under alpha are multiplied by it."""
    for index in range(NUM_FRAMES):
        numbers = picture(index)
        light = in_spaces(numbers[..., :3])["ACEScg"] * 2
        if numbers.shape[-1] == 4:
            light = np.concatenate([light * numbers[..., 3:], numbers[..., 3:]], axis=-1)
        images.write(folder / f"{name}.{index:04}.exr", light.astype(np.float32))
    return folder / f"{name}.%04d.exr"


def read(pattern: Path) -> np.ndarray:
    """Read pictures as stored, integer codes relative to the largest. Shape (T, H, W, C)."""
    found = []
    for index in range(NUM_FRAMES):
        ((_, pixels),) = images.parts(Path(str(pattern).replace("%04d", f"{index:04}")))
        scale = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
        found.append(pixels.astype(np.float64) / scale)
    return np.stack(found)


def laid_over(layer: np.ndarray, under: np.ndarray, alpha: str) -> np.ndarray:
    """Porter and Duff's "over"."""
    coverage = layer[..., 3:]
    return layer[..., :3] * (coverage if alpha == "straight" else 1) + (1 - coverage) * under


def harmonized(folder: Path, suffix: str, alone: str, *, alpha: str, **inputs: Any) -> tuple[Path, Path]:
    """Return the result and the foreground alone."""
    output, layer = folder / f"out{suffix}", folder / alone
    harmonize_video(output=output, foreground_out=layer, foreground_alpha=alpha, **inputs, **HOW)
    return output, layer


@ALPHAS
@pytest.mark.parametrize("layers", [False, True], ids=["composite", "layers"])
def test_png_over_the_background_is_the_result_to_a_code(tmp_path: Path, alpha: str, layers: bool) -> None:
    inputs = {"composite": pngs(tmp_path, "in", composite), "mask": make_mask(tmp_path / "m.mkv", num_frames=2)}
    if layers:
        inputs = {"foreground": pngs(tmp_path, "fg", with_alpha), "background": pngs(tmp_path, "bg", background)}
    under = read(inputs["background" if layers else "composite"])
    output, layer = harmonized(tmp_path, ".%04d.png", "alone.%04d.png", alpha=alpha, **inputs)
    result = read(output)
    assert np.abs(result - under).max() * 255 > 10, "there was something to do"
    assert np.abs(laid_over(read(layer), under, alpha) - result).max() * 255 <= 1


@ALPHAS
@pytest.mark.parametrize("layers", [False, True], ids=["composite", "layers"])
@pytest.mark.parametrize("space", [None, "ACEScg"])
def test_exr_over_the_background_is_the_result(tmp_path: Path, alpha: str, layers: bool, space: str | None) -> None:
    inputs = {"composite": exrs(tmp_path, "in", composite), "mask": make_mask(tmp_path / "m.mkv", num_frames=2)}
    if layers:
        inputs = {"foreground": exrs(tmp_path, "fg", with_alpha), "background": exrs(tmp_path, "bg", background)}
    under = read(inputs["background" if layers else "composite"])
    output, layer = harmonized(tmp_path, ".%04d.exr", "alone.%04d.exr", alpha=alpha, input_space=space, **inputs)
    result = read(output)
    assert np.abs(result - under).max() > 0.02, "there was something to do"
    np.testing.assert_allclose(laid_over(read(layer), under, alpha), result, atol=2e-6)


def rgb(path: Path) -> np.ndarray:
    """Decode limited-range 4:4:4 video of 10 or 12 bits as R'G'B', and alpha if there is any. Shape (T, H, W, C)."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            bits = frame.format.components[0].bits
            planes = [
                np.frombuffer(plane, np.uint16).reshape(plane.height, -1)[:, : plane.width].astype(np.float64)
                for plane in frame.planes
            ]
            unit = 1 << (bits - 8)
            ycc = [(planes[0] / unit - 16) / 219, *((plane / unit - 128) / 224 for plane in planes[1:3])]
            colors = np.einsum("ij,jhw->hwi", TO_RGB, np.stack(ycc))
            alphas = [plane[..., None] / ((1 << bits) - 1) for plane in planes[3:]]
            found.append(np.concatenate([colors, *alphas], axis=-1))
    return np.stack(found)


def clip(path: Path, picture: Callable[[int], np.ndarray]) -> Path:
    """Write 4:4:4 video of 10 bits without loss."""
    frames = []
    for index in range(NUM_FRAMES):
        ycc = np.einsum("ij,hwj->ihw", np.linalg.inv(TO_RGB), picture(index))
        codes = (ycc * np.array([219, 224, 224])[:, None, None] + np.array([16, 128, 128])[:, None, None]) * 4
        frames.append(list(np.rint(codes).astype(np.uint16)))
    return make_clip(path, codec="ffv1", pix_fmt="yuv444p10le", size=SIZE, frames=frames, colorimetry=BT709)


@ALPHAS
def test_prores_over_the_background_is_the_result_within_its_own_loss(tmp_path: Path, alpha: str) -> None:
    source = clip(tmp_path / "in.mkv", composite)
    mask = make_mask(tmp_path / "m.mkv", num_frames=NUM_FRAMES)
    output, layer = harmonized(tmp_path, ".mkv", "alone.mov", alpha=alpha, composite=source, mask=mask)
    under, result = rgb(source), rgb(output)
    assert np.abs(result - under).max() * 255 > 10, "there was something to do"
    difference = np.abs(laid_over(rgb(layer), under, alpha) - result) * 255
    assert difference.mean() < 0.1
    assert difference.max() < 2, "ProRes is lossy at its finest, too"
