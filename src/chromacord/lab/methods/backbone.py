"""The interface between an image method and a video method built on it."""

from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from chromacord.lab.torch_method import TorchMethod


class BackboneFrames(NamedTuple):
    """A backbone's result for N frames."""

    picture: Tensor
    """RGB in the network's value range, not clamped. Shape (N, 3, H, W)."""

    features: Tensor
    """Features for the video method. Shape (N, num_features, H, W)."""


class Backbone(TorchMethod):
    """A method that harmonizes frames independently and exposes its features."""

    num_features: int
    """Number of feature channels."""

    network: nn.Module
    """The network with all weights, under the keys used in weight files."""

    @abstractmethod
    def look(self, composite: Tensor, mask: Tensor) -> BackboneFrames:
        """Harmonize frames and return the features too.

        Args:
            composite: RGB in [0, 1]. Shape (N, 3, H, W).
            mask: foreground weight. Shape (N, 1, H, W).
        """

    @abstractmethod
    def normalized(self, picture: Tensor) -> Tensor:
        """Map RGB in [0, 1] to the network's value range. Shape (N, 3, H, W)."""

    @abstractmethod
    def denormalized(self, picture: Tensor) -> Tensor:
        """Map the network's value range to RGB in [0, 1]; does not clamp. Shape (N, 3, H, W)."""
