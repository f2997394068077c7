"""Convolution blocks and weight initialization."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvBlock(nn.Module):
    """A size-preserving 3 x 3 convolution, optional batch norm, and a ReLU."""

    def __init__(self, inputs: int, outputs: int, *, is_normed: bool, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
        self.norm = nn.BatchNorm2d(outputs) if is_normed else None
        self.activation = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """Filter features. Shape (N, inputs, H, W) to (N, outputs, H, W)."""
        if self.norm is not None and not self.norm.training and not torch.is_grad_enabled():
            features = _conv_and_norm(self.conv, self.norm, features)
        else:
            features = self.conv(features)
            if self.norm is not None:
                features = self.norm(features)
        activated: Tensor = self.activation(features)
        return activated


def _conv_and_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d, features: Tensor) -> Tensor:
    """Fold a batch norm in evaluation mode into its convolution: one pass over the features less."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    bias = norm.running_mean if conv.bias is None else norm.running_mean - conv.bias
    return F.conv2d(features, conv.weight * scale[:, None, None, None], norm.bias - bias * scale, padding=conv.padding)


class ResidualBlock(nn.Module):
    """Two convolutions with a skip connection and no norm: x + conv(relu(conv(x))).

    From Wang et al., "ESRGAN" (2018), whose initial weights are a tenth of He's, so that a chain of blocks starts close
    to the identity.
    """

    def __init__(self, width: int, *, scale: float = 0.1) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.activation = nn.ReLU(inplace=True)
        for conv in (self.first, self.second):
            nn.init.kaiming_normal_(conv.weight)
            conv.weight.data *= scale
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Apply the block. Shape (N, width, H, W), same out."""
        mixed: Tensor = features + self.second(self.activation(self.first(features)))
        return mixed


def start_with_xavier(module: nn.Module) -> None:
    """Initialize all convolutions and linear layers like iSSAM: N(0, 2 / (fan in + fan out)), biases 0.

    Batch norms keep weight 1 and bias 0. Only parameters are touched: iSSAM's own initializer also overwrites the fixed
    mask smoothing kernel with noise.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def start_with_normal(module: nn.Module, *, deviation: float = 0.02) -> None:
    """Initialize like pix2pix: convolutions and linear layers N(0, 0.02), biases 0; batch norms N(1, 0.02).

    Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017, section 6.2.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0, deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, deviation)
