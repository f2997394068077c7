import numpy as np
import pytest

from chromacord.analysis.likeness import Look, distance


def test_the_relative_palette_is_that_of_luma_and_chroma_in_deviations_of_luma() -> None:
    """Luma's mean and grey lie in the middle of 256 codes; half the range is 2.6 and 1.6 deviations."""
    generator = np.random.default_rng(0)
    picture = 0.3 + 0.1 * generator.random((20, 36, 1), np.float32) + 0.04 * generator.random((20, 36, 3), np.float32)
    look = Look(np.ascontiguousarray(picture))
    planes = look.small.reshape(-1, 3).astype(np.float64)
    deviation = planes[:, 0].std()
    away = np.stack([(planes[:, 0] - planes[:, 0].mean()) / 2.6, *((planes[:, 1:] - 0.5) / 1.6).T], axis=1) / deviation
    codes = np.rint(128 + 128 * away)
    assert codes.min() >= 0
    assert codes.max() <= 255
    counted = np.zeros((8, 8, 8))
    np.add.at(counted, tuple((codes // 32).astype(int).T), 1)
    assert np.abs(look.relative - counted).sum() <= 6  # a few pixels are rounded the other way


@pytest.mark.parametrize(
    ("down", "right", "is_found"),
    [(1, 5, True), (-1, -5, True), (1, -5, True), (2, 0, False), (-2, 0, False), (0, 6, False), (0, -6, False)],
)
def test_layouts_are_alike_after_pans_of_a_quarter_of_the_width(down: int, right: int, is_found: bool) -> None:
    """Of 18 x 10 cells, the middle 8 x 8 may lie 5 cells to the side and one above or below."""
    cells = np.random.default_rng(0).random((20, 40, 1), np.float32)
    canvas = np.ascontiguousarray(cells.repeat(2, 0).repeat(2, 1).repeat(3, 2))

    def look(row: int, column: int) -> Look:
        return Look(np.ascontiguousarray(canvas[2 * row : 2 * row + 20, 2 * column : 2 * column + 36]))

    found = distance(look(5, 10), look(5 + down, 10 + right)).layout
    assert (found < 1e-3) == is_found
    assert found < 1e-3 or found > 0.2
