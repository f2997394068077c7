from dataclasses import replace

import cv2
import numpy as np
import pytest

from chromacord.color.management.config import find_space
from chromacord.color.management.managed import ManagedSpace
from chromacord.masks.proxy import proxy, scaled, thumbnail
from chromacord.types import Alpha, Frame, PixelFormat, Size
from tests.scenes import describe, noise_frame


@pytest.mark.parametrize("size", [(1080, 1920), (720, 1280), (481, 853), (300, 200), (2160, 4096)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_shrinking_is_an_area_average(size: tuple[int, int], dtype: type) -> None:
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 200, (30, 40)).astype(dtype)
    plane = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_LINEAR) + generator.integers(0, 9, size).astype(
        dtype
    )
    exact = cv2.resize(plane.astype(np.float32), (128, 96), interpolation=cv2.INTER_AREA)
    error = scaled(plane, Size(96, 128)) - exact
    assert np.abs(error).mean() < 0.5
    assert np.abs(error).max() < 2
    assert abs(error.mean()) < 0.15  # integers are halved once, with halves rounded up: an eighth


def test_small_pictures_grow_smoothly() -> None:
    ramp = np.tile(np.arange(16, dtype=np.uint8) * 10, (8, 1))
    grown = scaled(ramp, Size(16, 64))
    assert grown.shape == (16, 64)
    assert (np.diff(grown[0]) <= 2.6).all()


@pytest.mark.parametrize(("matrix", "weights"), [(1, (0.2126, 0.0722)), (6, (0.299, 0.114)), (9, (0.2627, 0.0593))])
def test_colours_follow_the_matrix_and_the_range(matrix: int, weights: tuple[float, float]) -> None:
    red, blue = weights
    rgb = np.array([0.8, 0.4, 0.2])
    luma = rgb @ [red, 1 - red - blue, blue]
    values = [luma, (rgb[2] - luma) / (2 * (1 - blue)), (rgb[0] - luma) / (2 * (1 - red))]  # H.273, eqs. 38 to 40
    for full, scale, offset in ((False, (876, 896, 896), (64, 512, 512)), (True, (1023, 1023, 1023), (0, 512, 512))):
        info = describe(PixelFormat("yuv", 10, subsampling=(1, 1)), Size(8, 8), matrix=matrix, full_range=full)
        codes = [round(s * v + o) for s, v, o in zip(scale, values, offset, strict=True)]
        planes = [np.full((8, 8) if n == 0 else (4, 4), code, np.uint16) for n, code in enumerate(codes)]
        shown = proxy(Frame(tuple(planes), 0), info, Size(4, 4))
        np.testing.assert_allclose(shown.reshape(-1, 3), np.tile(rgb, (16, 1)), atol=2e-3)


def test_light_is_shown_through_the_srgb_curve() -> None:
    info = describe(PixelFormat("rgb", 32, is_float=True), Size(1, 4), scene_linear=True)
    light = np.array([[-0.5, 0.2140411, 1.0, 5.0]], np.float32)  # 0.2140411 is sRGB 0.5 (IEC 61966-2-1)
    with np.errstate(all="raise"):
        shown = proxy(Frame((light,) * 3, 0), info, Size(1, 4))
    np.testing.assert_allclose(shown[0, :, 0], [0, 0.5, 1, 1], atol=1e-5)


def test_premultiplied_colours_are_shown_straight() -> None:
    info = describe(PixelFormat("rgb", 16, alpha=Alpha.PREMULTIPLIED), Size(2, 2))
    alpha = np.array([[65535, 32768], [16384, 65535]], np.uint16)
    planes = tuple((alpha * gain).astype(np.uint16) for gain in (0.8, 0.4, 0.2))
    shown = proxy(Frame((*planes, alpha), 0), info, Size(2, 2))
    np.testing.assert_allclose(shown.reshape(-1, 3), np.tile([0.8, 0.4, 0.2], (4, 1)), atol=2e-4)


