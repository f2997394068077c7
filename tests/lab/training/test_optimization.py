"""Learning rates against their formulas; groups of parameters; the running mean against its own."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from chromacord.errors import InputError
from chromacord.lab.training.optimization import (
    averaged,
    build_optimizer,
    learning_rate,
    set_learning_rate,
    update_average,
)
from chromacord.lab.training.recipe import Optimizer, Schedule, Stage


def stage(
    *,
    steps: int = 100,
    schedule: Schedule = "cooldown",
    cooldown: int = 0,
    warmup: int = 0,
    milestones: tuple[int, ...] = (),
    optimizer: Optimizer = "adamw",
) -> Stage:
    return Stage(
        "grade", steps, 4, 0.02, optimizer, 0.3, (0.8, 0.9), warmup, schedule, cooldown, milestones, factor=0.5
    )


def rates(stage: Stage) -> list[float]:
    return [learning_rate(stage, step) for step in range(stage.steps)]


def test_a_learning_rate_is_constant_and_falls_linearly_in_the_cooldown() -> None:
    found = rates(stage(cooldown=20))
    assert found[:81] == [0.02] * 81
    assert found[80:] == pytest.approx([0.02 * left / 20 for left in range(20, 0, -1)])


def test_without_a_cooldown_it_stays() -> None:
    assert rates(stage()) == [0.02] * 100


def test_it_rises_linearly_in_the_warmup_and_never_is_zero() -> None:
    found = rates(stage(warmup=10))
    assert found[:12] == pytest.approx([0.02 * share / 10 for share in (*range(1, 11), 10, 10)])


def test_it_falls_as_half_a_cosine() -> None:
    expected = [0.01 * (1 + math.cos(math.pi * step / 100)) for step in range(100)]
    assert rates(stage(schedule="cosine")) == pytest.approx(expected)
    assert learning_rate(stage(schedule="cosine"), 50) == pytest.approx(0.01)


def test_it_is_multiplied_at_each_milestone() -> None:
    found = rates(stage(schedule="milestones", milestones=(30, 60)))
    assert found == pytest.approx([0.02] * 30 + [0.01] * 30 + [0.005] * 40)


def test_warmup_and_schedule_are_multiplied() -> None:
    both = stage(schedule="cosine", warmup=10)
    assert learning_rate(both, 4) == pytest.approx(0.5 * 0.01 * (1 + math.cos(math.pi * 0.04)))


class Small(nn.Module):
    """A layer, a norm, and a layer that does not train."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2)
        self.frozen = nn.Linear(2, 2).requires_grad_(requires_grad=False)


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam)])
def test_biases_and_norms_do_not_decay_and_frozen_parameters_do_not_train(
    name: Optimizer, kind: type[torch.optim.Optimizer]
) -> None:
    module = Small()
    optimizer = build_optimizer(module, stage(optimizer=name))
    assert type(optimizer) is kind
    decaying, others = optimizer.param_groups
    assert [id(value) for value in decaying["params"]] == [id(module.layer.weight)]
    expected = {id(value) for value in (module.layer.bias, module.norm.weight, module.norm.bias)}
    assert {id(value) for value in others["params"]} == expected
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.3, 0.0)
    assert {(group["lr"], group["betas"]) for group in optimizer.param_groups} == {(0.02, (0.8, 0.9))}


def test_a_module_of_matrices_alone_has_one_group() -> None:
    assert len(build_optimizer(nn.Linear(2, 2, bias=False), stage()).param_groups) == 1


def test_a_part_may_learn_more_slowly() -> None:
    module = Small()
    optimizer = build_optimizer(module, replace(stage(), rates={"norm": 0.125}))
    set_learning_rate(optimizer, 0.4)
    found = {id(value): group["lr"] for group in optimizer.param_groups for value in group["params"]}
    norms, others = (list(part.parameters()) for part in (module.norm, module.layer))
    assert [found[id(value)] for value in norms] == [0.05] * 2
    assert [found[id(value)] for value in others] == [0.4] * 2


def test_a_factor_for_what_does_not_train_is_refused() -> None:
    with pytest.raises(InputError, match=r"'frozen' is not trained; the trained parts are layer, norm"):
        build_optimizer(Small(), replace(stage(), rates={"frozen": 0.5}))


def test_the_running_mean_forgets_by_its_decay_once_it_has_begun() -> None:
    """The mean m of values x, with d the lesser of the decay and (t + 1) / (t + 10): m = d m + (1 - d) x."""
    module = Small()
    mean = averaged(module)
    expected = module.layer.weight.detach().double().clone()
    for step in range(30):
        with torch.no_grad():
            module.layer.weight.normal_(generator=torch.Generator().manual_seed(step))
        update_average(mean, module, decay=0.6, step=step)
        kept = min(0.6, (step + 1) / (step + 10))
        expected = kept * expected + (1 - kept) * module.layer.weight.detach().double()
        assert mean.get_parameter("layer.weight").double() == pytest.approx(expected, abs=1e-6)


def test_a_decay_of_zero_gives_the_last_weights_and_counters_are_copied() -> None:
    module = Small()
    mean = averaged(module)
    with torch.no_grad():
        module.layer.weight.add_(1)
    module.norm(torch.rand(4, 2))
    update_average(mean, module, decay=0.0, step=5)
    for name, value in module.state_dict().items():
        assert torch.equal(mean.state_dict()[name], value), name
    assert int(mean.state_dict()["norm.num_batches_tracked"]) == 1


def test_the_running_mean_is_a_copy_that_neither_trains_nor_updates_its_norms() -> None:
    module = Small().train()
    mean = averaged(module)
    assert not mean.training
    assert not any(value.requires_grad for value in mean.parameters())
    assert module.training
    assert module.layer.weight.requires_grad
    assert mean.get_parameter("layer.weight").data_ptr() != module.layer.weight.data_ptr()
