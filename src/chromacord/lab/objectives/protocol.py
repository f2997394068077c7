"""The objective interface: everything that the training loop knows about a method."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.lab.training.recipe import Recipe, Stage
from chromacord.types import Progress

Batch = tuple[Tensor, ...]


class Objective(Protocol):
    """One stage's network, data and loss."""

    module: nn.Module
    """Holds all weights of the method; frozen ones have `requires_grad` False."""

    fingerprint: str
    """Identifies the data: a run does not resume with other pictures. The first stage's counts."""

    data: Mapping[str, int]
    """Number of training pictures (or clips) per set, for the weights' card."""

    @staticmethod
    def check(recipe: Recipe, stage: Stage, *, where: str) -> None:
        """Check the recipe's tables without reading data.

        Args:
            recipe: the run's recipe.
            stage: a stage of the recipe.
            where: names the stage in errors.

        Raises:
            InputError: a value is invalid; names table and key.
        """

    def begin(self) -> None:
        """Initialize the parts of `module` that the stage does not take over from the previous one.

        Called after weights were loaded from the previous stage or from a file, but not when a run resumes from its
        checkpoint.
        """

    def batch(self, count: int, seed: int) -> Batch:
        """Return samples that depend only on the arguments.

        Args:
            count: number of samples.
            seed: seed of this batch.
        """

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss and figures for the log.

        Args:
            module: `self.module`, or its wrapper on several devices.
            batch: from `batch`, on the module's device. Any shape.
        """

    def validate(self, module: nn.Module) -> Mapping[str, float]:
        """Return figures on held-out pictures.

        Args:
            module: the EMA of the weights, in evaluation mode.

        Returns:
            Figures by name, the validation curve's first; empty if no pictures are held out.
        """


@runtime_checkable
class AdversarialObjective(Objective, Protocol):
    """An objective whose network also trains against a second one, its adversary.

    Goodfellow et al., "Generative Adversarial Networks" (2014). Each step trains the adversary and then the network,
    both with the stage's optimizer settings, learning rate and `max_norm`. Checkpoints include the adversary, so that a
    run can resume; shipped weights do not, and each stage starts with a new one. `loss` is `generator_loss` of
    `generate`'s result: the loop calls the two separately, with the adversary's step in between.
    """

    adversary: nn.Module
    """Distinguishes results from real pictures. Frozen while it judges for `generator_loss`."""

    def generate(self, module: nn.Module, batch: Batch) -> Tensor:
        """Return the result that the adversary judges.

        Args:
            module: `self.module`, or its wrapper on several devices.
            batch: from `batch`, on the module's device. Any shape.
        """

    def adversary_loss(
        self, adversary: nn.Module, generated: Tensor, batch: Batch
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the adversary's loss and figures for the log.

        Args:
            adversary: `self.adversary`, or its wrapper on several devices.
            generated: from `generate`, detached. Any shape.
            batch: the batch that it was generated from. Any shape.
        """

    def generator_loss(self, generated: Tensor, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the network's loss and figures for the log.

        Args:
            generated: from `generate`. Any shape.
            batch: the batch that it was generated from. Any shape.
        """


@runtime_checkable
class CompletedObjective(Objective, Protocol):
    """An objective whose network has parameters that are fitted after training."""

    def complete(self, module: nn.Module) -> Mapping[str, float]:
        """Fit them after the run's last step.

        Args:
            module: the EMA of the weights, in evaluation mode; modified in place.

        Returns:
            Figures of merit by name; empty if they cannot be measured.
        """


OBJECTIVES = {
    "grade": ("chromacord.lab.objectives.shot_grades", "GradeObjective"),
    "harmonize_frames": ("chromacord.lab.objectives.paper_stages", "FramesObjective"),
    "harmonize_clips": ("chromacord.lab.objectives.paper_stages", "ClipsObjective"),
    "harmonize_pairs": ("chromacord.lab.objectives.pairs", "PairsObjective"),
    "harmonize_pairs_adversarially": ("chromacord.lab.objectives.disharmony", "DisharmonyObjective"),
    "harmonize_adversarially": ("chromacord.lab.objectives.adversarial", "VerifiedObjective"),
    "refine_clips": ("chromacord.lab.objectives.refining", "RefinementObjective"),
    "intrinsic": ("chromacord.lab.objectives.intrinsic", "IntrinsicObjective"),
    "flow": ("chromacord.lab.objectives.flow_objective", "FlowObjective"),
}
"""Module and class by the name used in recipes; modules are imported on demand. A class is built with recipe, stage,
data folder, and `progress`."""


def check_objectives(recipe: Recipe) -> None:
    """Check a recipe for all of its stages, because a mistake in the last must not waste the earlier ones.

    Raises:
        InputError: a stage names an unknown objective, or an unknown option.
    """
    for number, stage in enumerate(recipe.stages, 1):
        where = f"recipe {recipe.name}, stage {number}"
        if stage.objective not in OBJECTIVES:
            raise InputError(
                f"{where}: there is no objective {stage.objective!r}; choose one of {', '.join(OBJECTIVES)}"
            )
        _class_of(stage).check(recipe, stage, where=where)


def build_objective(
    recipe: Recipe, stage: Stage, folder: Path, *, progress: Callable[[Progress], object] | None = None
) -> Objective:
    """Build a stage's objective.

    Args:
        recipe: the run's recipe, checked by `check_objectives`.
        stage: a stage of the recipe.
        folder: folder of the training data.
        progress: called while data is read.

    Raises:
        InputError: data is missing or cannot be used.
    """
    objective: Objective = _class_of(stage)(recipe, stage, folder, progress=progress)
    return objective


def _class_of(stage: Stage) -> Any:
    module, name = OBJECTIVES[stage.objective]
    return getattr(import_module(module), name)
