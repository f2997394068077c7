"""Contact shadow: how much light it removes, where, and what stays unchanged."""

import cv2
import numpy as np
import pytest

from chromacord.errors import InputError
from chromacord.render.finish.shadow import ContactShadow, parse_shadow
from chromacord.types import Frame, PixelFormat, Size
from tests.render.finish.test_wrap import FORMATS, flat, grey_of
from tests.scenes import describe, noise_frame

SIZE = Size(192, 256)


def matte() -> np.ndarray:
    """Return a square of 64 pixels in the middle."""
    plane = np.zeros(SIZE, np.uint8)
    plane[64:128, 96:160] = 255
    return plane


def light_left(frame: Frame, layout: str) -> np.ndarray:
    """Return the light of a plate of grey 0.8, relative to its original light."""
    return (grey_of(frame, describe(FORMATS[layout], SIZE)) / 0.8) ** 2.4


@pytest.mark.parametrize("layout", ["420 8 bit", "422 10 bit", "rgb 16 bit", "gray 8 bit", "rgb float"])
@pytest.mark.parametrize("angle", [0, 90, 180, -90])
def test_light_is_taken_on_the_side_that_the_shadow_falls_to(layout: str, angle: float) -> None:
    info = describe(FORMATS[layout], SIZE, transfer=1)
    plate = flat(info, 0.8, 0.8, np.zeros(SIZE, np.float32)).frame
    left = light_left(ContactShadow(info, 255, 0.6, angle, 40, 4)(plate, matte()), layout)
    turned = np.rot90(left, angle // 90)  # counted anticlockwise: the shadow now falls to the right
    row = turned.shape[0] // 2
    edge = turned.shape[1] // 2 + 32
    for distance in (10, 20, 30):
        # It fades evenly over its length.
        assert turned[row, edge + distance] == pytest.approx(1 - 0.6 * (1 - distance / 40), abs=0.06)
    assert turned[row, turned.shape[1] // 2] == pytest.approx(0.4, abs=0.02)
    assert turned[row, edge - 64 - 10] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("blur", [0, 1])
def test_a_long_shadow_of_a_thin_foreground_is_one(blur: float) -> None:
    info = describe(FORMATS["rgb 16 bit"], SIZE, transfer=1)
    plate = flat(info, 0.8, 0.8, np.zeros(SIZE, np.float32)).frame
    thin = np.zeros(SIZE, np.uint8)
    thin[64:128, 20:23] = 255
    left = light_left(ContactShadow(info, 255, 0.8, 0, 200, blur)(plate, thin), "rgb 16 bit")[96]
    away = left[24:200]
    assert (np.diff(away) > -1e-3).all()
    assert away[100] == pytest.approx(1 - 0.8 * (1 - 101 / 200), abs=0.05)


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("size", [SIZE, Size(189, 251)], ids=["even", "odd"])
def test_what_it_does_not_reach_and_alpha_keep_their_bits(layout: str, size: Size) -> None:
    info = describe(FORMATS[layout], size)
    plate, plane = noise_frame(info), matte()[: size.height, : size.width]
    kept = [each.copy() for each in plate.planes]
    shaded = ContactShadow(info, 255, 1, 0, 20, 8)(plate, plane)
    assert all(np.array_equal(one, other) for one, other in zip(kept, plate.planes, strict=True))
    assert not np.array_equal(shaded.planes[0], plate.planes[0])
    reach = cv2.dilate(plane, np.ones((2 * 40 + 1,) * 2, np.uint8))
    for number, (before, after) in enumerate(zip(plate.planes, shaded.planes, strict=True)):
        down, right = info.pixel_format.subsampling if number and info.pixel_format.model == "yuv" else (0, 0)
        outside = reach[:: 1 << down, :: 1 << right] == 0
        outside |= number == info.pixel_format.num_colors
        assert after.dtype == before.dtype
        assert np.array_equal(before[outside], after[outside])


def test_an_empty_matte_returns_the_plate_itself() -> None:
    info = describe(PixelFormat("rgb", 8), SIZE)
    plate = noise_frame(info)
    assert ContactShadow(info, 255, 1, 90, 20, 8)(plate, np.zeros(SIZE, np.uint8)) is plate


def test_neither_length_nor_blur_gives_a_shadow_under_the_matte_only() -> None:
    info = describe(PixelFormat("rgb", 8), SIZE)
    plate = noise_frame(info)
    shaded = ContactShadow(info, 255, 0.5, 90, 0, 0)(plate, matte())
    changed = np.any([one != other for one, other in zip(plate.planes, shaded.planes, strict=True)], axis=0)
    assert not changed[matte() == 0].any()
    assert changed[matte() > 0].mean() > 0.95


def test_a_shadow_is_read() -> None:
    assert parse_shadow("0.5,90,30,12") == (0.5, 90, 30, 12)
    assert parse_shadow("1,-45.5,0,0") == (1, -45.5, 0, 0)


VALUES = (
    "x 0.5 0.5,90,30 0.5,90,30,12,1 0,90,30,12 1.1,90,30,12 1,nan,30,12 1,inf,30,12 1,90,-1,12 1,90,2,nan 1,90,2,inf"
)


@pytest.mark.parametrize("text", VALUES.split())
def test_what_is_no_shadow_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"is not AMOUNT,ANGLE,LENGTH,BLUR; give .* such as 0\.5,90,30,12"):
        parse_shadow(text)
