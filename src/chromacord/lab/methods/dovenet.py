"""DoveNet: Cong, Zhang, Niu, Liu, Ling, Li and Zhang, "DoveNet: Deep Image Harmonization via Domain Verification", CVPR
2020, https://arxiv.org/abs/1911.13239.

pix2pix's U-Net with attention (`chromacord.lab.layers.pix2pix`), trained against a discriminator that also verifies
whether foreground and background belong to the same domain (`chromacord.lab.layers.verification`,
`chromacord.lab.objectives.adversarial`). It has 54,755,587 parameters with instance norm, as in the authors' script;
their published model has batch norm and 54,759,939.

Two differences from the authors' code: results are composited over the background, and dropout and batch norm run in
evaluation mode, where their test script leaves both in training mode.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from chromacord.lab.layers.pix2pix import MULTIPLE, NUM_LEVELS, WIDTH, Pix2PixUNet
from chromacord.lab.methods.generators import check_sizes, harmonized_frames
from chromacord.lab.published import weights_of
from chromacord.lab.torch_method import TensorPrediction, TorchMethod
from chromacord.lab.weight_files import fit, renamed
from chromacord.methods.base import State, Window
from chromacord.types import Size

Norm = Literal["instance", "batch"]


def published_key(key: str) -> str:
    """Return the authors' key for one of our weights; in their code each level contains the next."""
    if key.startswith("out."):
        return key.replace("out.", "model.model.3.")
    way, number, layer, name = key.split(".")
    level = int(number) if way == "downs" else NUM_LEVELS - 1 - int(number)
    holder = "model" + ".model.1" * (level > 0) + ".model.3" * (level - 1)
    if layer == "attention":
        return f"{holder}.attention.0.{name}"
    conv = min(level, 1) if way == "downs" else 3 if level == NUM_LEVELS - 1 else 5
    return f"{holder}.model.{conv + (layer == 'norm')}.{name}"


def norm_of(state: Mapping[str, Tensor]) -> Norm:
    """Return the norm with which weights were trained, under either naming of keys. Any shape."""
    return "batch" if any(key.endswith(".running_mean") for key in state) else "instance"


class DoveNet(TorchMethod):
    """Harmonize each frame with a U-Net trained against a domain verifier (DoveNet, Cong 2020).

    Args:
        weights: name of shipped weights, the path of a .safetensors file, or of a published checkpoint (.pth). None:
            untrained.
        norm: the network's norm. None: that of the weights, or instance norm without weights.
        width: channels of the network's finest level; must match the weights.
        working_side: height and width of the network's input, a multiple of 256; best at the size of training.
    """

    def __init__(
        self,
        weights: str | None = "dovenet",
        *,
        norm: Norm | None = None,
        width: int = WIDTH,
        working_side: int = MULTIPLE,
    ) -> None:
        super().__init__()
        check_sizes(width, working_side)
        self.window, self.working_size = Window(), Size(working_side, working_side)
        state = {} if weights is None else weights_of(weights, self.from_published)
        self.network = Pix2PixUNet(inputs=4, norm=norm or norm_of(state), width=width)
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

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a published generator checkpoint with either norm. Any shape.

        See `TorchMethod.from_published`.
        """
        with torch.device("meta"):
            network = Pix2PixUNet(inputs=4, norm=norm_of(checkpoint))
        names = {key: published_key(key) for key in network.state_dict()}
        return renamed(checkpoint, network, names)
