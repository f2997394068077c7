"""iSSAM reimplemented after the published code, on the tensors of a published checkpoint, without our code."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
WIDTHS = (32, 64, 128, 256)


def checkpoint(seed: int = 0) -> dict[str, Tensor]:
    """Return tensors of the names and shapes that the authors published; the "Gaussian" is noise, as theirs is."""
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, Tensor] = {}

    def weights(name: str, *shape: int, bias: bool = True) -> None:
        fan_in = torch.Size(shape[1:]).numel()
        found[f"{name}.weight"] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        if bias:
            found[f"{name}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)

    def norm(name: str, width: int) -> None:
        for key in ("weight", "running_var"):
            found[f"{name}.{key}"] = 0.5 + torch.rand(width, generator=generator)
        for key in ("bias", "running_mean"):
            found[f"{name}.{key}"] = 0.1 * torch.randn(width, generator=generator)
        found[f"{name}.num_batches_tracked"] = torch.tensor(7)

    inputs = 4
    for block, width in enumerate(WIDTHS):
        name = f"encoder.block{block}" if block < 2 else f"encoder.blocks_connected.block{block}"
        for conv in range(2):
            weights(f"{name}.convs.block.{conv}.block.0", width, inputs, 3, 3)
            if block >= 2:
                norm(f"{name}.convs.block.{conv}.block.1", width)
            inputs = width
    for level, width in enumerate((128, 64, 32)):
        name = f"decoder.up_blocks.{level}"
        weights(f"{name}.upconv.1.block.0", width, 2 * width, 3, 3)
        for conv in range(2):
            weights(f"{name}.convs.block.{conv}.block.0", width, (2 - conv) * width, 3, 3)
            norm(f"{name}.convs.block.{conv}.block.1", width)
    name = "decoder.up_blocks.2.attention"
    for gate in ("background", "foreground", "mix"):
        weights(f"{name}.{gate}_gate.attention_transform.0", 8, 128)
        weights(f"{name}.{gate}_gate.attention_transform.2", 64, 8)
    for conv, (before, after) in enumerate(((64, 32), (32, 64))):
        weights(f"{name}.learning_block.{conv}.block.0", after, before, 3, 3, bias=False)
        norm(f"{name}.learning_block.{conv}.block.1", after)
    found[f"{name}.mask_blurring.weight"] = 0.2 * torch.randn(1, 1, 7, 7, generator=generator)
    weights("decoder.conv_attention", 1, 32, 1, 1)
    weights("decoder.to_rgb", 3, 32, 1, 1)
    return found


def harmonize(tensors: Mapping[str, Tensor], picture: Tensor, mask: Tensor) -> Tensor:
    """Return RGB in [0, 1], not clamped, of pictures whose sides are multiples of 8. Shape (N, 3, H, W)."""
    out, _ = look(tensors, picture, mask)
    return out * DEVIATION[:, None, None] + MEAN[:, None, None]


def look(tensors: Mapping[str, Tensor], picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return normalised RGB and the last features. Shape (N, 3, H, W) and (N, 32, H, W)."""

    def conv(x: Tensor, name: str) -> Tensor:
        weight = tensors[f"{name}.weight"]
        return F.conv2d(x, weight, tensors.get(f"{name}.bias"), padding=weight.shape[-1] // 2)

    def block(x: Tensor, name: str) -> Tensor:
        x = conv(x, f"{name}.block.0")
        if f"{name}.block.1.weight" in tensors:
            mean, variance, scale, shift = (
                tensors[f"{name}.block.1.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
            )
            x = (x - mean[:, None, None]) / (variance + 1e-5).sqrt()[:, None, None]
            x = x * scale[:, None, None] + shift[:, None, None]
        return x.relu()

    normalized = (picture - MEAN[:, None, None]) / DEVIATION[:, None, None]
    x = torch.cat([normalized, mask], dim=1)
    skips = []
    for number in range(4):
        name = f"encoder.block{number}" if number < 2 else f"encoder.blocks_connected.block{number}"
        x = F.max_pool2d(x, 2) if number else x
        x = block(block(x, f"{name}.convs.block.0"), f"{name}.convs.block.1")
        skips.append(x)
    for level in range(3):
        name = f"decoder.up_blocks.{level}"
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        x = torch.cat([skips[2 - level], block(x, f"{name}.upconv.1")], dim=1)
        if level == 2:
            x = _attended(tensors, x, mask, block)
        x = block(block(x, f"{name}.convs.block.0"), f"{name}.convs.block.1")
    share = torch.sigmoid(3 * conv(x, "decoder.conv_attention"))
    return share * normalized + (1 - share) * conv(x, "decoder.to_rgb"), x


def _attended(tensors: Mapping[str, Tensor], x: Tensor, mask: Tensor, block: object) -> Tensor:
    prefix = "decoder.up_blocks.2.attention"

    def gated(side: str) -> Tensor:
        name = f"{prefix}.{side}_gate.attention_transform"
        pooled = torch.cat([x.mean((2, 3)), x.flatten(2).max(dim=2).values], dim=1)
        hidden = (pooled @ tensors[f"{name}.0.weight"].T + tensors[f"{name}.0.bias"]).relu()
        gate = torch.sigmoid(hidden @ tensors[f"{name}.2.weight"].T + tensors[f"{name}.2.bias"])
        return x * gate[:, :, None, None]

    learned = gated("foreground")
    for number in range(2):
        learned = block(learned, f"{prefix}.learning_block.{number}")  # type: ignore[operator]
    smooth = F.conv2d(mask, tensors[f"{prefix}.mask_blurring.weight"], padding=3)
    return smooth * (learned + gated("mix")) + (1 - smooth) * gated("background")
