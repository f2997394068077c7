import numpy as np
import pytest

from chromacord.errors import InputError
from chromacord.masks.edge import Edge


def square(dtype: type = np.uint8, white: float = 255) -> np.ndarray:
    plane = np.zeros((60, 80), dtype)
    plane[20:40, 20:60] = white
    return plane


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 1023), (np.float32, 1)])
def test_an_edge_moves_inwards_by_pixels(dtype: type, white: float) -> None:
    before = square(dtype, white)
    after = Edge.parse("3,0").change(before, 0)
    assert after.dtype == before.dtype
    assert np.array_equal(np.argwhere(after[30] == white)[[0, -1], 0], [23, 56])
    assert np.array_equal(np.argwhere(after[:, 40] == white)[[0, -1], 0], [23, 36])
    assert before[20, 20] == white  # the mask that was given is kept


def test_parts_of_a_pixel_count() -> None:
    row = Edge.parse("1.5,0").change(square(), 0)[30]
    assert row[20] == 0
    assert row[21] == pytest.approx(127.5, abs=1)
    assert row[22] == 255


def test_a_softer_edge_keeps_its_middle_and_stays_near() -> None:
    row = Edge.parse("0,4").change(square(np.float32, 1), 0)[30]
    assert row[19] + row[20] == pytest.approx(1, abs=0.02)
    assert row[18] == pytest.approx(0.23, abs=0.05)
    assert not row[:10].any()


def test_the_sides_of_the_picture_are_no_edges() -> None:
    plane = np.full((30, 40), 255, np.uint8)
    assert np.array_equal(Edge.parse("3,4").change(plane, 0), plane)


def test_an_edge_has_at_most_a_hundred_pixels() -> None:
    assert Edge.parse("100,100") == Edge(100, 100)
    assert Edge.parse("0,0") == Edge(0, 0)


@pytest.mark.parametrize("text", ["", "1", "x,1", "-1,0", "0,-1", "100.1,0", "0,100.1", "nan,1", "1,2,3"])
def test_what_is_no_edge_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not SHRINK,SOFTEN"):
        Edge.parse(text)
