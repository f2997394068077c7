import pytest
import torch

from chromacord.lab.color.enhancement import enhance
from chromacord.lab.color.lut3d import lattice


def test_greys_become_what_the_authors_script_makes_of_them() -> None:
    """By hand: 0.5 stays 0.5 through contrast and vibrance; 1 - 0.5 ** 2 ** 0.2 = 0.54898; to the power 1.3 0.4586."""
    greys = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).expand(1, 3, 5)
    expected = torch.tensor([0.0, 0.1682, 0.4586, 0.7723, 1.0]).expand(1, 3, 5)
    torch.testing.assert_close(enhance(greys), expected, atol=5e-5, rtol=0)


def test_a_colour_becomes_what_pillow_lut_makes_of_it() -> None:
    """`rgb_color_enhance` of pillow-lut 1.1.0 gives (0.02585, 0.36287, 0.77231)."""
    color = torch.tensor([[0.25, 0.5, 0.75]])
    torch.testing.assert_close(enhance(color), torch.tensor([[0.02585, 0.36287, 0.77231]]), atol=5e-6, rtol=0)


def test_tables_beyond_the_range_come_back_into_it() -> None:
    enhanced = enhance(3 * lattice(5)[None] - 1)
    assert float(enhanced.min()) == 0
    assert float(enhanced.max()) == 1


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (1, 3, 2, 2, 2)])
def test_any_number_of_dimensions_is_taken(shape: tuple[int, ...]) -> None:
    colors = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    flat = enhance(colors.reshape(shape[0], 3, -1))
    torch.testing.assert_close(enhance(colors), flat.reshape(shape))
