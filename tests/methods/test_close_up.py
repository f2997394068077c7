"""Close-ups of foregrounds: which part of a picture they show."""

import numpy as np
import pytest

from chromacord.methods.close_up import close_up
from chromacord.types import FloatArray


def ramps(height: int, width: int) -> FloatArray:
    """A picture whose red is its column and whose green is its row. Shape (3, height, width)."""
    red, green = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([red, green, np.zeros_like(red)])


def box(height: int, width: int, rows: slice, columns: slice) -> FloatArray:
    mask = np.zeros((1, height, width), np.float32)
    mask[0, rows, columns] = 1
    return mask


def seen(picture: FloatArray) -> list[float]:
    """The first and last column and row in a close-up of ramps, to the accuracy of resizing."""
    return [picture[0, 0, 0], picture[0, 0, -1], picture[1, 0, 0], picture[1, -1, 0]]


def test_the_part_lies_around_the_box_and_is_so_many_times_its_size() -> None:
    part, mask = close_up(ramps(256, 256), box(256, 256, slice(96, 160), slice(64, 128)), side=128, scale=2.0)
    assert part.shape == (3, 128, 128)
    np.testing.assert_allclose(seen(part), [32, 159, 64, 191], atol=1)
    assert mask.mean() == pytest.approx(0.25, abs=0.01)


def test_at_the_edge_it_moves_inwards() -> None:
    part, _ = close_up(ramps(256, 256), box(256, 256, slice(0, 64), slice(192, 256)), side=128, scale=2.0)
    np.testing.assert_allclose(seen(part), [128, 255, 0, 127], atol=1)


def test_a_speck_is_not_enlarged_without_end() -> None:
    part, mask = close_up(ramps(256, 256), box(256, 256, slice(128, 129), slice(128, 129)), side=128, scale=1.6)
    np.testing.assert_allclose(seen(part), [96, 160, 96, 160], atol=1.5)
    assert mask.max() > 0.5


def test_a_foreground_that_fills_the_picture_or_is_not_there_gives_all_of_it() -> None:
    for mask in (np.ones((1, 64, 96), np.float32), np.zeros((1, 64, 96), np.float32)):
        part, shown = close_up(ramps(64, 96), mask, side=32, scale=1.6)
        np.testing.assert_allclose(seen(part), [1, 94, 0.5, 62.5], atol=1)
        np.testing.assert_array_equal(shown, mask[:, :32, :32])


def test_width_and_height_follow_the_box_each() -> None:
    part, _ = close_up(ramps(256, 256), box(256, 256, slice(0, 256), slice(112, 144)), side=128, scale=2.5)
    np.testing.assert_allclose(seen(part), [88, 167, 0, 255], atol=1.5)
