"""RainNet: Ling, Xue, Song, Xie and Gu, "Region-aware Adaptive Instance Normalization for Image Harmonization", CVPR
2021, https://arxiv.org/abs/2106.02853.

DoveNet's U-Net (`chromacord.lab.layers.pix2pix`) with RAIN in the decoder (`chromacord.lab.layers.rain`), which gives
the foreground's features the background's mean and deviation. It is trained against DoveNet's discriminator
(`chromacord.lab.objectives.adversarial`). 54,759,043 parameters; the mask only enters RAIN unless the network takes
four channels (54,760,067).

Frames without background, from which RAIN cannot take statistics, are left unchanged
(`chromacord.lab.methods.evidence`). Masks may be soft; the authors' are binary.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from chromacord.color.alpha import over
from chromacord.errors import InputError
from chromacord.lab.layers.pictures import from_signed, to_signed
from chromacord.lab.layers.pix2pix import MULTIPLE, NUM_LEVELS, WIDTH, Pix2PixUNet
from chromacord.lab.methods.backbone import Backbone, BackboneFrames
from chromacord.lab.methods.generators import check_sizes, harmonized_frames
from chromacord.lab.published import weights_of
from chromacord.lab.torch_method import TensorPrediction
from chromacord.lab.weight_files import fit, renamed
from chromacord.methods.base import State, Window
from chromacord.types import Size

_NESTED = 4
"""The outermost of the levels that are nested in the authors' code."""


def published_key(key: str) -> str:
    """Return the authors' key for one of our weights."""
    if key.startswith("out."):
        return key.replace("out.", "model_out.1.")
    way, number, layer, name = key.split(".")
    level = int(number) if way == "downs" else NUM_LEVELS - 1 - int(number)
    if level >= _NESTED:
        holder = "unet_block" + ".submodule" * (level - _NESTED)
        if layer == "norm":
            return f"{holder}.upnorm.{name}"
        if level == NUM_LEVELS - 1:
            return f"{holder}.up.{1 if way == 'downs' else 3}.{name}"
        return f"{holder}.{way[:-1]}.1.{name}"
    if way == "downs":
        return f"model_layer{level}.1.{name}" if level else f"model_layer0.{name}"
    kinds = {"conv": ".1", "norm": "norm", "attention": "att.0"}
    return f"model_layer{14 - level}{kinds[layer]}.{name}"


def inputs_of(state: Mapping[str, Tensor]) -> int:
    """Return the number of input channels of the network that weights belong to, under either naming. Any shape."""
    first = next((state[key] for key in ("downs.0.conv.weight", "model_layer0.weight") if key in state), None)
    return 4 if first is not None and first.ndim == 4 and first.shape[1] == 4 else 3


class RainNet(Backbone):
    """Harmonize each frame, giving foreground features the background's statistics (RainNet, Ling 2021).

    Args:
        weights: name of shipped weights, the path of a .safetensors file, or of a published checkpoint (.pth). None:
            untrained.
        inputs: the network's input channels: 3, or 4 with the mask. None: those of the weights, or 3 without weights.
        width: channels of the network's finest level; must match the weights.
        working_side: height and width of the network's input, a multiple of 256; best at the size of training.
    """

    network: Pix2PixUNet

    def __init__(
        self,
        weights: str | None = "rainnet",
        *,
        inputs: int | None = None,
        width: int = WIDTH,
        working_side: int = MULTIPLE,
    ) -> None:
        super().__init__()
        check_sizes(width, working_side)
        if inputs not in (None, 3, 4):
            raise InputError(f"inputs must be 3 or 4, got {inputs}")
        self.window, self.working_size = Window(), Size(working_side, working_side)
        self.num_features = 2 * width
        state = {} if weights is None else weights_of(weights, self.from_published)
        self.network = Pix2PixUNet(inputs=inputs or inputs_of(state), norm="rain", width=width)
        if weights is not None:
            fit(self.network, state, source=weights)

    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> TensorPrediction:  # noqa: ARG002
        """Harmonize every frame.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), any L, H and W multiples of 256.
            mask: foreground weight. Shape (B, L, 1, H, W).
            state: unused.

        Raises:
            InputError: the frames have another size.
        """
        return harmonized_frames(self.network, composite, mask)

    def look(self, composite: Tensor, mask: Tensor) -> BackboneFrames:
        """Return composited pictures, and the last layer's input at twice its size, as CO2Net's authors use them.

        See `Backbone.look`. Shape (N, 3, H, W) and (N, 1, H, W).
        """
        made, features = self.network.look(composite, mask)
        picture = over(made, to_signed(composite), mask)
        return BackboneFrames(picture, F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False))

    def normalized(self, picture: Tensor) -> Tensor:
        """Map [0, 1] to [-1, 1]. Shape (N, 3, H, W)."""
        return to_signed(picture)

    def denormalized(self, picture: Tensor) -> Tensor:
        """Undo `normalized`. Shape (N, 3, H, W)."""
        return from_signed(picture)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a published generator checkpoint with 3 or 4 input channels. Any shape.

        See `TorchMethod.from_published`.
        """
        with torch.device("meta"):
            network = Pix2PixUNet(inputs=inputs_of(checkpoint), norm="rain")
        names = {key: published_key(key) for key in network.state_dict()}
        return renamed(checkpoint, network, names)
