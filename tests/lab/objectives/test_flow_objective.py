"""What SPyNet is taught: which levels learn from what, which share weights, and the figures on held-out pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.lab import weight_files
from chromacord.lab.composites.flow_pairs import FlowPairs
from chromacord.lab.flow.spynet import SPyNet
from chromacord.lab.objectives import flow_objective
from chromacord.lab.objectives.flow_objective import FlowNetwork, FlowObjective, FlowOptions
from chromacord.lab.objectives.losses import end_point_error
from chromacord.lab.objectives.protocol import check_objectives
from chromacord.lab.training import loop
from chromacord.lab.training.checkpoint import Checkpoint
from chromacord.lab.training.optimization import averaged, build_optimizer, update_average
from chromacord.lab.training.recipe import Recipe, Stage
from chromacord.typed_tables import build
from tests.lab.training.material import write_recipe
from tests.lab.training.runs import log_of, trained

STILL = {"most_cutouts": 0, "relit_share": 0.0, "noise": 0.0, "blurred_share": 0.0, "bent_share": 0.0}
LEVELS = range(6)


@pytest.fixture(autouse=True)
def short_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_objective, "_VALIDATION_BATCHES", 2)


def stage(*, steps: int = 2, learning_rate: float = 1e-3, **options: object) -> dict[str, Any]:
    values = {"objective": "flow", "steps": steps, "batch": 2, "learning_rate": learning_rate, "log_every": 1}
    return {**values, "validate_every": steps, "save_every": 1, "average": 0.5, "options": options}


def recipe(path: Path, *stages: Mapping[str, Any], **data: object) -> Path:
    """Write a recipe for `make_data`'s folder: pictures of 32 pixels, so up to three levels."""
    path.write_text("")
    text = write_recipe(path, *stages, method="spynet", network={}).read_text()
    head, _, rest = text.partition("[data]")
    lines = [f"{name} = {value}" for name, value in ({"picture_side": 32, "held_out": 0.3} | data).items()]
    path.write_text("\n".join([head, "[data]", *lines, rest[rest.index("[[stage]]") :]]))
    return path


def objective(data: Path, *, picture_side: int = 32, **options: object) -> FlowObjective:
    made = Stage("flow", 10, 2, 1e-3, options=options)
    return FlowObjective(
        Recipe("tiny", "spynet", (made,), data={"picture_side": picture_side, "held_out": 0.3}), made, data
    )


def state_of(path: Path) -> dict[str, Tensor]:
    return weight_files.state_dict(path)


def levels_of(state: Mapping[str, Tensor]) -> list[Tensor]:
    # A safetensors file returns its keys in no particular order.
    return [torch.cat([state[key].flatten() for key in sorted(state) if f"levels.{n}." in key]) for n in LEVELS]


def test_the_distance_of_two_flows_is_in_pixels_and_weighed() -> None:
    found, target = torch.zeros(1, 2, 1, 3), torch.tensor([[[[3.0, 0, 9]], [[4.0, 1, 9]]]])
    weight = torch.tensor([[[[1.0, 3, 0]]]])
    torch.testing.assert_close(end_point_error(found, target, weight), torch.tensor((5 + 3) / 4), atol=1e-4, rtol=0)


def test_a_batch_is_of_the_stages_size_and_of_its_motions(data: Path) -> None:
    whole = FlowPairs(*objective(data, levels=3).batch(2, 1))
    part = FlowPairs(*objective(data, levels=3, side=16).batch(2, 1))
    still = FlowPairs(*objective(data, levels=2, motion={"still_share": 1.0}).batch(2, 1))
    assert whole.first.shape == (2, 3, 32, 32)
    assert part.first.shape == (2, 3, 16, 16)
    assert still.first.shape == (2, 3, 16, 16)
    assert whole.flow.any()
    assert not still.flow.any()


def test_a_batch_depends_on_its_seed_alone(data: Path) -> None:
    one, other = objective(data, levels=2), objective(data, levels=2)
    one.batch(2, 7)
    assert all(map(torch.equal, one.batch(2, 3), other.batch(2, 3)))
    assert not torch.equal(one.batch(2, 3)[0], one.batch(2, 4)[0])


@pytest.mark.parametrize(
    ("options", "learned", "alike"),
    [
        ({"levels": 3}, {0, 1, 2}, {2, 3, 4, 5}),
        ({"levels": 3, "frozen": 2}, {2}, {2, 3, 4, 5}),
        ({"levels": 3, "shared": True}, {0, 1, 2}, {0, 1, 2, 3, 4, 5}),
        ({"levels": 3, "frozen": 1, "shared": True}, {1, 2}, {1, 2, 3, 4, 5}),
    ],
)
def test_only_the_levels_of_a_stage_learn_and_finer_ones_follow(
    data: Path, options: dict[str, Any], learned: set[int], alike: set[int]
) -> None:
    made = objective(data, **options)
    before = levels_of({key: value.clone() for key, value in made.module.state_dict().items()})
    optimizer = build_optimizer(made.module, Stage("flow", 10, 2, 1e-2))
    loss, _ = made.loss(made.module, made.batch(2, 1))
    loss.backward()
    for name, value in made.module.named_parameters():
        assert (value.grad is not None and bool(value.grad.any())) == value.requires_grad, name
    optimizer.step()
    after = levels_of(made.module.state_dict())
    assert {n for n in LEVELS if not torch.equal(before[n], after[n])} == learned | alike
    assert all(torch.equal(after[n], after[min(alike)]) for n in alike)
    others = set(LEVELS) - alike
    assert not any(torch.equal(after[n], after[m]) for n in others for m in LEVELS if n != m)


