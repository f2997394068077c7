"""The loop: any recipe, on one processor or on several devices, with checkpoints that a killed run goes on from."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from chromacord import weights
from chromacord.data.synthesis import derive_seed
from chromacord.errors import DivergedError, InputError
from chromacord.io.staging import check_folder, output_errors
from chromacord.training.checkpoint import Checkpoint, load_checkpoint, restore, save_checkpoint
from chromacord.training.curve import write_curve
from chromacord.training.log import RunLog
from chromacord.training.objectives import Batch, Objective, build_objective, check_objectives
from chromacord.training.optimization import averaged, build_optimizer, learning_rate, update_average
from chromacord.training.recipe import Recipe, as_values
from chromacord.types import Progress

if TYPE_CHECKING:
    from accelerate import Accelerator

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Trained:
    """What a run made."""

    weights: Path
    sha256: str
    steps: int
    samples: int
    validation: Mapping[str, float]
    """The last one."""

    data: Mapping[str, int]
    """Pictures of each set that were trained on, for the weights' card."""


def train(
    recipe: Recipe,
    data: Path,
    output: Path,
    *,
    device: Device = "cpu",
    progress: Callable[[Progress], object] | None = None,
) -> Trained | None:
    """Run a recipe, or go on with a run that was stopped: the result is the same.

    Args:
        recipe: what to train.
        data: folder of the training data.
        output: folder of the run; made if missing. Gets checkpoint.pt, log.jsonl, tensorboard/, curve.svg and, at the
            end, the weights as <name>.safetensors.
        device: "cuda" uses one GPU, or as many as `accelerate launch` starts processes for.
        progress: called after each step.

    Several runs may follow each other; under `accelerate launch`, `end_processes` ends the last.

    Returns:
        What was made. None in a process that `accelerate launch` started beside the main one: it only computes.

    Raises:
        InputError: recipe or data cannot be used, or `output` holds a run of another recipe.
        OutputError: the folder cannot be written to.
    """
    check_objectives(recipe)
    accelerator = _accelerator(recipe, device)
    if not accelerator.is_main_process:
        progress = None
    check_folder(output if output.exists() else output.absolute().parent, wanted=output)
    with output_errors(output):
        output.mkdir(exist_ok=True)
    objective = build_objective(recipe, recipe.stages[0], data, progress=progress)
    processes = accelerator.num_processes
    checkpoint = load_checkpoint(output, recipe, objective.fingerprint, num_processes=processes)
    # All processes must have read the same checkpoint before the main one writes the next.
    accelerator.wait_for_everyone()
    if checkpoint is None and recipe.start is not None:
        weights.fit_part(objective.module, weights.state_dict(recipe.start), source=recipe.start)
        objective.begin()
    with ExitStack() as stack:
        done = checkpoint.step + sum(s.steps for s in recipe.stages[: checkpoint.stage]) if checkpoint else 0
        log = stack.enter_context(RunLog(output, step=done)) if accelerator.is_main_process else None
        run = _Run(recipe, output, accelerator, log, progress, objective.fingerprint)
        average: nn.Module = averaged(objective.module)
        for number in range(checkpoint.stage if checkpoint else 0, len(recipe.stages)):
            if number:
                objective = build_objective(recipe, recipe.stages[number], data, progress=progress)
                if not checkpoint:
                    objective.module.load_state_dict(average.state_dict())
                    objective.begin()
            average = _StageRun(run, number, objective).run(checkpoint)
            checkpoint = None
        return _finished(run, objective, average) if log is not None else None


def end_processes() -> None:
    """Leave the group of processes that `accelerate launch` started: once, at the end, since runs after it need it."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@dataclass(frozen=True)
class _Run:
    """What the stages of a run share."""

    recipe: Recipe
    output: Path
    accelerator: "Accelerator"
    log: RunLog | None
    """None in all processes but the main one."""

    progress: Callable[[Progress], object] | None
    fingerprint: str
    """Of the first stage's data, in all checkpoints: what a run that goes on compares with."""


def _finished(run: _Run, objective: Objective, average: nn.Module) -> Trained:
    path = run.output / f"{run.recipe.name}.safetensors"
    validation = objective.validate(average)
    digest = weights.save(average.state_dict(), path)
    samples = sum(stage.steps * stage.batch for stage in run.recipe.stages)
    return Trained(path, digest, run.recipe.num_steps, samples, validation, objective.data)


