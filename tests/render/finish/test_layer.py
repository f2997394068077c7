"""Foreground colours of soft pixels, on composites whose foreground is known: numpy mixes them."""

from contextlib import nullcontext

import cv2
import numpy as np
import pytest

from chromacord.color.spaces import code_to_rgb, rgb_to_code
from chromacord.errors import ChromacordWarning
from chromacord.io.compositing.overlay import block_mean
from chromacord.render.cpu import unpack
from chromacord.render.finish import blocks
from chromacord.render.finish.layer import CleanLayer
from chromacord.sample.scene import ASTRONAUT, cut_out, read_photograph
from chromacord.types import Box, Frame, PixelFormat, Plane, Size, VideoInfo
from tests.scenes import describe

SIZE = Size(192, 256)
FORMATS = {
    "rgb 8 bit": PixelFormat("rgb", 8),
    "420 8 bit": PixelFormat("yuv", 8, subsampling=(1, 1)),
    "422 10 bit": PixelFormat("yuv", 10, subsampling=(0, 1)),
    "rgb float": PixelFormat("rgb", 32, is_float=True),
}
GREEN = (0.1, 0.7, 0.2)


def alpha() -> np.ndarray:
    """Return a matte with a soft edge and soft holes. Shape (H, W)."""
    rows, columns = np.mgrid[: SIZE.height, : SIZE.width]
    disc = np.clip((70 - np.hypot(rows - 96, columns - 128)) / 8 + 0.5, 0, 1)
    strands = 0.5 + 0.5 * np.sin(columns * 0.8) * (rows < 70)
    return (disc * np.where(rows < 70, strands, 1)).astype(np.float32)


def true_foreground() -> np.ndarray:
    """Return R'G'B' that varies slowly, and finely in the middle. Shape (H, W, 3)."""
    rows, columns = np.mgrid[: SIZE.height, : SIZE.width].astype(np.float32)
    red = 0.6 + 0.2 * np.sin(columns / 40)
    green = 0.35 + 0.1 * np.cos(rows / 30) + 0.05 * np.sin(columns * 2) * (np.hypot(rows - 96, columns - 128) < 40)
    return np.stack([red, green, np.full_like(red, 0.3)], axis=-1)


def planes_of(rgb: np.ndarray, info: VideoInfo) -> tuple[Plane, ...]:
    affine = rgb_to_code(info.colorimetry, info.size, info.pixel_format)
    codes = (rgb @ affine.matrix.T + affine.offset).astype(np.float32)
    means = block_mean(codes, info.pixel_format.subsampling)
    planes = [np.ascontiguousarray((means if number else codes)[..., number]) for number in range(3)]
    if info.pixel_format.is_float:
        return tuple(planes)
    return tuple(np.rint(plane).astype(info.pixel_format.dtype) for plane in planes)


def rgb_of(planes: tuple[Plane, ...], info: VideoInfo) -> np.ndarray:
    affine = code_to_rgb(info.colorimetry, info.size, info.pixel_format)
    codes = unpack(Frame(planes, 0).planes, info, Box(0, 0, *info.size))[..., :3]
    return codes @ affine.matrix.T + affine.offset


def footage() -> np.ndarray:
    return true_foreground() * alpha()[..., None] + np.float32(GREEN) * (1 - alpha()[..., None])


def matte() -> np.ndarray:
    return np.rint(alpha() * 255).astype(np.uint8)


def error(rgb: np.ndarray) -> float:
    """Return the mean difference from the true composite over grey, in soft pixels, in codes of 8 bits."""
    soft = (alpha() > 0.02) & (alpha() < 0.98)
    return float((np.abs(rgb - true_foreground()) * alpha()[..., None])[soft].mean() * 255)


@pytest.mark.parametrize("layout", FORMATS)
def test_the_old_background_leaves_soft_pixels(layout: str) -> None:
    info = describe(FORMATS[layout], SIZE)
    before = planes_of(footage(), info)
    kept = [plane.copy() for plane in before]
    after = CleanLayer(info, 255, decontaminate=True, despill=None)(before, matte())
    assert error(rgb_of(after, info)) < 0.25 * error(rgb_of(before, info))
    assert all(np.array_equal(one, other) for one, other in zip(before, kept, strict=True))


@pytest.mark.parametrize("layout", ["rgb 8 bit", "rgb float"])
def test_pixels_that_are_wholly_one_or_the_other_keep_their_bits(layout: str) -> None:
    info = describe(FORMATS[layout], SIZE)
    before = planes_of(footage(), info)
    after = CleanLayer(info, 255, decontaminate=True, despill=None)(before, matte())
    certain = (matte() == 0) | (matte() == 255)
    assert all(np.array_equal(one[certain], other[certain]) for one, other in zip(before, after, strict=True))


