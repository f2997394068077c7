"""The objectives of iSSAM and the paper's network: single frames (stage 1) and windows of frames (stage 2).

Chen et al. 2024, section 4.2: stage 1 by the foreground-normalised squared error of Sofiiuk et al. 2021, stage 2 by the
absolute error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from chromacord.color.alpha import over
from chromacord.errors import InputError
from chromacord.lab.composites.augment import ClipBatch
from chromacord.lab.flow.spynet import SHIPPED, SPyNet, load_weights
from chromacord.lab.layers.pictures import denormalize, normalize
from chromacord.lab.networks.chen2024_network import Chen2024Network, middle
from chromacord.lab.objectives.losses import foreground_normalized
from chromacord.lab.objectives.protocol import Batch
from chromacord.lab.training.draws import StageOptions, open_sources, read_tables, validation_windows
from chromacord.lab.training.recipe import Recipe, Stage
from chromacord.methods import METHODS
from chromacord.methods.spec import check_options
from chromacord.types import Progress

CLIPS = "harmonize_clips"
"""What recipes call the objective of stage 2."""

_VIDEO = "chen2024"
"""The method that has a second stage."""


@dataclass(frozen=True)
class FramesOptions(StageOptions):
    """The options of a stage that learns frames."""

    least_area: float = 1000.0
    """Pixels of a frame of 256 x 256 that a foreground counts for at the least."""

    def __post_init__(self) -> None:
        """Refuse an area that divides by nothing.

        Raises:
            InputError: names it.
        """
        if not self.least_area > 0:
            raise InputError(f"least_area must be above 0, got {self.least_area}")


@dataclass(frozen=True)
class ClipsOptions(FramesOptions):
    """The options of a stage that learns windows."""

    region: Literal["frame", "foreground"] = "frame"
    """The absolute error's mean over the whole frame, or over the foreground's area (with `least_area`)."""

    train_image: bool = False
    """Train encoder and harmonization too; the paper does not say."""

    train_flow: bool = False
    """Train the estimator of flow too: without pretrained weights it knows nothing (table 2, row 4)."""

    flow_weights: str = SHIPPED
    """What the stage begins with where [network] has flow = "spynet": shipped weights, or the path of a .safetensors
    file or of a published checkpoint, from where the command runs."""


class FramesObjective:
    """Stage 1: FN-MSE of whole pictures, normalised, not laid over their background. See `Objective`."""

    options_class: type[StageOptions] = FramesOptions
    trains: tuple[str, ...] = ("issam", _VIDEO)
    """The methods that it is for."""

    def __init__(
        self, recipe: Recipe, stage: Stage, folder: Path, *, progress: Callable[[Progress], object] | None = None
    ) -> None:
        """Build the network and open the data.

        Args:
            recipe: of the run.
            stage: of the recipe.
            folder: of the training data.
            progress: called while pictures are read.

        Raises:
            InputError: the folder does not hold what the recipe says, or some stage's weights of flow cannot be used.
        """
        check_flow_weights(recipe)
        tables = read_tables(recipe, stage, self.options_class, where=f"recipe {recipe.name}")
        self._data = tables.data
        self._is_video = recipe.method == _VIDEO
        torch.manual_seed(recipe.seed)
        module = _network(recipe)
        # Half-precision convolutions are 10 % faster this way, also on a CPU.
        self.module: nn.Module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._freeze(tables.options)
        sources = open_sources(tables.data, tables.augmentation, folder, seed=recipe.seed, progress=progress)
        self._trained, self._held_out = sources.trained, sources.held_out
        self.data, self.fingerprint = sources.sets, sources.fingerprint
        self._options = tables.options

    @classmethod
    def check(cls, recipe: Recipe, stage: Stage, *, where: str) -> None:
        """Refuse tables of a recipe that cannot be used. See `Objective.check`."""
        read_tables(recipe, stage, cls.options_class, where=where)
        if recipe.method not in cls.trains:
            raise InputError(
                f"{where}: the objective {stage.objective!r} trains {' or '.join(cls.trains)}, not {recipe.method!r}"
            )
        if fixed := [name for name in ("weights", "working_side", "hop") if name in recipe.network]:
            raise InputError(f"{where} [network]: {fixed[0]} does not affect training; remove it")
        try:
            check_options(recipe.method, METHODS[recipe.method], recipe.network)
            _network(recipe)
        except InputError as error:
            raise InputError(f"{where} [network]: {error}") from error

    def begin(self) -> None:
        """Take everything over. See `Objective.begin`."""

    def batch(self, count: int, seed: int) -> Batch:
        """Return composites, masks and real frames. Shape (N, 1, C, S, S) each."""
        return tuple(self._trained.draw_clips(count, 1, torch.Generator().manual_seed(seed)))

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of one batch. See `Objective.loss`. Shape (N, 1, C, S, S)."""
        clips = ClipBatch(*batch)
        picture = self._pictures(module, clips)
        real, mask = clips.real.flatten(0, 1), clips.mask.flatten(0, 1)
        squared = (picture - normalize(real)).square()
        assert isinstance(self._options, FramesOptions)
        loss = foreground_normalized(squared, mask, least_area=self._options.least_area).mean()
        return loss, {"loss": loss.detach()}

    @torch.inference_mode()
    def validate(self, module: nn.Module) -> Mapping[str, float]:
        """Return errors of foregrounds that are held out, on the 0-255 scale. See `Objective.validate`."""
        device = next(module.parameters()).device
        after: list[Tensor] = []
        before: list[Tensor] = []
        for windows in validation_windows(self._held_out, self._data.num_validated, self._length()):
            clips = ClipBatch(*(part.to(device) for part in windows))
            mask, real, composite = (part.flatten(0, 1) for part in (clips.mask, clips.real, clips.composite))
            harmonized = self._harmonized(module, clips).clamp(0, 1).flatten(0, 1)
            if len(harmonized) != len(real):
                places = self._middle()
                mask, real, composite = mask[places], real[places], composite[places]
            for errors, frames in ((after, harmonized), (before, composite)):
                errors.append(foreground_normalized((frames - real).square(), mask, least_area=1.0))
        if not after:
            return {}
        squared, composed = (255**2 * float(torch.cat(errors).mean()) for errors in (after, before))
        return {"fmse": squared, "composite_fmse": composed, "ratio": squared / max(composed, 1e-9)}

    def _freeze(self, options: StageOptions) -> None:  # noqa: ARG002
        """Leave alone what is of no use to single frames."""
        if self._is_video:
            for part in (self.module.temporal, self.module.flow):
                if isinstance(part, nn.Module):
                    part.requires_grad_(requires_grad=False)

    def _length(self) -> int:
        return 1

    def _middle(self) -> slice:
        place = middle(self._length())
        return slice(place.start, place.stop)

    def _pictures(self, module: nn.Module, clips: ClipBatch) -> Tensor:
        """Return whole pictures, normalised. Shape (N * T, 3, S, S)."""
        if self._is_video:
            video: Tensor = module(clips.composite, clips.mask, stage=1)
            return video.flatten(0, 1)
        picture: Tensor = module(clips.composite.flatten(0, 1), clips.mask.flatten(0, 1)).picture
        return picture

    def _harmonized(self, module: nn.Module, clips: ClipBatch) -> Tensor:
        """Return frames in [0, 1], laid over their background. Shape (N, T, 3, S, S)."""
        picture = denormalize(self._pictures(module, clips)).view_as(clips.composite)
        return over(picture, clips.composite, clips.mask)


