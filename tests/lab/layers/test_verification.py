"""The discriminator against a second implementation, and what each of its parts sees."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.lab.layers.verification import VerifyingDiscriminator


def material(count: int = 2, side: int = 256) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    mask = torch.zeros(count, 1, side, side)
    mask[..., 60:180, 80:220] = 1
    return 2 * torch.rand(count, 3, side, side, generator=generator) - 1, mask


def judged(network: nn.Module, picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return both scores by the published code, on our tensors in evaluation mode."""
    state = network.state_dict()

    def weight_of(name: str) -> Tensor:
        """Weights divided by their largest singular value, as estimated by the power iteration's vectors."""
        original = state[f"{name}.parametrizations.weight.original"]
        u, v = (state[f"{name}.parametrizations.weight.0.{each}"] for each in ("_u", "_v"))
        return original / torch.dot(u, original.flatten(1) @ v)

    def encoded(x: Tensor, name: str, region: Tensor | None) -> Tensor:
        for number in range(7):
            stride, bias = (1 if number == 6 else 2), state[f"{name}.convs.{number}.bias"][:, None, None]
            weight = weight_of(f"{name}.convs.{number}")
            if region is None:
                x = F.conv2d(x, weight, stride=stride) + bias
            else:
                area = 9 * F.avg_pool2d(region, 3, stride)
                known = area.clamp(max=1)
                x = (F.conv2d(x * region, weight, stride=stride) * (9 / (area + 1e-8)) * known + bias) * known
                region = known
            if 1 <= number <= 5:
                mean = x.mean((2, 3), keepdim=True)
                x = (x - mean) / (x.var((2, 3), keepdim=True, correction=0) + 1e-5).sqrt()
            x = torch.where(x > 0, x, 0.2 * x) if number < 6 else x
        return x

    whole = encoded(picture, "picture", None)
    both = encoded(picture, "region", mask) * encoded(picture, "region", 1 - mask)
    for number in range(2):
        both = F.conv2d(both, weight_of(f"similarity.{number}"), state[f"similarity.{number}.bias"])
        both = torch.where(both > 0, both, 0.2 * both)
    scores = ((whole, "picture_score"), (both, "domain_score"))
    first, second = (F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"]) for x, name in scores)
    return first, second


def test_it_has_as_many_parameters_as_the_authors_network() -> None:
    assert sum(value.numel() for value in VerifyingDiscriminator().parameters()) == 17_787_138


def test_scores_are_those_of_the_published_code() -> None:
    torch.manual_seed(2)
    network = VerifyingDiscriminator(3)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("bias"):
                value.normal_(std=0.3)
    network.eval()
    picture, mask = material()
    with torch.inference_mode():
        scores = network(picture, mask)
        expected = judged(network, picture, mask)
    assert scores.picture.shape == scores.domains.shape == (2, 1, 1, 1)
    torch.testing.assert_close(tuple(scores), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(scores.mean, sum(expected) / 2, atol=1e-5, rtol=1e-4)


def test_a_region_is_encoded_without_a_look_at_what_lies_outside() -> None:
    encoder = VerifyingDiscriminator(2).eval().region
    picture, mask = material(1)
    other = torch.where(mask.bool(), picture, -picture)
    with torch.inference_mode():
        assert torch.equal(encoder(picture, mask), encoder(other, mask))
        assert not torch.equal(encoder(picture, 1 - mask), encoder(other, 1 - mask))


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_a_region_without_a_pixel_gives_finite_scores(fill: float) -> None:
    picture, mask = material(1)
    scores = VerifyingDiscriminator(2)(picture, torch.full_like(mask, fill))
    assert all(score.isfinite().all() for score in scores)


def test_every_layer_but_the_last_ones_stretches_by_no_more_than_one() -> None:
    """The largest singular value of weights as matrices, once the power iteration has had its time."""
    torch.manual_seed(0)
    network = VerifyingDiscriminator(4)
    picture, mask = material(1)
    with torch.no_grad():
        for _ in range(15):
            network(picture, mask)
    layers = [*network.picture.convs, *network.region.convs, *network.similarity]
    assert len(layers) == 16
    network.eval()
    for layer in layers:
        weight = layer.weight
        assert isinstance(weight, Tensor)
        assert float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.03)
