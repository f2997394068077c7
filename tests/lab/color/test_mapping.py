"""Measured mappings against a second implementation, pixel by pixel, and its speed against that."""

import time

import pytest
import torch
from torch import Tensor

from chromacord.lab.color.mapping import look_up, splat
from tests.lab.color.naive_mapping import naive_look_up, naive_splat


def frames(seed: int, count: int = 2, side: int = 16) -> tuple[Tensor, Tensor, Tensor]:
    """Dark pictures (so that their colours share cells), their results, and soft masks."""
    generator = torch.Generator().manual_seed(seed)
    before, after = (torch.rand(count, 3, side, side, generator=generator) for _ in range(2))
    return 0.2 * before, after, torch.rand(count, 1, side, side, generator=generator)


def test_both_halves_equal_a_loop_over_pixels() -> None:
    before, after, mask = frames(0)
    sums = splat(before, after, mask)
    picture = 0.25 * frames(1)[1]  # part of it lies where there were no samples
    found = look_up(sums, picture)
    for number in range(2):
        expected = naive_splat(before[number], after[number], mask[number])
        torch.testing.assert_close(sums[number].double(), expected, atol=1e-5, rtol=1e-5)
        colors, is_unmapped = naive_look_up(expected, picture[number])
        assert torch.equal(found.is_unmapped[number, 0], is_unmapped)
        assert 0 < is_unmapped.float().mean() < 1
        torch.testing.assert_close(found.picture[number], colors, atol=1e-4, rtol=0)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, 0.3])
def test_a_single_color_comes_back_and_one_far_off_is_unmapped(value: float) -> None:
    before = torch.full((1, 3, 1, 1), value)
    after = torch.tensor([0.9, 0.2, 0.4]).view(1, 3, 1, 1)
    sums = splat(before, after, torch.ones(1, 1, 1, 1))
    found = look_up(sums, torch.cat([before, (before + 0.5) % 1.01], dim=3))
    torch.testing.assert_close(found.picture[..., :1], after, atol=1e-5, rtol=0)
    assert found.is_unmapped.flatten().tolist() == [False, True]


@pytest.mark.parametrize(("value", "cell", "rest"), [(0.0, 0, 0.0), (0.5, 15, 0.999984), (1.0, 31, 0.999968)])
def test_cells_are_a_little_wider_than_a_thirty_second(value: float, cell: int, rest: float) -> None:
    """0.5 / (1.000001 / 32) = 15.999984, 1 / (1.000001 / 32) = 31.999968."""
    picture = torch.tensor([value, 0, 0]).view(1, 3, 1, 1)
    weights = splat(picture, picture, torch.ones(1, 1, 1, 1))[0, 3, 0, 0]
    assert float(weights[cell]) == pytest.approx(1 - rest, abs=2e-6)
    assert float(weights[cell + 1]) == pytest.approx(rest, abs=2e-6)
    assert float(weights.sum()) == pytest.approx(1)


def test_only_pixels_of_more_than_half_foreground_count_and_all_alike() -> None:
    before, after, _ = frames(2, 1, 2)
    mask = torch.tensor([[0.5, 0.500001], [1.0, 0.0]]).view(1, 1, 2, 2)
    sums = splat(before, after, mask)
    assert float(sums[:, 3].sum()) == pytest.approx(2)
    assert torch.equal(sums, splat(before, after, (mask > 0.5).float()))


def test_the_sums_of_frames_are_one_mapping() -> None:
    before, after, mask = frames(3)
    side_by_side = [torch.cat([each[:1], each[1:]], dim=3) for each in (before, after, mask)]
    torch.testing.assert_close(splat(before, after, mask).sum(0, keepdim=True), splat(*side_by_side))


def test_an_empty_foreground_maps_nothing() -> None:
    before, after, mask = frames(4)
    found = look_up(splat(before, after, torch.zeros_like(mask)), before)
    assert found.is_unmapped.all()
    assert not found.picture.any()


def test_a_color_on_a_face_whose_nodes_are_empty_is_black_but_mapped_as_published() -> None:
    """Red 0.01 fills the nodes of red 0 and 1 / 32; take the former away, and red 0 has weight on empty ones alone."""
    color = torch.tensor([0.01, 0.3, 0.3]).view(1, 3, 1, 1)
    sums = splat(color, torch.ones_like(color), torch.ones(1, 1, 1, 1))
    sums[..., 0] = 0
    found = look_up(sums, torch.tensor([0.0, 0.3, 0.3]).view(1, 3, 1, 1))
    assert not found.is_unmapped.any()
    assert not found.picture.any()


def test_colors_outside_the_lattice_are_those_of_its_edge() -> None:
    before, after, mask = (
        torch.tensor([1.5, -0.5, 1.0]).view(1, 3, 1, 1),
        torch.ones(1, 3, 1, 1),
        torch.ones(1, 1, 1, 1),
    )
    sums = splat(before, after, mask)
    assert torch.equal(sums, splat(before.clamp(0, 1), after, mask))
    assert torch.equal(look_up(sums, before).picture, look_up(sums, before.clamp(0, 1)).picture)


def test_many_pixels_of_one_color_do_not_drift() -> None:
    color = torch.full((1, 3, 256, 256), 0.3)
    after = torch.full_like(color, 0.7)
    found = look_up(splat(color, after, torch.ones(1, 1, 256, 256)), color)
    torch.testing.assert_close(found.picture, after, atol=1e-6, rtol=0)


def test_it_is_ten_times_as_fast_as_a_loop() -> None:
    before, after, mask = frames(5, 1, 32)

    def seconds(splatted: object, looked_up: object, *parts: Tensor) -> float:
        start = time.perf_counter()
        looked_up(splatted(*parts), parts[0])  # type: ignore[operator]
        return time.perf_counter() - start

    quick = min(seconds(splat, look_up, before, after, mask) for _ in range(5))
    slow = seconds(naive_splat, naive_look_up, before[0], after[0], mask[0])
    assert slow > 10 * quick
