"""DoveNet's and RainNet's generators a second time: by the published code, on the tensors of published checkpoints.

Nothing of ours is used. Pictures go in and come out in [-1, 1], not laid over their background.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def checkpoint(shapes: Mapping[str, Sequence[int]], seed: int = 0) -> dict[str, Tensor]:
    """Return random tensors of published names and shapes, of sizes that keep all layers alive."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(name: str, shape: Sequence[int]) -> Tensor:
        noise = torch.randn(tuple(shape), generator=generator)
        if name.endswith("num_batches_tracked"):
            return torch.tensor(9)
        if name.endswith("running_var"):
            return 0.5 + noise.abs()
        if len(shape) < 2:
            return (1.0 if name.endswith(".weight") else 0.0) + 0.1 * noise
        fan_in = shape[1] * (1 if shape[-1] == 1 else 16) if shape[0] != 2 * shape[1] else 4 * shape[0]
        return noise * (2 / fan_in) ** 0.5

    return {name: drawn(name, shape) for name, shape in shapes.items()}


def dovenet_shapes(*, is_batch: bool) -> dict[str, list[int]]:
    """Return names and shapes of the generator's tensors, as its authors' code makes them."""
    found: dict[str, list[int]] = {}

    def add(name: str, shape: list[int], bias: int | None) -> None:
        found[f"{name}.weight"] = shape
        if bias is not None:
            found[f"{name}.bias"] = [bias]

    def norm(name: str, width: int) -> None:
        if is_batch:
            found.update({f"{name}.{key}": [width] for key in ("weight", "bias", "running_mean", "running_var")})
            found[f"{name}.num_batches_tracked"] = []

    def block(prefix: str, outer: int, inner: int, rest: list[int]) -> None:
        if outer < 512:
            add(f"{prefix}.attention.0", [2 * outer, 2 * outer, 1, 1], 2 * outer)
        add(f"{prefix}.model.1", [inner, outer, 4, 4], None if is_batch else inner)
        up = 5 if rest else 3
        if rest:
            norm(f"{prefix}.model.2", inner)
            block(f"{prefix}.model.3", inner, rest[0], rest[1:])
        add(f"{prefix}.model.{up}", [2 * inner if rest else inner, outer, 4, 4], None if is_batch else outer)
        norm(f"{prefix}.model.{up + 1}", outer)

    add("model.model.0", [64, 4, 4, 4], None if is_batch else 64)
    block("model.model.1", 64, 128, [256, 512, 512, 512, 512, 512])
    add("model.model.3", [128, 3, 4, 4], 3)
    return found


def rainnet_shapes(inputs: int) -> dict[str, list[int]]:
    """Return names and shapes of the generator's tensors, as its authors' code makes them."""
    found = {"model_layer0.weight": [64, inputs, 4, 4]}

    def rain(name: str, width: int) -> None:
        sides = (f"{side}_{kind}" for side in ("foreground", "background") for kind in ("gamma", "beta"))
        found.update({f"{name}.{each}": [width] for each in sides})

    for layer, width in ((1, 64), (2, 128), (3, 256)):
        found[f"model_layer{layer}.1.weight"] = [2 * width, width, 4, 4]
    for depth in range(4):
        prefix = "unet_block" + depth * ".submodule"
        down, up = (1, 3) if depth == 3 else (1, 1)
        found[f"{prefix}.{'up' if depth == 3 else 'down'}.{down}.weight"] = [512, 512, 4, 4]
        found[f"{prefix}.up.{up}.weight"] = [512 if depth == 3 else 1024, 512, 4, 4]
        rain(f"{prefix}.upnorm", 512)
    for layer, width in ((11, 256), (12, 128), (13, 64)):
        found[f"model_layer{layer}.1.weight"] = [4 * width, width, 4, 4]
        rain(f"model_layer{layer}norm", width)
        found[f"model_layer{layer}att.0.weight"] = [2 * width, 2 * width, 1, 1]
        found[f"model_layer{layer}att.0.bias"] = [2 * width]
    return {**found, "model_out.1.weight": [128, 3, 4, 4], "model_out.1.bias": [3]}


