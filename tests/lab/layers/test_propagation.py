"""What travels from frame to frame, in which order, and along which flow."""

from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from chromacord.lab.layers.propagation import LEAK, Pair, Propagation

WIDTH, COUNT = 4, 5
ALL, MIDDLE = range(COUNT), range(2, 3)


def window(count: int = COUNT, *, seed: int = 0) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    features = [torch.randn(1, WIDTH, 6, 8, generator=generator) for _ in range(count)]
    return features, [torch.ones(1, 1, 6, 8)] * count


def shifts(pairs: list[Pair]) -> dict[Pair, Tensor]:
    """Flow with which a pixel moves one to the right in every following frame."""
    return {(a, b): torch.tensor([float(b - a), 0])[None, :, None, None].expand(1, 2, 6, 8) for a, b in pairs}


def test_direct_is_equation_one_neighbours_alone() -> None:
    features, masks = window()
    propagation = Propagation(WIDTH, kind="direct", is_aggregated=False)
    found = propagation(features, masks, shifts(propagation.pairs(COUNT, ALL)), ALL)
    own, backward, forward = found[2].chunk(3, dim=1)
    assert torch.equal(own, features[2])
    torch.testing.assert_close(backward[..., :-1], features[3][..., 1:])  # out(x) = in(x + 1)
    torch.testing.assert_close(forward[..., 1:], features[1][..., :-1])
    assert not backward[..., -1].any()  # from outside come zeros


def test_at_a_windows_end_the_frames_own_features_stand_for_the_missing_ones() -> None:
    features, masks = window()
    propagation = Propagation(WIDTH, kind="direct")
    found = propagation(features, masks, {}, ALL)
    assert torch.equal(found[0].chunk(3, dim=1)[2], features[0])
    assert torch.equal(found[-1].chunk(3, dim=1)[1], features[-1])


def test_recurrent_carries_a_state_from_the_windows_ends() -> None:
    """Written out for three frames, without flow and weighing."""
    torch.manual_seed(0)
    features, masks = window(3)
    propagation = Propagation(WIDTH, is_aggregated=False)
    states: dict[tuple[int, int], Tensor] = {}
    for number, order in enumerate(((2, 1, 0), (0, 1, 2))):
        state = None
        for frame in order:
            brought = features[frame] if state is None else state
            fused = propagation.fusions[number](torch.cat([features[frame], brought], dim=1))
            state = F.leaky_relu(fused, LEAK)
            states[number, frame] = state
    for frame, found in enumerate(propagation(features, masks, {}, range(3))):
        expected = torch.cat([features[frame], states[0, frame], states[1, frame]], dim=1)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("directions", ["both", "backward", "forward"])
@pytest.mark.parametrize("kind", ["recurrent", "direct"])
def test_each_frame_depends_on_the_frames_that_the_reading_says(
    kind: Literal["recurrent", "direct"], directions: Literal["both", "backward", "forward"]
) -> None:
    torch.manual_seed(0)
    features, masks = window()
    propagation = Propagation(WIDTH, kind=kind, directions=directions)
    for each in features:
        each.requires_grad_()
    found = propagation(features, masks, shifts(propagation.pairs(COUNT, ALL)), ALL)
    assert found[0].shape[1] == WIDTH * (3 if directions == "both" else 2) == WIDTH * (1 + propagation.num_maps)
    for frame in ALL:
        gradients = torch.autograd.grad(found[frame].sum(), features, retain_graph=True, allow_unused=True)
        reached = {place for place, value in enumerate(gradients) if value is not None and value.any()}
        reach = COUNT if kind == "recurrent" else 1
        expected = {frame}
        expected |= set() if directions == "forward" else set(range(frame, min(frame + reach, COUNT - 1) + 1))
        expected |= set() if directions == "backward" else set(range(max(frame - reach, 0), frame + 1))
        assert reached == expected


@pytest.mark.parametrize("kind", ["recurrent", "direct"])
def test_a_frame_that_is_wanted_alone_comes_out_as_among_all(kind: Literal["recurrent", "direct"]) -> None:
    torch.manual_seed(0)
    features, masks = window()
    propagation = Propagation(WIDTH, kind=kind)
    among = propagation(features, masks, shifts(propagation.pairs(COUNT, ALL)), ALL)[2]
    pairs = propagation.pairs(COUNT, MIDDLE)
    (alone,) = propagation(features, masks, shifts(pairs), MIDDLE)
    torch.testing.assert_close(alone, among)
    # Only needed flow is estimated: of 8 pairs, the 4 that lead to the middle, or the 2 next to it.
    assert sorted(pairs) == sorted({"recurrent": [(2, 3), (3, 4), (1, 0), (2, 1)], "direct": [(2, 3), (2, 1)]}[kind])


def test_with_a_reach_all_frames_of_a_window_come_straight_to_its_middle() -> None:
    features, masks = window()
    propagation = Propagation(WIDTH, kind="direct", is_aggregated=False, reach=2)
    assert propagation.num_maps == 4
    pairs = propagation.pairs(COUNT, MIDDLE)
    assert sorted(pairs) == [(2, 0), (2, 1), (2, 3), (2, 4)]
    (found,) = propagation(features, masks, shifts(pairs), MIDDLE)
    maps = found.chunk(5, dim=1)
    torch.testing.assert_close(maps[2][..., :-2], features[4][..., 2:])
    torch.testing.assert_close(maps[4][..., 2:], features[0][..., :-2])


def test_what_is_brought_is_weighed_against_the_current_frame_under_its_mask() -> None:
    torch.manual_seed(0)
    features, masks = window(2)
    masks = [torch.zeros(1, 1, 6, 8), torch.ones(1, 1, 6, 8)]
    propagation = Propagation(WIDTH, kind="direct", directions="backward")
    found = propagation(features, masks, {}, range(2))[0]
    assert torch.equal(found[:, WIDTH:], features[1])  # frame 0 has no foreground
    masks[0] = torch.ones(1, 1, 6, 8)
    found = propagation(features, masks, {}, range(2))[0]
    assert propagation.aggregator is not None
    expected = propagation.aggregator.attention(features[1], features[0]) * features[1]
    torch.testing.assert_close(found[:, WIDTH:], expected)


def test_a_window_of_one_frame_has_nothing_to_bring() -> None:
    features, masks = window(1)
    for kind in ("recurrent", "direct"):
        propagation = Propagation(WIDTH, kind=kind)
        assert propagation.pairs(1, range(1)) == []
        assert propagation(features, masks, {}, range(1))[0].shape == (1, 3 * WIDTH, 6, 8)
