"""The objectives of iSSAM and the paper's network: single frames (stage 1) and windows of frames (stage 2).

Chen et al. 2024, section 4.2: stage 1 minimizes the foreground-normalized squared error of Sofiiuk et al. 2021, stage 2
the absolute error.
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
from chromacord.lab.training.recipe import Recipe, Stage, check_method
from chromacord.methods import METHODS
from chromacord.methods.spec import check_options
from chromacord.types import Progress

CLIPS = "harmonize_clips"
"""Name of stage 2's objective in recipes."""

_VIDEO = "chen2024"
"""The method with a second stage."""


@dataclass(frozen=True)
class FramesOptions(StageOptions):
    """The options of a stage that trains on single frames."""

    least_area: float = 1000.0
    """Minimum foreground size in pixels of a 256 x 256 frame, in the loss's denominator."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        if not self.least_area > 0:
            raise InputError(f"least_area must be above 0, got {self.least_area}")


@dataclass(frozen=True)
class ClipsOptions(FramesOptions):
    """The options of a stage that trains on windows."""

    region: Literal["frame", "foreground"] = "frame"
    """Average the absolute error over the whole frame, or over the foreground's area (with `least_area`)."""

    train_image: bool = False
    """Train encoder and harmonization too; the paper does not specify."""

    train_flow: bool = False
    """Train the flow estimator too; required without pretrained weights (table 2, row 4)."""

    flow_weights: str = SHIPPED
    """Initial flow weights if [network] has flow = "spynet": shipped ones, or the path, relative to the working
    directory, of a .safetensors file or a published checkpoint."""


class FramesObjective:
    """Stage 1: FN-MSE of normalized pictures before compositing. See `Objective`."""

    options_class: type[StageOptions] = FramesOptions
    trains: tuple[str, ...] = ("issam", _VIDEO)
    """The methods that it can train."""

    without_effect: tuple[str, ...] = ("weights", "working_side", "hop")
    """Options of the methods that training does not use."""

    def __init__(
        self, recipe: Recipe, stage: Stage, folder: Path, *, progress: Callable[[Progress], object] | None = None
    ) -> None:
        """Build the network and open the data.

        Args:
            recipe: the run's recipe.
            stage: a stage of the recipe.
            folder: folder of the training data.
            progress: called while pictures are read.

        Raises:
            InputError: the folder does not match the recipe, or a stage's flow weights cannot be used.
        """
        check_flow_weights(recipe)
        self._data, augmentation, self._options = read_tables(
            recipe, stage, self.options_class, where=f"recipe {recipe.name}"
        )
        self._is_video = recipe.method == _VIDEO
        torch.manual_seed(recipe.seed)
        module = _network(recipe)
        # Half-precision convolutions are 10 % faster this way, also on a CPU.
        self.module: nn.Module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._prepare(recipe, stage)
        sources = open_sources(self._data, augmentation, folder, seed=recipe.seed, progress=progress)
        self._trained, self._held_out = sources.trained, sources.held_out
        self.data, self.fingerprint = sources.sets, sources.fingerprint

    @classmethod
    def check(cls, recipe: Recipe, stage: Stage, *, where: str) -> None:
        """Check the recipe's tables. See `Objective.check`."""
        read_tables(recipe, stage, cls.options_class, where=where)
        check_method(recipe, stage, *cls.trains, where=where)
        if fixed := [name for name in cls.without_effect if name in recipe.network]:
            raise InputError(f"{where} [network]: {fixed[0]} does not affect training; remove it")
        try:
            check_options(recipe.method, METHODS[recipe.method], recipe.network)
            _network(recipe)
        except InputError as error:
            raise InputError(f"{where} [network]: {error}") from error

    def begin(self) -> None:
        """Keep all weights of the previous stage. See `Objective.begin`."""

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
        """Return errors of held-out foregrounds, on the 0-255 scale. See `Objective.validate`."""
        device = next(module.parameters()).device
        after: list[Tensor] = []
        before: list[Tensor] = []
        for windows in validation_windows(self._held_out, self._data.num_validated, self._length()):
            clips = ClipBatch(*(part.to(device) for part in windows))
            mask, real, composite = (part.flatten(0, 1) for part in (clips.mask, clips.real, clips.composite))
            harmonized = self._harmonized(module, clips).clamp(0, 1).flatten(0, 1)
            # With output = "centre" the network returns the middle frame of a window alone.
            if len(harmonized) != len(real):
                places = self._middle()
                mask, real, composite = mask[places], real[places], composite[places]
            for errors, frames in ((after, harmonized), (before, composite)):
                errors.append(foreground_normalized((frames - real).square(), mask, least_area=1.0))
        return validation_figures(after, before)

    def _prepare(self, recipe: Recipe, stage: Stage) -> None:  # noqa: ARG002
        """Prepare the new network for the stage: freeze the parts that single frames do not train."""
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
        """Return normalized pictures before compositing. Shape (N * T, 3, S, S)."""
        if self._is_video:
            video: Tensor = module(clips.composite, clips.mask, stage=1)
            return video.flatten(0, 1)
        picture: Tensor = module(clips.composite.flatten(0, 1), clips.mask.flatten(0, 1)).picture
        return picture

    def _harmonized(self, module: nn.Module, clips: ClipBatch) -> Tensor:
        """Return composited frames in [0, 1]. Shape (N, T, 3, S, S)."""
        picture = denormalize(self._pictures(module, clips)).view_as(clips.composite)
        return over(picture, clips.composite, clips.mask)


