"""l-alpha-beta against the formulas of the paper in numpy float64."""

import numpy as np
import torch

from chromacord.color.opponent import lalphabeta_to_rgb, rgb_to_lalphabeta


def test_the_way_back_undoes_the_way_there() -> None:
    image = torch.rand(2, 3, 8, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(lalphabeta_to_rgb(rgb_to_lalphabeta(image)), image)


def test_values_are_the_papers_but_for_the_foot_at_black() -> None:
    rgb = np.array([0.2, 0.5, 0.9])
    large, medium, small = np.log10(
        np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]]) @ rgb + 4 / 255
    )
    expected = [
        (large + medium + small) / np.sqrt(3),
        (large + medium - 2 * small) / np.sqrt(6),
        (large - medium) / np.sqrt(2),
    ]
    found = rgb_to_lalphabeta(torch.from_numpy(rgb)[None, :, None, None])
    np.testing.assert_allclose(found.flatten(), expected, rtol=1e-9)


def test_black_is_finite_and_stays_black() -> None:
    opponent = rgb_to_lalphabeta(torch.zeros(1, 3, 1, 1))
    assert opponent.isfinite().all()
    torch.testing.assert_close(lalphabeta_to_rgb(opponent), torch.zeros(1, 3, 1, 1), atol=1e-6, rtol=0)
