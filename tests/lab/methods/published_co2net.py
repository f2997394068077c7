"""CO2Net reimplemented from its code's behaviour, on the tensors of published checkpoints, without our code."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.lab.color.naive_mapping import naive_look_up, naive_splat
from tests.lab.methods import published_issam, published_pix2pix
from tests.lab.methods.published_issam import DEVIATION, MEAN

NEIGHBOURS = 8


def refinement(num_features: int = 32, seed: int = 0) -> dict[str, Tensor]:
    """Return tensors of the names and shapes that the authors' refinement has."""
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, Tensor] = {}
    for name, shape in (
        ("refine_block.0", (64, 6 + num_features, 3, 3)),
        ("refine_block.3", (64, 64, 3, 3)),
        ("conv_attention", (1, 64, 1, 1)),
        ("to_rgb", (3, 64, 1, 1)),
    ):
        fan_in = torch.Size(shape[1:]).numel()
        found[f"{name}.weight"] = torch.randn(shape, generator=generator) * fan_in**-0.5
        found[f"{name}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)
    for name in ("refine_block.1", "refine_block.4"):
        for key in ("weight", "running_var"):
            found[f"{name}.{key}"] = 0.5 + torch.rand(64, generator=generator)
        for key in ("bias", "running_mean"):
            found[f"{name}.{key}"] = 0.1 * torch.randn(64, generator=generator)
        found[f"{name}.num_batches_tracked"] = torch.tensor(9)
    return found


@dataclass(frozen=True)
class Published:
    """A video and the tensors that harmonize it."""

    refine: Mapping[str, Tensor]
    backbone: Mapping[str, Tensor]
    composite: Tensor
    """Shape (T, 3, H, W)."""

    mask: Tensor
    """Shape (T, 1, H, W)."""

    is_composite_normalized: bool = False

    def frames(self) -> Tensor:
        """Return all frames in [0, 1], not clamped. Shape (T, 3, H, W)."""
        made = [
            self._look(picture[None], weight[None]) for picture, weight in zip(self.composite, self.mask, strict=True)
        ]
        alone = [
            self._denormalized(picture[0]) * weight + image * (1 - weight)
            for (picture, _), image, weight in zip(made, self.composite, self.mask, strict=True)
        ]
        sums = [naive_splat(*each) for each in zip(self.composite, alone, self.mask, strict=True)]
        return torch.stack([self._frame(place, made[place], alone[place], sums) for place in range(len(made))])

    @property
    def _is_rainnet(self) -> bool:
        return "model_layer0.weight" in self.backbone

    def _look(self, picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return a picture in the backbone's range, and its features."""
        if not self._is_rainnet:
            return published_issam.look(self.backbone, picture, mask)
        signed = self._normalized(picture)
        made, features = published_pix2pix.rainnet_with_features(self.backbone, signed, mask)
        doubled = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
        return made * mask + signed * (1 - mask), doubled

    def _frame(self, place: int, made: tuple[Tensor, Tensor], alone: Tensor, sums: list[Tensor]) -> Tensor:
        image, weight, last = self.composite[place], self.mask[place], len(self.composite) - 1
        steps = range(1, NEIGHBOURS + 1)
        neighbours = [max(0, place - step) for step in steps] + [min(last, place + step) for step in steps]
        mapping = torch.stack([sums[neighbour] for neighbour in neighbours]).sum(0)
        found, unmapped = torch.zeros_like(image), torch.zeros_like(weight)
        inside = weight[0] > 0  # elsewhere both are multiplied by 0
        colors, is_unmapped = naive_look_up(mapping, image[:, None, inside])
        found[:, inside], unmapped[:, inside] = colors[:, 0], is_unmapped.to(weight)
        found = found * weight + image * (1 - weight)
        unmapped = unmapped * weight
        mapped = found * (1 - unmapped) + alone * unmapped
        picture, features = made
        parts = [picture, features, self._normalized(mapped)[None]]
        if self.refine["refine_block.0.weight"].shape[1] == 6:
            del parts[1]
        x = self._block(self._block(torch.cat(parts, dim=1), 0), 3)
        share = torch.sigmoid(3 * self._conv(x, "conv_attention"))
        mixed_in = self._normalized(image) if self.is_composite_normalized else image
        out = share * mixed_in + (1 - share) * self._conv(x, "to_rgb")
        return self._denormalized(out[0]) * weight + image * (1 - weight)

    def _block(self, x: Tensor, number: int) -> Tensor:
        x = self._conv(x, f"refine_block.{number}")
        mean, variance, scale, shift = (
            self.refine[f"refine_block.{number + 1}.{key}"][:, None, None]
            for key in ("running_mean", "running_var", "weight", "bias")
        )
        x = (x - mean) / (variance + 1e-5).sqrt() * scale + shift
        return torch.where(x > 0, x, x.clamp(max=0).exp() - 1)

    def _conv(self, x: Tensor, name: str) -> Tensor:
        weight = self.refine[f"{name}.weight"]
        return F.conv2d(x, weight, self.refine[f"{name}.bias"], padding=weight.shape[-1] // 2)

    def _normalized(self, picture: Tensor) -> Tensor:
        if self._is_rainnet:
            return (picture - 0.5) / 0.5
        return (picture - MEAN[:, None, None]) / DEVIATION[:, None, None]

    def _denormalized(self, picture: Tensor) -> Tensor:
        if self._is_rainnet:
            return picture * 0.5 + 0.5
        return picture * DEVIATION[:, None, None] + MEAN[:, None, None]
