"""SPyNet against a second implementation with SciPy, against cases worked out by hand, and on import."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor, nn
from torch.nn import functional

from chromacord.errors import InputError, MismatchError
from chromacord.lab import weight_files
from chromacord.lab.flow.spynet import NUM_LEVELS, SPyNet, SPyNetFlow
from chromacord.lab.flow.warp import warp

PREFIXES = {"basicsr": "basic_module", "sniklaus": "moduleBasic"}


def picture(height: int, width: int, *, seed: int = 0, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 7, generator=generator)
    return functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)


def network(*, seed: int = 0, **options: object) -> SPyNet:
    """Weights at random, the last layers' too, so that each level moves something."""
    torch.manual_seed(seed)
    made = SPyNet(**options)  # type: ignore[arg-type]
    for level in made.levels:
        nn.init.normal_(level[-1].weight, std=0.01)  # type: ignore[index, arg-type]
    return made.eval().requires_grad_(requires_grad=False)


def pushing(level: int, x: float, y: float, **options: object) -> SPyNet:
    """All weights 0, so that the flow is what the last bias of one level says."""
    made = SPyNet(**options)  # type: ignore[arg-type]
    with torch.no_grad():
        for value in made.parameters():
            value.zero_()
        made.get_parameter(f"levels.{level}.8.bias").copy_(torch.tensor([x, y]))
    return made.requires_grad_(requires_grad=False)


def published(layout: str, **changed: Tensor | None) -> dict[str, Tensor]:
    """The state of `network()` under the keys of a published layout."""
    prefix = PREFIXES[layout]
    state = {}
    for key, value in network().state_dict().items():
        _, level, layer, kind = key.split(".")
        state[f"{prefix}.{level}.{prefix}.{layer}.{kind}"] = value
    return {key: value for key, value in (state | changed).items() if value is not None}


def test_there_are_as_many_parameters_as_published() -> None:
    made = SPyNet()
    assert sum(value.numel() for value in made.parameters()) == 1_440_300
    assert [sum(value.numel() for value in level.parameters()) for level in made.levels] == [240_050] * 6


