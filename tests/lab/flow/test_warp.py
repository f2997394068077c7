"""The backward warp against cases that are known by hand, and against SciPy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor

from chromacord.lab.flow.warp import warp


def picture(*, height: int = 6, width: int = 9) -> Tensor:
    return torch.rand(2, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def constant_flow(image: Tensor, x: float, y: float) -> Tensor:
    motion = torch.tensor([x, y], dtype=image.dtype)[None, :, None, None]
    return motion.expand(len(image), 2, *image.shape[-2:])


@pytest.mark.parametrize("size", [(6, 9), (1, 9), (6, 1), (1, 1)])
def test_no_flow_changes_nothing(size: tuple[int, int]) -> None:
    image = picture(height=size[0], width=size[1])
    warped, inside = warp(image, constant_flow(image, 0, 0))
    torch.testing.assert_close(warped, image)
    assert inside.all()


def test_a_flow_of_one_to_the_right_fetches_the_right_neighbour() -> None:
    image = picture()
    warped, inside = warp(image, constant_flow(image, 1, 0))
    torch.testing.assert_close(warped[..., :-1], image[..., 1:])
    assert inside[..., :-1].all()
    assert not inside[..., -1].any()


def test_a_flow_of_one_down_fetches_the_pixel_below() -> None:
    image = picture()
    warped, inside = warp(image, constant_flow(image, 0, 1))
    torch.testing.assert_close(warped[..., :-1, :], image[..., 1:, :])
    assert not inside[..., -1, :].any()


def test_outside_are_zeros_or_the_nearest_pixel() -> None:
    image = picture()
    zeros, _ = warp(image, constant_flow(image, 0, -2))
    border, _ = warp(image, constant_flow(image, 0, -2), padding="border")
    torch.testing.assert_close(zeros[..., :2, :], torch.zeros_like(image[..., :2, :]))
    torch.testing.assert_close(border[..., :2, :], image[..., :1, :].expand(-1, -1, 2, -1))


def test_a_flow_of_its_own_for_each_pixel_gives_what_scipy_interpolates() -> None:
    image = picture()
    flow = 4 * torch.randn(2, 2, 6, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    warped, inside = warp(image, flow, padding="border")
    rows, columns = np.mgrid[:6, :9]
    for item in range(2):
        place = np.stack([rows + flow[item, 1].numpy(), columns + flow[item, 0].numpy()])
        for channel in range(3):
            expected = map_coordinates(image[item, channel].numpy(), place, order=1, mode="nearest")
            np.testing.assert_allclose(warped[item, channel], expected, atol=1e-12)
        expected_inside = (place[0] >= 0) & (place[0] <= 5) & (place[1] >= 0) & (place[1] <= 8)
        np.testing.assert_array_equal(inside[item, 0], expected_inside)
    assert not inside.all()
    assert inside.any()
