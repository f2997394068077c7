"""The loop: any recipe, on one processor or on several devices, with checkpoints that a killed run goes on from."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from chromacord import weights
from chromacord.data.synthesis import derive_seed
from chromacord.errors import InputError
from chromacord.io.staging import check_folder, output_errors
from chromacord.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from chromacord.training.curve import write_curve
from chromacord.training.log import RunLog
from chromacord.training.objectives import Batch, Objective, build_objective
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


def train(
    recipe: Recipe,
    data: Path,
    output: Path,
    *,
    device: Device = "cpu",
    progress: Callable[[Progress], object] | None = None,
) -> Trained:
    """Run a recipe, or go on with a run that was stopped: the result is the same.

    Args:
        recipe: what to train.
        data: folder of the training data.
        output: folder of the run; made if missing. Gets checkpoint.pt, log.jsonl, tensorboard/, curve.svg and, at the
            end, the weights as <name>.safetensors.
        device: "cuda" uses one GPU, or as many as `accelerate launch` starts processes for.
        progress: called after each step.

    Raises:
        InputError: recipe or data cannot be used, or `output` holds a run of another recipe.
        OutputError: the folder cannot be written to.
    """
    accelerator = _accelerator(recipe, device)
    check_folder(output if output.exists() else output.absolute().parent, wanted=output)
    with output_errors(output):
        output.mkdir(exist_ok=True)
    objective = build_objective(recipe, recipe.stages[0], data, progress=progress)
    checkpoint = load_checkpoint(output, recipe, objective.fingerprint)
    done = checkpoint.step + sum(s.steps for s in recipe.stages[: checkpoint.stage]) if checkpoint else 0
    with RunLog(output, step=done) as log:
        average: nn.Module = averaged(objective.module)
        for number in range(checkpoint.stage if checkpoint else 0, len(recipe.stages)):
            if number:
                objective = build_objective(recipe, recipe.stages[number], data, progress=progress)
                if not checkpoint:
                    objective.module.load_state_dict(average.state_dict())
            run = _StageRun(recipe, number, objective, accelerator, output, log, progress)
            average = run.run(checkpoint)
            checkpoint = None
        validation = objective.validate(average)
        path = output / f"{recipe.name}.safetensors"
        digest = weights.save(average.state_dict(), path) if accelerator.is_main_process else ""
        samples = sum(stage.steps * stage.batch for stage in recipe.stages)
        return Trained(path, digest, recipe.num_steps, samples, validation)


class _StageRun:
    """One stage of a run."""

    def __init__(
        self,
        recipe: Recipe,
        number: int,
        objective: Objective,
        accelerator: "Accelerator",
        output: Path,
        log: RunLog,
        progress: Callable[[Progress], object] | None,
    ) -> None:
        self._recipe, self._number, self._stage = recipe, number, recipe.stages[number]
        self._objective, self._accelerator = objective, accelerator
        self._output, self._log, self._progress = output, log, progress
        self._before = sum(stage.steps for stage in recipe.stages[:number])
        self._average = averaged(objective.module).to(accelerator.device)
        self._optimizer: Any = build_optimizer(objective.module, self._stage)

    def run(self, checkpoint: Checkpoint | None) -> nn.Module:
        """Train the stage from a checkpoint, or from its start; return what ships."""
        stage, accelerator = self._stage, self._accelerator
        first = 0
        if checkpoint is not None:
            first = checkpoint.step
            self._objective.module.load_state_dict(checkpoint.module)
            self._average.load_state_dict(checkpoint.average)
            self._optimizer.load_state_dict(checkpoint.optimizer)
            torch.set_rng_state(checkpoint.generator)
        module, self._optimizer = accelerator.prepare(self._objective.module.train(), self._optimizer)
        started = time.perf_counter()
        for step in range(first, stage.steps):
            figures = self._step(module, step)
            done = self._before + step + 1
            rate = (step + 1 - first) / max(time.perf_counter() - started, 1e-9)
            if self._progress is not None:
                self._progress(Progress("train", done, self._recipe.num_steps, rate, "steps"))
            if accelerator.is_main_process:
                self._write(module, step + 1, figures, rate)
        return self._average.cpu()

    def _step(self, module: nn.Module, step: int) -> Mapping[str, Tensor]:
        stage, accelerator = self._stage, self._accelerator
        rate = learning_rate(stage, step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss, figures = self._objective.loss(module, self._batch(step))
        self._optimizer.zero_grad()
        accelerator.backward(loss)
        if stage.max_norm is not None:
            accelerator.clip_grad_norm_(module.parameters(), stage.max_norm)
        self._optimizer.step()
        update_average(self._average, accelerator.unwrap_model(module), decay=stage.average, step=step)
        return {**figures, "learning_rate": torch.tensor(rate)}

    def _batch(self, step: int) -> Batch:
        accelerator = self._accelerator
        seed = derive_seed(self._recipe.seed, "batch", self._number, step, accelerator.process_index)
        count = self._stage.batch // accelerator.num_processes
        return tuple(part.to(accelerator.device) for part in self._objective.batch(count, seed))

    def _write(self, module: nn.Module, done: int, figures: Mapping[str, Tensor], rate: float) -> None:
        """Log, validate and save, each when it is due."""
        stage, step = self._stage, self._before + done
        is_last = done == stage.steps
        if done % stage.log_every == 0 or is_last:
            values = {name: float(value) for name, value in figures.items()}
            self._log.write("train", step, {**values, "samples_per_second": round(rate * stage.batch, 1)})
        if done % stage.validate_every == 0 or is_last:
            self._log.write("validate", step, self._objective.validate(self._average))
            write_curve(self._output, self._log.entries("validate"))
        if done % stage.save_every == 0 or is_last:
            checkpoint = Checkpoint(
                recipe=as_values(self._recipe),
                fingerprint=self._objective.fingerprint,
                stage=self._number,
                step=done,
                module=self._accelerator.unwrap_model(module).state_dict(),
                average=self._average.state_dict(),
                optimizer=self._optimizer.state_dict(),
                generator=torch.get_rng_state(),
            )
            with output_errors(self._output):
                save_checkpoint(self._output, checkpoint)


def _accelerator(recipe: Recipe, device: Device) -> "Accelerator":
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise InputError("training needs the packages of: pip install 'chromacord[train]'") from error
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no CUDA device here; train with --device cpu")
    precision = "no" if recipe.precision == "fp32" else recipe.precision
    accelerator = Accelerator(mixed_precision=precision, cpu=device == "cpu")
    for number, stage in enumerate(recipe.stages, 1):
        if stage.batch % accelerator.num_processes:
            raise InputError(
                f"stage {number}: a batch of {stage.batch} cannot be shared by {accelerator.num_processes} processes"
            )
    return accelerator
