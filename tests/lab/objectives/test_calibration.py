"""Strength and confidence, fitted where the best answer is known."""

import pytest
import torch

from chromacord.lab.objectives.calibration import Measured, calibrated, reliability


def measured(count: int, *, is_sure: bool, seed: int) -> Measured:
    """Composites whose changes are right (and said to be), or pure noise (and said to be)."""
    generator = torch.Generator().manual_seed(seed)
    wanted = 0.02 * torch.rand(count, generator=generator) + 0.005
    if is_sure:
        return Measured(wanted, wanted, wanted, torch.full((count,), -9.0))
    return Measured(wanted, torch.zeros(count), wanted, wanted.log())


def strength(row: torch.Tensor, each: Measured) -> torch.Tensor:
    inputs = torch.stack([torch.ones_like(each.log_error), (each.squared_change + 1e-6).log(), each.log_error])
    return torch.sigmoid(row @ inputs)


def test_what_is_left_is_the_squared_difference() -> None:
    change, wanted = torch.tensor([0.3, -0.1]), torch.tensor([0.2, 0.2])
    each = Measured(
        *((a * b).mean()[None] for a, b in ((change, change), (change, wanted), (wanted, wanted))), change[:1]
    )
    left = ((wanted - 0.7 * change) ** 2).mean()
    assert float(each.error(torch.tensor([0.7]))) == pytest.approx(float(left), rel=1e-5)


def test_sure_changes_are_applied_whole_and_noise_is_left_out() -> None:
    sure, noise = measured(300, is_sure=True, seed=1), measured(300, is_sure=False, seed=2)
    table = calibrated(Measured(*map(torch.cat, zip(sure, noise, strict=True))))
    assert table.shape == (2, 3)
    assert strength(table[0], sure).min() > 0.9
    assert strength(table[0], noise).max() < 0.1
    assert strength(table[1], sure).min() > 0.9  # it helps
    assert strength(table[1], noise).max() < 0.1


def test_a_reliability_curve_tells_how_often_grades_of_like_confidence_helped() -> None:
    sure, noise = measured(300, is_sure=True, seed=1), measured(300, is_sure=False, seed=2)
    both = Measured(*map(torch.cat, zip(sure, noise, strict=True)))
    curve = reliability(both, calibrated(both), num_groups=2)
    assert list(curve) == ["confidence_1", "helped_1", "confidence_2", "helped_2"]
    assert curve["confidence_1"] < 0.1
    assert curve["helped_1"] == 0
    assert curve["confidence_2"] > 0.9
    assert curve["helped_2"] == 1


@pytest.mark.parametrize("num_right", [600, 990])
def test_few_wrong_changes_are_told_apart_by_a_hair(num_right: int) -> None:
    """The search may neither start where the logistic function is flat nor see slopes too small to follow."""
    generator = torch.Generator().manual_seed(3)
    wanted, moved = (0.02 * torch.rand(1000, generator=generator) + 0.002 for _ in range(2))
    is_wrong = torch.arange(1000) >= num_right
    product = torch.where(is_wrong, 0, 0.9 * (wanted * moved).sqrt())
    each = Measured(moved, product, torch.where(is_wrong, 0.001 * wanted, wanted), torch.where(is_wrong, -5.0, -6.0))
    applied = strength(calibrated(each)[0], each)
    assert applied[~is_wrong].mean() > 0.75
    assert applied[is_wrong].mean() < 0.1


def test_a_given_strength_is_kept_and_confidence_fitted_for_it() -> None:
    generator = torch.Generator().manual_seed(3)
    wanted = 0.02 * torch.rand(300, generator=generator) + 0.005
    # The change is three times the right one: in full it harms, at half strength it helps.
    each = Measured(9 * wanted, 3 * wanted, wanted, wanted.log())
    for share, helps in ((1.0, False), (0.5, True)):
        kept = torch.tensor([torch.tensor(share).logit(eps=1e-4), 0.0, 0.0])
        table = calibrated(each, strength=kept)
        assert torch.equal(table[0], kept)
        assert ((strength(table[1], each) > 0.5) == helps).all()
