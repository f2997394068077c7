"""The adversarial objective of Huang et al., with a pixel-wise disharmony discriminator.

Huang et al., "Temporally Coherent Video Harmonization Using Adversarial Networks", IEEE TIP 29, 2020. The discriminator
sees harmonized frames without their masks and predicts the mask; for real frames it should predict that nothing was
changed. The network learns to produce frames that get this prediction too. Results of two frames are compared along the
motion where the foreground is visible in both (the paper's "regional" loss).

The paper's text was not available. The form of all losses, the discriminator and the loss weights are therefore this
project's: the temporal loss follows the version in published tables, and the adversarial weight is pix2pix's, 1 to 100.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from chromacord.color.alpha import over
from chromacord.lab.composites.augment import ClipBatch
from chromacord.lab.flow.warp import warp
from chromacord.lab.layers.convolutions import start_with_xavier
from chromacord.lab.layers.pictures import normalize, padded
from chromacord.lab.layers.unet import MULTIPLE, Encoder, UpBlock, widths
from chromacord.lab.objectives.pairs import PairsObjective, PairsOptions
from chromacord.lab.objectives.protocol import Batch
from chromacord.lab.training.recipe import Recipe, Stage, check_range


@dataclass(frozen=True)
class DisharmonyOptions(PairsOptions):
    """The options of a stage that trains pairs against a discriminator."""

    adversarial: float = 0.01
    """Weight of the adversarial loss."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        super().__post_init__()
        check_range("adversarial", self.adversarial, 0)


class DisharmonyDiscriminator(nn.Module):
    """A U-Net that predicts how much each pixel was changed: about 1 in composited foregrounds, about 0 elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder(inputs=3)
        finest, *coarser = widths()
        self.decoder = nn.ModuleList(UpBlock(width) for width in coarser[::-1])
        self.head = nn.Conv2d(finest, 1, 1)
        start_with_xavier(self)

    def forward(self, picture: Tensor) -> Tensor:
        """Predict the change of each pixel.

        Args:
            picture: RGB normalized by ImageNet's statistics. Shape (N, 3, H, W).

        Returns:
            Predictions, not limited to [0, 1]. Shape (N, 1, H, W).
        """
        height, width = picture.shape[-2:]
        picture = padded(picture, MULTIPLE)
        features, *skipped = self.encoder(picture)
        for block, finer in zip(self.decoder, skipped, strict=True):
            features = block(features, finer, picture[:, :1])  # instead of a mask, which no block here uses
        predicted: Tensor = self.head(features)
        return predicted[..., :height, :width]


class DisharmonyObjective(PairsObjective):
    """Trains iSSAM's network on pairs. See `chromacord.lab.objectives.protocol.AdversarialObjective`."""

    options_class = DisharmonyOptions

    def generate(self, module: nn.Module, batch: Batch) -> Tensor:
        """Return both frames, normalized and not composited. Shape (N, 2, C, S, S) to (N, 2, 3, S, S)."""
        return self._pair_of_pictures(module, ClipBatch(*batch))

    def adversary_loss(
        self, adversary: nn.Module, generated: Tensor, batch: Batch
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return squared errors of the predicted mask, for results and real frames. Shape (N, 2, C, S, S)."""
        clips = ClipBatch(*batch)
        of_generated = (adversary(_shown(generated, clips)) - clips.mask.flatten(0, 1)).square().mean()
        # Nothing was changed in a real frame, so the target is 0 everywhere.
        of_real = adversary(normalize(clips.real.flatten(0, 1))).square().mean()
        loss = of_generated + of_real
        return loss, {
            "adversary": loss.detach(),
            "adversary_generated": of_generated.detach(),
            "adversary_real": of_real.detach(),
        }

    def generator_loss(self, generated: Tensor, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the weighted sum of three terms. Shape (N, 2, C, S, S)."""
        clips, options = ClipBatch(*batch), self._pairs
        assert isinstance(options, DisharmonyOptions)
        terms = {
            "reconstruction": self._reconstruction(generated, clips),
            "temporal": self._regional(generated, clips),
            "adversarial": self.adversary(_shown(generated, clips)).square().mean(),
        }
        loss = (
            terms["reconstruction"] + options.temporal * terms["temporal"] + options.adversarial * terms["adversarial"]
        )
        return loss, {"loss": loss.detach(), **{name: term.detach() for name, term in terms.items()}}

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return `generator_loss` of what `generate` returns. Shape (N, 2, C, S, S)."""
        return self.generator_loss(self.generate(module, batch), batch)

    def _prepare(self, recipe: Recipe, stage: Stage) -> None:
        super()._prepare(recipe, stage)
        self.adversary: nn.Module = DisharmonyDiscriminator()

    def _regional(self, pictures: Tensor, clips: ClipBatch) -> Tensor:
        flow, back = (self._flows(clips.composite, start=start) for start in (1, 0))
        seen = visibility(clips.mask, flow, back)
        earlier, _ = warp(pictures[:, 0], flow, padding="border")
        squared = (seen * (pictures[:, 1] - earlier).square()).sum(dim=(1, 2, 3))
        return (squared / seen.sum(dim=(1, 2, 3)).clamp_min(1)).mean()


def visibility(mask: Tensor, flow: Tensor, back: Tensor) -> Tensor:
    """Return where the later frame's foreground is also visible in the earlier frame.

    A pixel counts as occluded if the flow forth and back does not return to it: |f + b|^2 > 0.01 (|f|^2 + |b|^2) + 0.5
    (Sundaram, Brox and Keutzer, "Dense Point Trajectories by GPU-accelerated Large Displacement Optical Flow", 2010).

    Args:
        mask: masks of the earlier and the later frame. Shape (N, 2, 1, H, W).
        flow: from the later to the earlier frame, in pixels. Shape (N, 2, H, W).
        back: from the earlier to the later frame. Shape (N, 2, H, W).

    Returns:
        Weights in [0, 1]. Shape (N, 1, H, W).
    """
    fetched, is_inside = warp(torch.cat([mask[:, 0], back], dim=1), flow, padding="border")
    mask_before, returned = fetched[:, :1], fetched[:, 1:]
    missed = (flow + returned).square().sum(dim=1, keepdim=True)
    lengths = (flow.square() + returned.square()).sum(dim=1, keepdim=True)
    return mask[:, 1] * mask_before * is_inside * (missed <= 0.01 * lengths + 0.5)


def _shown(pictures: Tensor, clips: ClipBatch) -> Tensor:
    """Composite pictures over their background. Shape (N, 2, 3, S, S) to (2 N, 3, S, S)."""
    composite, mask = clips.composite.flatten(0, 1), clips.mask.flatten(0, 1)
    return over(pictures.flatten(0, 1), normalize(composite), mask)
