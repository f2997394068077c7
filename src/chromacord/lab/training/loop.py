"""The training loop: any recipe, on a CPU or several GPUs, resumable from checkpoints."""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from chromacord.errors import DivergedError, InputError
from chromacord.io.writing.staging import check_folder, output_errors
from chromacord.lab import weight_files
from chromacord.lab.composites.synthesis import derive_seed
from chromacord.lab.objectives.protocol import (
    AdversarialObjective,
    Batch,
    CompletedObjective,
    Objective,
    build_objective,
    check_objectives,
)
from chromacord.lab.training.checkpoint import Checkpoint, load_checkpoint, only_run, restore, save_checkpoint
from chromacord.lab.training.curve import write_curve
from chromacord.lab.training.log import RunLog
from chromacord.lab.training.optimization import (
    averaged,
    build_optimizer,
    learning_rate,
    set_learning_rate,
    update_average,
)
from chromacord.lab.training.recipe import Recipe, Stage, as_values
from chromacord.types import Progress

if TYPE_CHECKING:
    from accelerate import Accelerator

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Trained:
    """Result of a run."""

    weights: Path
    sha256: str
    steps: int
    samples: int
    validation: Mapping[str, float]
    """Figures of the last validation."""

    data: Mapping[str, int]
    """Number of training pictures per set, for the weights' card."""


def train(
    recipe: Recipe,
    data: Path,
    output: Path,
    *,
    device: Device = "cpu",
    progress: Callable[[Progress], object] | None = None,
) -> Trained | None:
    """Train a recipe, or resume an interrupted run with the same result.

    Args:
        recipe: what to train.
        data: folder of the training data.
        output: folder of the run, created if missing. Receives checkpoint.pt, log.jsonl, tensorboard/, curve.svg and,
            at the end, the weights as <name>.safetensors.
        device: "cuda" uses one GPU, or one per process started by `accelerate launch`.
        progress: called after each step.

    Several runs may follow each other; under `accelerate launch`, call `end_processes` after the last.

    Returns:
        The result; None in all processes but the main one.

    Raises:
        InputError: recipe or data are invalid, or `output` holds a run of another recipe.
        OutputError: the folder cannot be written to.
    """
    check_objectives(recipe)
    accelerator = _accelerator(recipe, device)
    if not accelerator.is_main_process:
        progress = None
    is_new = not output.exists()
    check_folder(output.absolute().parent if is_new else output, wanted=output)
    with output_errors(output):
        output.mkdir(exist_ok=True)
    with ExitStack() as stack:
        if accelerator.is_main_process:
            stack.enter_context(only_run(output))
            if is_new:
                stack.enter_context(_removed_if_empty(output))
        objective = build_objective(recipe, recipe.stages[0], data, progress=progress)
        processes = accelerator.num_processes
        checkpoint = load_checkpoint(output, recipe, objective.fingerprint, num_processes=processes)
        # All processes must have read the same checkpoint before the main one writes the next.
        accelerator.wait_for_everyone()
        if checkpoint is None and recipe.start is not None:
            weight_files.fit_part(objective.module, weight_files.state_dict(recipe.start), source=recipe.start)
            objective.begin()
        done = checkpoint.step + sum(s.steps for s in recipe.stages[: checkpoint.stage]) if checkpoint else 0
        log = stack.enter_context(RunLog(output, step=done)) if accelerator.is_main_process else None
        run = _Run(recipe, output, accelerator, log, progress, objective.fingerprint)
        average: nn.Module = averaged(objective.module)
        for number in range(checkpoint.stage if checkpoint else 0, len(recipe.stages)):
            if number:
                objective = build_objective(recipe, recipe.stages[number], data, progress=progress)
                if not checkpoint:
                    # A stage's result is the EMA: it was validated, and is saved after the last stage.
                    objective.module.load_state_dict(average.state_dict())
                    objective.begin()
            average = _StageRun(run, number, objective).run(checkpoint)
            checkpoint = None
        return _finished(run, objective, average) if log is not None else None


@contextmanager
def _removed_if_empty(folder: Path) -> Iterator[None]:
    """Remove a newly created folder if its run is refused, before another run can lock it."""
    try:
        yield
    finally:
        with suppress(OSError):  # folders that are not empty stay
            folder.rmdir()


def is_launched() -> bool:
    """Whether `accelerate launch` started this process and others, which train together."""
    return os.environ.get("WORLD_SIZE", "1") != "1"


