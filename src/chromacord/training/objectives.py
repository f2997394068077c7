"""What a stage learns, from what: all that the loop knows of a method."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.training.recipe import Recipe, Stage
from chromacord.types import Progress

Batch = tuple[Tensor, ...]


class Objective(Protocol):
    """One stage's network, its data, and the loss that joins them."""

    module: nn.Module
    """Holds all weights of the method, those too that this stage leaves alone: they have `requires_grad` False."""

    fingerprint: str
    """Stands for the data: a run does not go on with other pictures."""

    data: Mapping[str, int]
    """Pictures (or clips) of each set that is trained on, for the weights' card."""

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
        """


Factory = Callable[..., Objective]

OBJECTIVES = {"grade": ("chromacord.training.grading", "GradeObjective")}
"""Module and class by the name in recipes; a module is imported when it is asked for."""


def build_objective(
    recipe: Recipe, stage: Stage, folder: Path, *, progress: Callable[[Progress], object] | None = None
) -> Objective:
    """Build what a stage learns.

    Args:
        recipe: of the run.
        stage: of the recipe.
        folder: of the training data.
        progress: called while data is read.

    Raises:
        InputError: the recipe names no objective that there is, or data is missing.
    """
    if stage.objective not in OBJECTIVES:
        raise InputError(f"there is no objective {stage.objective!r}; choose of {', '.join(OBJECTIVES)}")
    module, name = OBJECTIVES[stage.objective]
    factory: Any = getattr(import_module(module), name)
    objective: Objective = factory(recipe, stage, folder, progress=progress)
    return objective
