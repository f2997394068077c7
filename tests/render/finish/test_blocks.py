"""Reduced blocks agree with the pixels that they represent, also at the far edges of pictures."""

from collections.abc import Iterator

import numpy as np
import pytest

from chromacord.render.finish.blocks import enlarged, inside, reduced, strips, touched, widened
from chromacord.types import Box

CASES = [(27, 43, 8), (1080, 50, 16), (33, 33, 32), (40, 48, 8), (7, 5, 8)]


def boxes(box: Box) -> Iterator[Box]:
    """Yield rectangles of a box, some of them not aligned to blocks."""
    yield box
    height, width = box.bottom - box.top, box.right - box.left
    yield Box(box.top + height // 3, box.left, box.bottom, box.left + width // 2)
    yield Box(box.top, box.left + width // 3, box.top + height // 2, box.right)


@pytest.mark.parametrize(("height", "width", "step"), CASES)
def test_a_slope_that_is_reduced_and_enlarged_is_the_same_slope(height: int, width: int, step: int) -> None:
    box = Box(64, 32, 64 + height, 32 + width)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    slope = np.dstack([rows, columns, rows + 2 * columns])
    small = reduced(slope, step)
    assert small.shape == (-(-height // step), -(-width // step), 3)
    for part in boxes(box):
        found, expected = enlarged(small, part, box, step), slope[inside(part, box)]
        # Between the centres of whole blocks; beyond them, values are held.
        for axis, length in ((0, height), (1, width)):
            place = expected[..., axis]
            known = (place >= step / 2 - 0.5) & (place <= length // step * step - step / 2 - 0.5)
            assert np.abs(found[..., axis] - place)[known].max(initial=0) < 1e-2


@pytest.mark.parametrize(("height", "width", "step"), CASES)
def test_every_pixel_lies_in_the_cell_that_it_marks(height: int, width: int, step: int) -> None:
    box = Box(0, 0, height, width)
    for row, column in ((0, 0), (height - 1, width - 1), (height // 2, width - 1), (height - 1, width // 2)):
        marked = np.zeros((height, width), np.float32)
        marked[row, column] = 1
        (part,) = touched(reduced(marked, step) > 0, box, step)
        assert part.top <= row < part.bottom <= height
        assert part.left <= column < part.right <= width


def test_a_block_that_the_side_cuts_is_the_mean_of_its_rest() -> None:
    values = np.arange(27 * 43, dtype=np.float32).reshape(27, 43)
    assert reduced(values, 8)[-1, -1] == pytest.approx(values[24:, 40:].mean())
    assert reduced(values, 8)[0, 0] == pytest.approx(values[:8, :8].mean())


def test_strips_cover_a_box_once() -> None:
    box, seen = Box(8, 4, 200, 77), np.zeros((256, 128), int)
    for part in strips(box):
        seen[part.top : part.bottom, part.left : part.right] += 1
    assert (seen[8:200, 4:77] == 1).all()
    assert seen.sum() == 192 * 73


def test_a_rectangle_is_widened_within_its_box_to_whole_chroma_samples() -> None:
    assert widened(Box(64, 64, 128, 100), Box(0, 0, 130, 400), 5) == Box(56, 56, 130, 108)