class _StageRun:
    """One stage of a run."""

    def __init__(self, run: _Run, number: int, objective: Objective) -> None:
        self._run, self._number, self._objective = run, number, objective
        self._stage, self._accelerator = run.recipe.stages[number], run.accelerator
        self._before = sum(stage.steps for stage in run.recipe.stages[:number])
        self._average = averaged(objective.module).to(run.accelerator.device)
        self._optimizer: Any = build_optimizer(objective.module, self._stage)

    def run(self, checkpoint: Checkpoint | None) -> nn.Module:
        """Train the stage from a checkpoint, or from its start; return what ships."""
        run, stage, module, average = self._run, self._stage, self._objective.module, self._average
        first = 0
        if checkpoint is not None:
            first = checkpoint.step
            restore(checkpoint, run.output, module=module, average=average, optimizer=self._optimizer)
        module, self._optimizer = run.accelerator.prepare(module.train(), self._optimizer)
        scaler = run.accelerator.scaler
        if checkpoint is not None and checkpoint.scaler is not None and scaler is not None:
            scaler.load_state_dict(checkpoint.scaler)
        started = time.perf_counter()
        for step in range(first, stage.steps):
            figures = self._step(module, step)
            done = self._before + step + 1
            rate = (step + 1 - first) / max(time.perf_counter() - started, 1e-9)
            if run.progress is not None:
                run.progress(Progress("train", done, run.recipe.num_steps, rate, "steps"))
            if run.log is not None:
                speed = {"samples_per_second": round(rate * stage.batch, 1)}
                self._write(run.log, module, step + 1, {**figures, **speed})
        run.accelerator.free_memory()
        return average.cpu()

    def _step(self, module: nn.Module, step: int) -> Mapping[str, Tensor]:
        stage, accelerator = self._stage, self._accelerator
        rate = learning_rate(stage, step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss, figures = self._objective.loss(module, self._batch(step))
        if not math.isfinite(value := float(loss.detach())):
            raise DivergedError(
                f"{self._run.output}: the loss of step {self._before + step + 1} is {value}; the last checkpoint "
                "is kept. Lower the learning rate, or set max_norm"
            )
        self._optimizer.zero_grad()
        accelerator.backward(loss)
        if stage.max_norm is not None:
            accelerator.clip_grad_norm_(module.parameters(), stage.max_norm)
        self._optimizer.step()
        update_average(self._average, accelerator.unwrap_model(module), decay=stage.average, step=step)
        return {**figures, "learning_rate": torch.tensor(rate)}

    def _batch(self, step: int) -> Batch:
        accelerator = self._accelerator
        seed = derive_seed(self._run.recipe.seed, "batch", self._number, step, accelerator.process_index)
        count = self._stage.batch // accelerator.num_processes
        return tuple(part.to(accelerator.device) for part in self._objective.batch(count, seed))

    def _write(self, log: RunLog, module: nn.Module, done: int, figures: Mapping[str, Tensor | float]) -> None:
        """Log, validate and save, each when it is due."""
        run, stage, step = self._run, self._stage, self._before + done
        is_last = done == stage.steps
        if done % stage.log_every == 0 or is_last:
            log.write("train", step, {name: float(value) for name, value in figures.items()})
        if (done % stage.validate_every == 0 or is_last) and (measured := self._objective.validate(self._average)):
            log.write("validate", step, measured)
            write_curve(run.output, log.entries("validate"))
        if done % stage.save_every == 0 or is_last:
            scaler = run.accelerator.scaler
            checkpoint = Checkpoint(
                recipe=as_values(run.recipe),
                fingerprint=run.fingerprint,
                stage=self._number,
                step=done,
                module=self._accelerator.unwrap_model(module).state_dict(),
                average=self._average.state_dict(),
                optimizer=self._optimizer.state_dict(),
                generator=torch.get_rng_state(),
                scaler=None if scaler is None else scaler.state_dict(),
                num_processes=run.accelerator.num_processes,
            )
            with output_errors(run.output):
                save_checkpoint(run.output, checkpoint)


def _accelerator(recipe: Recipe, device: Device) -> "Accelerator":
    try:
        # The log needs it, after all pictures are read: that would be late to say so.
        import torch.utils.tensorboard
        from accelerate import Accelerator
    except ImportError as error:
        raise InputError("training needs more packages; install them with: pip install 'chromacord[train]'") from error
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no CUDA device here; train with --device cpu")
    if device == "cpu" and recipe.precision == "fp16":
        raise InputError(f"recipe {recipe.name}: precision fp16 needs --device cuda; choose bf16 or fp32 for the CPU")
    precision = "no" if recipe.precision == "fp32" else recipe.precision
    try:
        accelerator = Accelerator(mixed_precision=precision, cpu=device == "cpu")
    except ValueError as error:
        # One process has one precision and one device, and some devices lack a precision.
        raise InputError(f"recipe {recipe.name}: {device} with {recipe.precision} is refused: {error}") from error
    for number, stage in enumerate(recipe.stages, 1):
        if stage.batch % accelerator.num_processes:
            raise InputError(
                f"recipe {recipe.name}, stage {number}: a batch of {stage.batch} cannot be shared by "
                f"{accelerator.num_processes} processes; start another number of them"
            )
    return accelerator
