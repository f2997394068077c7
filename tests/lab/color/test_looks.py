import colorsys
import math

import pytest
import torch
from torch import Tensor

from chromacord.color.cube import Cube
from chromacord.lab.color.looks import NUM_WAVES, Look, random_look
from chromacord.lab.color.lut3d import apply_cube

GREYS = torch.linspace(0, 1, 65).expand(1, 3, 65)


def colors(count: int = 200) -> Tensor:
    return torch.rand(1, 3, count, generator=torch.Generator().manual_seed(3))


def look(seed: int, **options: float) -> Look:
    return random_look(torch.Generator().manual_seed(seed), **options)


def luma(rgb: Tensor) -> Tensor:
    return torch.tensor([0.2126, 0.7152, 0.0722]) @ rgb


def test_the_default_changes_nothing() -> None:
    torch.testing.assert_close(Look()(colors()), colors(), atol=1e-6, rtol=0)
    torch.testing.assert_close(look(5, strength=0.0)(colors()), colors(), atol=1e-6, rtol=0)


def test_a_stop_of_exposure_doubles_dark_light_and_keeps_white() -> None:
    """sRGB below 0.04045 is light times 12.92, so doubled light is a doubled code."""
    dark = torch.full((1, 3, 1), 0.004)
    assert float(Look(exposure=1.0)(dark)[0, 0, 0]) == pytest.approx(0.008, rel=1e-3)
    torch.testing.assert_close(Look(exposure=1.0)(torch.ones(1, 3, 1)), torch.ones(1, 3, 1))


def test_balance_scales_light_channel_by_channel_against_the_largest() -> None:
    """White of half the red light: linear_to_srgb(0.5) = 0.7354 (IEC 61966-2-1)."""
    white = Look(balance=(1.0, 2.0, 2.0))(torch.ones(1, 3, 1))[0, :, 0]
    torch.testing.assert_close(white, torch.tensor([0.73536, 1.0, 1.0]), atol=1e-4, rtol=0)


def test_contrast_is_the_slope_at_mid_grey_and_keeps_the_ends() -> None:
    mapped = Look(contrast=1.4)(torch.tensor([0.0, 0.495, 0.505, 1.0]).expand(1, 3, 4))[0, 0]
    assert float(mapped[2] - mapped[1]) / 0.01 == pytest.approx(1.4, rel=1e-3)
    assert (float(mapped[0]), float(mapped[3])) == (0, 1)


def test_no_saturation_leaves_the_luma_alone() -> None:
    grey = Look(saturation=0.0)(colors())
    torch.testing.assert_close(grey, luma(colors())[:, None].expand(1, 3, -1), atol=1e-6, rtol=0)


def test_hue_turns_around_the_greys() -> None:
    """A third of a turn maps red to green, up to the change of luma; colorsys computes the hue angle."""
    red = torch.tensor([0.5, 0.3, 0.3]).view(1, 3, 1)
    turned = Look(hue=2 * math.pi / 3)(red)[0, :, 0]
    hue, _, _ = colorsys.rgb_to_hsv(*turned.tolist())
    assert hue == pytest.approx(1 / 3, abs=1e-4)
    assert float(luma(turned)) == pytest.approx(float(luma(red[0, :, 0])), abs=1e-6)
    torch.testing.assert_close(Look(hue=1.0)(GREYS), GREYS, atol=1e-6, rtol=0)


def test_tints_reach_shadows_and_highlights_apart() -> None:
    mapped = Look(shadows=(0.1, 0.0, 0.0), highlights=(0.0, 0.0, -0.2))(torch.tensor([0.0, 1.0]).expand(1, 3, 2))[0]
    torch.testing.assert_close(mapped[:, 0], torch.tensor([0.1, 0.0, 0.0]))
    torch.testing.assert_close(mapped[:, 1], torch.tensor([1.0, 1.0, 0.8]))


def test_waves_are_cosines_over_the_cube() -> None:
    """One wave along blue, added to red: 0.1 * cos(pi * blue)."""
    waves = torch.zeros(3, NUM_WAVES, NUM_WAVES, NUM_WAVES)
    waves[0, 0, 0, 1] = 0.1
    inner = 0.2 + 0.6 * colors()
    expected = inner.clone()
    expected[:, 0] += 0.1 * torch.cos(math.pi * inner[:, 2])
    torch.testing.assert_close(Look(waves=waves)(inner), expected, atol=1e-6, rtol=0)


def test_equal_seeds_give_equal_looks_and_others_differ() -> None:
    assert torch.equal(look(7)(colors()), look(7)(colors()))
    assert float((look(7)(colors()) - look(8)(colors())).abs().max()) > 0.01


@pytest.mark.parametrize("seed", range(20))
def test_a_random_look_is_smooth_and_keeps_the_order_of_greys(seed: int) -> None:
    drawn = look(seed)
    greys = luma(drawn(GREYS)[0])
    assert bool((greys.diff() > -1e-4).all())
    assert float(greys[-1] - greys[0]) > 0.4
    # A lattice of 17 nodes per side is nearly equal to the look itself, so the look has no steps.
    error = (apply_cube(colors()[..., None], Cube(drawn.to_lut(33)))[..., 0] - drawn(colors())).abs()
    assert float(error.mean()) < 0.01
    assert float(error.max()) < 0.15


def test_looks_change_a_photograph_about_as_much_as_luts_do() -> None:
    """HYouTube's composites have a mean fMSE of about 1000; uniform colours stand in for a photograph here."""
    errors = [float((255 * (look(seed)(colors()) - colors())).square().mean()) for seed in range(100)]
    assert 400 < sum(errors) / len(errors) < 1800
    assert min(errors) < 150
