"""Sharpness is measured and matched on drawn shapes that are blurred by a known Gaussian in light."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from chromacord.errors import ChromacordWarning
from chromacord.job.finishing.matching import MatchedGrain, MatchedSharpness
from chromacord.job.finishing.measurement import Measuring
from chromacord.masks.masks import MaskedFrame
from chromacord.render import compiled
from chromacord.render.finish.sharpness import _MAX_TILES, _TILE, _contrasty, measure_spread
from chromacord.render.finish.softness import Sharpening, Softness
from chromacord.render.finish.stage import Finish
from chromacord.types import Alpha, Frame, PixelFormat, Size, VideoInfo
from tests.render.finish.test_grain import FORMATS, YUV, clip, grade_of
from tests.render.finish.test_wrap import FORMATS as ALL_FORMATS
from tests.scenes import as_mask, describe, masked, soft_disc

needs_both = pytest.mark.usefixtures("build")

SIZE = Size(288, 576)
SAMPLES = 4
"""Drawn points of a pixel's side."""


@pytest.fixture(params=["native", "numpy"])
def build(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with the compiled blur, and as if it had not been built."""
    if request.param == "numpy":
        monkeypatch.setattr(compiled, "BINARY", Path("not built"))
    elif compiled.opened(compiled.BINARY) is None:
        pytest.skip("soften.c was not compiled; with a C compiler installed: pip install --editable .")


def matte() -> np.ndarray:
    """Return a foreground on the left half."""
    weights = np.zeros(SIZE, np.float32)
    weights[:, : SIZE.width // 2] = 1
    return cv2.GaussianBlur(weights, (0, 0), 1.5)


@lru_cache
def shapes(seed: int, sigma: float, count: int) -> np.ndarray:
    """Return the light of discs and quadrilaterals, blurred by so many pixels. Shape (H, W)."""
    generator = np.random.default_rng(seed)
    drawn = np.full((SIZE.height * SAMPLES, SIZE.width * SAMPLES), 0.4, np.float32)
    for _ in range(count):
        radius = int(SAMPLES * generator.uniform(5, 40))
        centre = generator.integers(0, drawn.shape[::-1])
        if generator.random() < 0.5:
            cv2.circle(drawn, centre.tolist(), radius, generator.uniform(0.05, 0.9), -1)
        else:
            corners = (centre + generator.integers(-radius, radius, (4, 2))).astype(np.int32)
            cv2.fillPoly(drawn, [corners], generator.uniform(0.05, 0.9))
    blurred = cv2.GaussianBlur(drawn, (0, 0), sigma * SAMPLES)
    return cv2.resize(blurred, SIZE[::-1], interpolation=cv2.INTER_AREA)


def scene(info: VideoInfo, inside: float, outside: float, *, index: int = 0, noise: float = 0) -> MaskedFrame:
    """Return many shapes of one sharpness over few of another; noise in codes of 8 bits."""
    light = np.where(matte() > 0.5, shapes(index, inside, 250), shapes(50 + index, outside, 150))
    grey = np.maximum(light, 0) ** (1 / 2.4)
    code = info.pixel_format.max_code / 255
    grain = noise * np.random.default_rng(index).standard_normal(grey.shape)
    luma = code * (grain + (grey * 255 if info.pixel_format.model == "rgb" else 16 + 219 * grey))
    first = np.rint(luma).clip(0, info.pixel_format.max_code).astype(info.pixel_format.dtype)
    down, right = info.pixel_format.subsampling
    other = np.full_like(first, info.pixel_format.max_code // 2 + 1)[:: 1 << down, :: 1 << right]
    planes = (first, first, first) if info.pixel_format.model == "rgb" else (first, other, other)
    return MaskedFrame(Frame(tuple(plane.copy() for plane in planes), index), as_mask(matte()))


def matched(info: VideoInfo, frames: list[MaskedFrame]) -> float:
    measuring = Measuring(info, grain=False, sharpness=True)
    for each in frames:
        measuring.push(each.frame, each.mask, 0)
    return MatchedSharpness(measuring, grade_of(len(frames)), info)(0)


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize(("inside", "outside"), [(0.5, 1), (0.5, 2), (0.7, 1.5), (1, 2), (1, 3), (1.5, 2.5)])
def test_the_missing_blur_is_found(layout: str, inside: float, outside: float) -> None:
    info = describe(FORMATS[layout], SIZE)
    sigma = matched(info, [scene(info, inside, outside)])
    assert sigma == pytest.approx((outside**2 - inside**2) ** 0.5, rel=0.15)


@pytest.mark.parametrize(("inside", "outside"), [(0.5, 1), (0.7, 1.5), (1, 2)])
def test_noise_of_two_codes_changes_it_little(inside: float, outside: float) -> None:
    info = describe(YUV, SIZE, rate=6)
    sigma = matched(info, [scene(info, inside, outside, index=index, noise=2) for index in range(3)])
    assert sigma == pytest.approx((outside**2 - inside**2) ** 0.5, rel=0.15)


@pytest.mark.parametrize("sigma", [0.5, 1, 2])
def test_sides_of_the_same_sharpness_stay_as_they_are(sigma: float, recwarn: pytest.WarningsRecorder) -> None:
    info = describe(YUV, SIZE)
    assert matched(info, [scene(info, sigma, sigma)]) == 0
    assert not recwarn


def test_a_softer_foreground_is_said_and_stays_as_it_is() -> None:
    info = describe(YUV, SIZE)
    with pytest.warns(
        ChromacordWarning, match="foreground is softer than its background .edges spread 2 against 0.[89]"
    ):
        assert matched(info, [scene(info, 2, 0.9)]) == 0


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize(("inside", "outside"), [(1, 0.5), (1.5, 0.7), (1.5, 1), (2, 1.4), (3, 2)])
def test_a_softer_foreground_is_sharpened_on_request(layout: str, inside: float, outside: float) -> None:
    info = describe(FORMATS[layout], SIZE)
    shown = scene(info, inside, outside)
    measuring = Measuring(info, grain=False, sharpness=True)
    measuring.push(shown.frame, shown.mask, 0)
    sharpness = MatchedSharpness(measuring, grade_of(1), info, sharpen=True)
    assert sharpness(0) == 0
    finished = Finish(info, [Sharpening(info, sharpness.too_soft)])(shown, shown.frame)
    made = measure_spread(MaskedFrame(finished, shown.mask), info)
    assert made.foreground**0.5 == pytest.approx(made.background**0.5, rel=0.15)


def test_sharpened_edges_hardly_ring_and_see_no_background() -> None:
    info = describe(PixelFormat("rgb", 8), SIZE)
    light = np.full(SIZE, 0.1, np.float32)
    light[:, 100:] = 0.5
    code = np.rint(255 * cv2.GaussianBlur(light, (0, 0), 2) ** (1 / 2.4)).astype(np.uint8)
    hard = (matte() > 0.5).astype(np.float32)
    low, high = int(code.min()), int(code.max())
    code[hard == 0] = 255
    shown = MaskedFrame(Frame((code,) * 3, 0), as_mask(hard))
    after = Finish(info, [Sharpening(info, lambda _: (4.0, 1.0))])(shown, shown.frame).planes[0]
    assert np.array_equal(after[hard == 0], code[hard == 0])
    made = after[hard > 0].astype(int)
    margin = 0.03 * (high - low) + 1
    assert low - margin <= made.min() < low
    assert high < made.max() <= high + margin
    assert np.array_equal(after[:, SIZE.width // 2 - 40 :], code[:, SIZE.width // 2 - 40 :])


@pytest.mark.parametrize("deviation", [1, 4])
def test_noise_of_a_flat_foreground_is_not_amplified(deviation: float) -> None:
    info = describe(PixelFormat("rgb", 8), SIZE)
    plane = np.rint(100 + deviation * np.random.default_rng(0).standard_normal(SIZE)).astype(np.uint8)
    shown = MaskedFrame(Frame((plane,) * 3, 0), as_mask(matte()))
    finished = Finish(info, [Sharpening(info, lambda _: (4.0, 1.0))])(shown, shown.frame)
    inside = matte() == 1
    assert finished.planes[0][inside].std() < 1.2 * plane[inside].std()


def test_a_side_without_edges_is_said() -> None:
    info = describe(YUV, SIZE)
    flat = Frame(tuple(np.full_like(plane, 90) for plane in scene(info, 1, 1).frame.planes), 0)
    with pytest.warns(ChromacordWarning, match="too few sharp edges"):
        assert matched(info, [MaskedFrame(flat, as_mask(matte()))]) == 0


@needs_both
@pytest.mark.parametrize("layout", FORMATS)
def test_a_softened_foreground_is_as_soft_as_its_background(layout: str) -> None:
    info = describe(FORMATS[layout], SIZE)
    shown = scene(info, 0.7, 1.8)
    sigma = (1.8**2 - 0.7**2) ** 0.5
    finished = Finish(info, [Softness(info, lambda _: sigma)])(shown, shown.frame)
    inside = matte() == 1
    inside[:, -12 + SIZE.width // 2 :] = False
    wanted = scene(info, 1.8, 1.8).frame.planes[0]
    off = np.abs(finished.planes[0].astype(float) - wanted)[inside] * 255 / info.pixel_format.max_code
    # Pixels are blurred after they were sampled; that, and rounding, is all that differs.
    assert off.mean() < 0.5
    assert off.max() < 5
    assert measure_spread(MaskedFrame(finished, shown.mask), info).foreground == pytest.approx(1.8**2, rel=0.15)


@needs_both
@pytest.mark.parametrize("layout", ALL_FORMATS)
@pytest.mark.parametrize("size", [Size(96, 128), Size(93, 127)], ids=["even", "odd"])
def test_samples_outside_the_mask_and_alpha_keep_their_bits(layout: str, size: Size) -> None:
    info = describe(ALL_FORMATS[layout], size)
    shown = masked(info)
    finished = Finish(info, [Softness(info, lambda _: 1.5)])(shown, shown.frame)
    assert any((one != other).any() for one, other in zip(shown.frame.planes, finished.planes, strict=True))
    down, right = info.pixel_format.subsampling
    for number, (before, after) in enumerate(zip(shown.frame.planes, finished.planes, strict=True)):
        assert after.dtype == before.dtype
        weights = soft_disc(size)
        if number == info.pixel_format.num_colors:
            weights[:] = 0
        elif number and info.pixel_format.model == "yuv":
            weights = cv2.dilate(weights, np.ones((2 << down, 2 << right), np.uint8))[:: 1 << down, :: 1 << right]
        assert np.array_equal(before[weights == 0], after[weights == 0])


@needs_both
def test_no_background_enters_the_foreground() -> None:
    info = describe(PixelFormat("rgb", 8), SIZE)
    hard = (matte() > 0.5).astype(np.float32)
    plane = np.where(hard > 0, 60, 250).astype(np.uint8)
    shown = MaskedFrame(Frame((plane,) * 3, 0), as_mask(hard))
    finished = Finish(info, [Softness(info, lambda _: 3.0)])(shown, shown.frame)
    assert all(np.array_equal(one, plane) for one in finished.planes)


def test_grain_makes_up_for_the_noise_that_a_blur_takes() -> None:
    info = describe(YUV, Size(288, 384))
    measuring = Measuring(info)
    frames = clip(info, 4, 4)
    for each in frames:
        measuring.push(each.frame, each.mask, 0)
    grade = grade_of(len(frames))
    measuring.spreads = []
    sharpness = MatchedSharpness(measuring, grade, info)
    sharpness._shots = {0: (0.0, 1.5**2)}
    lacking, _ = MatchedGrain(measuring, grade, info, sharpness=sharpness)(0) or pytest.fail("no amount")
    # A Gaussian of 1.5 pixels leaves 1 / (4 pi 1.5^2) of the variance of independent samples.
    assert lacking[0, 128] == pytest.approx(4 * (1 - 1 / (4 * np.pi * 1.5**2)) ** 0.5, rel=0.1)


def test_of_many_tiles_those_of_the_highest_contrast_are_measured() -> None:
    rows, columns = 10, 15
    contrast = np.random.default_rng(0).permutation(rows * columns).reshape(rows, columns)
    plane = np.zeros((rows * _TILE, columns * _TILE), np.uint8)
    plane[: rows * _TILE, :: _TILE // 2] = 0
    halves = np.kron(contrast, np.repeat([[0, 1]], _TILE, axis=0).repeat(_TILE // 2, axis=1))
    places = np.argwhere(contrast >= 0)
    chosen = {tuple(place) for place in _contrasty((plane + halves).astype(np.uint8), places)}
    assert chosen == {tuple(place) for place in np.argwhere(contrast >= contrast.size - _MAX_TILES)}
    few = places[:_MAX_TILES]
    assert _contrasty(plane, few) is few


def test_premultiplied_colours_are_sharpened_as_straight_ones() -> None:
    """Otherwise the edge of alpha itself would be sharpened, and brighten what is inside of it."""
    straight = describe(PixelFormat("rgb", 16, alpha=Alpha.STRAIGHT), SIZE)
    multiplied = describe(PixelFormat("rgb", 16, alpha=Alpha.PREMULTIPLIED), SIZE)
    colors = scene(straight, 1.5, 0.5).frame.planes
    alpha = (0.25 + 0.75 * (np.arange(SIZE.width) % 40 < 20)) * np.ones(SIZE)
    codes = np.rint(65535 * alpha).astype(np.uint16)
    products = tuple(np.rint(plane * (codes / 65535)).astype(np.uint16) for plane in colors)

    def sharpened(info: VideoInfo, planes: tuple[np.ndarray, ...]) -> np.ndarray:
        shown = MaskedFrame(Frame((*(plane.copy() for plane in planes), codes), 0), as_mask(matte()))
        return np.stack(Finish(info, [Sharpening(info, lambda _: (1.5**2, 1.0))])(shown, shown.frame).planes)

    expected, found = sharpened(straight, colors), sharpened(multiplied, products)
    assert (expected[:3] != np.stack(colors)).any()
    assert np.array_equal(found[3], codes)
    assert np.abs(found[:3] - expected[:3] * alpha).max() < 40
