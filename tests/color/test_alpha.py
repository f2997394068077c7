import numpy as np

from chromacord.color.alpha import lay_over, over


def test_laying_over_in_place_gives_what_over_gives_and_keeps_the_background_where_nothing_covers_it() -> None:
    generator = np.random.default_rng(0)
    foreground, background = (generator.uniform(0, 255, (9, 14, 4)).astype(np.float32) for _ in range(2))
    alpha = generator.uniform(0, 1, (9, 14)).astype(np.float32)
    alpha[:3] = 0
    expected = over(foreground, background, alpha[..., None])
    part = foreground[:, 2:11]
    lay_over(part, background[:, 2:11], alpha[:, 2:11])
    np.testing.assert_allclose(foreground[:, 2:11], expected[:, 2:11], rtol=1e-6)
    np.testing.assert_array_equal(foreground[:3, 2:11], background[:3, 2:11])