def test_the_flow_is_that_of_a_plain_reading_of_the_paper() -> None:
    """The second implementation: NumPy means for the pyramid, SciPy's `map_coordinates` for the warp.

    Only the layers are torch's. Flow of a level: twice the enlarged one before it, and what the layers add.
    """
    made, first, second = network(), picture(64, 96), picture(64, 96, seed=1)

    def halved(frame: np.ndarray) -> np.ndarray:
        return frame.reshape(3, frame.shape[1] // 2, 2, frame.shape[2] // 2, 2).mean(axis=(2, 4))

    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pyramid = [tuple((frame[0].numpy() - mean[:, None, None]) / deviation[:, None, None] for frame in (first, second))]
    for _ in range(NUM_LEVELS - 1):
        pyramid.insert(0, (halved(pyramid[0][0]), halved(pyramid[0][1])))
    flow = np.zeros((2, 1, 1))
    for level, (here, there) in zip(made.levels, pyramid, strict=True):
        height, width = here.shape[1:]
        rows, columns = (
            np.linspace(0, side - 1, size) for side, size in zip(flow.shape[1:], (height, width), strict=True)
        )
        places = np.meshgrid(rows, columns, indexing="ij")
        if level is made.levels[0]:
            flow = np.zeros((2, height, width))
        else:
            flow = np.stack([2 * map_coordinates(channel, places, order=1) for channel in flow])
        grid = np.mgrid[:height, :width] + flow[::-1]
        warped = np.stack([map_coordinates(channel, grid, order=1, mode="nearest") for channel in there])
        given = torch.from_numpy(np.concatenate([here, warped, flow]))[None].float()
        flow = flow + level(given)[0].numpy()
    assert np.abs(flow).max() > 1
    np.testing.assert_allclose(made(first, second)[0], flow, atol=1e-3)


def test_weights_of_0_find_no_motion() -> None:
    flow = pushing(0, 0, 0)(picture(40, 50), picture(40, 50, seed=1))
    assert torch.equal(flow, torch.zeros(1, 2, 40, 50))


@pytest.mark.parametrize(("level", "factor"), [(5, 1), (4, 2), (0, 32)])
def test_a_motion_found_at_a_level_is_doubled_by_each_finer_one(level: int, factor: int) -> None:
    flow = pushing(level, 0.5, -0.25)(picture(64, 64), picture(64, 64))
    torch.testing.assert_close(flow[:, 0], torch.full((1, 64, 64), 0.5 * factor))
    torch.testing.assert_close(flow[:, 1], torch.full((1, 64, 64), -0.25 * factor))


def test_the_second_frame_warped_by_the_flow_is_the_first() -> None:
    """What has moved 3 to the right and 2 down has the flow (3, 2); and that is what `warp` takes."""
    whole = picture(80, 80)
    first, second = whole[..., 8:-8, 8:-8], whole[..., 6:-10, 5:-11]
    warped, inside = warp(second, pushing(5, 3, 2)(first, second))
    torch.testing.assert_close(warped * inside, first * inside, atol=1e-4, rtol=0)
    assert inside.float().mean() > 0.9


def test_a_level_sees_the_second_frame_where_the_flow_before_it_leads() -> None:
    """At the finest level the second frame has been moved back, so that both frames are one."""
    whole = picture(80, 80)
    first, second = whole[..., 8:-8, 8:-8], whole[..., 8:-8, 4:-12]  # 4 to the right
    made, seen = pushing(4, 2, 0), []
    made.levels[5].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    made(first, second)
    torch.testing.assert_close(seen[0][..., :-4][:, 3:6], seen[0][..., :-4][:, :3], atol=1e-4, rtol=0)
    torch.testing.assert_close(seen[0][:, 6:], torch.tensor([4.0, 0.0])[None, :, None, None].expand(1, 2, 64, 64))


@pytest.mark.parametrize(
    ("size", "expected"), [((64, 64), (1, 1)), ((33, 64), (1, 33 / 64)), ((48, 20), (20 / 32, 48 / 64)), ((1, 1), None)]
)
def test_a_flow_of_frames_that_were_resized_is_in_their_own_pixels(
    size: tuple[int, int], expected: tuple[float, float] | None
) -> None:
    flow = pushing(5, 1, 1)(picture(*size), picture(*size))
    assert flow.shape == (1, 2, *size)
    x, y = expected or (1 / 32, 1 / 32)
    torch.testing.assert_close(flow[0, 0], torch.full(size, float(x)))
    torch.testing.assert_close(flow[0, 1], torch.full(size, float(y)))


@pytest.mark.parametrize(
    ("levels", "size", "used"),
    [
        (6, (256, 256), 6),
        (4, (64, 96), 4),
        (1, (64, 64), 1),
        ("auto", (256, 256), 4),
        ("auto", (30, 32), 1),
        ("auto", (64, 500), 5),
        ("auto", (32, 2048), 6),
    ],
)
def test_levels_are_used_from_the_coarsest(levels: object, size: tuple[int, int], used: int) -> None:
    """ "auto" halves until both sides are 32 at most, five times at most."""
    made, seen = pushing(0, 1, 0, levels=levels), []
    for number, level in enumerate(made.levels):
        level.register_forward_hook(lambda *_, number=number: seen.append(number))
    flow = made(picture(*size), picture(*size))
    assert seen == list(range(used))
    torch.testing.assert_close(flow[:, 0], torch.full_like(flow[:, 0], 2.0 ** (used - 1)) * scale(size))


def scale(size: tuple[int, int]) -> float:
    return size[1] / (-(-size[1] // 32) * 32)


@pytest.mark.parametrize("levels", [0, 7, "all"])
def test_a_number_of_levels_that_there_is_not_is_refused(levels: object) -> None:
    with pytest.raises(InputError, match=rf"levels must be 'auto' or lie in 1..6, got {levels!r}"):
        SPyNet(levels=levels)  # type: ignore[arg-type]


def test_pairs_of_a_batch_do_not_touch_each_other_and_none_give_none() -> None:
    made, first, second = network(), picture(64, 64, count=2), picture(64, 64, seed=1, count=2)
    torch.testing.assert_close(made(first, second)[1:], made(first[1:], second[1:]), atol=1e-4, rtol=0)
    assert made(first[:0], second[:0]).shape == (0, 2, 64, 64)


def test_frames_of_two_sizes_are_refused() -> None:
    with pytest.raises(MismatchError, match=r"frames of one size, not \(1, 3, 32, 32\) and \(1, 3, 32, 40\)"):
        SPyNet()(picture(32, 32), picture(32, 40))


def test_gradients_reach_every_parameter_and_both_frames() -> None:
    first, second = picture(64, 64).requires_grad_(), picture(64, 64, seed=1).requires_grad_()
    made = network().requires_grad_()
    made(first, second).square().sum().backward()
    for name, value in [*made.named_parameters(), ("first", first), ("second", second)]:
        assert value.grad is not None, name
        assert value.grad.abs().sum() > 0, name


def test_detached_levels_give_the_same_flow_and_each_learns_from_its_own_alone() -> None:
    made, first, second = network().requires_grad_(), picture(64, 64), picture(64, 64, seed=1)
    flows = made.flows(first, second, 6, detached=True)
    torch.testing.assert_close(flows[-1], made(first, second), atol=1e-4, rtol=0)
    assert [flow.shape[-1] for flow in flows] == [2, 4, 8, 16, 32, 64]
    flows[3].square().sum().backward()
    learned = {name.split(".")[1] for name, value in made.named_parameters() if value.grad is not None}
    assert learned == {"3"}


@pytest.mark.parametrize("layout", PREFIXES)
@pytest.mark.parametrize("wrapped", [False, True])
def test_both_published_layouts_load_and_give_the_same_flow(tmp_path: Path, layout: str, wrapped: bool) -> None:
    """Both networks get RGB, normalized alike: equal values are equal weights."""
    state = published(layout)
    torch.save({"params": state} if wrapped else state, tmp_path / "a.pth")
    first, second = picture(64, 64), picture(64, 64, seed=1)
    assert torch.equal(SPyNet(weights=tmp_path / "a.pth")(first, second), network()(first, second))


def test_red_is_the_first_channel() -> None:
    """ImageNet's means: of red 0.485, of blue 0.406. A frame of just these is 0 to the network."""
    made, seen = network(), []
    made.levels[5].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    flat = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None].expand(1, 3, 64, 64)
    made(flat, flat + torch.tensor([0.229, 0, 0])[None, :, None, None])
    torch.testing.assert_close(seen[0][:, :3], torch.zeros(1, 3, 64, 64), atol=1e-6, rtol=0)
    torch.testing.assert_close(seen[0][0, 3:6].mean(dim=(1, 2)), torch.tensor([1.0, 0, 0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("layout", "changed", "said"),
    [
        (
            "basicsr",
            {"basic_module.5.basic_module.8.bias": None},
            r"missing: basic_module.5.basic_module.8.bias\)",
        ),
        ("sniklaus", {"moduleBasic.6.x": torch.zeros(1)}, r"unexpected: moduleBasic.6.x\)"),
        (
            "sniklaus",
            {"moduleBasic.0.moduleBasic.0.weight": torch.zeros(32, 6, 7, 7)},
            r"of another shape: moduleBasic.0.moduleBasic.0.weight \(32, 6, 7, 7\) for \(32, 8, 7, 7\)\)",
        ),
    ],
)
def test_another_network_is_refused_with_the_first_keys_that_differ_as_its_file_has_them(
    tmp_path: Path, layout: str, changed: dict[str, Tensor | None], said: str
) -> None:
    torch.save(published(layout, **changed), tmp_path / "a.pth")
    with pytest.raises(InputError, match=rf"a.pth: does not fit SPyNet \({said}; give weights") as caught:
        SPyNet(weights=tmp_path / "a.pth")
    assert "\n" not in str(caught.value)


def test_our_own_weights_come_back_from_a_file(tmp_path: Path) -> None:
    weight_files.save(network().state_dict(), tmp_path / "own.safetensors")
    found = SPyNet(weights=tmp_path / "own.safetensors")
    for name, value in network().state_dict().items():
        assert torch.equal(found.state_dict()[name], value.half().float()), name


def test_a_source_of_flow_gives_what_its_network_gives(tmp_path: Path) -> None:
    weight_files.save(network().state_dict(), tmp_path / "own.safetensors")
    first, second = picture(37, 50, count=2), picture(37, 50, seed=1, count=2)
    source = SPyNetFlow(tmp_path / "own.safetensors")
    flow = source(first, second)
    expected = SPyNet(weights=tmp_path / "own.safetensors")(first, second)
    torch.testing.assert_close(flow, expected, atol=1e-4, rtol=0)
    assert not flow.requires_grad
    assert source(first[:0], second[:0]).shape == (0, 2, 37, 50)
