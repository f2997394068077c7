"""The objective of SPyNet: optical flow from synthetic frame pairs, made on the fly.

All levels of a stage train in one pass, each with its own error, and no gradient passes between levels. This equals the
paper's training of one level after another, but without waste: one step trains all levels, on inputs from levels that
keep improving. With gradients through all levels, the same 70 seconds gave an error of 0.76 pixels instead of 0.72 (64
x 64; 1.72 without flow).

Coarse levels cost almost nothing (each level has four times the pixels of the previous one), so a recipe starts with
small pictures and few levels. Finer levels share the weights of the finest level that trains: when their stage comes,
each starts from the previous level's weights, as in the paper. At first it is best if all levels are one network
(`shared`): their tasks and inputs are nearly the same. Separate networks reached 0.75 pixels in the same 70 seconds.

The finest levels are expensive. They can train on crops (`side`) while the coarse ones are frozen (`frozen`).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.lab.composites.flow_motion import LAYERED, LAYERED_FRAME, WHOLE, Motion
from chromacord.lab.composites.flow_pairs import FlowPairs, PairMaker
from chromacord.lab.composites.photographs import Photographs
from chromacord.lab.flow.dis import DISFlow
from chromacord.lab.flow.spynet import NUM_LEVELS, SPyNet, upsample
from chromacord.lab.objectives.losses import end_point_error
from chromacord.lab.objectives.protocol import Batch
from chromacord.lab.training.picture_choice import PictureData, read_pictures
from chromacord.lab.training.recipe import Recipe, Stage, check_method, check_range, data_table, overridden
from chromacord.typed_tables import build
from chromacord.types import Progress

_COARSEST_SIDE = 8
"""Side of a whole picture at the first level: 256 at the sixth."""

_VALIDATION_SEED = 20
_VALIDATION_BATCHES, _VALIDATION_BATCH = 16, 4
_LAYERED_BATCHES, _LAYERED_BATCH = 6, 2


@dataclass(frozen=True)
class FlowData(PictureData):
    """The table [data] of a recipe."""

    picture_side: int = 256
    """Side of stored and validation pictures: 8 times a power of two."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        super().__post_init__()
        if self.picture_side not in [_whole(levels) for levels in range(1, NUM_LEVELS + 1)]:
            raise InputError(f"picture_side must be 8 times a power of two, up to 256, got {self.picture_side}")


