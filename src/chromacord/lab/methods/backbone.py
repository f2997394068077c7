"""The interface between an image method and a video method built on it."""

from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from chromacord.lab.torch_method import TorchMethod


class BackboneFrames(NamedTuple):
    """What a backbone makes of N frames."""

    picture: Tensor
    """RGB in the range that its network works in, not clamped. Shape (N, 3, H, W)."""

    features: Tensor
    """Shape (N, num_features, H, W)."""


class Backbone(TorchMethod):
    """A method that harmonizes each frame by itself, and tells what it knew when it did."""

    num_features: int
    """Channels of its features."""

    network: nn.Module
    """All of its weights, by the keys that files of them have."""

    @abstractmethod
    def look(self, composite: Tensor, mask: Tensor) -> BackboneFrames:
        """Return what the network makes of frames.

        Args:
            composite: RGB in [0, 1]. Shape (N, 3, H, W).
            mask: foreground weight. Shape (N, 1, H, W).
        """

    @abstractmethod
    def normalized(self, picture: Tensor) -> Tensor:
        """Bring RGB in [0, 1] to the range that the network works in. Shape (N, 3, H, W)."""

    @abstractmethod
    def denormalized(self, picture: Tensor) -> Tensor:
        """Bring RGB of the network's range to [0, 1]; does not clamp. Shape (N, 3, H, W)."""
