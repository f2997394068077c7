"""ShotGrade's network as OpenCV and numpy run it, against the one that torch trains; and against formulas."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from chromacord.lab.networks.grade_network import GradeNetwork
from chromacord.lab.networks.grade_network import color_histograms as trained_histograms
from chromacord.lab.weight_files import state_dict
from chromacord.methods.grade_estimator import GradeEstimator, averaged, color_histograms
from chromacord.methods.grade_plan import weight_shapes
from chromacord.weights import list_weights


def pictures(count: int, side: int) -> tuple[Tensor, Tensor]:
    """Smooth pictures with grain, and soft discs. Shape (count, 3, side, side), (count, 1, side, side)."""
    generator = torch.Generator().manual_seed(count)
    coarse = torch.rand(count, 3, 5, 7, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=False)
    picture = (smooth + 0.03 * torch.randn(smooth.shape, generator=generator)).clamp(0, 1)
    places = torch.linspace(-1, 1, side)
    shift = torch.linspace(-0.3, 0.3, count)[:, None, None]
    disc = (3 * (0.6 - ((places[:, None] - shift) ** 2 + places**2).sqrt())).clamp(0, 1)
    return picture, disc[:, None]


def estimator(network: GradeNetwork) -> GradeEstimator:
    return GradeEstimator({key: value.numpy() for key, value in network.state_dict().items()}, side=network.side)


def random_network(**options: int | bool) -> GradeNetwork:
    torch.manual_seed(0)
    network = GradeNetwork(**options).eval()
    for layer in network.standardized.values():
        layer.mean.normal_(std=0.1)
        layer.deviation.uniform_(0.5, 2)
    torch.nn.init.normal_(network.weights.weight, std=0.05)
    torch.nn.init.normal_(network.log_error.weight, std=0.05)
    return network


def compare(network: GradeNetwork, count: int, side: int) -> None:
    composite, mask = pictures(count, side)
    with torch.inference_mode():
        expected = network(composite, mask)
    found = estimator(network)(composite.numpy(), mask.numpy())
    np.testing.assert_allclose(found.lut, expected.lut.numpy(), atol=1e-4)
    np.testing.assert_allclose(found.log_error, expected.log_error.numpy(), atol=1e-3)


@pytest.mark.parametrize(
    "options", [{}, {"attention": 0}, {"encoder": False}, {"lut_size": 5, "hidden": 64, "attention": 8}]
)
def test_both_have_weights_of_the_same_names_and_shapes(options: dict[str, int | bool]) -> None:
    sizes = {"lut_size": 9, "hidden": 320, "attention": 48, "encoder": True, **options}
    with torch.device("meta"):
        state = GradeNetwork(**sizes).state_dict()
    assert weight_shapes(**sizes) == {key: tuple(value.shape) for key, value in state.items()}


@pytest.mark.parametrize("options", [{}, {"attention": 0}, {"encoder": False}, {"side": 64, "lut_size": 5}])
@pytest.mark.parametrize(("count", "side"), [(1, 256), (8, 128)])
def test_both_networks_give_the_same(options: dict[str, int | bool], count: int, side: int) -> None:
    compare(random_network(**options), count, side)


@pytest.mark.parametrize("name", [name for name in list_weights() if name.startswith("shotgrade")])
def test_both_give_the_same_with_shipped_weights(name: str) -> None:
    network = GradeNetwork().eval()
    network.load_state_dict(state_dict(name))
    for count in (1, 8):
        compare(network, count, 256)


def test_means_of_squares_are_means_for_odd_steps_too() -> None:
    picture = np.random.default_rng(0).random((1, 2, 12, 12), np.float32)
    for step in (1, 2, 3, 4, 6):
        expected = picture.reshape(1, 2, 12 // step, step, 12 // step, step).mean(axis=(3, 5))
        np.testing.assert_allclose(averaged(picture, step), expected, rtol=1e-5)


def slow_histogram(colors: Tensor, weight: Tensor, bins: int) -> np.ndarray:
    """A cube's histogram, pixel by pixel and corner by corner."""
    cube = np.zeros((bins,) * 3)
    total = float(weight.sum())
    for color, share in zip(colors.T.double().numpy(), weight.double().numpy(), strict=True):
        place = color * (bins - 1)
        low = np.minimum(place.astype(int), bins - 2)
        for corner in product((0, 1), repeat=3):
            parts = [p - base if side else 1 - (p - base) for p, base, side in zip(place, low, corner, strict=True)]
            cube[tuple(low + corner)] += share / total * np.prod(parts)
    return cube


def test_histograms_share_each_pixel_out_to_the_nodes_around_it() -> None:
    generator = torch.Generator().manual_seed(3)
    colors, weight = torch.rand(1, 3, 50, generator=generator), torch.rand(1, 1, 50, generator=generator)
    colors[0, :, 0], colors[0, :, 1] = 0, 1  # the ends of the range
    trained = trained_histograms(colors, weight).numpy()
    found = color_histograms(colors.numpy(), weight.numpy())
    np.testing.assert_allclose(found, trained, atol=1e-5)
    shares = found[0] ** 2 - 1e-6
    cubes = shares[: 2 * 6**3].reshape(2, 6, 6, 6)
    np.testing.assert_allclose(cubes[0], slow_histogram(colors[0], weight[0, 0], 6), atol=2e-6)
    np.testing.assert_allclose(cubes[1], slow_histogram(colors[0], 1 - weight[0, 0], 6), atol=2e-6)
    curves = shares[2 * 6**3 :].reshape(2, 3, 16)
    np.testing.assert_allclose(curves.sum(axis=-1), np.ones((2, 3)), atol=1e-4)
    for channel in range(3):
        mean = (curves[0, channel] * np.linspace(0, 1, 16)).sum()  # sharing out keeps means
        expected = float((colors[0, channel] * weight[0, 0]).sum() / weight.sum())
        assert mean == pytest.approx(expected, abs=1e-4)
