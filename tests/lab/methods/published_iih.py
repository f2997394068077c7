"""IIH reimplemented after the published code, on the tensors of a published checkpoint, without our code.

Patches are cut and merged by plain, slow loops.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Pictures(NamedTuple):
    harmonized: Tensor
    reflectance: Tensor
    illumination: Tensor
    guide: Tensor


def checkpoint(width: int = 64, seed: int = 0) -> dict[str, Tensor]:
    """Return tensors of the names and shapes that the authors published, or of a narrower network."""
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, Tensor] = {}

    def weights(name: str, *shape: int) -> None:
        fan_in = torch.Size(shape[1:]).numel()
        found[f"{name}.weight"] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        found[f"{name}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)

    def norm(name: str, channels: int, keys: tuple[str, str] = ("gamma", "beta")) -> None:
        found[f"{name}.{keys[0]}"] = torch.rand(channels, generator=generator)
        found[f"{name}.{keys[1]}"] = 0.1 * torch.randn(channels, generator=generator)

    def residual(name: str, channels: int) -> None:
        for number in range(2):
            norm(f"{name}.model.{number}.norm", channels)
            weights(f"{name}.model.{number}.conv", channels, channels, 3, 3)

    def encoder(name: str, first: int, halvings: int, *, is_normed: bool = False) -> None:
        inputs = 4
        for number in range(halvings + 1):
            side = 4 if number else 7
            if is_normed:
                norm(f"{name}.{number}.norm", first << number)
            weights(f"{name}.{number}.conv", first << number, inputs, side, side)
            inputs = first << number

    inner = 4 * width
    for part, blocks in (("reflectance", 4), ("illumination", 0)):
        encoder(f"{part}_enc.model", width, 2)
        for block in range(blocks):
            residual(f"{part}_enc.model.3.model.{block}", inner)
        for number, (before, after) in {1: (inner, inner // 2), 3: (inner // 2, width)}.items():
            norm(f"{part}_dec.model.{number}.norm", after)
            weights(f"{part}_dec.model.{number}.conv", after, before, 5, 5)
        weights(f"{part}_dec.model.4.conv", 3, width, 7, 7)
        for block in range(2):
            weights(f"{part}Rec.resblocks.{block}.harmonyRecConv.conv", inner, 2 * inner, 3, 3)
    encoder("lighting.model", width, 2)
    weights("lighting.light_mlp.fc", 8, inner)
    for block in range(4):
        name = f"lightingRes.resblocks.{block}"
        for number in (1, 2):
            weights(f"{name}.lt_{number}.light_mlp.fc", 4 * inner, 8)
            norm(f"{name}.lt_{number}.rgb_model.norm", 3 * inner, ("weight", "bias"))
            weights(f"{name}.lt_{number}.rgb_model.conv", 3 * inner, inner, 3, 3)
            weights(f"{name}.conv_{number}", inner, inner, 3, 3)
        norm(f"{name}.norm", inner)
    encoder("ifm.model", width // 2, 3, is_normed=True)
    for block in range(6):
        residual(f"ifm.model.4.model.{block}", inner)
    weights("ifm.model.5.conv", inner, inner, 3, 3)
    return found


class _Published:
    """The published network's pieces, over its tensors."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self.tensors[f"{name}.weight"]
        around = {7: 3, 5: 2, 4: 1, 3: 1}[weight.shape[-1]]
        return F.conv2d(F.pad(x, (around,) * 4, mode="reflect"), weight, self.tensors[f"{name}.bias"], stride)

    def linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def layer_norm(self, x: Tensor, name: str) -> Tensor:
        made = []
        for sample in x:
            deviation = ((sample - sample.mean()).square().sum() / (sample.numel() - 1)).sqrt()
            made.append((sample - sample.mean()) / (deviation + 1e-5))
        gamma, beta = (self.tensors[f"{name}.{key}"][:, None, None] for key in ("gamma", "beta"))
        return torch.stack(made) * gamma + beta

    def encoder(self, x: Tensor, name: str, last: int, kind: str | None) -> Tensor:
        for number in range(last + 1):
            x = self.conv(x, f"{name}.{number}.conv", 2 if number else 1)
            if kind == "in":
                mean = x.mean((2, 3), keepdim=True)
                x = (x - mean) / ((x - mean).square().mean((2, 3), keepdim=True) + 1e-5).sqrt()
            elif kind == "ln":
                x = self.layer_norm(x, f"{name}.{number}.norm")
            x = leaky(x)
        return x

    def residual(self, x: Tensor, name: str) -> Tensor:
        inner = leaky(self.layer_norm(self.conv(x, f"{name}.model.0.conv"), f"{name}.model.0.norm"))
        return x + self.layer_norm(self.conv(inner, f"{name}.model.1.conv"), f"{name}.model.1.norm")

    def decoder(self, x: Tensor, name: str) -> Tensor:
        for number in (1, 3):
            x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
            x = leaky(self.layer_norm(self.conv(x, f"{name}.{number}.conv"), f"{name}.{number}.norm"))
        return torch.tanh(self.conv(x, f"{name}.4.conv")) / 2 + 0.5

    def light(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder(x, "lighting.model", 2, None)
        inside = (features * mask).sum((2, 3)) / (mask.sum((2, 3)) + 1e-8)
        outside = (features * (1 - mask)).sum((2, 3)) / ((1 - mask).sum((2, 3)) + 1e-8)
        return self.linear(inside, "lighting.light_mlp.fc"), self.linear(outside, "lighting.light_mlp.fc")

    def transfer(self, x: Tensor, name: str, lights: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        width = x.shape[1]
        ratios, intensities = [], []
        for light in lights:
            values = leaky(self.linear(light, f"{name}.light_mlp.fc"))
            intensities.append(values[:, :width])
            ratios.append(values[:, width:].reshape(-1, 3, width).softmax(dim=1))
        maps = self.conv(x, f"{name}.rgb_model.conv")
        groups = []
        for number in range(3):
            group = maps[:, number * width : (number + 1) * width]
            mean, variance = group.mean((1, 2, 3), keepdim=True), group.var((1, 2, 3), unbiased=False, keepdim=True)
            groups.append((group - mean) / (variance + 1e-5).sqrt())
        scale, shift = (self.tensors[f"{name}.rgb_model.norm.{key}"][:, None, None] for key in ("weight", "bias"))
        maps = leaky(torch.cat(groups, dim=1) * scale + shift)
        lit = torch.zeros_like(x)
        for number in range(3):
            ratio = ratios[1][:, number] / (ratios[0][:, number] + 1e-8)
            lit = lit + maps[:, number * width : (number + 1) * width] * ratio[:, :, None, None]
        lit = lit + (intensities[1] - intensities[0])[:, :, None, None]
        return x * (1 - mask) + lit * mask

    def lighting_block(self, x: Tensor, name: str, lights: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        inner = self.transfer(self.conv(x, f"{name}.conv_1"), f"{name}.lt_1", lights, mask)
        inner = self.conv(leaky(self.layer_norm(inner, f"{name}.norm")), f"{name}.conv_2")
        return x + self.layer_norm(self.transfer(inner, f"{name}.lt_2", lights, mask), f"{name}.norm")

    def attention(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return weights, the background's places first. Shape (N, 1024, 32, 32)."""
        x = self.encoder(x, "ifm.model", 3, "ln")
        for block in range(6):
            x = self.residual(x, f"ifm.model.4.model.{block}")
        x = torch.tanh(self.conv(x, "ifm.model.5.conv"))
        foreground, background = (x * mask).flatten(2).transpose(1, 2), (x * (1 - mask)).flatten(2).transpose(1, 2)
        foreground = foreground - foreground.mean(dim=2, keepdim=True)
        background = background - background.mean(dim=2, keepdim=True)
        covariance = torch.einsum("nfc,nbc->nbf", foreground, background) / (x.shape[1] - 1)
        return (10 * covariance).softmax(dim=1).unflatten(2, (32, 32)), x.mean(dim=1, keepdim=True)

    def rebuild(self, x: Tensor, name: str, attention: Tensor) -> Tensor:
        rebuilt = []
        for sample, weights in zip(F.pad(x, (1, 1, 1, 1)), attention, strict=True):
            patches = torch.stack(
                [sample[:, 2 * row : 2 * row + 4, 2 * col : 2 * col + 4] for row in range(32) for col in range(32)]
            )
            rebuilt.append(F.conv_transpose2d(weights[None], patches, stride=2, padding=1) / 4)
        return x + self.conv(torch.cat([x, torch.cat(rebuilt)], dim=1), f"{name}.harmonyRecConv.conv").relu()


def leaky(x: Tensor) -> Tensor:
    return torch.where(x >= 0, x, 0.2 * x)


def harmonize(tensors: Mapping[str, Tensor], picture: Tensor, mask: Tensor) -> Pictures:
    """Return the published network's output, not composited. Shape (N, 3, 256, 256)."""
    published = _Published(tensors)
    x = torch.cat([picture, mask], dim=1)
    at_64, at_32 = mask[..., ::4, ::4], mask[..., ::8, ::8]
    lights = published.light(x, at_64)
    attention, guide = published.attention(x, at_32)
    reflectance = published.encoder(x, "reflectance_enc.model", 2, "in")
    for block in range(4):
        reflectance = published.residual(reflectance, f"reflectance_enc.model.3.model.{block}")
    illumination = published.encoder(x, "illumination_enc.model", 2, "in")
    for block in range(4):
        illumination = published.lighting_block(illumination, f"lightingRes.resblocks.{block}", lights, at_64)
    for block in range(2):
        reflectance = published.rebuild(reflectance, f"reflectanceRec.resblocks.{block}", attention)
        illumination = published.rebuild(illumination, f"illuminationRec.resblocks.{block}", attention)
    reflectance = published.decoder(reflectance, "reflectance_dec.model")
    illumination = published.decoder(illumination, "illumination_dec.model")
    return Pictures(reflectance * illumination, reflectance, illumination, guide)
