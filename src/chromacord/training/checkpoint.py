"""Checkpoints: everything that a run needs to go on as if it had not been stopped."""

from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import nn

from chromacord.errors import InputError, UnreadableFileError
from chromacord.training.recipe import Recipe, Stage, as_values
from chromacord.weights.published import DAMAGE

CHECKPOINT = "checkpoint.pt"

State = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """Where a run is."""

    recipe: dict[str, Any]
    """As `as_values` gives it."""

    fingerprint: str
    """Of the data."""

    stage: int
    """From 0; the last one, with all its steps, when the run is complete."""

    step: int
    """Steps of the stage that are done."""

    module: State
    average: State
    optimizer: State
    generator: torch.Tensor
    """Of torch's own random numbers (dropout): batches have seeds of their own. Shape (bytes,)."""

    scaler: State | None = None
    """Of the loss's scale, with fp16."""

    num_processes: int = 1
    """Batches are drawn in as many parts, each with a seed of its own."""

    adversary: State | None = None
    """States of the adversary's "module" and "optimizer", in a stage that has one."""


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint over the one before, whole or not at all."""
    temporary = folder / f".{CHECKPOINT}.partial"
    torch.save({name: getattr(checkpoint, name) for name in checkpoint.__dataclass_fields__}, temporary)
    temporary.replace(folder / CHECKPOINT)


def load_checkpoint(folder: Path, recipe: Recipe, fingerprint: str, *, num_processes: int = 1) -> Checkpoint | None:
    """Read the checkpoint of a run; None where there is none yet.

    Args:
        folder: of the run.
        recipe: of now. It may give another length to the stage that the checkpoint is in, as long as the learning
            rate's cooldown had not begun by either: until there the steps are the same.
        fingerprint: of the data as it is now.
        num_processes: that train now.

    Raises:
        UnreadableFileError: the file is damaged.
        InputError: the run has another recipe, other data, or another number of processes.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error.strerror}; check the file") from error
    try:
        checkpoint = Checkpoint(**torch.load(BytesIO(content), map_location="cpu", weights_only=True))
    except DAMAGE as error:
        # What torch says of it runs over many lines.
        raise UnreadableFileError(f"{path}: is damaged, or of another version; remove it to start anew") from error
    if checkpoint.num_processes != num_processes:
        raise InputError(
            f"{path}: was trained by {checkpoint.num_processes} processes, now there are {num_processes}; "
            "start as many, or choose another folder with -o"
        )
    if checkpoint.fingerprint != fingerprint:
        raise InputError(f"{path}: was trained on other data; choose another folder with -o")
    if differing := _differences(checkpoint, recipe):
        raise InputError(
            f"{path}: was made with another recipe ({', '.join(differing)}); choose another folder with -o"
        )
    return checkpoint


def restore(
    checkpoint: Checkpoint,
    folder: Path,
    *,
    module: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    adversary: tuple[nn.Module, torch.optim.Optimizer] | None = None,
) -> None:
    """Set a stage, and torch's random numbers, to where a checkpoint was.

    Args:
        checkpoint: of the stage.
        folder: of the run.
        module, average, optimizer: of the stage; are changed.
        adversary: module and optimizer, in a stage that has one; are changed.

    Raises:
        UnreadableFileError: the network has changed since.
    """
    try:
        module.load_state_dict(checkpoint.module)
        average.load_state_dict(checkpoint.average)
        optimizer.load_state_dict(checkpoint.optimizer)
        if adversary is not None:
            judge, its_optimizer = adversary
            states = checkpoint.adversary or {}
            judge.load_state_dict(states["module"])
            its_optimizer.load_state_dict(states["optimizer"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise UnreadableFileError(
            f"{folder / CHECKPOINT}: fits another version of the network; choose another folder with -o"
        ) from error
    torch.set_rng_state(checkpoint.generator)


def _differences(checkpoint: Checkpoint, recipe: Recipe) -> list[str]:
    """Name what differs between a checkpoint's recipe and another, where it would have changed what is done already.

    Stages that have not begun may change, and so may the length of the one that is under way, before its cooldown.
    """
    before, now = checkpoint.recipe, as_values(recipe)
    differing = [name for name in now if name not in ("stages", "title") and before.get(name) != now[name]]
    begun = before["stages"][: checkpoint.stage + 1]
    if len(recipe.stages) < len(begun):
        return [*differing, "number of stages"]
    for number, (old, new) in enumerate(zip(begun, recipe.stages, strict=False)):
        changed = [name for name, value in asdict(new).items() if old.get(name) != value]
        if number == checkpoint.stage and _is_before_cooldown(checkpoint, old, new):
            changed = [name for name in changed if name not in ("steps", "cooldown")]
        differing += [f"{name} of stage {number + 1}" for name in changed]
    return differing


def _is_before_cooldown(checkpoint: Checkpoint, old: dict[str, Any], new: Stage) -> bool:
    begins = min(old["steps"] - old["cooldown"], new.steps - new.cooldown)
    return new.schedule == "cooldown" and checkpoint.step <= begins
