"""The objective of CO2Net's refinement (Lu et al. 2022, stage 2), with a frozen, pretrained backbone."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from chromacord.errors import InputError
from chromacord.lab.composites.augment import ClipBatch
from chromacord.lab.methods.co2net import build_backbone
from chromacord.lab.networks.co2net_network import FUTURE, PAST
from chromacord.lab.objectives.losses import foreground_normalized
from chromacord.lab.objectives.paper_stages import FramesObjective, validation_figures
from chromacord.lab.objectives.protocol import Batch
from chromacord.lab.training.draws import StageOptions, read_tables, validation_windows
from chromacord.lab.training.recipe import Recipe, Stage, check_range

_LEAST_AREA = 1.0
"""The authors set no minimum, and divide by zero for frames without a foreground."""


@dataclass(frozen=True)
class RefinementOptions(StageOptions):
    """The options of a stage that trains the refinement."""

    backbone_weights: str | None = None
    """The backbone's weights: shipped ones, or the path, relative to the working directory, of a .safetensors file or a
    published checkpoint. None: they are included in the run's initial weights."""

    frames: int = 20
    """Length of the clips that windows are drawn from, including their ends: HYouTube's have 20 frames."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        check_range("frames", self.frames, 1)


class RefinementObjective(FramesObjective):
    """The squared error of composited frames in [0, 1]. See `Objective`."""

    options_class = RefinementOptions
    trains = ("co2net",)

    @classmethod
    def check(cls, recipe: Recipe, stage: Stage, *, where: str) -> None:
        """Check the recipe's tables. See `Objective.check`."""
        if "backbone_weights" in recipe.network:
            raise InputError(f"{where} [network]: backbone_weights stands in [stage.options]; omit it")
        super().check(recipe, stage, where=where)
        options = read_tables(recipe, stage, RefinementOptions, where=where).options
        if options.backbone_weights is None and recipe.start is None:
            raise InputError(
                f"{where} [stage.options]: needs a trained backbone; name its weights as backbone_weights, "
                "or give those of such a run with --start"
            )

    def begin(self) -> None:
        """Load the backbone's weights if the stage names them. See `Objective.begin`."""
        weights = self._chosen.backbone_weights
        if weights is not None:
            trained = build_backbone(self._backbone, weights, width=self._width)
            self._of_backbone.load_state_dict(trained.state_dict())

    def batch(self, count: int, seed: int) -> Batch:
        """Return windows around frames at any position of a clip, and the ground truth of those frames.

        Shape (N, 17, C, S, S) of composites and masks, (N, 1, 3, S, S) of real frames.
        """
        generator = torch.Generator().manual_seed(seed)
        clips = self._trained.draw_clips(count, self._chosen.frames, generator)
        return windows_around(clips, torch.randint(self._chosen.frames, (count,), generator=generator))

    def loss(self, module: torch.nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of one batch. See `Objective.loss`. Shapes as from `batch`."""
        composite, mask, real = batch
        squared = (module(composite, mask) - real).square()
        loss = foreground_normalized(squared[:, 0], mask[:, PAST], least_area=_LEAST_AREA).mean()
        return loss, {"loss": loss.detach()}

    @torch.inference_mode()
    def validate(self, module: torch.nn.Module) -> Mapping[str, float]:
        """Return errors of all frames of held-out clips, on the 0-255 scale. See `Objective.validate`."""
        device = next(module.parameters()).device
        after: list[Tensor] = []
        before: list[Tensor] = []
        for clips in validation_windows(self._held_out, self._data.num_validated, self._chosen.frames):
            whole = windows_around(
                ClipBatch(*(part.to(device) for part in clips)), torch.zeros(1, dtype=torch.long), hop=None
            )
            composite, mask, real = whole
            inner = slice(PAST, composite.shape[1] - FUTURE)
            harmonized = module(composite, mask).clamp(0, 1)
            for errors, frames in ((after, harmonized), (before, composite[:, inner])):
                squared = (frames - real).square()[0]
                errors.append(foreground_normalized(squared, mask[0, inner], least_area=_LEAST_AREA))
        return validation_figures(after, before)

    def _prepare(self, recipe: Recipe, stage: Stage) -> None:  # noqa: ARG002
        """Freeze the backbone and load its weights."""
        self._backbone, self._width = str(recipe.network.get("backbone", "issam")), recipe.network.get("width")
        self._of_backbone.requires_grad_(requires_grad=False)
        try:
            self.begin()
        except InputError as error:
            raise type(error)(f"recipe {recipe.name} [stage.options]: backbone_weights: {error}") from error

    @property
    def _chosen(self) -> RefinementOptions:
        assert isinstance(self._options, RefinementOptions)
        return self._options

    @property
    def _of_backbone(self) -> torch.nn.Module:
        backbone = self.module.backbone
        assert isinstance(backbone, torch.nn.Module)
        return backbone


def windows_around(clips: ClipBatch, places: Tensor, *, hop: int | None = 1) -> Batch:
    """Return `hop` frames from `places` on, with neighbours; a clip's first and last frame replace missing ones.

    Args:
        clips: clips to cut. Shape (N, T, C, S, S) each.
        places: first frame in each clip. Shape (N,).
        hop: number of frames; None: the whole clip.

    Returns:
        Composites and masks, Shape (N, 8 + hop + 8, C, S, S), and real frames, Shape (N, hop, 3, S, S).
    """
    num_frames = clips.composite.shape[1]
    inner = torch.arange(num_frames if hop is None else hop)
    around = torch.arange(-PAST, len(inner) + FUTURE)
    rows = torch.arange(len(places))[:, None]
    index = (places[:, None] + around).clamp(0, num_frames - 1)
    return clips.composite[rows, index], clips.mask[rows, index], clips.real[rows, places[:, None] + inner]
