"""The smallest objective with an adversary: numbers that are to look as if they were drawn around 2."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from chromacord.lab.objectives.protocol import Batch
from chromacord.lab.training.recipe import Recipe, Stage

WIDTH = 3


class Contest:
    """See `chromacord.lab.objectives.protocol.AdversarialObjective`."""

    seen: ClassVar[list[tuple[str, bool, bool]]] = []
    """Which loss was requested, whether the adversary trained, and whether a gradient reached the network."""

    def __init__(self, recipe: Recipe, stage: Stage, folder: Path, *, progress: object = None) -> None:
        torch.manual_seed(recipe.seed)
        self.module: nn.Module = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(0.3))
        self.adversary: nn.Module = spectral_norm(nn.Linear(WIDTH, 1))
        self.fingerprint = "numbers"
        self.data: Mapping[str, int] = {}

    @staticmethod
    def check(recipe: Recipe, stage: Stage, *, where: str) -> None:
        pass

    def begin(self) -> None:
        pass

    def batch(self, count: int, seed: int) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(count, WIDTH, generator=generator), 2 + torch.randn(count, WIDTH, generator=generator)

    def generate(self, module: nn.Module, batch: Batch) -> Tensor:
        made: Tensor = module(batch[0])
        return made

    def adversary_loss(
        self, adversary: nn.Module, generated: Tensor, batch: Batch
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        self._note("adversary", generated)
        loss = (1 + adversary(generated)).relu().mean() + (1 - adversary(batch[1])).relu().mean()
        return loss, {"adversary": loss.detach()}

    def generator_loss(self, generated: Tensor, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        self._note("generator", generated)
        loss = -self.adversary(generated).mean()
        return loss, {"loss": loss.detach()}

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self.generator_loss(self.generate(module, batch), batch)

    def validate(self, module: nn.Module) -> Mapping[str, float]:
        return {}

    def _note(self, name: str, generated: Tensor) -> None:
        trains = {value.requires_grad for value in self.adversary.parameters()}
        assert len(trains) == 1
        self.seen.append((name, trains.pop(), generated.requires_grad))
