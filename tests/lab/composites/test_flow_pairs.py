"""Pairs of frames: what is said of their flow is checked on their pixels, and on motions that are known by hand."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from chromacord.errors import InputError
from chromacord.lab.composites.flow_pairs import FlowPairs, Motion, PairMaker
from chromacord.lab.composites.photographs import Photographs
from chromacord.lab.flow.warp import warp

CLEAN = Motion(relit_share=0, noise=0, blurred_share=0)
SIDE = 64


def photographs(count: int = 6, side: int = SIDE) -> Photographs:
    """Smooth shades, and discs as masks."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 14, 14, generator=generator)
    pictures = functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=False).clamp(0, 1)
    rows, columns = torch.linspace(-1, 1, side)[:, None], torch.linspace(-1, 1, side)
    disc = (255 * (0.5 - (rows**2 + columns**2).sqrt()).mul(side / 4).clamp(0, 1)).to(torch.uint8)
    names = tuple(f"p{index}" for index in range(count))
    masks = disc.expand(count, 1, side, side)
    flags, weights = torch.zeros(count, dtype=torch.bool), torch.ones(count)
    return Photographs(names, names, (255 * pictures).to(torch.uint8), masks, flags, weights)


def drawn(motion: Motion, count: int = 12, *, seed: int = 1, side: int = SIDE, whole: int | None = None) -> FlowPairs:
    maker = PairMaker(photographs(), motion, side=side, whole=whole)
    return maker.draw(count, torch.Generator().manual_seed(seed))


def affine_error(flow: Tensor) -> Tensor:
    """How far each flow is from its best affine fit. Shape (N, 2, S, S) to (N,)."""
    places = torch.stack(torch.meshgrid(*(torch.arange(float(SIDE)),) * 2, indexing="ij")).flatten(1)
    known = torch.cat([places, torch.ones_like(places[:1])]).T.double()
    wanted = flow.flatten(2).mT.double()
    fitted = known @ torch.linalg.lstsq(known.expand(len(flow), -1, -1), wanted).solution
    return (fitted - wanted).abs().amax(dim=(1, 2))


def test_the_second_frame_seen_along_the_flow_is_the_first_where_it_shows_it_and_nowhere_else() -> None:
    pairs = drawn(CLEAN)
    warped, _ = warp(pairs.second, pairs.flow)
    difference = (warped - pairs.first).abs().mean(dim=1, keepdim=True)
    unmoved = (pairs.second - pairs.first).abs().mean()
    seen = (difference * pairs.visible).sum() / pairs.visible.sum()
    hidden = (difference * (1 - pairs.visible)).sum() / (1 - pairs.visible).sum()
    assert seen < 0.1 * unmoved
    assert hidden > 20 * seen
    assert 0.02 < (1 - pairs.visible).mean() < 0.4


def test_what_leaves_the_frame_is_not_visible() -> None:
    pairs = drawn(CLEAN)
    rows, columns = torch.arange(SIDE)[:, None], torch.arange(SIDE)
    x, y = columns + pairs.flow[:, 0], rows + pairs.flow[:, 1]
    leaves = (x < 0) | (x > SIDE - 1) | (y < 0) | (y > SIDE - 1)
    assert leaves.any()
    assert not pairs.visible[:, 0][leaves].any()


