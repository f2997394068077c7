from dataclasses import replace

import numpy as np
import pytest

from chromacord.masks.masks import Mask, MaskReader, shown_size
from chromacord.types import Alpha, Box, Frame, PixelFormat, Size
from tests.scenes import describe

GRAY = PixelFormat("gray")


def test_box_is_the_smallest_rectangle_around_all_weights_above_zero() -> None:
    plane = np.zeros((20, 30), np.uint8)
    plane[3, 7] = 1
    plane[10, 4:9] = 255
    assert Mask.from_plane(plane, black=0, white=255).box == Box(3, 4, 11, 9)


def test_a_picture_of_one_pixel_has_a_mask_too() -> None:
    for dtype in (np.uint8, np.uint16, np.float32):
        assert Mask.from_plane(np.ones((1, 1), dtype), black=0.5, white=2).box == Box(0, 0, 1, 1)
        assert Mask.from_plane(np.zeros((1, 1), dtype), black=0.5, white=2).box is None


def test_empty_and_full_masks_are_not_usable() -> None:
    empty = Mask.from_plane(np.zeros((4, 6), np.uint8), black=0, white=255)
    full = Mask.from_plane(np.full((4, 6), 255, np.uint8), black=0, white=255)
    almost = Mask.from_plane(
        np.pad(np.full((3, 6), 255, np.uint8), ((0, 1), (0, 0)), constant_values=250), black=0, white=255
    )
    assert (empty.box, empty.is_usable) == (None, False)
    assert (full.is_full, full.is_usable) == (True, False)
    assert (almost.is_full, almost.is_usable) == (False, True)


def test_limited_range_luma_is_stretched_to_zero_and_one() -> None:
    info = describe(PixelFormat("yuv", subsampling=(1, 1)), Size(2, 4))
    plane = np.array([[16, 235, 10, 250], [16, 16, 16, 126]], np.uint8)
    chroma = np.full((1, 2), 128, np.uint8)
    mask = MaskReader(info, info).read(Frame((plane, chroma, chroma), 0))
    expected = np.array([[0, 1, 0, 1], [0, 0, 0, 110 / 219]])
    np.testing.assert_allclose(mask.crop(Box(0, 0, 2, 4)), expected, atol=1e-6)


def test_codec_noise_near_black_and_white_is_no_mask() -> None:
    lossless = describe(PixelFormat("yuv"), Size(1, 4))
    lossy = replace(lossless, codec="h264")
    frame = Frame((np.array([[18, 233, 126, 16]], np.uint8),) * 3, 0)
    exact = MaskReader(lossless, lossless).read(frame).crop(Box(0, 0, 1, 4))[0]
    cleaned = MaskReader(lossy, lossy).read(frame).crop(Box(0, 0, 1, 4))[0]
    np.testing.assert_allclose(exact, [2 / 219, 217 / 219, 110 / 219, 0], atol=1e-6)
    assert cleaned[0] == 0
    assert cleaned[1] == 1
    assert abs(cleaned[2] - 110 / 219) < 0.01


def test_rgb_masks_are_read_as_luma() -> None:
    info = describe(PixelFormat("rgb"), Size(1, 3))
    frame = Frame(tuple(np.diag([255, 255, 255]).astype(np.uint8)[i : i + 1] for i in range(3)), 0)
    weights = MaskReader(info, info).read(frame).crop(Box(0, 0, 1, 3))[0]
    np.testing.assert_allclose(weights, [0.2126, 0.7152, 0.0722], atol=0.5 / 255)  # BT.709, rounded to its own codes


def test_alpha_is_full_range_also_in_limited_range_video() -> None:
    info = describe(PixelFormat("yuv", 10, alpha=Alpha.STRAIGHT), Size(1, 3))
    planes = (np.full((1, 3), 500, np.uint16),) * 3 + (np.array([[0, 512, 1023]], np.uint16),)
    weights = MaskReader(info, info, from_alpha=True).read(Frame(planes, 0)).crop(Box(0, 0, 1, 3))[0]
    np.testing.assert_allclose(weights, [0, 512 / 1023, 1], atol=1e-6)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_an_upright_mask_is_turned_to_a_composite_that_players_rotate(rotation: int) -> None:
    upright = np.zeros((6, 4), np.uint8)
    upright[0, :2] = 255  # top left, as shown
    stored_size = Size(4, 6) if rotation % 180 else Size(6, 4)
    composite = replace(describe(GRAY, stored_size), rotation=rotation)
    mask = describe(GRAY, Size(6, 4))
    assert shown_size(composite) == mask.size
    stored = MaskReader(mask, composite).read(Frame((upright,), 0)).plane
    np.testing.assert_array_equal(np.rot90(stored, rotation // 90), upright)


def test_scaling_keeps_the_area() -> None:
    plane = np.zeros((40, 60), np.uint8)
    plane[8:32, 10:50] = 255
    mask = Mask.from_plane(plane, black=0, white=255)
    assert mask.scaled(Size(10, 15)).mean() == pytest.approx(24 * 40 / 2400, abs=1e-3)


def test_fitting_scales_a_mask_of_another_size() -> None:
    composite, mask = describe(GRAY, Size(20, 30)), describe(GRAY, Size(10, 15))
    plane = np.zeros((10, 15), np.uint8)
    plane[2:8, 3:12] = 255
    fitted = MaskReader(mask, composite, fit=True).read(Frame((plane,), 0))
    assert fitted.plane.shape == (20, 30)
    assert fitted.crop(Box(0, 0, 20, 30)).mean() == pytest.approx(6 * 9 / 150, abs=0.02)


def test_a_mask_keeps_its_own_size_unless_it_is_fitted() -> None:
    composite, mask = describe(GRAY, Size(20, 30)), describe(GRAY, Size(10, 15))
    assert MaskReader(mask, composite).read(Frame((np.zeros((10, 15), np.uint8),), 0)).plane.shape == (10, 15)


def test_columns_tell_where_there_is_weight_and_where_all_is_foreground() -> None:
    plane = np.zeros((3, 5), np.uint8)
    plane[1:, 1] = 9
    plane[1:, 2:4] = 255
    plane[2, 3] = 254
    has_weight, is_whole = Mask.from_plane(plane, black=8, white=255).columns(Box(1, 1, 3, 5))
    assert has_weight.tolist() == [True, True, True, False]
    assert is_whole.tolist() == [False, True, False, False]


@pytest.mark.parametrize(("code", "peak"), [(0, 0.0), (20, 0.0), (120, 0.5), (220, 1.0), (255, 1.0)])
def test_the_peak_is_the_largest_weight(code: int, peak: float) -> None:
    plane = np.zeros((4, 6), np.uint8)
    plane[2, 3] = code
    assert Mask.from_plane(plane, black=20, white=220).peak == pytest.approx(peak)
