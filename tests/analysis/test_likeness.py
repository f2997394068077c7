import numpy as np

from chromacord.analysis.likeness import Look


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
