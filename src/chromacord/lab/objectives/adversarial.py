"""The objective of DoveNet and RainNet: reproduce real colours, and deceive a domain-verification discriminator.

Cong et al., "DoveNet", CVPR 2020; Ling et al., "Region-aware Adaptive Instance Normalization", CVPR 2021. Terms and
weights are those of both authors' code. The generator minimizes the absolute error of pictures in [-1, 1] and both
adversarial scores; the discriminator minimizes the hinge loss of both scores and a gradient penalty of their mean.

DoveNet's pictures are judged directly, RainNet's after compositing over their background. RainNet's authors also train
on composites with the real picture's background (`real_background`); HYouTube's and iHarmony4's backgrounds were
compressed once more, and validation keeps them, because tests do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from chromacord.color.alpha import over
from chromacord.errors import InputError
from chromacord.lab.composites.augment import ClipBatch
from chromacord.lab.layers.pictures import from_signed, to_signed
from chromacord.lab.layers.pix2pix import MULTIPLE
from chromacord.lab.layers.verification import Scores, VerifyingDiscriminator
from chromacord.lab.objectives.losses import gradient_penalty, hinge
from chromacord.lab.objectives.paper_stages import FramesObjective
from chromacord.lab.objectives.protocol import Batch
from chromacord.lab.training.draws import StageOptions
from chromacord.lab.training.recipe import Recipe, Stage, check_range
from chromacord.methods.spec import MAX_WIDTH

_OVERLAID = "rainnet"
"""The method whose pictures are composited over their background before they are judged."""


@dataclass(frozen=True)
class VerifiedOptions(StageOptions):
    """The options of the stage."""

    reconstruction: float = 100.0
    """Weight of the absolute error, relative to the scores."""

    penalty: float = 10.0
    """Weight of the gradient penalty."""

    real_background: bool = False
    """Train on composites with the real picture's background, without additional compression."""

    adversary_width: int = 64
    """Channels of the discriminator's first layers."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        for name in ("reconstruction", "penalty"):
            check_range(name, getattr(self, name), 0)
        check_range("adversary_width", self.adversary_width, 1, MAX_WIDTH)


class VerifiedObjective(FramesObjective):
    """Trains `Pix2PixUNet` against `VerifyingDiscriminator`. See `AdversarialObjective`."""

    options_class = VerifiedOptions
    trains = ("dovenet", _OVERLAID)

    @classmethod
    def check(cls, recipe: Recipe, stage: Stage, *, where: str) -> None:
        """Check the recipe's tables. See `Objective.check`."""
        super().check(recipe, stage, where=where)
        if (side := recipe.data.get("side", MULTIPLE)) % MULTIPLE:
            raise InputError(f"{where} [data]: side must be a multiple of {MULTIPLE}, got {side}")

    def batch(self, count: int, seed: int) -> Batch:
        """Return composites, masks and real frames. Shape (N, 1, C, S, S) each."""
        clips = ClipBatch(*super().batch(count, seed))
        if self._chosen.real_background:
            clips = clips._replace(composite=over(clips.composite, clips.real, clips.mask))
        return tuple(clips)

    def generate(self, module: nn.Module, batch: Batch) -> Tensor:
        """Return pictures in [-1, 1]. See `AdversarialObjective`. Shape (N, 1, C, S, S) to (N, 3, S, S)."""
        composite, mask, _ = _frames(batch)
        picture: Tensor = module(composite, mask)
        return over(picture, to_signed(composite), mask) if self._is_overlaid else picture

    def adversary_loss(
        self, adversary: nn.Module, generated: Tensor, batch: Batch
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the discriminator's loss. See `AdversarialObjective`. Shape (N, 3, S, S) and (N, 1, C, S, S)."""
        _, mask, real = _frames(batch)
        made, true = adversary(generated, mask), adversary(to_signed(real), mask)
        penalty = gradient_penalty(lambda mixed: adversary(mixed, mask).mean, to_signed(real), generated)
        hinges = hinge(true.picture, made.picture) + hinge(true.domains, made.domains)
        loss = hinges + self._chosen.penalty * penalty
        return loss, {"adversary": hinges.detach(), "penalty": penalty.detach()}

    def generator_loss(self, generated: Tensor, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the generator's loss. See `AdversarialObjective`. Shape (N, 3, S, S) and (N, 1, C, S, S)."""
        _, mask, real = _frames(batch)
        error = (generated - to_signed(real)).abs().mean()
        scores: Scores = self.adversary(generated, mask)
        picture, domains = scores.picture.mean(), scores.domains.mean()
        loss = self._chosen.reconstruction * error - picture - domains
        figures = {"loss": loss, "error": error, "picture_score": picture, "domain_score": domains}
        return loss, {name: value.detach() for name, value in figures.items()}

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the generator's loss of one batch. See `Objective.loss`. Shape (N, 1, C, S, S)."""
        return self.generator_loss(self.generate(module, batch), batch)

    def _prepare(self, recipe: Recipe, stage: Stage) -> None:
        super()._prepare(recipe, stage)
        self.adversary: nn.Module = VerifyingDiscriminator(self._chosen.adversary_width)
        self._is_overlaid = recipe.method == _OVERLAID

    @property
    def _chosen(self) -> VerifiedOptions:
        assert isinstance(self._options, VerifiedOptions)
        return self._options

    def _harmonized(self, module: nn.Module, clips: ClipBatch) -> Tensor:
        picture = from_signed(module(clips.composite.flatten(0, 1), clips.mask.flatten(0, 1)))
        return over(picture.view_as(clips.composite), clips.composite, clips.mask)


def _frames(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Return composites, masks and real frames as single-frame batches. Shape (N, C, S, S)."""
    composite, mask, real = (part.flatten(0, 1) for part in batch)
    return composite, mask, real