def test_what_a_cutout_comes_to_cover_is_not_visible_and_the_cutout_is() -> None:
    """The background stands still: what is hidden of it lies under a cut-out, so there the frames differ."""
    still = replace(CLEAN, still_share=0.0, bent_share=0, most_cutouts=1, attached_share=0)
    maker = PairMaker(photographs(), still, side=SIDE)
    ordinary = maker._moves

    def moves(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        motion, bend = ordinary(count, generator)
        if count == 16:  # the backgrounds are drawn first, for all pairs
            motion = torch.eye(2, 3).repeat(count, 1, 1)
        return motion, bend

    maker._moves = moves  # type: ignore[method-assign]
    pairs = maker.draw(16, torch.Generator().manual_seed(4))
    stands = (pairs.flow == 0).all(dim=1, keepdim=True)
    hidden = stands & (pairs.visible == 0)
    changed = (pairs.second - pairs.first).abs().amax(dim=1, keepdim=True)
    assert hidden.any()
    assert changed[hidden].mean() > 0.1
    # But for the soft edge of the mask, nothing changes where the background stays visible.
    assert changed[stands & (pairs.visible == 1)].mean() < 0.01
    moving = ~stands
    assert pairs.visible[moving].mean() > 0.7


def test_a_background_alone_moves_affinely_unless_it_bends() -> None:
    alone = replace(CLEAN, most_cutouts=0, bent_share=0, still_share=0)
    rigid, bent = (drawn(replace(alone, bent_share=share)).flow for share in (0, 1))
    assert (affine_error(rigid) < 1e-3).all()
    assert (affine_error(bent) > 0.05).all()


def test_cutouts_that_are_attached_move_as_the_background_does() -> None:
    attached = replace(CLEAN, bent_share=0, attached_share=1, most_cutouts=3)
    assert (affine_error(drawn(attached).flow) < 1e-3).all()
    assert (affine_error(drawn(replace(attached, attached_share=0)).flow) > 0.5).any()


def test_layers_that_stand_still_give_equal_frames() -> None:
    pairs = drawn(replace(CLEAN, still_share=1))
    assert not pairs.flow.any()
    assert pairs.visible.all()
    torch.testing.assert_close(pairs.first, pairs.second, atol=1 / 255, rtol=0)


def test_pairs_depend_on_the_seed_alone() -> None:
    for one, other in zip(drawn(Motion()), drawn(Motion()), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(drawn(Motion()).first, drawn(Motion(), seed=2).first)


def test_motions_are_pixels_of_256_and_shrink_with_the_picture() -> None:
    """The middle of a background that neither turns, scales nor bends moves by its length, 10 of 256 pixels."""
    plain = Motion(typical=10, spread=0, turn=0, stretch=0, bent_share=0, still_share=0, most_cutouts=0)
    for whole, expected in ((64, 2.5), (32, 1.25)):
        flow = drawn(plain, side=32, whole=whole).flow
        torch.testing.assert_close(flow.norm(dim=1), torch.full((12, 32, 32), expected))
    farther = drawn(replace(plain, longest=4), side=64).flow
    torch.testing.assert_close(farther.norm(dim=1), torch.full((12, 64, 64), 1.0))


def test_a_part_of_a_picture_shows_it_larger_than_the_whole() -> None:
    """Neighbouring pixels differ less by as much as the picture is larger."""
    plain = replace(CLEAN, most_cutouts=0)
    whole, part = drawn(plain, side=32).first, drawn(plain, side=32, whole=64).first
    assert part.shape == whole.shape
    assert part.diff(dim=-1).abs().mean() < 0.7 * whole.diff(dim=-1).abs().mean()


def test_light_changes_in_the_second_frame_alone() -> None:
    dark, lit = (drawn(replace(CLEAN, relit_share=share)) for share in (0, 1))
    assert torch.equal(dark.first, lit.first)
    assert torch.equal(dark.flow, lit.flow)
    assert (dark.second - lit.second).abs().mean() > 0.02


def test_noise_and_blur_change_both_frames() -> None:
    plain = drawn(CLEAN)
    for changed in (drawn(replace(CLEAN, noise=0.1)), drawn(replace(CLEAN, blurred_share=1))):
        for name in ("first", "second"):
            assert not torch.equal(getattr(changed, name), getattr(plain, name))
    sharp, soft = (each.first.diff(dim=-1).abs().mean() for each in (plain, drawn(replace(CLEAN, blurred_share=1))))
    assert soft < sharp


def test_colors_are_codes_of_8_bits() -> None:
    pairs = drawn(Motion())
    for frame in (pairs.first, pairs.second):
        assert 0 <= frame.min() <= frame.max() <= 1
        torch.testing.assert_close(255 * frame, (255 * frame).round(), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"still_share": 1.5}, r"still_share must lie in 0\.\.1, got 1.5"),
        ({"noise": -0.1}, "noise must be 0 or more, got -0.1"),
        ({"typical": float("nan")}, "typical must be 0 or more, got nan"),
        ({"most_cutouts": -1}, "most_cutouts must be 0 or more, got -1"),
    ],
)
def test_motions_that_cannot_be_drawn_are_refused(values: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=f"^{said}$"):
        Motion(**values)  # type: ignore[arg-type]


def test_pictures_that_cannot_be_reduced_are_refused() -> None:
    with pytest.raises(InputError, match="pictures of side 64 cannot be reduced to 48; choose a multiple of it"):
        PairMaker(photographs(), Motion(), side=48)
