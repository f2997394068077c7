"""The objective interface: all that the training loop knows of a method."""

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
    """One stage's network, its data, and the loss that joins them."""

    module: nn.Module
    """Holds all weights of the method, those too that this stage leaves alone: they have `requires_grad` False."""

    fingerprint: str
    """Stands for the data: a run does not go on with other pictures. That of the first stage counts."""

    data: Mapping[str, int]
    """Pictures (or clips) of each set that is trained on, for the weights' card."""

    @staticmethod
    def check(recipe: Recipe, stage: Stage, *, where: str) -> None:
        """Refuse tables of a recipe that cannot be used. Reads no data.

        Args:
            recipe: of the run.
            stage: of the recipe.
            where: names the stage in errors.

        Raises:
            InputError: names table and key.
        """

    def begin(self) -> None:
        """Set in `module` what the stage does not take over from what was before it.

        Called when weights were handed over, of the stage before or of a file; not when a run goes on from its
        checkpoint.
        """

    def batch(self, count: int, seed: int) -> Batch:
        """Return samples that depend on nothing but the arguments.

        Args:
            count: number of samples.
            seed: of this batch.
        """

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return what is made small, and figures for the log.

        Args:
            module: `self.module`, or what wraps it on several devices.
            batch: of `batch`, on the module's device. Any shape.
        """

    def validate(self, module: nn.Module) -> Mapping[str, float]:
        """Return figures on pictures that are never trained on.

        Args:
            module: the running mean of the weights, in evaluation mode.

        Returns:
            Figures by name, the one that the curve shows first; none if no picture is held out.
        """


@runtime_checkable
class AdversarialObjective(Objective, Protocol):
    """An objective whose network also learns to deceive a second one, its adversary.

    Goodfellow et al., "Generative Adversarial Networks" (2014). Each step trains the adversary first and then the
    network, both by the stage's optimizer, learning rate and `max_norm`. Checkpoints hold the adversary, so that a run
    goes on with it; weights that ship do not, and each stage begins with a new one. `loss` is `generator_loss` of what
    `generate` returns: the loop calls these two, with the adversary's step between them.
    """

    adversary: nn.Module
    """Tells what the network made from what is real. It is frozen while it judges for `generator_loss`."""

    def generate(self, module: nn.Module, batch: Batch) -> Tensor:
        """Return what the adversary is to judge.

        Args:
            module: `self.module`, or what wraps it on several devices.
            batch: of `batch`, on the module's device. Any shape.
        """

    def adversary_loss(
        self, adversary: nn.Module, generated: Tensor, batch: Batch
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return what the adversary makes small, and figures for the log.

        Args:
            adversary: `self.adversary`, or what wraps it on several devices.
            generated: of `generate`; no gradient leads back from it. Any shape.
            batch: that it was made of. Any shape.
        """

    def generator_loss(self, generated: Tensor, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return what the network makes small, and figures for the log.

        Args:
            generated: of `generate`. Any shape.
            batch: that it was made of. Any shape.
        """


@runtime_checkable
class CompletedObjective(Objective, Protocol):
    """An objective whose network holds numbers that no step trains."""

    def complete(self, module: nn.Module) -> Mapping[str, float]:
        """Set them, after the last step of the run.

        Args:
            module: the running mean of the weights, in evaluation mode; is changed.

        Returns:
            How good they are, by name; empty where there is nothing to measure it by.
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
"""Module and class by the name in recipes; a module is imported when it is asked for. A class is built with recipe,
stage, folder of the data, and `progress`."""


def check_objectives(recipe: Recipe) -> None:
    """Refuse a recipe that some stage cannot use: a slip in the last one must not cost the time of those before it.

    Raises:
        InputError: a stage names no objective that there is, or an option that it does not have.
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
    """Build what a stage learns.

    Args:
        recipe: of the run; `check_objectives` took it.
        stage: of the recipe.
        folder: of the training data.
        progress: called while data is read.

    Raises:
        InputError: data is missing or cannot be used.
    """
    objective: Objective = _class_of(stage)(recipe, stage, folder, progress=progress)
    return objective


def _class_of(stage: Stage) -> Any:
    module, name = OBJECTIVES[stage.objective]
    return getattr(import_module(module), name)
