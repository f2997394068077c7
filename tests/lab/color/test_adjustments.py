"""Expected values were calculated from the sRGB curve of IEC 61966-2-1 with a pocket calculator's precision, apart from
the code that is tested.
"""

import pytest
import torch
from torch import Tensor

from chromacord.lab.color.adjustments import ADJUSTMENTS, UNCHANGED

OPPOSITES = [
    ("darker-1", "brighter-1"),
    ("darker-0.5", "brighter-0.5"),
    ("warmer", "cooler"),
    ("greener", "pinker"),
    ("saturation-0.5", "saturation-1.6"),
    ("contrast-0.65", "contrast-1.35"),
]


def adjusted(name: str, red: float, green: float, blue: float) -> list[float]:
    pixel = torch.tensor([red, green, blue], dtype=torch.float64)[:, None, None]
    found: list[float] = ADJUSTMENTS[name](pixel).flatten().tolist()
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("darker-1", [0.136034, 0.360780, 0.585526]),
        ("darker-0.5", [0.165712, 0.425373, 0.685034]),
        ("brighter-0.5", [0.238766, 0.573663, 0.870358]),
        ("brighter-1", [0.283025, 0.651707, 0.927556]),
        ("contrast-0.65", [0.2875, 0.4825, 0.6775]),
        ("contrast-1.35", [0.1125, 0.5175, 0.9225]),
    ],
)
def test_each_channel_goes_its_own_way(name: str, expected: list[float]) -> None:
    assert adjusted(name, 0.2, 0.5, 0.8) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("warmer", [0.535807, 0.466363, 0.399669]),
        ("cooler", [0.404889, 0.466363, 0.535807]),
        ("greener", [0.450724, 0.522484, 0.450724]),
        ("pinker", [0.522484, 0.450724, 0.522484]),
    ],
)
def test_grey_takes_a_cast(name: str, expected: list[float]) -> None:
    assert adjusted(name, 0.5, 0.5, 0.5) == pytest.approx(expected, abs=1e-6)


def test_saturation_keeps_luma_and_grey() -> None:
    # Luma of pure red is 0.2126; of (0.6, 0.4, 0.5) it is 0.12756 + 0.28608 + 0.0361 = 0.44974.
    assert adjusted("saturation-0.5", 1, 0, 0) == pytest.approx([0.6063, 0.1063, 0.1063])
    assert adjusted("saturation-1.6", 0.6, 0.4, 0.5) == pytest.approx([0.690156, 0.370156, 0.530156])
    for name in ("saturation-0.5", "saturation-1.6"):
        assert adjusted(name, 0.3, 0.3, 0.3) == pytest.approx([0.3, 0.3, 0.3])


def test_brighter_clips_nothing() -> None:
    assert adjusted("brighter-1", 0, 1, 0.99) == pytest.approx([0, 1, 0.999775], abs=1e-6)
    near_white = torch.linspace(0.9, 1, 11, dtype=torch.float64)[:, None, None]
    assert (ADJUSTMENTS["brighter-1"](near_white).flatten().diff() > 0).all()


def test_what_leaves_the_range_is_clipped() -> None:
    assert adjusted("contrast-1.35", 0.05, 0.9, 0.45) == [0, 1, pytest.approx(0.45)]
    assert adjusted("saturation-1.6", 1, 0, 0)[:2] == [1, 0]


def test_there_are_twelve_in_both_directions_and_none() -> None:
    assert {name for pair in OPPOSITES for name in pair} | {UNCHANGED} == set(ADJUSTMENTS)
    picture = noise()
    assert torch.equal(ADJUSTMENTS[UNCHANGED](picture), picture)


@pytest.mark.parametrize(("one", "other"), OPPOSITES)
def test_opposites_move_a_colour_to_opposite_sides(one: str, other: str) -> None:
    picture = 0.3 + 0.4 * noise()
    first, second = (ADJUSTMENTS[name](picture) - picture for name in (one, other))
    if one == "warmer":
        # Both remove some light; only the cast is opposite.
        first, second = (change - change.mean(dim=0) for change in (first, second))
    assert (first * second).sum() < -0.5 * first.norm() * second.norm()


@pytest.mark.parametrize("name", ADJUSTMENTS)
def test_a_batch_is_adjusted_picture_by_picture_and_stays_in_range(name: str) -> None:
    batch = torch.stack([noise(), noise() ** 2])
    found = ADJUSTMENTS[name](batch)
    torch.testing.assert_close(found[1], ADJUSTMENTS[name](batch[1]))
    assert found.dtype == batch.dtype
    assert 0 <= found.min() <= found.max() <= 1


def noise() -> Tensor:
    return torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0))
