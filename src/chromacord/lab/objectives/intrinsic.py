"""The objective of IIH: decompose composites into reflectance and illumination, without ground truth for either.

Guo et al., "Intrinsic Image Harmonization", CVPR 2021; terms and weights are those of their code at its tag v1.0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.color.alpha import over
from chromacord.errors import InputError
from chromacord.lab.composites.augment import ClipBatch
from chromacord.lab.networks.iih_network import SIDE, IntrinsicPictures
from chromacord.lab.objectives.paper_stages import FramesObjective
from chromacord.lab.objectives.protocol import Batch
from chromacord.lab.training.draws import StageOptions
from chromacord.lab.training.recipe import Recipe, Stage, check_range

_WINDOW, _DEVIATION, _CONTRAST = 11, 1.5, 0.03**2
"""Parameters of the structural similarity: Gaussian window and deviation, and the stabilizing constant."""

_GREY = (0.2989, 0.5870, 0.1140)


@dataclass(frozen=True)
class IntrinsicOptions(StageOptions):
    """The options of the stage: the weights of its five terms."""

    reconstruction: float = 100.0
    """Weight of the absolute error of the full harmonized picture, before compositing."""

    reflectance: float = 10.0
    """Weight of the absolute error of the reflectance's gradients: its edges are the real picture's."""

    illumination: float = 1.0
    """Weight of the squared error of the illumination against the real picture."""

    smoothness: float = 10.0
    """Weight of the illumination's roughness: its mean absolute second differences."""

    guide: float = 100.0
    """Weight of the structural difference between the attention's features and the real picture."""

    def __post_init__(self) -> None:
        """Check the weights.

        Raises:
            InputError: a weight is out of range; names it.
        """
        for each in fields(self):
            if each.name != "augmentation":
                check_range(each.name, getattr(self, each.name), 0)


class IntrinsicObjective(FramesObjective):
    """Trains `IIHNetwork`. See `chromacord.lab.objectives.protocol.Objective`."""

    options_class = IntrinsicOptions
    trains = ("iih",)

    @classmethod
    def check(cls, recipe: Recipe, stage: Stage, *, where: str) -> None:
        """Check the recipe's tables. See `Objective.check`."""
        super().check(recipe, stage, where=where)
        if (side := recipe.data.get("side", SIDE)) != SIDE:
            raise InputError(f"{where} [data]: side must be {SIDE}, the only size that IIH accepts, got {side}")

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of one batch. See `Objective.loss`. Shape (N, 1, C, 256, 256)."""
        clips = ClipBatch(*batch)
        composite, mask, real = (part.flatten(0, 1) for part in clips)
        terms = intrinsic_terms(module(composite, mask), real)
        loss = torch.stack([getattr(self._options, name) * term for name, term in terms.items()]).sum()
        return loss, {"loss": loss.detach(), **{name: term.detach() for name, term in terms.items()}}

    def _harmonized(self, module: nn.Module, clips: ClipBatch) -> Tensor:
        picture: Tensor = module(clips.composite.flatten(0, 1), clips.mask.flatten(0, 1)).harmonized
        return over(picture.view_as(clips.composite), clips.composite, clips.mask)


def intrinsic_terms(pictures: IntrinsicPictures, real: Tensor) -> dict[str, Tensor]:
    """Return the five terms of the loss, keyed by their weights in `IntrinsicOptions`.

    Args:
        pictures: the network's result.
        real: RGB in [0, 1]. Shape (N, 3, 256, 256).
    """
    grey = torch.einsum("nchw,c->nhw", F.interpolate(real, pictures.guide.shape[-2:]), real.new_tensor(_GREY))[:, None]
    return {
        "reconstruction": (pictures.harmonized - real).abs().mean(),
        "reflectance": sum_of_means(slopes(pictures.reflectance) - slopes(real)),
        "illumination": (pictures.illumination - real).square().mean(),
        "smoothness": roughness(pictures.illumination),
        "guide": (1 - contrast_structure(pictures.guide, grey)) / 2,
    }


def slopes(picture: Tensor) -> Tensor:
    """Return absolute differences to the previous pixel, with zeros outside the picture.

    Channels are summed first, so that opposite slopes cancel, as in the authors' code.

    Args:
        picture: any picture. Shape (N, C, H, W).

    Returns:
        Horizontal and vertical differences. Shape (N, 2, H, W).
    """
    summed = F.pad(picture.sum(dim=1), (1, 0, 1, 0))
    here = summed[:, 1:, 1:]
    return torch.stack([here - summed[:, 1:, :-1], here - summed[:, :-1, 1:]], dim=1).abs()


def sum_of_means(slope: Tensor) -> Tensor:
    """Return the sum over the channels of their mean absolute values. Shape (N, C, H, W)."""
    return slope.abs().mean(dim=(0, 2, 3)).sum()


def roughness(picture: Tensor) -> Tensor:
    """Return the sum of mean absolute second differences: along rows, along columns, and both mixed ones.

    Args:
        picture: any picture. Shape (N, C, H, W).
    """
    pairs = [(first, second) for first in (2, 3) for second in (2, 3)]
    return torch.stack([picture.diff(dim=one).diff(dim=other).abs().mean() for one, other in pairs]).sum()


def contrast_structure(picture: Tensor, reference: Tensor) -> Tensor:
    """Return the mean of SSIM's contrast and structure terms, without luminance; at most 1.

    Wang et al., "Image Quality Assessment" (2004), for values whose range is 1: (2 s_xy + c) / (s_x^2 + s_y^2 + c).
    Pictures are padded with zeros.

    Args:
        picture, reference: Shape (N, 1, H, W).
    """
    places = torch.arange(_WINDOW, device=picture.device) - _WINDOW // 2
    bell = torch.exp(-places.to(picture).square() / (2 * _DEVIATION**2))
    window = (bell[:, None] * bell / bell.sum() ** 2)[None, None]

    def mean(values: Tensor) -> Tensor:
        return F.conv2d(values, window, padding=_WINDOW // 2)

    mean_picture, mean_reference = mean(picture), mean(reference)
    covariance = mean(picture * reference) - mean_picture * mean_reference
    variances = mean(picture.square() + reference.square()) - mean_picture.square() - mean_reference.square()
    return ((2 * covariance + _CONTRAST) / (variances + _CONTRAST)).mean()
