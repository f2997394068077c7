"""The objective of ShotGrade: recover the real colours of recoloured foregrounds, from composites made on the fly.

Composites are drawn in one of two ways. With `pool`, a fixed number is drawn once and the encoder's features are kept:
the encoder is frozen, and a step costs a hundredth of one that processes pictures. Without it, every step draws new
composites and the encoder trains too. At the end, strength is calibrated on held-out pictures.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.color.cube import Cube
from chromacord.errors import InputError
from chromacord.lab.color.lut3d import apply_lut3d
from chromacord.lab.composites.augment import Augmentation, CompositeBatch, CompositeMaker
from chromacord.lab.composites.changes import ChangeShares
from chromacord.lab.composites.photographs import Photographs
from chromacord.lab.composites.synthesis import derive_seed
from chromacord.lab.networks.grade_network import Features, GradeNetwork
from chromacord.lab.objectives.calibration import Measured, calibrated, reliability
from chromacord.lab.objectives.losses import root_error, squared_error
from chromacord.lab.objectives.protocol import Batch
from chromacord.lab.training.draws import plain_augmentation
from chromacord.lab.training.picture_choice import GradeData, read_pictures
from chromacord.lab.training.recipe import Recipe, Stage, check_method, check_range, data_table, overridden
from chromacord.typed_tables import build, in_words
from chromacord.types import Progress

_STANDARD_BATCHES, _STANDARD_BATCH = 12, 64
"""Number and size of the batches from which features are standardized."""

_POOL_BATCH = 32
_LEAST_ERROR = 1e-5
"""Squared errors below this, 0.65 squared 8-bit levels, are not distinguished."""

_VALIDATION_SEED = 20
_CALIBRATION_BATCHES = 16
_VALIDATION_BATCHES, _VALIDATION_BATCH = 8, 64


@dataclass(frozen=True)
class GradeOptions:
    """The options of the stage."""

    power: float = 0.5
    """Power in `root_error`."""

    log_error: float = 0.01
    """Weight of the loss of the expected error."""

    num_pixels: int = 512
    """Number of pixels of each foreground at which the error is computed."""

    pool: int = 0
    """Number of composites drawn once, with their features kept; 0: every step draws new ones."""

    frozen_stages: int = 0
    """Number of frozen stages of the encoder, from its start."""

    augmentation: Mapping[str, Any] = field(default_factory=dict)
    """This stage's overrides of [data.augmentation]."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    """This stage's overrides of [data.changes]."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        if not 0 < self.power <= 1:
            raise InputError(f"power must lie in 0..1, above 0, got {self.power}")
        for name, least in (("log_error", 0), ("num_pixels", 1), ("pool", 0), ("frozen_stages", 0)):
            check_range(name, getattr(self, name), least)


class _Tables(NamedTuple):
    """The parsed tables of a stage."""

    data: GradeData
    augmentation: Augmentation
    changes: ChangeShares
    options: GradeOptions


class GradeObjective:
    """Trains `GradeNetwork`. See `chromacord.lab.objectives.protocol.Objective`."""

    def __init__(
        self, recipe: Recipe, stage: Stage, folder: Path, *, progress: Callable[[Progress], object] | None = None
    ) -> None:
        """Read the pictures and make the tables.

        Args:
            recipe: the run's recipe.
            stage: a stage of the recipe.
            folder: folder of the training data.
            progress: called while pictures are read.

        Raises:
            InputError: the folder has no such pictures or LUTs, or none are held out.
        """
        data, augmentation, changes, self._options = _tables(recipe, stage, where=f"recipe {recipe.name}")
        torch.manual_seed(recipe.seed)
        self._network = GradeNetwork(**recipe.network)
        self.module: nn.Module = self._network
        trained, held_out, self.fingerprint, luts, others = read_pictures(data, folder, progress=progress)
        self.data: Mapping[str, int] = trained.sets()
        side, num_pixels, seed = self._network.side, self._options.num_pixels, recipe.seed
        self._maker = CompositeMaker(
            trained, luts, augmentation, changes=changes, side=side, num_pixels=num_pixels, seed=seed
        )
        self._seed = seed
        self._pool: _Pool | None = None
        self._freeze()
        if recipe.start is None:
            self.begin()
        self._validation = _validation(held_out, others, side)
        self._calibration = _calibration(held_out, others, changes, side)

    @staticmethod
    def check(recipe: Recipe, stage: Stage, *, where: str) -> None:
        """Check the recipe's tables. See `Objective.check`."""
        _tables(recipe, stage, where=where)
        check_method(recipe, stage, "shotgrade", where=where)
        known = inspect.signature(GradeNetwork).parameters
        for name, value in recipe.network.items():
            if name not in known:
                raise InputError(f"{where} [network]: {name} is not known; choose one of {', '.join(known)}")
            kind = type(known[name].default)
            if type(value) is not kind:
                raise InputError(f"{where} [network]: {name} must be {in_words(kind)}, got {value!r}")
        try:
            # Builds the shapes without memory or random numbers: a check must not change what is drawn later.
            with torch.device("meta"):
                GradeNetwork(**recipe.network)
        except (ValueError, RuntimeError) as error:
            raise InputError(f"{where} [network]: {error}") from error

    def begin(self) -> None:
        """Standardize features, unless loaded weights already are. See `Objective.begin`."""
        if not self._network.is_standardized:
            generator = torch.Generator().manual_seed(self._seed)
            self._network.standardize(
                [self._maker.draw(_STANDARD_BATCH, generator)[:2] for _ in range(_STANDARD_BATCHES)]
            )

    def batch(self, count: int, seed: int) -> Batch:
        """Return composites, masks, and the foreground colours before and after the ideal grade.

        With a pool, features replace composites and masks.
        """
        generator = torch.Generator().manual_seed(seed)
        if not self._options.pool:
            return tuple(self._maker.draw(count, generator))
        if self._pool is None:
            self._pool = _Pool(self._network, self._maker, self._options.pool, self._seed)
        return self._pool.draw(count, generator)

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of one batch. See `Objective.loss`. Shape (N, ...)."""
        if not self._options.pool:
            self._freeze()
        *seen, changed, real = batch
        estimate = module(*seen) if len(seen) == 2 else module(features=Features(*seen))
        squared = squared_error(apply_lut3d(changed, estimate.lut), real)
        # Detached, so that the network learns to predict its error, not to make grades whose error is predictable.
        expected = F.smooth_l1_loss(estimate.log_error, (squared.detach() + _LEAST_ERROR).log())
        loss = root_error(squared, power=self._options.power) + self._options.log_error * expected
        figures = {"loss": loss, "rmse": 255 * squared.detach().sqrt().mean(), "log_error_loss": expected}
        return loss, {name: value.detach() for name, value in figures.items()}

    def complete(self, module: nn.Module) -> Mapping[str, float]:
        """Calibrate the strength on held-out pictures. See `CompletedObjective.complete`."""
        if not self._calibration or not isinstance(module, GradeNetwork):
            return {}
        each = [_measured(module, composites) for composites in self._calibration]
        measured = Measured(*map(torch.cat, zip(*each, strict=True)))
        module.calibration.copy_(calibrated(measured))
        return reliability(measured, module.calibration)

    @torch.inference_mode()
    def validate(self, module: nn.Module) -> Mapping[str, float]:
        """Return errors on held-out pictures, all recoloured like HYouTube's. See `Objective.validate`."""
        if not self._validation:
            return {}
        device = next(module.parameters()).device
        after, before = [], []
        for batch in self._validation:
            composites = CompositeBatch(*(part.to(device) for part in batch))
            lut = module(composites.composite, composites.mask).lut
            after.append(squared_error(apply_lut3d(composites.changed, lut), composites.real))
            before.append(squared_error(composites.changed, composites.real))
        squared, composite = 255**2 * torch.cat(after), 255**2 * torch.cat(before)
        return {
            "fmse": float(squared.mean()),
            "composite_fmse": float(composite.mean()),
            "ratio": float(squared.mean() / composite.mean()),
            "rmse": float(squared.sqrt().mean()),
        }

    def _freeze(self) -> None:
        encoder = self._network.encoder
        if encoder is not None:
            encoder.freeze(None if self._options.pool else self._options.frozen_stages)


