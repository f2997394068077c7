"""CIELAB against the standard's formulas and scikit-image, CIEDE2000 against the table of its authors."""

import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab
from torch import Tensor

from chromacord.lab.color.cielab import delta_e_2000, srgb_to_lab

# Sharma, Wu and Dalal (2005), table 1: L*, a*, b* of both colours and the difference. The pairs 7 to 16 test hues
# half a turn apart, where implementations err.
SHARMA = """
50 2.6772 -79.7751 50 0 -82.7485 2.0425
50 3.1571 -77.2803 50 0 -82.7485 2.8615
50 2.8361 -74.0200 50 0 -82.7485 3.4412
50 -1.3802 -84.2814 50 0 -82.7485 1.0000
50 -1.1848 -84.8006 50 0 -82.7485 1.0000
50 -0.9009 -85.5211 50 0 -82.7485 1.0000
50 0 0 50 -1 2 2.3669
50 -1 2 50 0 0 2.3669
50 2.4900 -0.0010 50 -2.4900 0.0009 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0010 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0011 7.2195
50 2.4900 -0.0010 50 -2.4900 0.0012 7.2195
50 -0.0010 2.4900 50 0.0009 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0010 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0011 -2.4900 4.7461
50 2.5 0 50 0 -2.5 4.3065
50 2.5 0 73 25 -18 27.1492
50 2.5 0 61 -5 29 22.8977
50 2.5 0 56 -27 -3 31.9030
50 2.5 0 58 24 15 19.4535
50 2.5 0 50 3.1736 0.5854 1.0000
50 2.5 0 50 3.2972 0 1.0000
50 2.5 0 50 1.8634 0.5757 1.0000
50 2.5 0 50 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def sharma() -> tuple[Tensor, Tensor, Tensor]:
    rows = torch.tensor([[float(word) for word in line.split()] for line in SHARMA.split("\n") if line])
    assert rows.shape == (34, 7)
    rows = rows.double()
    return rows[:, :3].T[None], rows[:, 3:6].T[None], rows[:, 6][None]


def test_differences_are_those_of_the_authors_table() -> None:
    first, second, expected = sharma()
    torch.testing.assert_close(delta_e_2000(first, second), expected, atol=5.1e-5, rtol=0)
    torch.testing.assert_close(delta_e_2000(second, first), expected, atol=5.1e-5, rtol=0)


def test_differences_of_random_colors_are_those_of_scikit_image() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.uniform([0, -100, -100], [100, 100, 100], (2, 500, 3))
    found = delta_e_2000(*(torch.from_numpy(colors.T[None]) for colors in (first, second)))
    np.testing.assert_allclose(found[0], deltaE_ciede2000(first, second), rtol=1e-9)


def test_single_precision_is_enough() -> None:
    first, second = torch.rand(2, 1, 3, 4000, generator=torch.Generator().manual_seed(0))
    exact = delta_e_2000(srgb_to_lab(first.double()), srgb_to_lab(second.double()))
    rough = delta_e_2000(srgb_to_lab(first), srgb_to_lab(second))
    torch.testing.assert_close(rough.double(), exact, atol=2e-3, rtol=0)


def test_equal_colors_do_not_differ() -> None:
    colors = srgb_to_lab(torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(delta_e_2000(colors, colors), torch.zeros(2, 5, 7), atol=0, rtol=0)


@pytest.mark.parametrize("level", [0.0, 0.02, 0.2, 0.5, 1.0])
def test_greys_have_the_lightness_of_the_standard_and_no_chroma(level: float) -> None:
    linear = level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4  # IEC 61966-2-1
    lightness = 903.2963 * linear if linear <= 216 / 24389 else 116 * linear ** (1 / 3) - 16  # CIE 015
    lab = srgb_to_lab(torch.full((1, 3, 1, 1), level, dtype=torch.float64)).flatten()
    torch.testing.assert_close(lab, torch.tensor([lightness, 0, 0], dtype=torch.float64), atol=1e-4, rtol=0)


def test_colors_are_those_of_scikit_image() -> None:
    image = np.random.default_rng(0).uniform(0, 1, (20, 30, 3))
    found = srgb_to_lab(torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    # scikit-image's matrix has six digits and its white is not the sum of the rows.
    np.testing.assert_allclose(found, rgb2lab(image), atol=0.05)