def test_it_estimates_what_the_published_formula_does() -> None:
    """The paper's two passes at full size, written with box filters alone."""
    info = describe(FORMATS["rgb float"], SIZE)
    image, share = footage(), (matte() / np.float32(255))[..., None]

    def fuse(foreground: np.ndarray, background: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
        size = (2 * radius + 1, 2 * radius + 1)
        blurred = cv2.blur(share, size)[..., None]
        near = cv2.blur(foreground * share, size) / (blurred + 1e-5)
        far = cv2.blur(background * (1 - share), size) / (1 - blurred + 1e-5)
        return near + share * (image - share * near - (1 - share) * far), far

    expected, _ = fuse(*fuse(image, image, 90), 6)
    after = rgb_of(CleanLayer(info, 255, decontaminate=True, despill=None)(planes_of(image, info), matte()), info)
    inside = share[..., 0] > 0.05
    assert np.abs(after - expected.clip(0, 1))[inside].mean() < 0.01


@pytest.mark.slow
def test_it_is_hardly_worse_than_multilevel_estimation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against Germer et al. 2020, "Fast Multi-Level Foreground Estimation", around the hair of a photograph."""
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # a minute of compilation would spare seconds
    reference = pytest.importorskip("pymatting", reason="needs pymatting: pip install '.[dev]'")
    hair = slice(0, 220), slice(120, 340)
    portrait = read_photograph(ASTRONAUT)
    foreground, coverage = portrait[hair], np.rint(cut_out(portrait)[hair] * 255).astype(np.uint8)
    share = (coverage / np.float32(255))[..., None]
    filmed = foreground * share + np.float32(GREEN) * (1 - share)
    info = describe(FORMATS["rgb float"], Size(*coverage.shape))
    cleaned = CleanLayer(info, 255, decontaminate=True, despill=None)(planes_of(filmed, info), coverage)
    expected = reference.estimate_foreground_ml(filmed.astype(np.float64), share[..., 0].astype(np.float64))
    soft = (coverage > 5) & (coverage < 250)
    own, other, plain = (
        np.abs((made - foreground) * share)[soft].mean() for made in (rgb_of(cleaned, info), expected, filmed)
    )
    assert own < 1.4 * other
    assert other < 0.7 * plain


@pytest.mark.parametrize("screen", ["green", "blue"])
@pytest.mark.parametrize("layout", ["rgb 8 bit", "422 10 bit"])
def test_spill_is_limited_to_the_mean_of_the_other_channels(layout: str, screen: str) -> None:
    info = describe(FORMATS[layout], SIZE)
    channel = 1 if screen == "green" else 2
    rgb = np.full((*SIZE, 3), 0.5, np.float32)
    rgb[..., channel] = 0.7
    for despill in (screen, "auto"):
        said = pytest.warns(ChromacordWarning, match=f"found a {screen} screen") if despill == "auto" else nullcontext()
        with said:
            planes = CleanLayer(info, 255, decontaminate=False, despill=despill)(planes_of(rgb, info), matte())
        after = rgb_of(planes, info)
        assert after[96, 128] == pytest.approx(0.5, abs=0.01)
        assert after[0, 0] == pytest.approx(rgb[0, 0], abs=0.01)


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("size", [SIZE, Size(151, 203)], ids=["even", "odd"])
def test_spill_that_varies_is_limited_where_the_foreground_is(layout: str, size: Size) -> None:
    """Every pixel alone, written with NumPy, each with its sample of chroma."""
    coverage = np.ascontiguousarray(matte()[-size.height :, -size.width :])
    info = describe(FORMATS[layout], size)
    before = planes_of(np.random.default_rng(0).random((*coverage.shape, 3), np.float32), info)
    after = CleanLayer(info, 255, decontaminate=False, despill="green")(before, coverage)
    red, green, blue = np.moveaxis(rgb_of(before, info), -1, 0)
    excess = np.maximum(green - (red + blue) / 2, 0) * (coverage > 0)
    factors = rgb_to_code(info.colorimetry, size, info.pixel_format).matrix[:, 1]
    for number, (plane, made) in enumerate(zip(before, after, strict=True)):
        change = block_mean(excess.astype(np.float32), info.pixel_format.subsampling if number else (0, 0))
        expected = plane - change * factors[number]
        bound = 1e-5 if info.pixel_format.is_float else 0.51
        most = np.inf if info.pixel_format.is_float else info.pixel_format.max_code
        assert np.abs(expected.clip(0, most) - made).max() < bound
        assert (plane != made).any() == (factors[number] != 0)


def test_a_plain_background_is_taken_for_no_screen() -> None:
    info = describe(FORMATS["rgb 8 bit"], SIZE)
    before = planes_of(np.full((*SIZE, 3), 0.5, np.float32), info)
    with pytest.warns(ChromacordWarning, match="found no screen colour .* give --despill green or blue"):
        after = CleanLayer(info, 255, decontaminate=False, despill="auto")(before, matte())
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("layout", FORMATS)
def test_strips_do_not_see_what_their_neighbours_changed(layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(FORMATS[layout], SIZE)
    clean = CleanLayer(info, 255, decontaminate=True, despill=None)
    monkeypatch.setattr(blocks, "STRIP_ROWS", 16)
    strips = clean(planes_of(footage(), info), matte())
    monkeypatch.setattr(blocks, "STRIP_ROWS", 1024)
    for one, other in zip(strips, clean(planes_of(footage(), info), matte()), strict=True):
        assert np.abs(one.astype(float) - other).max() <= (1e-4 if info.pixel_format.is_float else 1)
        assert (one != other).mean() < (1 if info.pixel_format.is_float else 1e-3)
