"""The loop with an adversary: against the same training in plain torch, and stopped and gone on with."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from chromacord.errors import DivergedError, UnreadableFileError
from chromacord.lab import weight_files
from chromacord.lab.composites.synthesis import derive_seed
from chromacord.lab.objectives.protocol import OBJECTIVES, AdversarialObjective, Batch, build_objective
from chromacord.lab.training import loop
from chromacord.lab.training.checkpoint import CHECKPOINT, Checkpoint, load_checkpoint, save_checkpoint
from chromacord.lab.training.recipe import read_recipe
from tests.lab.training.contest import Contest
from tests.lab.training.material import stage_values, write_recipe
from tests.lab.training.runs import log_of, trained

STEPS = 6


@pytest.fixture(autouse=True)
def contest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OBJECTIVES, "contest", ("tests.lab.training.contest", "Contest"))
    monkeypatch.setattr(Contest, "seen", [])


def recipe_of(path: Path, *, num_stages: int = 1, **changed: Any) -> Path:
    stage = stage_values(
        **{
            **{"objective": "contest", "steps": STEPS, "optimizer": "adam", "betas": [0.5, 0.999], "warmup": 0},
            **{"average": 0.0, "cooldown": 3, "max_norm": None, **changed},
        }
    )
    return write_recipe(path, *[stage] * num_stages)


def last(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(folder / CHECKPOINT, weights_only=True)
    return found


def test_the_adversary_learns_first_and_then_the_network_each_with_an_optimizer_of_its_own(tmp_path: Path) -> None:
    """A second implementation: Adam on the hinge loss, then Adam on minus the score, with the same random numbers."""
    path = recipe_of(tmp_path / "r.toml")
    trained(path, tmp_path, tmp_path / "run")
    recipe = read_recipe(path)
    contest = Contest(recipe, recipe.stages[0], tmp_path)
    network, judge = contest.module.train(), contest.adversary.train()
    optimizers = [torch.optim.Adam(each.parameters(), betas=(0.5, 0.999)) for each in (network, judge)]
    for step in range(STEPS):
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = 3e-3 * min(1, (STEPS - step) / 3)
        given, real = contest.batch(4, derive_seed(recipe.seed, "batch", 0, step, 0))
        made = network(given)
        optimizers[1].zero_grad()
        ((1 + judge(made.detach())).relu().mean() + (1 - judge(real)).relu().mean()).backward()
        optimizers[1].step()
        optimizers[0].zero_grad()
        (-judge(made).mean()).backward()
        optimizers[0].step()
    found = last(tmp_path / "run")
    for state, module in ((found["module"], network), (found["adversary"]["module"], judge)):
        for name, value in module.state_dict().items():
            torch.testing.assert_close(state[name], value, atol=1e-6, rtol=1e-5, msg=name)


def test_no_gradient_of_one_part_reaches_the_other(tmp_path: Path) -> None:
    trained(recipe_of(tmp_path / "r.toml"), tmp_path, tmp_path / "run")
    assert Contest.seen == [("adversary", True, False), ("generator", False, True)] * STEPS
    assert {"loss", "adversary"} <= log_of(tmp_path / "run", "train")[0].keys()


def test_weights_that_ship_hold_the_network_alone(tmp_path: Path) -> None:
    result = trained(recipe_of(tmp_path / "r.toml"), tmp_path, tmp_path / "run")
    assert weight_files.state_dict(result.weights).keys() == {"0.weight", "0.bias"}


@pytest.mark.parametrize("stopped_at", [(0, 2), (0, 6), (1, 4)])
def test_a_run_that_was_stopped_ends_with_the_same_network_and_adversary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: tuple[int, int]
) -> None:
    path = recipe_of(tmp_path / "r.toml", num_stages=2, average=0.8, max_norm=1.0)
    expected = trained(path, tmp_path, tmp_path / "whole")

    def stopping(folder: Path, checkpoint: Checkpoint) -> None:
        save_checkpoint(folder, checkpoint)
        if (checkpoint.stage, checkpoint.step) == stopped_at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(loop, "save_checkpoint", stopping)
        with pytest.raises(KeyboardInterrupt):
            trained(path, tmp_path, tmp_path / "run")
    assert trained(path, tmp_path, tmp_path / "run").sha256 == expected.sha256
    assert log_of(tmp_path / "run") == log_of(tmp_path / "whole")
    found, whole = (last(tmp_path / name)["adversary"]["module"] for name in ("run", "whole"))
    assert all(torch.equal(value, whole[name]) for name, value in found.items())
    assert found.keys() == whole.keys()


def test_a_checkpoint_without_the_adversary_is_not_gone_on_from(tmp_path: Path) -> None:
    path = recipe_of(tmp_path / "r.toml")
    trained(path, tmp_path, tmp_path / "run")
    found = load_checkpoint(tmp_path / "run", read_recipe(path), "numbers")
    assert found is not None
    save_checkpoint(tmp_path / "run", replace(found, adversary=None))
    with pytest.raises(UnreadableFileError, match="fits another version of the network"):
        trained(path, tmp_path, tmp_path / "run")


def test_an_adversary_whose_loss_is_no_number_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = Contest.adversary_loss

    def loss(
        self: Contest, adversary: nn.Module, generated: Tensor, batch: Batch
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        value, figures = ordinary(self, adversary, generated, batch)
        return value * (math.nan if len(Contest.seen) > 4 else 1), figures

    monkeypatch.setattr(Contest, "adversary_loss", loss)
    with pytest.raises(DivergedError, match="the loss of step 3 is nan"):
        trained(recipe_of(tmp_path / "r.toml"), tmp_path, tmp_path / "run")


def test_other_objectives_have_no_adversary_and_their_checkpoints_hold_none(data: Path, tmp_path: Path) -> None:
    path = write_recipe(tmp_path / "r.toml", stage_values(steps=1, cooldown=0), data={"held_out": 0})
    recipe = read_recipe(path)
    assert not isinstance(build_objective(recipe, recipe.stages[0], data), AdversarialObjective)
    trained(path, data, tmp_path / "run")
    assert last(tmp_path / "run")["adversary"] is None