class ClipsObjective(FramesObjective):
    """Stage 2: the absolute error of windows, laid over their background; stage 1 is frozen. See `Objective`."""

    options_class = ClipsOptions

    def __init__(
        self, recipe: Recipe, stage: Stage, folder: Path, *, progress: Callable[[Progress], object] | None = None
    ) -> None:
        """Build the network and open the data. See `FramesObjective`."""
        self._num_frames = num_frames(recipe)
        self._head = _option(recipe, "head")
        super().__init__(recipe, stage, folder, progress=progress)
        self._flow_weights = _flow_weights(recipe, stage)
        self.begin()

    @classmethod
    def check(cls, recipe: Recipe, stage: Stage, *, where: str) -> None:
        """Refuse tables of a recipe that cannot be used. See `Objective.check`."""
        super().check(recipe, stage, where=where)
        if recipe.method != _VIDEO or recipe.network.get("stage", 2) != 2:
            raise InputError(f"{where}: only {_VIDEO} with stage 2 learns windows; set method and [network]")
        options = read_tables(recipe, stage, cls.options_class, where=where).options
        assert isinstance(options, ClipsOptions)
        if options.flow_weights != SHIPPED and _flow_weights(recipe, stage) is None:
            raise InputError(
                f"{where} [stage.options]: flow_weights are for flow = {SHIPPED!r} in [network]; set it, or leave them "
                "out"
            )
        # Unused parts would get no gradient, for which several processes would wait forever.
        fewest = 3 if recipe.network.get("output") == "centre" else 2
        if num_frames(recipe) < fewest:
            raise InputError(
                f"{where} [network]: windows need frames = {fewest} or more to learn from neighbours, got "
                f"{num_frames(recipe)}"
            )
        is_first = stage == recipe.stages[0]
        if is_first and recipe.start is None and not options.train_image:
            raise InputError(
                f"{where}: needs a network trained on single frames; give the weights of such a run with --start, "
                "or put a stage harmonize_frames before it"
            )

    def begin(self) -> None:
        """Load the weights of flow: those of a stage before, which needs no flow, are random. See `Objective.begin`."""
        flow = self.module.flow
        if self._flow_weights is not None and isinstance(flow, SPyNet):
            load_weights(flow, self._flow_weights)

    def batch(self, count: int, seed: int) -> Batch:
        """Return composites, masks and real frames. Shape (N, T, C, S, S) each."""
        return tuple(self._trained.draw_clips(count, self._num_frames, torch.Generator().manual_seed(seed)))

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of one batch. See `Objective.loss`. Shape (N, T, C, S, S)."""
        clips = ClipBatch(*batch)
        harmonized = self._harmonized(module, clips)
        places = slice(None) if harmonized.shape[1] == self._num_frames else self._middle()
        error = (harmonized - clips.real[:, places]).abs().flatten(0, 1)
        if isinstance(self._options, ClipsOptions) and self._options.region == "foreground":
            mask = clips.mask[:, places].flatten(0, 1)
            loss = foreground_normalized(error, mask, least_area=self._options.least_area).mean()
        else:
            loss = error.mean()
        return loss, {"loss": loss.detach()}

    def _freeze(self, options: StageOptions) -> None:
        assert isinstance(options, ClipsOptions)
        for name, is_trained in (("image", options.train_image), ("flow", options.train_flow)):
            part = getattr(self.module, name)
            if part is not None:
                part.requires_grad_(requires_grad=is_trained)
        if options.train_flow and isinstance(self.module, Chen2024Network) and isinstance(self.module.flow, SPyNet):
            side, flow = max(1, round(self._data.side / self.module.flow_reduction)), self.module.flow
            # At this size the finest networks get no gradient, for which several processes would wait forever.
            flow.levels[flow.num_levels(side, side) :].requires_grad_(requires_grad=False)
        if self._head != "residual":  # other heads do not use stage 1's output, so its own head gets no gradient
            head: nn.Module = self.module.image.head  # type: ignore[union-attr, assignment]
            head.requires_grad_(requires_grad=False)

    def _length(self) -> int:
        return self._num_frames

    def _harmonized(self, module: nn.Module, clips: ClipBatch) -> Tensor:
        frames: Tensor = module(clips.composite, clips.mask, stage=2)
        return frames


def check_flow_weights(recipe: Recipe) -> None:
    """Refuse a recipe some stage of which begins with weights of flow that cannot be loaded.

    That stage would say so itself, but hours later: those before it need no flow.

    Raises:
        InputError: they cannot be read, or are of another network; names the stage.
    """
    for number, stage in enumerate(recipe.stages, 1):
        source = _flow_weights(recipe, stage)
        if source is None:
            continue
        where = f"recipe {recipe.name}, stage {number} [stage.options]"
        try:
            load_weights(SPyNet(), source)
        except InputError as error:
            raise type(error)(f"{where}: flow_weights: {error}") from error


def _flow_weights(recipe: Recipe, stage: Stage) -> str | None:
    """Return what a stage begins its estimator of flow with; None for stages that need none."""
    if stage.objective != CLIPS or _option(recipe, "flow") != SHIPPED:
        return None
    return str(stage.options.get("flow_weights", SHIPPED))


def _network(recipe: Recipe) -> nn.Module:
    """Build the network that the method's options ask for, with weights as training starts from.

    Raises:
        InputError: an option is out of its range.
    """
    method: Any = METHODS[recipe.method](weights=None, **recipe.network)  # type: ignore[call-arg]
    network: nn.Module = method.network
    return network


def num_frames(recipe: Recipe) -> int:
    """Return the frames of a window, of a recipe for the paper's method."""
    return int(_option(recipe, "frames"))


def _option(recipe: Recipe, name: str) -> Any:
    """Return what [network] says of an option, or the method's constructor."""
    method: Any = METHODS[_VIDEO]
    return recipe.network.get(name, signature(method).parameters[name].default)
