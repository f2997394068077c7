"""EfficientNet-Lite0 against its published size, and its folded batch norms against norms that stand alone."""

import torch
import torch.nn.functional as F
from torch import Tensor

from chromacord.lab.networks.efficientnet import EfficientNetLite0, from_published
from chromacord.methods.grade_plan import STAGES, WIDTHS, padding

EPSILON = 1e-3


def published() -> dict[str, Tensor]:
    """Random tensors under the keys and shapes of the published checkpoint."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}

    def unit(conv: str, norm: str, shape: tuple[int, ...]) -> None:
        fan = shape[1] * shape[2] * shape[3]
        state[f"{conv}.weight"] = torch.randn(shape, generator=generator) / fan**0.5
        for name in ("weight", "running_var"):
            state[f"{norm}.{name}"] = 0.5 + torch.rand(shape[0], generator=generator)
        for name in ("bias", "running_mean"):
            state[f"{norm}.{name}"] = 0.2 * torch.randn(shape[0], generator=generator)

    unit("_conv_stem", "_bn0", (32, 3, 3, 3))
    width, number = 32, 0
    for stage in STAGES:
        for _ in range(stage.num_blocks):
            name, wide = f"_blocks.{number}.", width * stage.expansion
            if stage.expansion > 1:
                unit(f"{name}_expand_conv", f"{name}_bn0", (wide, width, 1, 1))
            unit(f"{name}_depthwise_conv", f"{name}_bn1", (wide, 1, stage.kernel, stage.kernel))
            unit(f"{name}_project_conv", f"{name}_bn2", (stage.width, wide, 1, 1))
            width, number = stage.width, number + 1
    return state


def plain(state: dict[str, Tensor], picture: Tensor) -> list[Tensor]:
    """The network as it was published, block by block, with norms that are not folded. Returns every block's output."""

    def unit(features: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        weight = state[f"{conv}.weight"]
        kernel = weight.shape[-1]
        height = features.shape[-1]
        total = max((-(-height // stride) - 1) * stride + kernel - height, 0)  # TensorFlow's SAME
        before, after = total // 2, total - total // 2
        groups = len(weight) if weight.shape[1] == 1 else 1
        mixed = F.conv2d(F.pad(features, (before, after, before, after)), weight, None, stride, groups=groups)
        statistics = (state[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(mixed, *statistics, eps=EPSILON)

    features = F.relu6(unit(picture * 255 / 128 - 127 / 128, "_conv_stem", "_bn0", 2))
    outputs, number = [], 0
    for stage in STAGES:
        for block in range(stage.num_blocks):
            name = f"_blocks.{number}."
            wide = features
            if stage.expansion > 1:
                wide = F.relu6(unit(features, f"{name}_expand_conv", f"{name}_bn0"))
            stride = 1 if block else stage.stride
            wide = F.relu6(unit(wide, f"{name}_depthwise_conv", f"{name}_bn1", stride))
            narrow = unit(wide, f"{name}_project_conv", f"{name}_bn2")
            features = features + narrow if block else narrow
            number += 1
        outputs.append(features)
    return outputs


def test_it_gives_what_the_published_layers_give() -> None:
    state, picture = published(), torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    network = EfficientNetLite0()
    network.load_state_dict(from_published(state))
    outputs = plain(state, picture)
    with torch.no_grad():
        taps = network(picture)
    assert [tap.shape[1] for tap in taps] == list(WIDTHS)
    assert [tap.shape[-1] for tap in taps] == [16, 8, 4, 2]
    for tap, number in zip(taps, (1, 2, 4, 6), strict=True):
        torch.testing.assert_close(tap, outputs[number], rtol=1e-3, atol=1e-4)


def test_it_has_the_convolutions_of_4_65_million_parameters_less_the_classifier() -> None:
    """4,652,008 in all: 1,281,000 of the classifier, 412,160 of the last convolution and its norm; the others fold."""
    folded = sum(value.numel() for value in EfficientNetLite0().parameters())
    norms = sum(value.numel() for name, value in published().items() if "_bn" in name and name.endswith(".bias"))
    # Of a norm's weight and bias, folding leaves one bias a channel.
    assert folded + norms == 4_652_008 - 1_281_000 - 412_160


def test_padding_is_tensorflows_for_even_sides() -> None:
    assert [padding(kernel, 2) for kernel in (3, 5)] == [(0, 1), (1, 2)]


def test_frozen_stages_get_no_gradient() -> None:
    network = EfficientNetLite0()
    network.freeze(3)
    sum(tap.mean() for tap in network(torch.rand(1, 3, 32, 32))).backward()
    trained = {name.split(".")[1] for name, value in network.named_parameters() if value.grad is not None}
    assert trained == {"3", "4", "5", "6"}
    network.freeze(None)
    assert not any(value.requires_grad for value in network.parameters())
