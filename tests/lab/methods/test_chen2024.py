"""Chen et al. 2024: parameter counts, every switch of tables 2, 3 and 4, windows, and invalid options."""

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from chromacord.analysis.windows import windows
from chromacord.color.alpha import over
from chromacord.errors import InputError
from chromacord.lab import weight_files
from chromacord.lab.flow.spynet import SHIPPED, SPyNet
from chromacord.lab.layers.pictures import Box, denormalize, normalize
from chromacord.lab.methods.chen2024 import Chen2024
from chromacord.lab.networks.chen2024_network import Chen2024Network, build_network
from chromacord.methods import load_method

SIDE = 32


class Still(nn.Module):
    """A flow of one learned number, as a stand-in for a network; counts the requested pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(0.3))
        self.pairs = 0

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        self.pairs += len(first)
        return self.shift.expand(len(first), 2, *first.shape[-2:])


class Ordered(nn.Module):
    """A flow that is different for every pair and for its reverse; counts like `Still`."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs = 0

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        self.pairs += len(first)
        sideways = 60 * (first - second).mean(dim=(1, 2, 3))
        down = 4 * first.mean(dim=(1, 2, 3)) - 2 * second.mean(dim=(1, 2, 3))
        return torch.stack([sideways, down], dim=1)[..., None, None].expand(-1, -1, *first.shape[-2:])


def footage(count: int = 5, *, clips: int = 1, seed: int = 0, side: int = SIDE) -> tuple[Tensor, Tensor]:
    """Return frames that drift, and discs. Shape (clips, count, 3 or 1, side, side)."""
    generator = torch.Generator().manual_seed(seed)
    scene = torch.nn.functional.interpolate(
        torch.rand(clips, 3, 6, 8, generator=generator), (side, side + count), mode="bicubic"
    ).clamp(0, 1)
    places = torch.linspace(-1, 1, side)
    frames = torch.stack([scene[..., place : place + side] for place in range(count)], dim=1)
    disc = (places[:, None] ** 2 + places**2 < 0.4).float().expand(clips, count, 1, -1, -1)
    return frames, disc.clone()


def network(**options: Any) -> Chen2024Network:
    """Return a network that has learned something: what starts from zero is moved."""
    torch.manual_seed(0)
    made = build_network(**{"flow": None, **options}).eval()
    with torch.no_grad():
        for value in made.parameters():
            if not value.any():
                value.normal_(std=0.05)
    return made


def count(module: nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"stage": 1}, 2_349_948),
        ({"stage": 1, "nonlocal_levels": 0}, 2_185_340),
        ({"stage": 1, "nonlocal_levels": 1}, 2_185_340 + 131_584),
        ({"stage": 1, "nonlocal_levels": 3}, 2_349_948 + 2 * (64 * 32 + 32) + 64**2 + 64),
        ({}, 2_477_247),
        ({"propagation": "direct"}, 2_473_087),
        ({"aggregator": False}, 2_477_247 - 2_112),
        ({"directions": "forward"}, 2_477_247 - 2_080 - 32 * 32 * 9),
        ({"frames": 7}, 2_477_247),
        ({"flow": "spynet"}, 2_477_247 + 1_440_300),
        ({"propagation": "direct", "output": "centre"}, 2_473_087 + 2 * 32 * 32 * 9),
    ],
)
def test_it_has_as_many_parameters_as_the_layers_of_its_reading_add_up_to(
    options: dict[str, Any], expected: int
) -> None:
    assert count(build_network(**{"flow": None, **options})) == expected


def test_a_narrow_network_has_the_same_parts() -> None:
    narrow, whole = (build_network(flow=None, width=width) for width in (4, 32))
    assert list(narrow.state_dict()) == list(whole.state_dict())
    assert count(narrow) < count(whole) / 40
    composite, mask = footage()
    assert narrow.eval()(composite, mask, stage=2).shape == composite.shape


@pytest.mark.parametrize("levels", [0, 1, 2, 3])
@pytest.mark.parametrize("position", ["joined", "upsampled"])
def test_the_first_levels_have_a_block_each(levels: int, position: str) -> None:
    made = build_network(stage=1, nonlocal_levels=levels, nonlocal_position=position)
    joined, upsampled = (
        [len(getattr(each, name)) for each in made.image.decoder] for name in ("attention", "after_up")
    )
    blocks = [int(level < levels) for level in range(3)]
    ssam = [0, 0, 1]
    assert joined == [a + b for a, b in zip(blocks, ssam, strict=True)] if position == "joined" else joined == ssam
    assert upsampled == (blocks if position == "upsampled" else [0, 0, 0])