class ClipsObjective(FramesObjective):
    """Stage 2: the absolute error of composited windows; stage 1 is frozen. See `Objective`."""

    options_class = ClipsOptions

    @classmethod
    def check(cls, recipe: Recipe, stage: Stage, *, where: str) -> None:
        """Check the recipe's tables. See `Objective.check`."""
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
        # Unused parts would get no gradient, and several processes would wait for it forever.
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
        """Load the flow's weights, which are random after a stage that needs no flow. See `Objective.begin`."""
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

    def _prepare(self, recipe: Recipe, stage: Stage) -> None:
        self._num_frames, options = num_frames(recipe), self._options
        assert isinstance(options, ClipsOptions)
        for name, is_trained in (("image", options.train_image), ("flow", options.train_flow)):
            part = getattr(self.module, name)
            if part is not None:
                part.requires_grad_(requires_grad=is_trained)
        if options.train_flow and isinstance(self.module, Chen2024Network) and isinstance(self.module.flow, SPyNet):
            side, flow = max(1, round(self._data.side / self.module.flow_reduction)), self.module.flow
            # At this size the finest networks get no gradient, and several processes would wait for it forever.
            flow.levels[flow.num_levels(side, side) :].requires_grad_(requires_grad=False)
        if (
            _option(recipe, "head") != "residual"
        ):  # other heads do not use stage 1's output, so its own head gets no gradient
            head: nn.Module = self.module.image.head  # type: ignore[union-attr, assignment]
            head.requires_grad_(requires_grad=False)
        self._flow_weights = _flow_weights(recipe, stage)
        self.begin()

    def _length(self) -> int:
        return self._num_frames

    def _harmonized(self, module: nn.Module, clips: ClipBatch) -> Tensor:
        frames: Tensor = module(clips.composite, clips.mask, stage=2)
        return frames


def validation_figures(after: list[Tensor], before: list[Tensor]) -> dict[str, float]:
    """Return the mean errors of harmonized and of composited frames on the 0-255 scale; empty without frames.

    Args:
        after, before: squared errors of frames in [0, 1], by their foregrounds. Shape (N,) each.
    """
    if not after:
        return {}
    squared, composed = (255**2 * float(torch.cat(errors).mean()) for errors in (after, before))
    return {"fmse": squared, "composite_fmse": composed, "ratio": squared / max(composed, 1e-9)}


def check_flow_weights(recipe: Recipe) -> None:
    """Check that the flow weights of all stages can be loaded.

    A stage would report this itself, but possibly hours later, because earlier stages need no flow.

    Raises:
        InputError: weights cannot be read, or belong to another network; names the stage.
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
    """Return a stage's initial flow weights; None if it needs none."""
    if stage.objective != CLIPS or _option(recipe, "flow") != SHIPPED:
        return None
    return str(stage.options.get("flow_weights", SHIPPED))


def _network(recipe: Recipe) -> nn.Module:
    """Build the untrained network from the method's options.

    Raises:
        InputError: an option is out of range.
    """
    method: Any = METHODS[recipe.method](weights=None, **recipe.network)  # type: ignore[call-arg]
    network: nn.Module = method.network
    return network


def num_frames(recipe: Recipe) -> int:
    """Return the window length in a recipe for the paper's method."""
    return int(_option(recipe, "frames"))


def _option(recipe: Recipe, name: str) -> Any:
    """Return an option from [network], or the default of the method's constructor."""
    method: Any = METHODS[_VIDEO]
    return recipe.network.get(name, signature(method).parameters[name].default)
