"""What ShotGrade learns: to give a recoloured foreground its real colours, from composites made on the fly."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chromacord.color.cube import Cube
from chromacord.color.transforms import apply_lut3d
from chromacord.data.augment import Augmentation, CompositeBatch, CompositeMaker
from chromacord.data.luts import read_luts
from chromacord.data.photographs import load_photographs
from chromacord.methods.shotgrade import GradeNetwork
from chromacord.training.losses import confidence_loss, root_error, squared_error
from chromacord.training.objectives import Batch
from chromacord.training.recipe import Recipe, Stage, parse
from chromacord.types import Progress

_VALIDATION_SEED = 20
_VALIDATION_BATCHES, _VALIDATION_BATCH = 8, 64


@dataclass(frozen=True)
class GradeData:
    """The table [data] of a recipe."""

    use: str = "train"
    licences: tuple[str, ...] | None = None
    """Of the folder's manifest.csv; without it all."""

    without: tuple[str, ...] = ()
    """Sets to leave out, as "still/labelme"."""

    picture_side: int = 192
    """What pictures are held at; composites are parts of them."""

    luts: str | None = None
    """Folder or archive of .cube files, below the data's folder."""

    held_out: float = 0.04
    """Share of the pictures that validate."""

    held_out_luts: float = 0.0
    """Share of the LUTs that validate and are not trained on; at 0 it validates on all LUTs."""


@dataclass(frozen=True)
class GradeOptions:
    """The options of the stage."""

    power: float = 0.5
    """Of `root_error`."""

    confidence: float = 0.02
    """Weight of `confidence_loss`."""

    num_pixels: int = 1024
    """Of each foreground that the error is taken at."""


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
        """
        data_values: dict[str, Any] = dict(recipe.data)
        augmentation = parse(Augmentation, data_values.pop("augmentation", {}), where="[data.augmentation]")
        data = parse(GradeData, data_values, where="[data]")
        self._options = parse(GradeOptions, stage.options, where="[stage.options]")
        torch.manual_seed(recipe.seed)
        network = GradeNetwork(**recipe.network)
        self.module: nn.Module = network
        photographs = load_photographs(
            folder,
            side=data.picture_side,
            use=data.use,
            licences=data.licences,
            without=data.without,
            progress=progress,
        )
        luts = read_luts(folder / data.luts) if data.luts is not None else {}
        trained, held_out = photographs.split(data.held_out)
        self.data: Mapping[str, int] = trained.sets()
        self.fingerprint = hashlib.sha256("\n".join([*photographs.names, *luts]).encode()).hexdigest()
        step = round(1 / data.held_out_luts) if data.held_out_luts else 0
        tables = list(luts.values())
        side = network.side
        self._maker = CompositeMaker(
            trained,
            [table for number, table in enumerate(tables) if not step or number % step],
            augmentation,
            side=side,
            num_pixels=self._options.num_pixels,
            seed=recipe.seed,
        )
        self._validation = _validation(held_out, tables[::step] if step else tables, side)

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


def _validation(held_out: Any, tables: list[Cube], side: int) -> list[CompositeBatch]:
    if not len(held_out):
        return []
    plain = replace(
        Augmentation(),
        lut_share=1.0,
        enhanced_share=1.0,
        enhanced_look_share=0.0,
        mixed_share=0.0,
        unchanged_share=0.0,
        relit_share=0.0,
        foreign_mask_share=0.0,
        inverted_share=0.0,
        num_looks=256,
    )
    maker = CompositeMaker(held_out, tables, plain, side=side, seed=_VALIDATION_SEED)
    generator = torch.Generator().manual_seed(_VALIDATION_SEED)
    return [maker.draw(_VALIDATION_BATCH, generator) for _ in range(_VALIDATION_BATCHES)]