def test_premultiplied_chroma_is_divided_around_grey() -> None:
    """Half covered, Y'CbCr fades to black, whose chroma is 128 and whose luma is 16, not to 0."""
    info = describe(PixelFormat("yuv", 8, alpha=Alpha.PREMULTIPLIED), Size(2, 2))
    straight = np.array([120, 90, 170])
    alpha = np.full((2, 2), 128, np.uint8)
    black = np.array([16, 128, 128])
    planes = [np.full((2, 2), round(code), np.uint8) for code in black + (straight - black) * 128 / 255]
    opaque = [np.full((2, 2), code, np.uint8) for code in straight]
    shown = proxy(Frame((*planes, alpha), 0), info, Size(2, 2))
    expected = proxy(Frame((*opaque, np.full_like(alpha, 255)), 0), info, Size(2, 2))
    np.testing.assert_allclose(shown, expected, atol=0.01)


@pytest.mark.parametrize(
    "pixel_format",
    [
        PixelFormat("yuv", 8, subsampling=(1, 1)),
        PixelFormat("yuv", 10, subsampling=(0, 2)),
        PixelFormat("rgb"),
        PixelFormat("gray"),
    ],
)
@pytest.mark.parametrize("size", [Size(270, 480), Size(37, 51)])
def test_thumbnails_look_like_the_frame(pixel_format: PixelFormat, size: Size) -> None:
    info = describe(pixel_format, size)
    frame = noise_frame(info)
    smooth = [cv2.GaussianBlur(plane, (0, 0), 12) for plane in frame.planes]
    small = thumbnail(Frame(tuple(smooth), 0), info, width=96)
    exact = proxy(Frame(tuple(smooth), 0), info, Size(*small.shape[:2]))
    assert small.shape[1] <= 2 * 96
    assert np.abs(small - exact).mean() < 0.03


@pytest.mark.parametrize(("columns", "kept"), [(96, 96), (191, 191), (192, 96), (288, 96), (383, 128)])
def test_thumbnails_keep_whole_steps_of_pixels(columns: int, kept: int) -> None:
    info = describe(PixelFormat("gray"), Size(8, columns))
    picture = np.tile((np.arange(columns) % 256).astype(np.uint8), (8, 1))
    small = thumbnail(Frame((picture,), 0), info, width=96)
    step = -(-columns // kept)
    assert small.shape == (-(-8 // step), kept, 3)
    np.testing.assert_allclose(small, proxy(Frame((picture[::step, ::step],), 0), info, Size(*small.shape[:2])))


@pytest.mark.parametrize("size", [(99, 100), (100, 99), (63, 63), (33, 64), (64, 72), (128, 72), (96, 216)])
def test_sides_are_halved_only_where_nothing_is_lost(size: tuple[int, int]) -> None:
    """These are odd, which would lose pixels, or whole multiples, which halves average as exactly."""
    plane = np.random.default_rng(0).uniform(0, 255, size).astype(np.float32)
    exact = cv2.resize(plane, (9, 8), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(scaled(plane, Size(8, 9)), exact, atol=0.01)


ACESCG = find_space("ACEScg")


def test_a_picture_in_a_named_space_is_shown_as_video_of_the_same_scene() -> None:
    linear = replace(describe(PixelFormat("rgb", 32, is_float=True), Size(6, 9), scene_linear=True), space=ACESCG)
    grey = np.full((6, 9), 0.18, np.float32)
    red = proxy(Frame((2 * grey, grey, grey / 2), 0), linear, Size(4, 6))
    assert red.shape == (4, 6, 3)
    assert (np.diff(red, axis=-1) < -0.05).all()
    shown = ManagedSpace.of(ACESCG).display(np.array([[0.36, 0.18, 0.09, 0.36]], np.float32))
    np.testing.assert_allclose(red, np.broadcast_to(shown[:, :3], (4, 6, 3)), atol=1e-5)


def test_codes_beyond_the_range_are_clipped() -> None:
    info = describe(PixelFormat("yuv"), Size(1, 2))
    planes = [np.array([codes], np.uint8) for codes in ([16, 235], [16, 240], [240, 16])]
    shown = proxy(Frame(tuple(planes), 0), info, Size(1, 2))
    assert shown.min() == 0
    assert shown.max() == 1