@pytest.mark.parametrize(
    "options", [{"nonlocal_levels": 1}, {"q": 3}, {"q": 0}, {"dilation": 2}, {"mask_threshold": 0.5}]
)
def test_each_switch_of_the_harmonization_changes_the_result(options: dict[str, Any]) -> None:
    composite, mask = footage()
    plain, other = network(stage=1), network(stage=1, **options)
    state = plain.state_dict()
    other.load_state_dict({key: state[key] for key in other.state_dict()})
    with torch.inference_mode():
        assert not torch.allclose(plain(composite, 0.7 * mask, stage=1), other(composite, 0.7 * mask, stage=1))


@pytest.mark.parametrize(
    "options",
    [
        {"directions": "forward"},
        {"directions": "backward"},
        {"aggregator": False},
        {"propagation": "direct"},
        {"propagation": "direct", "output": "centre"},
        {"head": "plain"},
        {"head": "fusion"},
        {"flow": "dis"},
        {"frames": 3},
        {"frames": 7},
    ],
)
def test_each_switch_of_the_temporal_part_gives_whole_windows(options: dict[str, Any]) -> None:
    length = options.get("frames", 5)
    composite, mask = footage(length)
    with torch.inference_mode():
        made = network(**options)(composite, mask, stage=2)
    assert made.shape == (1, 1 if "output" in options else length, 3, SIDE, SIDE)
    places = slice(2, 3) if "output" in options else slice(None)
    outside = (mask == 0).expand_as(composite)[:, places]
    assert torch.equal(made[outside], composite[:, places][outside])
    assert (made - composite[:, places])[~outside].abs().mean() > 1e-3


def test_weights_of_one_head_are_not_taken_for_another() -> None:
    state = network().state_dict()
    for head in ("plain", "fusion"):
        with pytest.raises(InputError, match=r"missing: temporal\.decoder\.head\."):
            weight_files.fit(network(head=head), state, source="residual")


def test_frames_are_reduced_for_flow_as_for_the_weights_that_ship_and_not_for_others() -> None:
    assert Chen2024().network.flow_reduction == 2
    assert Chen2024(None).network.flow_reduction == 1
    assert Chen2024(None, flow_reduction=3).network.flow_reduction == 3


