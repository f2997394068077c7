"""Checkpoints: everything a run needs to resume as if it had never stopped."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from chromacord.errors import InputError, OutputError, UnreadableFileError, counted
from chromacord.io.writing.locks import locked_folder
from chromacord.io.writing.staging import StagedFile
from chromacord.lab.published import load_plain
from chromacord.lab.training.recipe import Recipe, Stage, as_values
from chromacord.parsing import DAMAGE

CHECKPOINT = "checkpoint.pt"

_UNFIT: tuple[type[Exception], ...] = (*DAMAGE, AttributeError, RuntimeError, TypeError)
"""Exceptions of torch and Python for mismatched states."""

State = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run."""

    recipe: dict[str, Any]
    """The recipe, as returned by `as_values`."""

    fingerprint: str
    """Fingerprint of the data."""

    stage: int
    """Index of the current stage; in a complete run the last one, with all its steps."""

    step: int
    """Number of completed steps in the stage."""

    module: State
    average: State
    optimizer: State
    generator: torch.Tensor
    """State of torch's random number generator (for dropout): batches have their own seeds. Shape (bytes,)."""

    scaler: State | None = None
    """State of the loss scaler, with fp16."""

    num_processes: int = 1
    """Number of processes: each draws its part of a batch with its own seed."""

    adversary: State | None = None
    """States of the adversary's "module" and "optimizer", if the stage has one."""

    def __post_init__(self) -> None:
        """Check the values of a file.

        Raises:
            TypeError: a value has the wrong type.
            ValueError: a count is negative or not a number.
        """
        states = (self.recipe, self.module, self.average, self.optimizer, self.scaler or {}, self.adversary or {})
        counts = (self.stage, self.step, self.num_processes)
        if not all(isinstance(state, dict) for state in states) or not all(type(count) is int for count in counts):
            raise TypeError("states must be tables, and counts whole numbers")
        if min(counts) < 0 or not 0 <= self.stage < len(self.recipe["stages"]):
            raise ValueError("there is no such stage or step")


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Lock a run's folder, because two runs would overwrite each other's checkpoints.

    Args:
        folder: folder of the run; must exist.

    Raises:
        InputError: another process is training there.
    """
    with ExitStack() as held:
        try:
            held.enter_context(locked_folder(folder))
        except BlockingIOError:
            raise InputError(
                f"{folder}: another run is training there; wait for it, or choose another folder with -o"
            ) from None
        yield


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint; on failure, the previous one is kept.

    Raises:
        OutputError: it cannot be written.
    """
    path = folder / CHECKPOINT
    values = {name: getattr(checkpoint, name) for name in checkpoint.__dataclass_fields__}
    with StagedFile(path, force=True) as staged:
        try:
            torch.save(values, staged.temporary)
        except (OSError, RuntimeError) as error:  # torch raises RuntimeError without the reason
            reason = getattr(error, "strerror", None) or "the disk may be full"
            raise OutputError(f"{path}: cannot be written: {reason}; make room, and run the command again") from error
        staged.commit()


def load_checkpoint(folder: Path, recipe: Recipe, fingerprint: str, *, num_processes: int = 1) -> Checkpoint | None:
    """Read the checkpoint of a run; None if there is none.

    Args:
        folder: folder of the run.
        recipe: the current recipe. It may change the current stage's length if the learning rate's cooldown has begun
            in neither version: until then all steps are the same.
        fingerprint: fingerprint of the current data.
        num_processes: number of training processes.

    Raises:
        UnreadableFileError: the file is damaged.
        InputError: the run has another recipe, other data, or another number of processes.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    said, remedy = "is damaged, or of another version", "remove it to start over"
    values = load_plain(path, said=said, remedy=remedy)
    try:
        checkpoint = Checkpoint(**values)
        differing = _differences(checkpoint, recipe)
    except _UNFIT as error:
        raise UnreadableFileError(f"{path}: {said}; {remedy}") from error
    if checkpoint.num_processes != num_processes:
        raise InputError(
            f"{path}: was trained by {counted(checkpoint.num_processes, 'process')}, now there are {num_processes}; "
            "start the same number, or choose another folder with -o"
        )
    if checkpoint.fingerprint != fingerprint:
        raise InputError(f"{path}: was trained on other data; choose another folder with -o")
    if differing:
        raise InputError(
            f"{path}: was made with another recipe ({', '.join(differing)}); choose another folder with -o"
        )
    if checkpoint.step > recipe.stages[checkpoint.stage].steps:
        raise UnreadableFileError(f"{path}: {said}; {remedy}")
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
    """Restore a stage and torch's random number generator from a checkpoint.

    Args:
        checkpoint: checkpoint of the stage.
        folder: folder of the run.
        module, average, optimizer: modified in place.
        adversary: module and optimizer of the adversary, if any; modified in place.

    Raises:
        UnreadableFileError: the network has changed since.
    """
    try:
        module.load_state_dict(checkpoint.module)
        average.load_state_dict(checkpoint.average)
        _restore_optimizer(optimizer, checkpoint.optimizer)
        if adversary is not None:
            judge, its_optimizer = adversary
            states = checkpoint.adversary or {}
            judge.load_state_dict(states["module"])
            _restore_optimizer(its_optimizer, states["optimizer"])
        torch.set_rng_state(checkpoint.generator)
    except _UNFIT as error:
        raise UnreadableFileError(
            f"{folder / CHECKPOINT}: fits another version of the network; choose another folder with -o"
        ) from error


def _restore_optimizer(optimizer: torch.optim.Optimizer, state: State) -> None:
    """Load an optimizer's state, checking shapes: torch does not, and would fail at the first step."""
    optimizer.load_state_dict(state)
    for parameter, values in optimizer.state.items():
        for value in values.values():
            # Adam's step counter is a single number, whatever the parameter's shape.
            if isinstance(value, torch.Tensor) and value.numel() != 1 and value.shape != parameter.shape:
                raise ValueError(f"a state of shape {tuple(value.shape)} is none of {tuple(parameter.shape)}")


def _differences(checkpoint: Checkpoint, recipe: Recipe) -> list[str]:
    """Name the differences between two recipes that would have changed the steps done so far.

    Later stages may differ, as may the current stage's length before its cooldown.
    """
    before, now = checkpoint.recipe, as_values(recipe)
    differing = [name for name in now if name not in ("stages", "title") and before.get(name) != now[name]]
    begun = before["stages"][: checkpoint.stage + 1]
    if len(recipe.stages) < len(begun):
        return [*differing, "number of stages"]
    for number, (old, new) in enumerate(zip(begun, recipe.stages, strict=False)):
        # Keys added after the checkpoint was written had what is now their default.
        plain = asdict(Stage(new.objective, new.steps, new.batch, new.learning_rate))
        changed = [name for name, value in asdict(new).items() if old.get(name, plain[name]) != value]
        if number == checkpoint.stage and _is_before_cooldown(checkpoint, old, new):
            changed = [name for name in changed if name not in ("steps", "cooldown")]
        differing += [f"{name} of stage {number + 1}" for name in changed]
    return differing


def _is_before_cooldown(checkpoint: Checkpoint, old: dict[str, Any], new: Stage) -> bool:
    begins = min(old["steps"] - old["cooldown"], new.steps - new.cooldown)
    return new.schedule == "cooldown" and checkpoint.step <= begins
