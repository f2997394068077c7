"""Copies of frames that are changed in the memory that an encoder takes."""

from dataclasses import replace

import numpy as np
import pytest

from chromacord.io.pixels import picture_of, planar_name, planes_of, writable_copy
from chromacord.types import Alpha, Frame, PixelFormat

INTEGERS = [
    PixelFormat("yuv", subsampling=(1, 1)),
    PixelFormat("yuv", 10, subsampling=(0, 1)),
    PixelFormat("yuv", 12, subsampling=(0, 1), alpha=Alpha.STRAIGHT),
    PixelFormat("rgb"),
    PixelFormat("gray", 10),
    PixelFormat("gray", alpha=Alpha.STRAIGHT),
]
LIGHT = PixelFormat("rgb", 32, is_float=True, alpha=Alpha.PREMULTIPLIED)


def made(pixel_format: PixelFormat) -> Frame:
    random = np.random.default_rng(0)
    planes = []
    for number in range(pixel_format.num_colors + (pixel_format.alpha is not Alpha.NONE)):
        down, right = pixel_format.subsampling if pixel_format.model == "yuv" and number in (1, 2) else (0, 0)
        values = random.uniform(0, 200, (-(-27 >> down), -(-45 >> right)))
        planes.append(values.astype(pixel_format.dtype))
    for plane in planes:
        plane.flags.writeable = False
    return Frame(tuple(planes), 3, pts=30, duration=10, attributes="kept")


@pytest.mark.parametrize("pixel_format", [*INTEGERS, LIGHT], ids=str)
def test_a_copy_can_be_changed_and_the_frame_stays(pixel_format: PixelFormat) -> None:
    frame = made(pixel_format)
    before = [plane.copy() for plane in frame.planes]
    copy = writable_copy(frame, pixel_format)
    assert (copy.index, copy.pts, copy.duration, copy.attributes) == (3, 30, 10, "kept")
    for mine, theirs in zip(copy.planes, frame.planes, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype
    copy.planes[0][2, 3] = 7
    for plane, old in zip(frame.planes, before, strict=True):
        np.testing.assert_array_equal(plane, old)


@pytest.mark.parametrize("pixel_format", INTEGERS, ids=planar_name)
def test_a_sink_gets_what_was_changed_in_every_plane(pixel_format: PixelFormat) -> None:
    copy = writable_copy(made(pixel_format), pixel_format)
    for number in range(pixel_format.num_colors):
        copy.planes[number][2:5, 3:6] = 11 + number
    held = planes_of(picture_of(copy, pixel_format))
    if pixel_format.model == "gray" and pixel_format.alpha is not Alpha.NONE:
        np.testing.assert_array_equal(held[2], held[0])
        held = (held[0], held[-1])
    for mine, theirs in zip(copy.planes, held, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_picture_is_taken_as_it_is_only_where_the_planes_are_its_own() -> None:
    pixel_format = INTEGERS[0]
    copy = writable_copy(made(pixel_format), pixel_format)
    assert picture_of(copy, pixel_format) is copy.picture
    other = replace(copy, planes=tuple(np.zeros_like(plane) for plane in copy.planes))
    assert picture_of(other, pixel_format) is not copy.picture
    assert not planes_of(picture_of(other, pixel_format))[0].any()
