"""Adapt torch modules to `Method` and its NumPy arrays."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.methods.base import Method, Prediction, State
from chromacord.types import Device, FloatArray


class TensorPrediction(NamedTuple):
    """A network's result for the hop frames of a window."""

    harmonized: Tensor
    """RGB in [0, 1]; background pixels are ignored. Shape (B, hop, 3, H, W)."""

    state: State = None


class TorchMethod(nn.Module, Method):
    """A method that is also a torch module: `forward` maps tensors with gradients, `harmonize` maps arrays."""

    is_published_whole: bool = True
    """Whether published checkpoints hold all weights; if not, they hold a part from which training starts."""

    @abstractmethod
    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> TensorPrediction:
        """Harmonize the hop frames of each window.

        Args:
            composite: display-referred RGB in [0, 1]. Shape (B, L, 3, H, W).
            mask: foreground weight in [0, 1], soft values allowed. Shape (B, L, 1, H, W).
            state: returned by the previous window of the same shot; None at the start of a shot.
        """

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        """Run the network without gradients on the device of its parameters. See `Method.harmonize`."""
        first = next(self.parameters(), None)
        device = torch.device("cpu") if first is None else first.device
        with torch.inference_mode(), full_precision():
            # Writable (W), because torch warns of arrays that are not, and frames may be read-only views.
            tensors = (
                torch.from_numpy(np.require(each, np.float32, ["C", "W"])).to(device) for each in (composite, mask)
            )
            found: TensorPrediction = self(*tensors, state)
            return Prediction(found.harmonized.cpu().numpy(), state=found.state)

    def on(self, device: Device) -> Self:
        """Move the parameters to a device, in evaluation mode. See `Method.on`."""
        return self.eval().to(device)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:  # noqa: ARG003
        """Convert a published checkpoint to weights for `weights=`.

        Args:
            checkpoint: tensors by key, as returned by `published.read_checkpoint`. Any shape.

        Raises:
            InputError: none were published, or the checkpoint belongs to another method; names the first keys that
                differ.
        """
        raise InputError("no checkpoints of this method were published")

    @classmethod
    def needed_options(cls, state: Mapping[str, Tensor]) -> str:  # noqa: ARG003
        """Return the method options that these weights require, written as after the method's name; usually empty.

        Args:
            state: weights, as returned by `from_published`. Any shape.
        """
        return ""


@contextmanager
def full_precision() -> Iterator[None]:
    """Disable TF32: it computes a GPU's convolutions with 11 bits instead of 24, which visibly shifts colours."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
