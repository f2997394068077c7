"""The foreground temporal aggregator, by equations 2 and 3."""

import torch

from chromacord.lab.layers.aggregator import ForegroundAggregator


def material() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    neighbour, current = (torch.randn(2, 6, 5, 7, generator=generator) for _ in range(2))
    mask = torch.zeros(2, 1, 5, 7)
    mask[..., 1:4, 2:5] = 1
    return neighbour, current, mask


def test_equations_two_and_three() -> None:
    torch.manual_seed(0)
    aggregator = ForegroundAggregator(6)
    neighbour, current, mask = material()
    for place in ((2, 3), (0, 0)):
        theta, phi = (
            layer.weight[:, :, 0, 0] @ frame[1, :, place[0], place[1]] + layer.bias
            for layer, frame in ((aggregator.theta, neighbour), (aggregator.phi, current))
        )
        attention = torch.sigmoid(theta @ phi)
        expected = neighbour[1, :, place[0], place[1]] * (attention if place == (2, 3) else 1)
        found = aggregator(neighbour, current, mask)[1, :, place[0], place[1]]
        torch.testing.assert_close(found, expected)


def test_outside_the_mask_the_neighbour_keeps_its_bits_and_inside_it_is_dampened() -> None:
    neighbour, current, mask = material()
    found = ForegroundAggregator(6)(neighbour, current, mask)
    inside = (mask > 0).expand_as(neighbour)
    assert torch.equal(found[~inside], neighbour[~inside])
    share = found[inside] / neighbour[inside]
    assert ((share > 0) & (share < 1)).all()


def test_embeddings_of_zero_weigh_by_a_half() -> None:
    aggregator = ForegroundAggregator(6)
    for value in aggregator.parameters():
        torch.nn.init.zeros_(value)
    neighbour, current, mask = material()
    torch.testing.assert_close(aggregator(neighbour, current, mask), neighbour * (1 - mask / 2))
