"""DoveNet: Cong, Zhang, Niu, Liu, Ling, Li and Zhang, "DoveNet: Deep Image Harmonization via Domain Verification", CVPR
2020, https://arxiv.org/abs/1911.13239.

pix2pix's U-Net with attention (`chromacord.lab.layers.pix2pix`), trained against a discriminator that also verifies
whether foreground and background belong to one domain (`chromacord.lab.layers.verification`,
`chromacord.lab.objectives.adversarial`). 54,755,587 parameters with instance norm, as the authors' script trains it;
the model that they published has batch norm and 54,759,939.

Differs from the authors' code in two places: pictures are laid over their background, and dropout and batch norm are in
evaluation mode, where their test script leaves both as in training.
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
    """Return what the authors' checkpoints call one of our weights: there, each level holds the next one."""
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
    """Return the norm that weights were trained with, whatever they call their tensors. Any shape."""
    return "batch" if any(key.endswith(".running_mean") for key in state) else "instance"


class DoveNet(TorchMethod):
    """Harmonize each frame by itself with a U-Net that deceives a verifier of domains (DoveNet, Cong 2020).

    Args:
        weights: shipped weights, the path of a .safetensors file, or of a checkpoint that the authors published
            (.pth). None: not trained.
        norm: of the network. None: what the weights have, and instance norm without weights.
        width: channels of the network's finest level; that of the weights.
        working_side: height and width of the pictures that it looks at, a multiple of 256; weights know one size best.
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
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), L free, H and W multiples of 256.
            mask: foreground weight. Shape (B, L, 1, H, W).
            state: not looked at.

        Raises:
            InputError: the frames are of another size.
        """
        return harmonized_frames(self.network, composite, mask)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of a generator that the authors published, of either norm. Any shape.

        See `TorchMethod.from_published`.
        """
        with torch.device("meta"):
            network = Pix2PixUNet(inputs=4, norm=norm_of(checkpoint))
        names = {key: published_key(key) for key in network.state_dict()}
        return renamed(checkpoint, network, names)