def test_the_loss_is_the_mean_error_of_the_levels_that_learn_each_in_its_own_pixels(data: Path) -> None:
    made = objective(data, levels=3, frozen=1, hidden=1.0)
    pairs = FlowPairs(*made.batch(2, 1))
    flows = made.module(pairs.first, pairs.second)
    halved = pairs.flow.unflatten(2, (16, 2)).unflatten(4, (16, 2)).mean(dim=(3, 5)) / 2
    expected = [(flow - target).norm(dim=1).mean() for flow, target in ((flows[1], halved), (flows[2], pairs.flow))]
    loss, figures = made.loss(made.module, tuple(pairs))
    torch.testing.assert_close(loss, torch.stack(expected).mean(), atol=2e-3, rtol=0)
    torch.testing.assert_close(figures["epe"], expected[1].detach(), atol=2e-3, rtol=0)


def test_pixels_that_are_hidden_count_less_in_the_loss(data: Path) -> None:
    blind = objective(data, levels=1, hidden=0.0)
    first, second, target, visible = blind.batch(2, 1)
    seen = visible.clone()
    seen[..., :4] = 0
    far = target + 100 * (1 - seen)
    equal = (blind.loss(blind.module, (first, second, each, seen))[0] for each in (target, far))
    torch.testing.assert_close(*equal)


