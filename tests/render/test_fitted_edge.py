"""A mask's edge is fitted to composites whose true coverage is known."""

import cv2
import numpy as np
import pytest

from chromacord.errors import InputError
from chromacord.masks.masks import Mask
from chromacord.render.fitted_edge import FittedEdge, check_pixels
from chromacord.types import Frame, PixelFormat, Size
from tests.render.finish.test_layer import FORMATS, planes_of
from tests.scenes import describe

SIZE = Size(181, 243)


def truth() -> np.ndarray:
    """Return the coverage of a disc that is soft over 3 pixels. Shape (H, W)."""
    rows, columns = np.mgrid[: SIZE.height, : SIZE.width]
    return np.clip((60 - np.hypot(rows - 90, columns - 120)) / 3 + 0.5, 0, 1).astype(np.float32)


def frame_of(pixel_format: PixelFormat, inside: float = 0.7, outside: float = 0.3) -> Frame:
    noise = np.random.default_rng(0).normal(0, 0.02, (*SIZE, 3))
    grey = outside + (inside - outside) * truth()
    return Frame(planes_of((grey[..., None] * (1.0, 0.9, 0.8) + noise).clip(0, 1), describe(pixel_format, SIZE)), 0)


def moved(pixels: int) -> Mask:
    """Return the mask as codes, wider or, if negative, narrower than the truth."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(pixels) + 1,) * 2)
    wrong = cv2.dilate(truth(), disc) if pixels > 0 else cv2.erode(truth(), disc)
    return Mask.from_plane(np.rint(16 + 219 * wrong).astype(np.uint8), black=16, white=235)


def weight_of(mask: Mask) -> np.ndarray:
    return np.clip((mask.plane.astype(float) - mask.black) / (mask.white - mask.black), 0, 1)


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("pixels", [3, -3])
def test_an_edge_that_is_off_is_brought_to_the_true_one(layout: str, pixels: int) -> None:
    info, mask = describe(FORMATS[layout], SIZE), moved(pixels)
    kept = mask.plane.copy()
    fitted = FittedEdge(info, 4)(frame_of(FORMATS[layout]), mask)
    before, after = (np.abs(weight_of(each) - truth()).sum() for each in (mask, fitted))
    assert after < 0.35 * before
    assert np.array_equal(mask.plane, kept)


@pytest.mark.parametrize("pixels", [3, -3])
def test_where_both_sides_look_alike_the_mask_stays(pixels: int) -> None:
    info, mask = describe(FORMATS["rgb 8 bit"], SIZE), moved(pixels)
    fitted = FittedEdge(info, 4)(frame_of(FORMATS["rgb 8 bit"], 0.5, 0.5), mask)
    assert np.abs(weight_of(fitted) - weight_of(mask)).max() < 0.2


def test_nothing_changes_further_from_the_edge_than_asked_for() -> None:
    info, mask = describe(FORMATS["rgb 8 bit"], SIZE), moved(3)
    fitted = FittedEdge(info, 2)(frame_of(FORMATS["rgb 8 bit"]), mask)
    given = weight_of(mask)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    far = (cv2.erode(given, disc) == 1) | (cv2.dilate(given, disc) == 0)
    assert np.array_equal(fitted.plane[far], mask.plane[far])


@pytest.mark.parametrize("pixels", [4, -4])
def test_an_edge_that_is_off_by_the_whole_distance_is_found_on_every_side(pixels: int) -> None:
    info = describe(FORMATS["rgb 8 bit"], SIZE)
    inside, given = np.zeros(SIZE), np.zeros(SIZE, np.uint8)
    inside[50:130, 70:170] = 1
    given[50 - pixels : 130 + pixels, 70 - pixels : 170 + pixels] = 255
    frame = Frame(planes_of((0.2 + 0.6 * inside[..., None]) * np.ones(3), info), 0)
    off = np.abs(weight_of(FittedEdge(info, 4)(frame, Mask.from_plane(given, black=0, white=255))) - inside)
    assert off[:, 90:150].max() < 0.2, "above and below"
    assert off[70:110].max() < 0.2, "left and right"


@pytest.mark.parametrize("pixels", [0, -1, 17])
def test_a_distance_out_of_range_is_refused(pixels: int) -> None:
    with pytest.raises(InputError, match="from 1 to 16"):
        check_pixels(pixels)
