"""The objective of Huang et al. as used in published tables: pairs of frames, the later consistent with the earlier.

This is the "simple version" trained by CO2Net's authors: FN-MSE of the later frame, and 0.01 times the squared error
between both results after warping the earlier one along optical flow. That error covers whole normalized frames,
including occluded pixels; gradients flow through both.

Two differences from theirs. Flow comes from this project's sources; theirs is FlowNet2's, which received normalized
pictures although it expects 0 to 255, and can hardly have been accurate. A clip's first frame is only used as an
earlier frame, where theirs is also paired with itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.lab.composites.augment import ClipBatch
from chromacord.lab.flow.spynet import SHIPPED, SPyNet
from chromacord.lab.flow.warp import warp
from chromacord.lab.layers.pictures import normalize
from chromacord.lab.networks.chen2024_network import DIS
from chromacord.lab.objectives.losses import foreground_normalized
from chromacord.lab.objectives.paper_stages import FramesObjective, FramesOptions
from chromacord.lab.objectives.protocol import Batch
from chromacord.lab.training.recipe import Recipe, Stage, check_range


@dataclass(frozen=True)
class PairsOptions(FramesOptions):
    """The options of a stage that trains pairs."""

    temporal: float = 0.01
    """Weight of the error between both results."""

    flow: Literal["dis", "spynet"] = "dis"
    flow_weights: str = SHIPPED
    """SPyNet's weights: shipped ones, or the path, relative to the working directory, of a .safetensors file or a
    published checkpoint."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        super().__post_init__()
        check_range("temporal", self.temporal, 0)
        if self.flow == "dis" and self.flow_weights != SHIPPED:
            raise InputError("flow_weights are for flow = 'spynet'; set it, or leave them out")


class PairsObjective(FramesObjective):
    """Trains iSSAM's network on pairs of frames. See `chromacord.lab.objectives.protocol.Objective`."""

    options_class: type[PairsOptions] = PairsOptions
    trains = ("huang2019",)

    def batch(self, count: int, seed: int) -> Batch:
        """Return composites, masks and real frames, the earlier frame first. Shape (N, 2, C, S, S) each."""
        return tuple(self._trained.draw_clips(count, 2, torch.Generator().manual_seed(seed)))

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of one batch. See `Objective.loss`. Shape (N, 2, C, S, S)."""
        clips = ClipBatch(*batch)
        pictures = self._pair_of_pictures(module, clips)
        reconstruction = self._reconstruction(pictures, clips)
        earlier, _ = warp(pictures[:, 0], self._flows(clips.composite), padding="border")
        temporal = (pictures[:, 1] - earlier).square().mean()
        loss = reconstruction + self._pairs.temporal * temporal
        return loss, {
            "loss": loss.detach(),
            "reconstruction": reconstruction.detach(),
            "temporal": temporal.detach(),
        }

    def _prepare(self, recipe: Recipe, stage: Stage) -> None:
        """Prepare the network, and load the flow estimator."""
        super()._prepare(recipe, stage)
        options = self._pairs
        try:
            self._flow: nn.Module = DIS() if options.flow == "dis" else SPyNet(weights=options.flow_weights).eval()
        except InputError as error:
            raise type(error)(f"recipe {recipe.name} [stage.options]: flow_weights: {error}") from error

    @property
    def _pairs(self) -> PairsOptions:
        assert isinstance(self._options, PairsOptions)
        return self._options

    def _pair_of_pictures(self, module: nn.Module, clips: ClipBatch) -> Tensor:
        """Return normalized pictures before compositing. Shape (N, 2, 3, S, S)."""
        pictures = self._pictures(module, clips)
        return pictures.view(-1, 2, *pictures.shape[1:])

    def _reconstruction(self, pictures: Tensor, clips: ClipBatch) -> Tensor:
        """Return the FN-MSE of the later frames."""
        squared = (pictures[:, 1] - normalize(clips.real[:, 1])).square()
        return foreground_normalized(squared, clips.mask[:, 1], least_area=self._pairs.least_area).mean()

    @torch.no_grad()
    def _flows(self, frames: Tensor, *, start: int = 1) -> Tensor:
        """Return the flow from one of the frames, the later or the earlier, to the other. Shape (N, 2, S, S)."""
        flow: Tensor = self._flow.to(frames.device)(frames[:, start], frames[:, 1 - start])
        return flow