def test_a_network_learns_the_motion_of_one_batch(data: Path) -> None:
    made = objective(data, levels=2, motion=STILL | {"typical": 20.0, "spread": 0.1, "still_share": 0.0})
    optimizer = torch.optim.Adam(made.module.parameters(), lr=1e-3)
    batch, losses = made.batch(2, 1), []
    for _ in range(60):
        loss, _ = made.loss(made.module, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.4 * losses[0]


class Constant(nn.Module):
    """Gives one flow everywhere, at half the size of its pictures, as a stage of few levels does."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = nn.Parameter(torch.tensor([0.5, -1.0]))

    def forward(self, first: Tensor, second: Tensor) -> list[Tensor]:
        return [self.flow[None, :, None, None].expand(len(first), 2, *first.shape[-2:])]


def test_validation_measures_in_pixels_of_whole_pictures(data: Path) -> None:
    """Two halvings on the way: the flow of (0.5, -1) means (2, -4)."""
    made = objective(data, levels=1)
    figures = made.validate(Constant())
    pairs = [torch.cat(each) for each in zip(*made._validations[""]._batches, strict=True)]
    wanted, visible = pairs[2], pairs[3][:, 0]
    distance = (torch.tensor([2.0, -4.0])[None, :, None, None] - wanted).norm(dim=1)
    still = wanted.norm(dim=1)
    assert figures["epe"] == pytest.approx(float((distance * visible).sum() / visible.sum()), rel=1e-4)
    assert figures["hidden_epe"] == pytest.approx(
        float((distance * (1 - visible)).sum() / (1 - visible).sum()), rel=1e-4
    )
    assert figures["zero_epe"] == pytest.approx(float((still * visible).sum() / visible.sum()), rel=1e-4)
    assert figures["ratio_to_zero"] == pytest.approx(figures["epe"] / figures["zero_epe"])
    assert figures["ratio_to_dis"] == pytest.approx(figures["epe"] / figures["dis_epe"])
    assert 0 < figures["dis_epe"] < figures["zero_epe"]
    assert next(iter(figures)) == "epe"
    assert 0 < figures["layered_dis_epe"] < figures["layered_zero_epe"] != figures["zero_epe"]
    assert figures["layered_ratio_to_dis"] == pytest.approx(figures["layered_epe"] / figures["layered_dis_epe"])
    (layered, *_), side = made._validations["layered_"]._batches, 32
    assert layered.first.shape[2:] == (384 * side // 256, 512 * side // 256)


def test_a_share_of_a_batch_has_layered_motions(data: Path) -> None:
    """All layers of the others stand still."""
    plain = {"motion": {"still_share": 1.0}, "levels": 2}
    for share, expected in ((0.0, 0), (0.5, 2), (1.0, 4)):
        flow = objective(data, layered_share=share, **plain).batch(4, 1)[2]
        assert flow.flatten(1).any(dim=1).sum() == expected
    stopped = {"still_share": 1.0, "carried_share": 0.0}
    assert not objective(data, layered_share=1.0, layered=stopped, **plain).batch(4, 1)[2].any()


def test_a_run_ends_with_weights_that_spynet_loads_and_figures(data: Path, tmp_path: Path) -> None:
    result = trained(recipe(tmp_path / "r.toml", stage(levels=2)), data, tmp_path / "run")
    made = SPyNet(weights=result.weights)
    assert sum(value.numel() for value in made.parameters()) == 1_440_300
    assert set(result.data) == {"still/free", "still/bought", "video/walk"}
    assert {"epe", "zero_epe", "dis_epe"} <= set(log_of(tmp_path / "run", "validate")[-1])


def test_levels_that_are_frozen_keep_their_weights_and_a_new_one_begins_with_those_before_it(
    data: Path, tmp_path: Path
) -> None:
    """At a tiny learning rate, the second stage shows the weights it started from."""
    first, second = stage(levels=2), stage(levels=3, frozen=2, learning_rate=1e-12)
    before = trained(recipe(tmp_path / "a.toml", first), data, tmp_path / "a")
    after = trained(recipe(tmp_path / "b.toml", first, second), data, tmp_path / "b")
    one, other = (levels_of(state_of(each.weights)) for each in (before, after))
    assert all(map(torch.equal, one, other))
    assert torch.equal(other[2], other[1])
    learning = recipe(tmp_path / "c.toml", first, stage(levels=3, frozen=2, learning_rate=0.01))
    learned = levels_of(state_of(trained(learning, data, tmp_path / "c").weights))
    assert all(map(torch.equal, one[:2], learned[:2]))
    assert not torch.equal(one[2], learned[2])


def test_a_run_that_is_stopped_goes_on_also_where_levels_share_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(tmp_path / "r.toml", stage(steps=3, levels=2, shared=True), stage(steps=2, levels=2))
    expected = trained(path, data, tmp_path / "whole")
    save = loop.save_checkpoint

    def stopping(folder: Path, checkpoint: Checkpoint) -> None:
        save(folder, checkpoint)
        if (checkpoint.stage, checkpoint.step) == (0, 2):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(loop, "save_checkpoint", stopping)
        with pytest.raises(KeyboardInterrupt):
            trained(path, data, tmp_path / "run")
    assert trained(path, data, tmp_path / "run").sha256 == expected.sha256


def test_the_running_mean_of_shared_weights_moves_once_a_step() -> None:
    """At a decay of a half, after many steps, the mean lies halfway between its old value and the weights."""
    module = FlowNetwork(FlowOptions(levels=1, shared=True))
    mean = averaged(module)
    before = mean.get_parameter("levels.0.0.weight").clone()
    with torch.no_grad():
        module.get_parameter("levels.0.0.weight").add_(1)
    update_average(mean, module, decay=0.5, step=1000)
    for level in LEVELS:
        torch.testing.assert_close(mean.get_parameter(f"levels.{level}.0.weight"), before + 0.5)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"levels": 7}, r"levels must lie in 1\.\.6, got 7"),
        ({"levels": 2, "frozen": 2}, r"frozen must lie in 0\.\.2, below 2, got 2"),
        ({"hidden": 2}, r"hidden must lie in 0\.\.1, got 2"),
        ({"levels": 3, "side": 20.5}, "side must be a whole number, got 20.5"),
        ({"levels": 3, "side": 18}, "side must be a multiple of 4 up to 32, got 18"),
        ({"levels": 3, "side": 36}, "side must be a multiple of 4 up to 32, got 36"),
        (
            {"level": 3},
            "level is not known; choose one of levels, frozen, shared, side, hidden, motion, layered_share, layered",
        ),
    ],
)
def test_an_option_that_cannot_be_used_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"^here: {said}$"):
        build(FlowOptions, values, where="here")


@pytest.mark.parametrize(
    ("changed", "options", "said"),
    [
        ({"method": "mkl"}, {}, "the objective 'flow' trains spynet, not 'mkl'"),
        ({"network": {"width": 3}}, {}, r"\[network\]: width is not known; SPyNet has no options"),
        ({"data": {"picture_side": 100}}, {}, "picture_side must be 8 times a power of two, up to 256, got 100"),
        ({"data": {"picture_side": 64}}, {"levels": 5}, r"5 levels need \[data\] picture_side = 128, got 64"),
        ({"data": {"motion": {"noise": -1}}}, {}, r"\[data.motion\]: noise must be 0 or more, got -1"),
        ({"data": {"motion": 3}}, {}, r"\[data\]: motion must be a table, got 3"),
        ({}, {"motion": {"speed": 1}}, r"\[stage.options.motion\]: speed is not known; choose one of typical,"),
        ({}, {"levels": 3}, r"level 4 has weights of its own since an earlier stage, and would lose them to level 3"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_refused_before_any_picture_is_read(
    changed: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    stages = (
        Stage("flow", 5, 2, 1e-3, options={"levels": 4}),
        Stage("flow", 4, 2, 1e-3, options={"levels": 4, **options}),
    )
    with pytest.raises(InputError, match=f"recipe tiny, stage .*{said}") as caught:
        check_objectives(Recipe(**{"name": "tiny", "method": "spynet", "stages": stages, **changed}))
    assert "\n" not in str(caught.value)
