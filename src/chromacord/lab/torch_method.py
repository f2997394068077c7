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
    """What a network makes of the hop frames of a window."""

    harmonized: Tensor
    """RGB in [0, 1]; background pixels are ignored. Shape (B, hop, 3, H, W)."""

    state: State = None


class TorchMethod(nn.Module, Method):
    """A method that is a module of torch. As a module it maps tensors, with gradients; as a method it maps arrays."""

    is_published_whole: bool = True
    """Whether checkpoints that others published hold all of the weights; otherwise a part that training starts from."""

    @abstractmethod
    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> TensorPrediction:
        """Harmonize the hop frames of each window.

        Args:
            composite: display-referred RGB in [0, 1]. Shape (B, L, 3, H, W).
            mask: foreground weight in [0, 1], soft values allowed. Shape (B, L, 1, H, W).
            state: what the previous window of the same shot returned; None at the start of a shot.
        """

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        """Run the network where its parameters lie, without gradients. See `Method.harmonize`."""
        first = next(self.parameters(), None)
        device = torch.device("cpu") if first is None else first.device
        with torch.inference_mode(), full_precision():
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
        """Return the weights that `weights=` takes, of a checkpoint that the method's authors published.

        Args:
            checkpoint: its tensors by key, as `published.read_checkpoint` gives them. Any shape.

        Raises:
            InputError: none were published, or these are of another method: names the first keys that differ.
        """
        raise InputError("no checkpoints of this method were published")

    @classmethod
    def needed_options(cls, state: Mapping[str, Tensor]) -> str:  # noqa: ARG003
        """Return the options that weights need beside them, as they stand behind the method's name; mostly none.

        Args:
            state: weights, as `from_published` gives them. Any shape.
        """
        return ""


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep a GPU's convolutions at 24 bits: cuDNN takes 11 where it may (TF32), which shifts colours."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