def end_processes() -> None:
    """Leave the process group of `accelerate launch`. Call once at the end, because later runs need the group."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@dataclass(frozen=True)
class _Run:
    """State shared by the stages of a run."""

    recipe: Recipe
    output: Path
    accelerator: "Accelerator"
    log: RunLog | None
    """None in all processes but the main one."""

    progress: Callable[[Progress], object] | None
    fingerprint: str
    """Fingerprint of the first stage's data, stored in all checkpoints and compared on resuming."""


def _finished(run: _Run, objective: Objective, average: nn.Module) -> Trained:
    path = run.output / f"{run.recipe.name}.safetensors"
    if isinstance(objective, CompletedObjective):
        curve, step = objective.complete(average), run.recipe.num_steps
        if curve and run.log is not None and all(entry["step"] != step for entry in run.log.entries("calibrate")):
            run.log.write("calibrate", step, curve)
    validation = objective.validate(average)
    digest = weight_files.save(average.state_dict(), path)
    samples = sum(stage.steps * stage.batch for stage in run.recipe.stages)
    return Trained(path, digest, run.recipe.num_steps, samples, validation, objective.data)


class _Learner:
    """A network and its optimizer."""

    def __init__(self, module: nn.Module, stage: Stage) -> None:
        self.module, self._stage = module.train(), stage
        self.optimizer: Any = build_optimizer(module, stage)

    def prepare(self, accelerator: "Accelerator") -> None:
        """Move both to the device after a checkpoint was restored."""
        self.module, self.optimizer = accelerator.prepare(self.module, self.optimizer)

    def step(self, accelerator: "Accelerator", loss: Tensor, *, rate: float) -> None:
        """Take an optimizer step."""
        set_learning_rate(self.optimizer, rate)
        self.optimizer.zero_grad()
        accelerator.backward(loss)
        if self._stage.max_norm is not None:
            accelerator.clip_grad_norm_(self.module.parameters(), self._stage.max_norm)
        self.optimizer.step()

    def states(self, accelerator: "Accelerator") -> dict[str, Any]:
        """Return the states for a checkpoint."""
        module: nn.Module = accelerator.unwrap_model(self.module)
        return {"module": module.state_dict(), "optimizer": self.optimizer.state_dict()}


