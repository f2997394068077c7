"""Optimizers, learning-rate schedules and weight EMA."""

import copy
import math
from itertools import chain

import torch
from torch import nn

from chromacord.errors import InputError
from chromacord.lab.training.recipe import Stage

RATE = "rate"
"""Key, in an optimizer's parameter group, of the factor on its learning rate."""


def build_optimizer(module: nn.Module, stage: Stage) -> torch.optim.Optimizer:
    """Return a stage's optimizer for all trainable parameters. Biases and norms have no weight decay.

    Raises:
        InputError: the stage's `rates` names a part without trainable parameters.
    """
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    parts: dict[str, list[nn.Parameter]] = {"": []}
    for name, value in trained.items():
        part = name.partition(".")[0]
        parts.setdefault(part if part in stage.rates else "", []).append(value)
    if unknown := sorted(stage.rates.keys() - parts.keys()):
        names = ", ".join(dict.fromkeys(name.partition(".")[0] for name in trained))
        raise InputError(f"rates: {unknown[0]!r} is not trained; the trained parts are {names}")
    # Biases and norms are the one-dimensional parameters.
    groups = [
        {"params": values, "weight_decay": decay, RATE: stage.rates.get(part, 1.0)}
        for part, both in parts.items()
        for values, decay in (
            ([value for value in both if value.ndim > 1], stage.weight_decay),
            ([value for value in both if value.ndim <= 1], 0.0),
        )
    ]
    kind = torch.optim.AdamW if stage.optimizer == "adamw" else torch.optim.Adam
    return kind([group for group in groups if group["params"]], lr=stage.learning_rate, betas=stage.betas, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set a step's learning rate in each group, scaled by the group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(RATE, 1.0)  # groups in old checkpoints lack the key


def learning_rate(stage: Stage, step: int) -> float:
    """Return the learning rate of a step, counted from 0."""
    rise = min(1.0, (step + 1) / stage.warmup) if stage.warmup else 1.0
    if stage.schedule == "cosine":
        fall = 0.5 + 0.5 * math.cos(math.pi * step / stage.steps)
    elif stage.schedule == "milestones":
        fall = stage.factor ** sum(step >= milestone for milestone in stage.milestones)
    else:
        # Never 0: at the last step, one part of the cooldown is left.
        fall = min(1.0, (stage.steps - step) / stage.cooldown) if stage.cooldown else 1.0
    return stage.learning_rate * rise * fall


def averaged(module: nn.Module) -> nn.Module:
    """Return a copy for the EMA, in evaluation mode and without gradients."""
    return copy.deepcopy(module).eval().requires_grad_(requires_grad=False)


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, *, decay: float, step: int) -> None:
    """Update an EMA of the weights, with a shorter memory in the first steps to forget the initial weights.

    Args:
        average: the EMA; modified in place.
        module: of the same architecture.
        decay: decay of the EMA.
        step: step, counted from 0.
    """
    kept = min(decay, (step + 1) / (step + 10))
    # Iterate over parameters, not state_dict, which lists shared weights twice and would update them twice.
    means, values = (chain(each.parameters(), each.buffers()) for each in (average, module))
    for mean, value in zip(means, values, strict=True):
        if mean.is_floating_point():
            mean.lerp_(value.to(mean), 1 - kept)
        else:
            mean.copy_(value)
