import cv2
import numpy as np
import pytest

from chromacord.masks.area import area_average, area_weights
from chromacord.types import Size


def test_an_average_by_a_fraction_shares_pixels_out_by_their_area() -> None:
    expected = [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]]
    np.testing.assert_allclose(area_weights(3, 2), expected, rtol=1e-6)


@pytest.mark.parametrize("target", [Size(54, 96), Size(37, 53), Size(1, 1), Size(107, 191), Size(108, 192)])
def test_averages_are_those_of_opencv(target: Size) -> None:
    plane = np.random.default_rng(0).uniform(0, 255, (108, 192)).astype(np.float32)
    expected = cv2.resize(plane, (target.width, target.height), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(area_average(plane, target), expected, atol=1e-3)
