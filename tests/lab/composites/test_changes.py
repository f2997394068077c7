"""Changes of colour for training: what each kind does, and that every change is as likely as its inverse."""

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from chromacord.color.statistics import color_statistics
from chromacord.errors import InputError
from chromacord.lab.color.lut3d import apply_lut3d, lattice
from chromacord.lab.composites.changes import ChangeShares, adjustments, chosen_sides, kinds, scenes, transfers

SIZE = 9


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unit(count: int) -> Tensor:
    return lattice(SIZE).expand(count, -1, -1, -1, -1)


def test_adjustments_stay_in_range_and_make_about_as_many_darker_as_brighter() -> None:
    tables = adjustments(400, SIZE, generator())
    assert tables.shape == (400, 3, SIZE, SIZE, SIZE)
    assert 0 <= tables.min() <= tables.max() <= 1
    middle = tables[:, :, SIZE // 2, SIZE // 2, SIZE // 2].mean(dim=1) - 0.5
    assert 0.28 < float((middle > 0.005).float().mean()) < 0.55
    assert 0.28 < float((middle < -0.005).float().mean()) < 0.55


def test_every_second_adjustment_is_of_one_kind_alone() -> None:
    """Contrast and saturation alone leave greys on the diagonal grey; exposure alone too, white balance never."""
    tables = adjustments(400, SIZE, generator(1))
    diagonal = torch.stack([tables[:, :, n, n, n] for n in range(1, SIZE - 1)], dim=-1)
    is_grey = (diagonal.amax(dim=1) - diagonal.amin(dim=1)).amax(dim=-1) < 1e-3
    # Half are alone, three quarters of those without balance; of the others 0.4 lack it.
    assert float(is_grey.float().mean()) == pytest.approx(0.5 * 0.75 + 0.5 * 0.4, abs=0.08)


def test_a_transfer_moves_the_mean_towards_the_other_foregrounds() -> None:
    """The other of two pictures is the second one; of many draws, some move the mean nearly all the way."""
    colors = torch.rand(2, 3, 16, 16, generator=generator(2)) * 0.2 + torch.tensor([0.3, 0.5])[:, None, None, None]
    mask = torch.ones(2, 1, 16, 16)
    wanted = color_statistics(colors.roll(1, 0), mask).mean
    before = (color_statistics(colors, mask).mean - wanted).abs().amax()
    nearer = []
    for seed in range(40):
        moved = apply_lut3d(colors, transfers(colors, mask, 17, generator(seed)))
        nearer.append(float((color_statistics(moved, mask).mean - wanted).abs().amax() / before))
    assert min(nearer) < 0.2
    assert max(nearer) < 1
    assert 0.1 < sum(nearer) / len(nearer) < 0.6  # weakened at random


def test_a_change_goes_to_one_side_to_both_or_to_neither_as_often_as_is_asked() -> None:
    count = 4000
    tables = 0.5 * unit(count)
    shares = ChangeShares(inverse=0.3, inverse_lut=0.1, inverse_scene=0.5, both=0.2, neither=0.25)
    for kind, inverse in enumerate((0.1, 0.3, 0.3, 0.3, 0.5)):
        sides = chosen_sides(tables, torch.full((count,), kind), shares, generator(3))
        real, changed = ((side != unit(count)).flatten(1).any(dim=1) for side in sides)
        assert float((real & ~changed).float().mean()) == pytest.approx(inverse, abs=0.03)
        assert float((real & changed).float().mean()) == pytest.approx(0.2, abs=0.03)
        assert float((~real & ~changed).float().mean()) == pytest.approx(0.25, abs=0.03)


def test_kinds_come_up_by_their_shares_and_looks_stand_in_for_missing_luts() -> None:
    shares = ChangeShares(lut=0.5, look=0.1, adjustment=0.2, transfer=0.2)
    counts = torch.bincount(kinds(4000, shares, generator(4), has_luts=True), minlength=4) / 4000
    torch.testing.assert_close(counts, torch.tensor([0.5, 0.1, 0.2, 0.2]), atol=0.03, rtol=0)
    counts = torch.bincount(kinds(4000, shares, generator(4), has_luts=False), minlength=4) / 4000
    torch.testing.assert_close(counts, torch.tensor([0.0, 0.6, 0.2, 0.2]), atol=0.03, rtol=0)
    shares = ChangeShares(lut=0.2, look=0.1, adjustment=0.1, transfer=0.1, scene=0.5)
    assert float((kinds(4000, shares, generator(4), has_luts=True) == 4).float().mean()) == pytest.approx(0.5, abs=0.03)


def test_scenes_are_mostly_darker_tinted_and_never_brighten_black_by_more_than_haze() -> None:
    tables = scenes(400, SIZE, generator(5))
    assert tables.shape == (400, 3, SIZE, SIZE, SIZE)
    assert 0 <= tables.min() <= tables.max() <= 1
    half = SIZE // 2
    grey = tables[:, :, half, half, half]
    assert 0.65 < float((grey.mean(dim=1) < 0.45).float().mean()) < 0.9
    assert float((grey.mean(dim=1) < 0.25).float().mean()) > 0.2  # night, not only dusk
    assert float(((grey.amax(dim=1) - grey.amin(dim=1)) > 0.05).float().mean()) > 0.5
    assert float((grey[:, 0] > grey[:, 2]).float().mean()) == pytest.approx(0.5, abs=0.1)  # as many warm as cool
    black = tables[:, :, 0, 0, 0]
    assert float((black < 1 / 255).all(dim=1).float().mean()) > 0.6
    assert float(black.max()) < 0.6


def test_a_scene_keeps_the_order_of_greys() -> None:
    tables = scenes(100, SIZE, generator(6))
    diagonal = torch.stack([tables[:, :, n, n, n].mean(dim=1) for n in range(SIZE)], dim=-1)
    assert bool((diagonal.diff(dim=-1) >= -1e-4).all())


@pytest.mark.parametrize("name", [each.name for each in fields(ChangeShares)])
def test_a_share_outside_its_range_is_named(name: str) -> None:
    with pytest.raises(InputError, match=rf"{name} must lie in 0\.\.1"):
        ChangeShares(**{name: 1.5})


def test_shares_that_leave_nothing_or_more_than_everything_are_refused() -> None:
    with pytest.raises(InputError, match="must be above 0"):
        ChangeShares(lut=0, look=0, adjustment=0, transfer=0)
    with pytest.raises(InputError, match="must add up to 1 at most"):
        ChangeShares(inverse=0.6, both=0.3, neither=0.2)