class _Pool:
    """Precomputed composites: features of each, and pixels of its foreground."""

    def __init__(self, network: GradeNetwork, maker: CompositeMaker, size: int, seed: int) -> None:
        """Draw the composites. With features in half precision and colours as codes, 50,000 take 1.4 GB."""
        self._parts: list[Tensor] = []
        for first in range(0, size, _POOL_BATCH):
            count = min(_POOL_BATCH, size - first)
            drawn = maker.draw(count, torch.Generator().manual_seed(derive_seed(seed, "pool", first)))
            with torch.no_grad():
                features = network.features(drawn.composite, drawn.mask)
            codes = [(255 * colors).round().to(torch.uint8) for colors in (drawn.changed, drawn.real)]
            each = [*(part.half() for part in features), *codes]
            if not self._parts:
                self._parts = [torch.empty((size, *part.shape[1:]), dtype=part.dtype) for part in each]
            for whole, part in zip(self._parts, each, strict=True):
                whole[first : first + count] = part

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Return features and colours of random composites."""
        chosen = torch.randint(len(self._parts[0]), (count,), generator=generator)
        *features, changed, real = (part[chosen].float() for part in self._parts)
        return (*features, changed / 255, real / 255)


@torch.inference_mode()
def _measured(network: GradeNetwork, composites: CompositeBatch) -> Measured:
    """Measure the inputs of calibration on composites."""
    estimate = network(composites.composite, composites.mask)
    change = apply_lut3d(composites.changed, estimate.lut) - composites.changed
    wanted = composites.real - composites.changed
    squared, product, missing = (
        each.flatten(1).mean(dim=1) for each in (change.square(), change * wanted, wanted.square())
    )
    return Measured(squared, product, missing, estimate.log_error)


def _tables(recipe: Recipe, stage: Stage, *, where: str) -> _Tables:
    options = build(GradeOptions, stage.options, where=f"{where} [stage.options]")
    drawn = overridden(Augmentation, recipe, "augmentation", options.augmentation, where=where)
    changes = overridden(ChangeShares, recipe, "changes", options.changes, where=where)
    data = data_table(GradeData, recipe, without=("augmentation", "changes"), where=where)
    return _Tables(data, drawn, changes, options)


def _validation(held_out: Photographs, tables: Sequence[Cube], side: int) -> list[CompositeBatch]:
    if not len(held_out):
        return []
    maker = CompositeMaker(held_out, tables, plain_augmentation(), side=side, seed=_VALIDATION_SEED)
    generator = torch.Generator().manual_seed(_VALIDATION_SEED)
    return [maker.draw(_VALIDATION_BATCH, generator) for _ in range(_VALIDATION_BATCHES)]


def _calibration(
    held_out: Photographs, tables: Sequence[Cube], changes: ChangeShares, side: int
) -> list[CompositeBatch]:
    """Draw composites as in training, but from held-out pictures."""
    if not len(held_out):
        return []
    maker = CompositeMaker(held_out, tables, plain_augmentation(), changes=changes, side=side, seed=_VALIDATION_SEED)
    generator = torch.Generator().manual_seed(_VALIDATION_SEED + 1)
    return [maker.draw(_VALIDATION_BATCH, generator) for _ in range(_CALIBRATION_BATCHES)]