def test_stage_two_starts_exactly_at_what_stage_one_gives() -> None:
    torch.manual_seed(0)
    made = build_network(flow=None).eval()
    composite, mask = footage()
    method = Chen2024(None, stage=1, working_side=SIDE).eval()
    method.network.load_state_dict({key: value for key, value in made.state_dict().items() if key.startswith("image.")})
    with torch.inference_mode():
        alone = method(composite, mask).harmonized
        torch.testing.assert_close(made(composite, mask, stage=2).clamp(0, 1), alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("head", ["residual", "plain", "fusion"])
def test_only_the_residual_head_adds_to_what_stage_one_gives(head: str) -> None:
    """Another colour of stage 1's own head moves its pictures, and none of its features."""
    made = network(head=head)
    composite, mask = footage()
    with torch.inference_mode():
        before = made(composite, mask, stage=2)
        made.image.head.color.bias.add_(1)
        assert torch.equal(made(composite, mask, stage=2), before) == (head != "residual")


@pytest.mark.parametrize("stage", [1, 2])
def test_gradients_reach_every_parameter(stage: int) -> None:
    """But for phi's bias in a non-local block: added to all logits of a window, it changes no softmax."""
    made = network(stage=stage, flow=Still()).train()
    composite, mask = footage(clips=2)
    (made(composite, mask, stage=stage) - 0.3).square().sum().backward()
    unreached = [name for name, value in made.named_parameters() if value.grad is None or not value.grad.any()]
    assert [name for name in unreached if not name.endswith("phi.bias")] == []
    if stage == 2:
        assert made.flow is not None
        assert made.flow.shift.grad.abs() > 0


def test_what_is_frozen_gets_no_gradient_and_its_batch_norms_do_not_move() -> None:
    made = network(flow=Still())
    made.image.requires_grad_(requires_grad=False)
    before = {name: value.clone() for name, value in made.image.state_dict().items()}
    composite, mask = footage(clips=2)
    made.train()
    assert made.training
    assert made.temporal is not None
    assert made.temporal.training
    made(composite, mask, stage=2).square().sum().backward()
    assert all(value.grad is None for value in made.image.parameters())
    assert all(value.grad is not None for value in made.temporal.parameters())
    assert all(torch.equal(value, before[name]) for name, value in made.image.state_dict().items())
    made.image.requires_grad_(requires_grad=True)
    made.train()(composite, mask, stage=1)
    assert any(not torch.equal(value, before[name]) for name, value in made.image.state_dict().items())


def slid(method: Chen2024, composite: Tensor, mask: Tensor, *, remembering: bool = True) -> Tensor:
    """Run a method over a clip of one batch as the pipeline does."""
    state, parts = None, []
    with torch.inference_mode():
        for window in windows(range(composite.shape[1]), method.window):
            prediction = method(composite[:, window.items], mask[:, window.items], state)
            state = prediction.state if remembering else None
            parts.append(prediction.harmonized[:, : len(window.hop)])
    return torch.cat(parts, dim=1)


def method(**options: Any) -> Chen2024:
    flow = options.pop("flow", "dis")
    made = Chen2024(None, working_side=SIDE, flow="none", **options).eval()
    made.network = network(
        flow=flow,
        **{key: value for key, value in options.items() if key in ("stage", "frames", "propagation", "output")},
    )
    return made


@pytest.mark.parametrize("options", [{}, {"frames": 3}, {"frames": 7}, {"hop": 5}, {"hop": 2}, {"stage": 1}])
@pytest.mark.parametrize("length", [1, 2, 4, 9])
def test_clips_of_any_length_come_out_whole(options: dict[str, Any], length: int) -> None:
    composite, mask = footage(length)
    made = slid(method(**options), composite, mask)
    assert made.shape == composite.shape
    assert made.isfinite().all()


def test_windows_give_every_frame_as_much_on_both_sides_as_there_is() -> None:
    for frames, hop, expected in ((5, 1, (2, 1, 2)), (3, 1, (1, 1, 1)), (7, 1, (3, 1, 3)), (5, 5, (0, 5, 0))):
        assert tuple(method(frames=frames, hop=hop).window) == expected
    assert tuple(method(stage=1).window) == (0, 1, 0)


def test_what_windows_share_is_computed_once_and_gives_the_same() -> None:
    composite, mask = footage(8)
    flow = Still()
    made = method(flow=flow)
    slid(made, composite, mask)
    assert flow.pairs <= 2 * 7  # both ways between 8 frames, once each
    flow.pairs = 0
    remembered = slid(made, composite, mask)
    forgotten = slid(made, composite, mask, remembering=False)
    torch.testing.assert_close(remembered, forgotten, atol=1e-5, rtol=0)


def test_one_frame_at_a_time_in_the_foregrounds_box_gives_what_the_plain_form_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Plain: all frames in one batch, blocks over the whole picture, batch norms by themselves, channels first."""
    made = network(flow=SPyNet(weights=SHIPPED))
    for norm in (each for each in made.modules() if isinstance(each, nn.BatchNorm2d)):
        assert norm.running_mean is not None
        norm.running_mean.normal_(std=0.1)
        norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    composite, mask = footage(side=64)
    with torch.inference_mode():
        fast, _ = made.window(composite, mask, range(5))
    monkeypatch.setattr(Chen2024Network, "_together", lambda _, items: [items] if items else [])
    monkeypatch.setattr(Box, "around", lambda weight, *_: Box(*(slice(0, side) for side in weight.shape[2:])))
    plain, _ = made.to(memory_format=torch.contiguous_format).window(composite, mask, range(5))  # with gradients
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=0)
    assert (plain - composite).abs().amax() > 0.1


def test_a_memory_of_other_frames_is_of_no_use() -> None:
    made = method()
    (composite, mask), other = footage(5), footage(5, seed=9)
    with torch.inference_mode():
        state = made(*other).state
        torch.testing.assert_close(made(composite, mask, state).harmonized, made(composite, mask).harmonized)


def far_apart(order: str) -> tuple[Tensor, Tensor]:
    """Return frames that differ in brightness, by letters: equal ones are equal to the last bit."""
    composite, mask = footage(8)
    dark = torch.linspace(1, 0.3, 8)[:, None, None, None]
    places = [ord(letter) - ord("a") for letter in order]
    return (composite * dark)[:, places], mask[:, places]


@pytest.mark.parametrize("propagation", ["recurrent", "direct"])
@pytest.mark.parametrize("order", ["abcde", "abacb"])
def test_flow_points_from_a_frame_to_its_neighbour(propagation: str, order: str) -> None:
    """Against propagation by hand: the flow of each pair by itself, from the frame to where features come from."""
    flow = Ordered()
    made = network(flow=flow, propagation=propagation)
    composite, mask = far_apart(order)
    frames, masks = composite.unbind(1), mask.unbind(1)
    neighbours = [(frame, frame + step) for frame in range(5) for step in (1, -1) if 0 <= frame + step < 5]
    with torch.inference_mode():
        flows = {(a, b): flow(frames[a], frames[b]) for a, b in neighbours}
        alone = [made.image(*pair) for pair in zip(frames, masks, strict=True)]
        pictures = {n: (alone[n].picture, normalize(frames[n])) for n in range(5)}
        assert made.temporal is not None
        expected = made.temporal([each.features for each in alone], masks, flows, pictures, range(5))
        found = made(composite, mask, stage=2)
    laid = [over(denormalize(each), *pair) for each, *pair in zip(expected, frames, masks, strict=True)]
    torch.testing.assert_close(found, torch.stack(laid, dim=1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("options", [{}, {"frames": 3}, {"hop": 2}, {"propagation": "direct"}])
def test_flow_that_is_remembered_is_that_of_its_pair_also_where_frames_come_again(options: dict[str, Any]) -> None:
    flow = Ordered()
    made = method(flow=flow, **options)
    composite, mask = far_apart("abacbdaacefb")
    remembered = slid(made, composite, mask)
    spared, flow.pairs = flow.pairs, 0
    forgotten = slid(made, composite, mask, remembering=False)
    torch.testing.assert_close(remembered, forgotten, atol=1e-5, rtol=0)
    assert 0 < spared < flow.pairs


def test_flow_may_be_estimated_on_smaller_frames() -> None:
    composite, mask = footage()
    flow = Still()
    small = network(flow=flow, flow_reduction=2)
    plain = network(flow=Still())
    with torch.inference_mode():
        plain.flow.shift.mul_(2)  # a shift of 0.3 in frames of half the side is one of 0.6
        torch.testing.assert_close(small(composite, mask, stage=2), plain(composite, mask, stage=2), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("levels", "used"), [(6, 6), (2, 2), ("auto", 2)])
def test_spynet_uses_as_many_levels_as_are_asked_for(levels: int | Literal["auto"], used: int) -> None:
    frame = torch.zeros(1, 3, 64, 64)  # halved once, "auto" sees a side of 32
    made = build_network(frames=3, flow_levels=levels)
    with torch.no_grad():
        for parameter in made.flow.parameters():  # type: ignore[union-attr]
            parameter.fill_(0.0)
        for level in made.flow.levels:  # type: ignore[union-attr]
            level[-1].bias.fill_(1.0)
    flow = made.flow(frame, frame)  # type: ignore[misc]
    # Each level doubles what there is and adds a pixel.
    torch.testing.assert_close(flow, torch.full_like(flow, 2.0**used - 1))


def test_flow_brings_features_to_where_they_are_looked_for() -> None:
    """Frames that move by a pixel: with the true flow neighbours resemble a frame more than without."""
    composite, _ = footage()
    made = network(stage=1)
    with torch.inference_mode():
        features = [made.image(frame, torch.zeros(1, 1, SIDE, SIDE)).features for frame in composite.unbind(1)]
    from chromacord.lab.layers.propagation import Propagation

    propagation = Propagation(32, kind="direct", is_aggregated=False, directions="backward")
    pairs = propagation.pairs(5, range(5))
    true = {(a, b): torch.tensor([float(a - b), 0])[None, :, None, None].expand(1, 2, SIDE, SIDE) for a, b in pairs}
    masks = [torch.ones(1, 1, SIDE, SIDE)] * 5

    def difference(flows: dict[tuple[int, int], Tensor]) -> float:
        own, brought = propagation(features, masks, flows, range(2, 3))[0].chunk(2, dim=1)
        return float((own - brought)[..., 8:-8, 8:-8].abs().mean())

    assert difference(true) < 0.5 * difference({})


@pytest.mark.parametrize("size", [(33, 47), (20, 64)])
def test_sizes_that_are_no_multiples_of_32_come_out_as_they_went_in(size: tuple[int, int]) -> None:
    composite, mask = torch.rand(1, 5, 3, *size), torch.zeros(1, 5, 1, *size)
    mask[..., 5:15, 5:15] = 1
    for options in ({"stage": 1}, {}):
        with torch.inference_mode():
            assert method(**options)(composite, mask).harmonized.shape[-2:] == size


def test_stage_one_takes_its_part_of_the_whole_networks_weights(tmp_path: Path) -> None:
    whole = build_network(flow=None)
    weight_files.save(whole.state_dict(), tmp_path / "whole.safetensors")
    path = str(tmp_path / "whole.safetensors")
    one = Chen2024(path, stage=1)
    assert torch.equal(one.network.image.head.color.weight, whole.image.head.color.weight.half().float())
    assert isinstance(load_method("chen2024", weights=path, flow="none"), Chen2024)


def test_weights_without_flow_take_the_spynet_that_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = build_network().state_dict()
    flow = {key.removeprefix("flow."): value.half().float() for key, value in whole.items() if key.startswith("flow.")}
    weight_files.save(
        {key: value for key, value in whole.items() if not key.startswith("flow.")}, tmp_path / "a.safetensors"
    )
    weight_files.save(whole, tmp_path / "b.safetensors")
    read = weight_files.state_dict
    shipped = {key: value + 1 for key, value in flow.items()}
    monkeypatch.setattr(
        "chromacord.lab.methods.chen2024.state_dict", lambda source: shipped if source == "spynet" else read(source)
    )
    for name, expected in (("a", shipped), ("b", flow)):
        loaded = Chen2024(str(tmp_path / f"{name}.safetensors")).network.flow
        assert loaded is not None
        assert all(torch.equal(value, expected[key]) for key, value in loaded.state_dict().items())


def test_flow_that_is_to_be_trained_anew_is_not_taken_from_what_ships(tmp_path: Path) -> None:
    weight_files.save(build_network(flow=None).state_dict(), tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"a\.safetensors: does not fit .* \(missing: flow\.levels\.0"):
        Chen2024(str(tmp_path / "a.safetensors"), flow="spynet-random")


def test_weights_that_do_not_fit_are_refused_and_the_first_keys_named(tmp_path: Path) -> None:
    weight_files.save(build_network(stage=1).state_dict(), tmp_path / "one.safetensors")
    with pytest.raises(
        InputError, match=r"one\.safetensors: does not fit Chen2024Network \(missing: temporal\."
    ) as caught:
        load_method("chen2024", weights=str(tmp_path / "one.safetensors"))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"missing: image\.decoder\.2\.attention\.0\.theta"):
        load_method("chen2024", weights=str(tmp_path / "one.safetensors"), stage=1, nonlocal_levels=3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nonlocal_levels": 4}, r"nonlocal_levels must lie in 0\.\.3, got 4"),
        ({"q": -1}, "'q' must lie in 0..4096, got -1"),
        ({"dilation": 0}, "dilation of a non-local block must be 1 or more"),
        ({"frames": 0}, "frames must be 1 or more, got 0"),
        ({"hop": 6}, r"hop must lie in 1\.\.5"),
        ({"working_side": 0}, "working_side must be 1 or more"),
        ({"flow_reduction": 0}, "flow_reduction must be 1 or more"),
        ({"flow_levels": 7}, r"levels must be 'auto' or lie in 1\.\.6, got 7"),
        ({"flow_levels": "all"}, "option 'flow_levels' cannot be 'all'"),
        ({"stage": 3}, "option 'stage' cannot be 3"),
        ({"directions": "sideways"}, "option 'directions' cannot be 'sideways'"),
        ({"flow": "raft"}, "option 'flow' cannot be 'raft'"),
    ],
)
def test_options_out_of_range_are_refused_in_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load_method("chen2024", weights=None, **options)
    assert "\n" not in str(caught.value)


def test_a_window_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match="a window of chen2024 has 5 frames, got 3; repeat the first and the last"):
        method()(*footage(3))


def test_stage_one_alone_has_no_stage_two() -> None:
    with pytest.raises(InputError, match="stage 1 alone"):
        build_network(stage=1)(*footage(), stage=2)
