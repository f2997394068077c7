"""What ShotGrade learns: to give a recoloured foreground its real colours, from composites made on the fly."""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from chromacord.color.cube import Cube
from chromacord.color.transforms import apply_lut3d
from chromacord.data.augment import Augmentation, CompositeBatch, CompositeMaker
from chromacord.data.luts import read_luts
from chromacord.data.photographs import Photographs
from chromacord.errors import InputError
from chromacord.methods.shotgrade import GradeNetwork
from chromacord.training.losses import confidence_loss, root_error, squared_error
from chromacord.training.objectives import Batch
from chromacord.training.pictures import PictureData, read_pictures
from chromacord.training.recipe import Recipe, Stage, check_range, parse
from chromacord.types import Progress

_VALIDATION_SEED = 20
_VALIDATION_BATCHES, _VALIDATION_BATCH, _VALIDATION_LOOKS = 8, 64, 256


@dataclass(frozen=True)
class GradeData(PictureData):
    """The table [data] of a recipe."""

    luts: str | None = None
    """Folder or archive of .cube files, below the data's folder."""

    held_out_luts: float = 0.0
    """Share of the LUTs that validate and are not trained on; at 0 it validates on all LUTs."""

    def __post_init__(self) -> None:
        """Refuse values that leave nothing to train on.

        Raises:
            InputError: names the value.
        """
        super().__post_init__()
        check_range("held_out_luts", self.held_out_luts, 0, 0.5)


@dataclass(frozen=True)
class GradeOptions:
    """The options of the stage."""

    power: float = 0.5
    """Of `root_error`."""

    confidence: float = 0.02
    """Weight of `confidence_loss`."""

    num_pixels: int = 1024
    """Of each foreground that the error is taken at."""

    augmentation: Mapping[str, Any] = field(default_factory=dict)
    """What this stage draws otherwise than [data.augmentation] says."""

    def __post_init__(self) -> None:
        """Refuse values that make no loss.

        Raises:
            InputError: names the value.
        """
        if not 0 < self.power <= 1:
            raise InputError(f"power must lie in 0..1, above 0, got {self.power}")
        check_range("confidence", self.confidence, 0)
        check_range("num_pixels", self.num_pixels, 1)


class _Tables(NamedTuple):
    """What a recipe says of a stage, in parts."""

    data: GradeData
    augmentation: Augmentation
    options: GradeOptions


class GradeObjective:
    """Trains `GradeNetwork`. See `chromacord.training.objectives.Objective`."""

    def __init__(
        self, recipe: Recipe, stage: Stage, folder: Path, *, progress: Callable[[Progress], object] | None = None
    ) -> None:
        """Read the pictures and make the tables.

        Args:
            recipe: of the run.
            stage: of the recipe.
            folder: of the training data.
            progress: called while pictures are read.

        Raises:
            InputError: the folder has no such pictures or LUTs, or none is held out.
        """
        data, augmentation, self._options = _tables(recipe, stage, where=f"recipe {recipe.name}")
        torch.manual_seed(recipe.seed)
        network = GradeNetwork(**recipe.network)
        self.module: nn.Module = network
        trained, held_out, names = read_pictures(data, folder, progress=progress)
        luts = read_luts(folder / data.luts) if data.luts is not None else {}
        self.data: Mapping[str, int] = trained.sets()
        self.fingerprint = hashlib.sha256("\n".join([*names, *luts]).encode()).hexdigest()
        tables, others = divided_luts(list(luts.values()), data.held_out_luts)
        side = network.side
        self._maker = CompositeMaker(
            trained,
            tables,
            augmentation,
            side=side,
            num_pixels=self._options.num_pixels,
            seed=recipe.seed,
        )
        self._validation = _validation(held_out, others, side)

    @staticmethod
    def check(recipe: Recipe, stage: Stage, *, where: str) -> None:
        """Refuse tables of a recipe that cannot be used. See `Objective.check`."""
        _tables(recipe, stage, where=where)
        if recipe.method != "shotgrade":
            raise InputError(f"{where}: the objective 'grade' trains the method 'shotgrade', not {recipe.method!r}")
        known = inspect.signature(GradeNetwork).parameters
        for name, value in recipe.network.items():
            if name not in known:
                raise InputError(f"{where} [network]: {name} is not known; choose one of {', '.join(known)}")
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"{where} [network]: {name} must be a whole number of 1 or more, got {value!r}")

    def begin(self) -> None:
        """Take everything over. See `Objective.begin`."""

    def batch(self, count: int, seed: int) -> Batch:
        """Return composites, masks, and the foregrounds' colours as they are and as they should be."""
        return tuple(self._maker.draw(count, torch.Generator().manual_seed(seed)))

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of one batch. See `Objective.loss`. Shape (N, ...)."""
        composites = CompositeBatch(*batch)
        estimate = module(composites.composite, composites.mask)
        squared = squared_error(apply_lut3d(composites.changed, estimate.lut), composites.real)
        trusted = confidence_loss(estimate.confidence, squared, squared_error(composites.changed, composites.real))
        loss = root_error(squared, power=self._options.power) + self._options.confidence * trusted
        figures = {"loss": loss, "rmse": 255 * squared.detach().sqrt().mean(), "confidence_loss": trusted}
        return loss, {name: value.detach() for name, value in figures.items()}

    @torch.inference_mode()
    def validate(self, module: nn.Module) -> Mapping[str, float]:
        """Return errors on held-out pictures, all recoloured as HYouTube was. See `Objective.validate`."""
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


def _tables(recipe: Recipe, stage: Stage, *, where: str) -> _Tables:
    values: dict[str, Any] = dict(recipe.data)
    augmentation = values.pop("augmentation", {})
    if not isinstance(augmentation, Mapping):
        raise InputError(f"{where} [data]: augmentation must be a table, got {augmentation!r}")
    options = parse(GradeOptions, stage.options, where=f"{where} [stage.options]")
    drawn = parse(Augmentation, augmentation, where=f"{where} [data.augmentation]")
    if options.augmentation:
        merged = {**augmentation, **options.augmentation}
        drawn = parse(Augmentation, merged, where=f"{where} [stage.options.augmentation]")
    return _Tables(parse(GradeData, values, where=f"{where} [data]"), drawn, options)


def divided_luts(tables: list[Cube], share: float) -> tuple[list[Cube], list[Cube]]:
    """Return the LUTs that are trained on, and those that validate: at a share of 0 all of them do both."""
    if not share:
        return tables, tables
    step = round(1 / share)
    return [table for number, table in enumerate(tables) if number % step], tables[::step]


def _validation(held_out: Photographs, tables: list[Cube], side: int) -> list[CompositeBatch]:
    if not len(held_out):
        return []
    maker = CompositeMaker(held_out, tables, plain_augmentation(), side=side, seed=_VALIDATION_SEED)
    generator = torch.Generator().manual_seed(_VALIDATION_SEED)
    return [maker.draw(_VALIDATION_BATCH, generator) for _ in range(_VALIDATION_BATCHES)]


def plain_augmentation() -> Augmentation:
    """Return how composites that validate are made: recoloured as HYouTube's were, and nothing else."""
    return replace(
        Augmentation(),
        lut_share=1.0,
        enhanced_share=1.0,
        enhanced_look_share=0.0,
        mixed_share=0.0,
        unchanged_share=0.0,
        relit_share=0.0,
        foreign_mask_share=0.0,
        inverted_share=0.0,
        num_looks=_VALIDATION_LOOKS,
    )