def dovenet(tensors: Mapping[str, Tensor], picture: Tensor, mask: Tensor) -> Tensor:
    """Return DoveNet's generator's output in evaluation mode. Shape (N, 3, 256, 256), (N, 1, 256, 256)."""
    is_batch = "model.model.1.model.2.running_mean" in tensors

    def conv(x: Tensor, name: str) -> Tensor:
        return F.conv2d(x, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"), stride=2, padding=1)

    def deconv(x: Tensor, name: str) -> Tensor:
        x = torch.where(x > 0, x, torch.zeros(()))
        return F.conv_transpose2d(x, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"), stride=2, padding=1)

    def norm(x: Tensor, name: str) -> Tensor:
        if not is_batch:
            return _instance(x)
        names = (f"{name}.{each}" for each in ("running_mean", "running_var", "weight", "bias"))
        mean, variance, scale, shift = (tensors[each][:, None, None] for each in names)
        return (x - mean) / (variance + 1e-5).sqrt() * scale + shift

    def block(x: Tensor, prefix: str, depth: int) -> Tensor:
        """Depth 1 is the first inside the outermost; depth 7 the innermost."""
        x = torch.where(x > 0, x, 0.2 * x)  # in place: the skip below has it too
        inner = conv(x, f"{prefix}.model.1")
        if depth == 7:
            up = norm(deconv(inner, f"{prefix}.model.3"), f"{prefix}.model.4")
        else:
            inner = block(norm(inner, f"{prefix}.model.2"), f"{prefix}.model.3", depth + 1)
            up = norm(deconv(inner, f"{prefix}.model.5"), f"{prefix}.model.6")
        joined = torch.cat([x, up], 1)
        if depth > 3:
            return joined
        weight, bias = (tensors[f"{prefix}.attention.0.{each}"] for each in ("weight", "bias"))
        return torch.sigmoid(F.conv2d(joined, weight, bias)) * joined

    first = conv(torch.cat([picture, mask], 1), "model.model.0")
    return torch.tanh(deconv(block(first, "model.model.1", 1), "model.model.3"))


def rainnet(tensors: Mapping[str, Tensor], picture: Tensor, mask: Tensor) -> Tensor:
    """Return RainNet's generator's output in evaluation mode. Shape (N, 3, 256, 256), (N, 1, 256, 256)."""
    return rainnet_with_features(tensors, picture, mask)[0]


def rainnet_with_features(tensors: Mapping[str, Tensor], picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return it, and the last map that is joined, Shape (N, 128, 128, 128)."""

    def conv(x: Tensor, name: str) -> Tensor:
        return F.conv2d(x, tensors[f"{name}.weight"], stride=2, padding=1)

    def deconv(x: Tensor, name: str) -> Tensor:
        return F.conv_transpose2d(x.relu(), tensors[f"{name}.weight"], tensors.get(f"{name}.bias"), stride=2, padding=1)

    def leaky(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, 0.2 * x)

    def attended(x: Tensor, name: str) -> Tensor:
        return torch.sigmoid(F.conv2d(x, tensors[f"{name}.0.weight"], tensors[f"{name}.0.bias"])) * x

    def rain(x: Tensor, name: str) -> Tensor:
        names = (f"{name}.{side}_{each}" for side in ("background", "foreground") for each in ("gamma", "beta"))
        return region_norm(x, mask, *(tensors[each] for each in names))

    def block(x: Tensor, prefix: str, depth: int) -> Tensor:
        x = leaky(x)
        if depth == 3:
            up = deconv(conv(x, f"{prefix}.up.1"), f"{prefix}.up.3")
        else:
            inner = block(_instance(conv(x, f"{prefix}.down.1")), f"{prefix}.submodule", depth + 1)
            up = deconv(inner, f"{prefix}.up.1")
        return torch.cat([x, rain(up, f"{prefix}.upnorm")], 1)

    first = picture if tensors["model_layer0.weight"].shape[1] == 3 else torch.cat([picture, mask], 1)
    skips = [leaky(conv(first, "model_layer0"))]
    for layer in (1, 2, 3):
        features = _instance(conv(skips[-1], f"model_layer{layer}.1"))
        skips.append(leaky(features))
    x = block(features, "unet_block", 0)
    for layer, skip in zip((11, 12, 13), skips[2::-1], strict=True):
        x = torch.cat([skip, rain(deconv(x, f"model_layer{layer}.1"), f"model_layer{layer}norm")], 1)
        x = attended(x, f"model_layer{layer}att")
    return torch.tanh(deconv(x, "model_out.1")), x


def region_norm(x: Tensor, mask: Tensor, *parameters: Tensor) -> Tensor:
    """Return RAIN by its formulas, with g and b of the background and then of the foreground. Shape (N, C, h, w)."""
    step = mask.shape[-1] // x.shape[-1]
    near = mask[..., ::step, ::step]
    back_gamma, back_beta, gamma, beta = (each[:, None, None] for each in parameters)

    def statistics(weight: Tensor) -> tuple[Tensor, Tensor]:
        area = weight.sum((2, 3), keepdim=True) + 1e-5
        mean = (x * weight).sum((2, 3), keepdim=True) / area
        return mean, (((x * weight - mean * weight) ** 2).sum((2, 3), keepdim=True) / area + 1e-5).sqrt()

    (back_mean, back_deviation), (mean, deviation) = statistics(1 - near), statistics(near)
    background = (x - back_mean) / back_deviation * (1 + back_gamma) + back_beta
    foreground = ((x - mean) / deviation * back_deviation + back_mean) * (1 + gamma) + beta
    return near * foreground + (1 - near) * background


def _instance(x: Tensor) -> Tensor:
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) / (((x - mean) ** 2).mean((2, 3), keepdim=True) + 1e-5).sqrt()
