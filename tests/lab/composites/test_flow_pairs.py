"""Pairs of frames: their flow is checked on the pixels, and on motions computed by hand."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from chromacord.errors import InputError
from chromacord.lab.composites.flow_motion import LAYERED, Motion
from chromacord.lab.composites.flow_pairs import FlowPairs, PairMaker
from chromacord.lab.composites.photographs import Photographs
from chromacord.lab.flow.warp import warp

CLEAN = Motion(relit_share=0, noise=0, blurred_share=0)
SIDE = 64
CHAIRS = {name: getattr(LAYERED, name) for name in ("typical", "least_cutouts", "most_cutouts", "most_zoom", "turn")}


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
    """The background stands still: its hidden parts lie under a cut-out, so the frames differ there."""
    still = replace(CLEAN, still_share=0.0, bent_share=0, most_cutouts=1, attached_share=0)
    maker = PairMaker(photographs(), still, side=SIDE)
    ordinary = maker._moves

    def moves(faster: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        motion, bend = ordinary(faster, generator)
        if len(faster) == 16:  # the backgrounds are drawn first, for all pairs
            motion = torch.eye(2, 3).repeat(len(faster), 1, 1)
        return motion, bend

    maker._moves = moves  # type: ignore[method-assign]
    pairs = maker.draw(16, torch.Generator().manual_seed(4))
    stands = (pairs.flow == 0).all(dim=1, keepdim=True)
    hidden = stands & (pairs.visible == 0)
    changed = (pairs.second - pairs.first).abs().amax(dim=1, keepdim=True)
    assert hidden.any()
    assert changed[hidden].mean() > 0.1
    # Except at the soft edge of the mask, nothing changes where the background stays visible.
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


def test_cutouts_that_are_carried_add_their_motion_to_that_of_the_background() -> None:
    """Layers that neither turn nor scale: each moves by one vector, up to twice as long if carried on its way."""
    rigid = replace(CLEAN, bent_share=0, attached_share=0, still_share=0, turn=0, stretch=0, spread=0, typical=20)
    one = replace(rigid, least_cutouts=1, most_cutouts=1)
    alone, carried = (drawn(replace(one, carried_share=share)).flow.norm(dim=1).amax(dim=(1, 2)) for share in (0, 1))
    torch.testing.assert_close(alone, torch.full_like(alone, 20 * SIDE / 256), atol=1e-3, rtol=0)
    assert carried.max() > 1.3 * alone.max()
    assert carried.max() < 2.001 * alone.max()


def test_there_are_as_many_cutouts_as_are_asked_for_and_small_ones_cover_little() -> None:
    still = replace(CLEAN, still_share=0, bent_share=0, attached_share=0, back_pace=0, turn=0, stretch=0)
    large = drawn(replace(still, least_cutouts=3, most_cutouts=3)).flow.norm(dim=1) > 0
    small = drawn(replace(still, least_cutouts=3, most_cutouts=3, least_zoom=3, most_zoom=4)).flow.norm(dim=1) > 0
    assert large.flatten(1).any(dim=1).all()
    assert small.flatten(1).any(dim=1).all()
    assert small.float().mean() < 0.3 * large.float().mean()


def test_thin_cutouts_are_strips() -> None:
    """A strip is removed by an opening with a square that is wider, a disc is not."""
    only = replace(
        CLEAN, still_share=0, back_pace=0, turn=0, stretch=0, bent_share=0, attached_share=0, least_cutouts=1
    )
    for share, is_left in ((0.0, True), (1.0, False)):
        moves = drawn(replace(only, most_cutouts=1, thin_share=share)).flow.norm(dim=1, keepdim=True) > 0
        eroded = -functional.max_pool2d(-moves.float(), 7, stride=1)
        assert moves.flatten(1).any(dim=1).sum() >= 10
        assert bool(eroded.any()) == is_left


def test_fast_cutouts_are_smaller_and_move_three_times_as_far() -> None:
    only = replace(CLEAN, still_share=0, back_pace=0, turn=0, stretch=0, bent_share=0, attached_share=0, spread=0)
    one = replace(only, least_cutouts=1, most_cutouts=1, typical=8)
    plain, fast = (drawn(replace(one, fast_share=share)).flow.norm(dim=1) for share in (0, 1))
    assert float(plain.max()) == pytest.approx(8 * SIDE / 256, abs=1e-3)
    assert float(fast.max()) == pytest.approx(24 * SIDE / 256, abs=1e-3)
    assert (fast > 0).float().mean() < 0.5 * (plain > 0).float().mean()


def test_frames_may_be_wider_than_high_and_larger_than_the_photographs() -> None:
    maker = PairMaker(photographs(), replace(CLEAN, **CHAIRS), side=96, width=128, whole=SIDE)
    pairs = maker.draw(4, torch.Generator().manual_seed(1))
    assert pairs.first.shape == (4, 3, 96, 128)
    assert pairs.flow.shape == (4, 2, 96, 128)
    warped, _ = warp(pairs.second, pairs.flow)
    difference = (warped - pairs.first).abs().mean(dim=1, keepdim=True)
    unmoved = (pairs.second - pairs.first).abs().mean(dim=1, keepdim=True)
    assert (difference * pairs.visible).sum() < 0.25 * (unmoved * pairs.visible).sum()
    assert not torch.equal(pairs.first[..., :SIDE], pairs.first[..., SIDE:])  # mirrored, not repeated


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
        ({"least_cutouts": 4}, "least_cutouts must be at most most_cutouts, 3, got 4"),
        ({"least_zoom": 2.0}, r"least_zoom must be at most most_zoom, 1\.5, got 2"),
        ({"least_zoom": 0.0}, "least_zoom must be above 0"),
    ],
)
def test_motions_that_cannot_be_drawn_are_refused(values: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=f"^{said}$"):
        Motion(**values)  # type: ignore[arg-type]


def test_pictures_that_cannot_be_reduced_are_refused() -> None:
    with pytest.raises(InputError, match="pictures of side 64 cannot be reduced to 48; choose a multiple of it"):
        PairMaker(photographs(), Motion(), side=48)