class _StageRun:
    """One stage of a run."""

    def __init__(self, run: _Run, number: int, objective: Objective) -> None:
        self._run, self._number, self._objective = run, number, objective
        self._stage, self._accelerator = run.recipe.stages[number], run.accelerator
        self._before = sum(stage.steps for stage in run.recipe.stages[:number])
        self._average = averaged(objective.module).to(run.accelerator.device)
        self._network = _Learner(objective.module, self._stage)
        self._adversary: _Learner | None = None
        if isinstance(objective, AdversarialObjective):
            self._adversary = _Learner(objective.adversary, self._stage)

    def run(self, checkpoint: Checkpoint | None) -> nn.Module:
        """Train the stage from a checkpoint or from its start; return the module with the final weights."""
        run, stage, average = self._run, self._stage, self._average
        first = 0
        if checkpoint is not None:
            first = checkpoint.step
            self._restore(checkpoint)
        for learner in self._learners():
            learner.prepare(run.accelerator)
        scaler = run.accelerator.scaler
        if checkpoint is not None and checkpoint.scaler is not None and scaler is not None:
            scaler.load_state_dict(checkpoint.scaler)
        started = time.perf_counter()
        # The speed counts only this process's steps, not those before the checkpoint.
        for step in range(first, stage.steps):
            figures = self._step(step)
            done = self._before + step + 1
            rate = (step + 1 - first) / max(time.perf_counter() - started, 1e-9)
            if run.progress is not None:
                run.progress(Progress("train", done, run.recipe.num_steps, rate, "steps"))
            if run.log is not None:
                speed = {"samples_per_second": round(rate * stage.batch, 1)}
                self._write(run.log, step + 1, {**figures, **speed})
        run.accelerator.free_memory()
        return average.cpu()

    def _learners(self) -> list[_Learner]:
        return [self._network] if self._adversary is None else [self._network, self._adversary]

    def _restore(self, checkpoint: Checkpoint) -> None:
        network, adversary = self._network, self._adversary
        restore(
            checkpoint,
            self._run.output,
            module=network.module,
            average=self._average,
            optimizer=network.optimizer,
            adversary=None if adversary is None else (adversary.module, adversary.optimizer),
        )

    def _step(self, step: int) -> Mapping[str, Tensor]:
        accelerator, network = self._accelerator, self._network
        rate = learning_rate(self._stage, step)
        batch = self._batch(step)
        if self._adversary is not None and isinstance(self._objective, AdversarialObjective):
            loss, figures = self._contest(self._objective, self._adversary, batch, step, rate=rate)
        else:
            loss, figures = self._objective.loss(network.module, batch)
        network.step(accelerator, self._checked(loss, step), rate=rate)
        update_average(self._average, accelerator.unwrap_model(network.module), decay=self._stage.average, step=step)
        return {**figures, "learning_rate": torch.tensor(rate)}

    def _contest(
        self, objective: AdversarialObjective, adversary: _Learner, batch: Batch, step: int, *, rate: float
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Take the adversary's step, then return the network's loss against it."""
        generated = objective.generate(self._network.module, batch)
        judged, adversary_figures = objective.adversary_loss(adversary.module, generated.detach(), batch)
        adversary.step(self._accelerator, self._checked(judged, step), rate=rate)
        # Gradients pass through the adversary to the network. The adversary's own are disabled, because its next step
        # would discard them.
        objective.adversary.requires_grad_(requires_grad=False)
        loss, figures = objective.generator_loss(generated, batch)
        objective.adversary.requires_grad_(requires_grad=True)
        return loss, {**figures, **adversary_figures}

    def _checked(self, loss: Tensor, step: int) -> Tensor:
        # Check before the step: Adam's moments would keep a NaN forever.
        if not math.isfinite(value := float(loss.detach())):
            raise DivergedError(
                f"{self._run.output}: the loss of step {self._before + step + 1} is {value}; the last checkpoint "
                "is kept. Lower the learning rate, or set max_norm"
            )
        return loss

    def _batch(self, step: int) -> Batch:
        accelerator = self._accelerator
        seed = derive_seed(self._run.recipe.seed, "batch", self._number, step, accelerator.process_index)
        count = self._stage.batch // accelerator.num_processes
        return tuple(part.to(accelerator.device) for part in self._objective.batch(count, seed))

    def _write(self, log: RunLog, done: int, figures: Mapping[str, Tensor | float]) -> None:
        """Log, validate and save, each if due."""
        run, stage, step = self._run, self._stage, self._before + done
        is_last = done == stage.steps
        if done % stage.log_every == 0 or is_last:
            log.write("train", step, {name: float(value) for name, value in figures.items()})
        if (done % stage.validate_every == 0 or is_last) and (measured := self._objective.validate(self._average)):
            log.write("validate", step, measured)
            write_curve(run.output, log.entries("validate"))
        if done % stage.save_every == 0 or is_last:
            scaler, adversary = run.accelerator.scaler, self._adversary
            checkpoint = Checkpoint(
                recipe=as_values(run.recipe),
                fingerprint=run.fingerprint,
                stage=self._number,
                step=done,
                **self._network.states(run.accelerator),
                average=self._average.state_dict(),
                generator=torch.get_rng_state(),
                scaler=None if scaler is None else scaler.state_dict(),
                num_processes=run.accelerator.num_processes,
                adversary=None if adversary is None else adversary.states(run.accelerator),
            )
            save_checkpoint(run.output, checkpoint)


def _accelerator(recipe: Recipe, device: Device) -> "Accelerator":
    try:
        # The log needs TensorBoard only after all pictures are read; check before that.
        import torch.utils.tensorboard
        from accelerate import Accelerator
    except ImportError as error:
        raise InputError(
            "training needs more packages; in a checkout of chromacord, run: pip install '.[train]'"
        ) from error
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no CUDA device here; train with --device cpu")
    if device == "cpu" and recipe.precision == "fp16":
        raise InputError(f"recipe {recipe.name}: precision fp16 needs --device cuda; choose bf16 or fp32 for the CPU")
    precision = "no" if recipe.precision == "fp32" else recipe.precision
    try:
        accelerator = Accelerator(mixed_precision=precision, cpu=device == "cpu")
    except ValueError as error:
        # Some devices do not support every precision.
        raise InputError(f"recipe {recipe.name}: {device} with {recipe.precision} failed: {error}") from error
    for number, stage in enumerate(recipe.stages, 1):
        if stage.batch % accelerator.num_processes:
            raise InputError(
                f"recipe {recipe.name}, stage {number}: a batch of {stage.batch} cannot be divided among "
                f"{accelerator.num_processes} processes; change their number"
            )
    return accelerator