@dataclass(frozen=True)
class FlowOptions:
    """The options of the stage."""

    levels: int = NUM_LEVELS
    """Number of levels in use, from the coarsest, which sees pictures reduced to 8 x 8."""

    frozen: int = 0
    """Number of frozen levels, from the coarsest."""

    shared: bool = False
    """Whether all levels that train are one network."""

    side: int = 0
    """Side of the crop, in pixels of the finest level; 0: the whole picture."""

    hidden: float = 0.25
    """Weight of occluded pixels, whose true flow is known but can only be guessed."""

    motion: Mapping[str, Any] = field(default_factory=dict)
    """This stage's overrides of [data.motion]."""

    layered_share: float = 0.0
    """Share of a batch's pairs whose many objects all move on their own, by large motions (`flow_motion.LAYERED`)."""

    layered: Mapping[str, Any] = field(default_factory=dict)
    """This stage's overrides of `LAYERED`."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        check_range("levels", self.levels, 1, NUM_LEVELS)
        check_range("frozen", self.frozen, 0, self.levels, is_open=True)
        check_range("hidden", self.hidden, 0, 1)
        check_range("layered_share", self.layered_share, 0, 1)
        finest = 2 ** (self.levels - 1)
        if not 0 <= self.side <= _whole(self.levels) or self.side % finest:
            raise InputError(f"side must be a multiple of {finest} up to {_whole(self.levels)}, got {self.side}")

    @property
    def last_own(self) -> int:
        """Index of the finest level with its own weights, which all finer levels share."""
        return self.frozen if self.shared else self.levels - 1


class _Tables(NamedTuple):
    """The parsed tables of a stage."""

    data: FlowData
    motion: Motion
    layered: Motion
    options: FlowOptions


class FlowNetwork(SPyNet):
    """SPyNet for training: returns the flow of every level, and finer levels may share one network."""

    def __init__(self, options: FlowOptions) -> None:
        super().__init__()
        self._used = options.levels
        for number in range(options.last_own + 1, NUM_LEVELS):
            self.levels[number] = self.levels[options.last_own]
        for number in range(options.frozen):
            self.levels[number].requires_grad_(requires_grad=False)

    def forward(self, first: Tensor, second: Tensor) -> list[Tensor]:  # type: ignore[override]
        """Return the flow after each level. See `SPyNet.flows`. Shape (N, 3, H, W)."""
        return self.flows(first, second, self._used, detached=True)


class FlowObjective:
    """Trains `SPyNet`. See `chromacord.lab.objectives.protocol.Objective`."""

    def __init__(
        self, recipe: Recipe, stage: Stage, folder: Path, *, progress: Callable[[Progress], object] | None = None
    ) -> None:
        """Read the pictures, and make the validation pairs.

        Args:
            recipe: the run's recipe.
            stage: a stage of the recipe.
            folder: folder of the training data.
            progress: called while pictures are read.

        Raises:
            InputError: the folder has no such pictures, or none are held out.
        """
        data, motion, layered, self._options = _tables(recipe, stage, where=f"recipe {recipe.name}")
        torch.manual_seed(recipe.seed)
        self.module: nn.Module = FlowNetwork(self._options)
        pictures = read_pictures(data, folder, progress=progress)
        trained, held_out, self.fingerprint = pictures.trained, pictures.held_out, pictures.fingerprint
        self.data: Mapping[str, int] = trained.sets()
        whole = _whole(self._options.levels)
        self._makers = [
            PairMaker(trained, drawn, side=self._options.side or whole, whole=whole) for drawn in (motion, layered)
        ]
        self._reduction = data.picture_side // whole
        self._validations = _validations(held_out, data.picture_side) if len(held_out) else {}

    @staticmethod
    def check(recipe: Recipe, stage: Stage, *, where: str) -> None:
        """Check the recipe's tables. See `Objective.check`."""
        data, _, _, options = _tables(recipe, stage, where=where)
        check_method(recipe, stage, "spynet", where=where)
        if recipe.network:
            raise InputError(f"{where} [network]: {', '.join(recipe.network)} is not known; SPyNet has no options")
        if _whole(options.levels) > data.picture_side:
            raise InputError(
                f"{where}: {options.levels} levels need [data] picture_side = {_whole(options.levels)}, "
                f"got {data.picture_side}"
            )
        for earlier in recipe.stages[: recipe.stages.index(stage)]:
            own = _tables(recipe, earlier, where=where).options.last_own
            if own > options.last_own:
                raise InputError(
                    f"{where} [stage.options]: level {own + 1} has weights of its own since an earlier stage, and "
                    f"would lose them to level {options.last_own + 1}; use as many levels as before, or more"
                )

    def begin(self) -> None:
        """Keep all weights of the previous stage. See `Objective.begin`."""

    def batch(self, count: int, seed: int) -> Batch:
        """Return both frames, the flow, and the visibility in the second frame."""
        generator = torch.Generator().manual_seed(seed)
        num_layered = round(count * self._options.layered_share)
        drawn = [
            maker.draw(number, generator)
            for maker, number in zip(self._makers, (count - num_layered, num_layered), strict=True)
            if number
        ]
        return tuple(torch.cat(parts) for parts in zip(*drawn, strict=True))

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the mean error of the training levels, each in its own pixels. See `Objective.loss`.

        Shape (N, ...).
        """
        pairs = FlowPairs(*batch)
        flows = module(pairs.first, pairs.second)
        weight = pairs.visible + self._options.hidden * (1 - pairs.visible)
        target, errors = pairs.flow, []
        for flow in reversed(flows[self._options.frozen :]):
            errors.append(end_point_error(flow, target, weight))
            # At half the size a motion is half as many pixels, and a pixel counts by the weight of the four
            # that it covers.
            target, weight = F.avg_pool2d(target, 2) / 2, F.avg_pool2d(weight, 2)
        loss = torch.stack(errors).mean()
        still = end_point_error(torch.zeros_like(pairs.flow), pairs.flow, pairs.visible)
        return loss, {"loss": loss.detach(), "epe": errors[0].detach(), "zero_epe": still}

    @torch.inference_mode()
    def validate(self, module: nn.Module) -> Mapping[str, float]:
        """Return errors on pairs from held-out pictures, in pixels of whole pictures. See `Objective.validate`.

        Figures of layered pairs begin with "layered_". If a stage uses few levels, pictures are reduced to their size
        and the flow is enlarged.
        """

        def estimate(first: Tensor, second: Tensor) -> Tensor:
            flow: Tensor = module(*(F.avg_pool2d(each, self._reduction) for each in (first, second)))[-1]
            while flow.shape[-1] < first.shape[-1]:
                flow = upsample(flow)
            return flow

        device = next(module.parameters()).device
        figures: dict[str, float] = {}
        for prefix, validation in self._validations.items():
            epe, hidden_epe = validation.errors(estimate, device)
            known = validation.known
            found = {"epe": epe, **known}
            found |= {"ratio_to_zero": epe / known["zero_epe"], "ratio_to_dis": epe / known["dis_epe"]}
            figures |= {prefix + name: value for name, value in {**found, "hidden_epe": hidden_epe}.items()}
        return figures


class _Validation:
    """Validation pairs, and the errors of baselines on them."""

    def __init__(self, batches: list[FlowPairs]) -> None:
        self._batches = batches
        cpu = torch.device("cpu")
        zero, _ = self.errors(lambda first, _: torch.zeros_like(first[:, :2]), cpu)
        dis, _ = self.errors(DISFlow(), cpu)
        self.known = {"zero_epe": zero, "dis_epe": dis}

    def errors(self, estimate: Callable[[Tensor, Tensor], Tensor], device: torch.device) -> tuple[float, float]:
        """Return the mean end-point errors of visible and of occluded pixels."""
        sums = torch.zeros(2, 2, dtype=torch.float64)
        for pairs in self._batches:
            flow = estimate(pairs.first.to(device), pairs.second.to(device)).cpu()
            distance = (flow - pairs.flow).norm(dim=1, keepdim=True)
            for number, weight in enumerate((pairs.visible, 1 - pairs.visible)):
                sums[number] += torch.stack([(weight * distance).sum(), weight.sum()])
        seen, hidden = (sums[:, 0] / sums[:, 1].clamp_min(1)).tolist()
        return seen, hidden


def _validations(held_out: Photographs, side: int) -> dict[str, _Validation]:
    """Return the validation pairs by the prefix of their figures."""
    plain = PairMaker(held_out, Motion(), side=side)
    height, width = (length * side // WHOLE for length in LAYERED_FRAME)
    layered = PairMaker(held_out, LAYERED, side=height, width=width, whole=side)
    counts = {
        "": (plain, _VALIDATION_BATCHES, _VALIDATION_BATCH),
        "layered_": (layered, _LAYERED_BATCHES, _LAYERED_BATCH),
    }
    made = {}
    for prefix, (maker, batches, batch) in counts.items():
        generator = torch.Generator().manual_seed(_VALIDATION_SEED)
        made[prefix] = _Validation([maker.draw(batch, generator) for _ in range(batches)])
    return made


def _tables(recipe: Recipe, stage: Stage, *, where: str) -> _Tables:
    options = build(FlowOptions, stage.options, where=f"{where} [stage.options]")
    drawn = overridden(Motion, recipe, "motion", options.motion, where=where)
    layered = build(Motion, {**asdict(LAYERED), **options.layered}, where=f"{where} [stage.options.layered]")
    return _Tables(data_table(FlowData, recipe, without=("motion",), where=where), drawn, layered, options)


def _whole(levels: int) -> int:
    """Return the side of a whole picture at the finest of `levels` levels."""
    return _COARSEST_SIDE << (levels - 1)
