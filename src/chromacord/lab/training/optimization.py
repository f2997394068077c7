"""Optimizers, learning-rate schedules and weight EMA."""

import copy
import math
from itertools import chain

import torch
from torch import nn

from chromacord.errors import InputError
from chromacord.lab.training.recipe import Stage

RATE = "rate"
"""The key, in a group of an optimizer's parameters, of what its learning rate is multiplied by."""


def build_optimizer(module: nn.Module, stage: Stage) -> torch.optim.Optimizer:
    """Return the optimizer of a stage for the parameters that train. Biases and norms do not decay.

    Raises:
        InputError: the stage's `rates` name a part of which nothing trains.
    """
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    parts: dict[str, list[nn.Parameter]] = {"": []}
    for name, value in trained.items():
        part = name.partition(".")[0]
        parts.setdefault(part if part in stage.rates else "", []).append(value)
    if unknown := sorted(stage.rates.keys() - parts.keys()):
        names = ", ".join(dict.fromkeys(name.partition(".")[0] for name in trained))
        raise InputError(f"rates: {unknown[0]!r} is not trained; the trained parts are {names}")
    groups = [
        {"params": values, "weight_decay": decay, RATE: stage.rates.get(part, 1.0)}
        for part, both in parts.items()
        for values, decay in (
            ([value for value in both if value.ndim > 1], stage.weight_decay),
            ([value for value in both if value.ndim <= 1], 0.0),
        )
    ]
    kind = torch.optim.AdamW if stage.optimizer == "adamw" else torch.optim.Adam
    return kind([group for group in groups if group["params"]], lr=stage.learning_rate, betas=stage.betas)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of a step, in each group times its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(RATE, 1.0)  # checkpoints of before have groups without


def learning_rate(stage: Stage, step: int) -> float:
    """Return the learning rate of a step, counted from 0."""
    rise = min(1.0, (step + 1) / stage.warmup) if stage.warmup else 1.0
    if stage.schedule == "cosine":
        fall = 0.5 + 0.5 * math.cos(math.pi * step / stage.steps)
    elif stage.schedule == "milestones":
        fall = stage.factor ** sum(step >= milestone for milestone in stage.milestones)
    else:
        fall = min(1.0, (stage.steps - step) / stage.cooldown) if stage.cooldown else 1.0
    return stage.learning_rate * rise * fall


def averaged(module: nn.Module) -> nn.Module:
    """Return a copy for the running mean, in evaluation mode and without gradients."""
    return copy.deepcopy(module).eval().requires_grad_(requires_grad=False)


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, *, decay: float, step: int) -> None:
    """Move a running mean towards the weights; in the first steps faster, or it would remember the start.

    Args:
        average: is changed.
        module: of the same architecture.
        decay: share of the mean that stays.
        step: counted from 0.
    """
    kept = min(decay, (step + 1) / (step + 10))
    # Not the state's values: there, weights that two layers share stand twice, and would move twice as far.
    means, values = (chain(each.parameters(), each.buffers()) for each in (average, module))
    for mean, value in zip(means, values, strict=True):
        if mean.is_floating_point():
            mean.lerp_(value.to(mean), 1 - kept)
        else:
            mean.copy_(value)
