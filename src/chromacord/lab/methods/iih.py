"""IIH: Guo, Zheng, Jiang, Gu and Zheng, "Intrinsic Image Harmonization", CVPR 2021.

https://github.com/zhenglab/IntrinsicHarmony, tag v1.0: the paper's network with 40,863,086 parameters; the repository's
main branch is a later journal paper's. A composite is decomposed into reflectance and illumination. The background's
light is transferred to the foreground's illumination, and both are inpainted from patches of the same material
elsewhere in the picture. Their product is the harmonized picture.

Results equal the authors' up to rounding. Attention is multiplied with cells of 2 x 2 pixels instead of patches of 4 x
4, at a quarter of the cost (`chromacord.lab.networks.iih_network.cell_attention`).
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from chromacord.color.alpha import over
from chromacord.lab.methods.evidence import kept_without_evidence
from chromacord.lab.networks.iih_network import SIDE, WIDTH, IIHNetwork
from chromacord.lab.published import weights_of
from chromacord.lab.torch_method import TensorPrediction, TorchMethod
from chromacord.lab.weight_files import fit, renamed
from chromacord.methods.base import State, Window
from chromacord.types import Size

_PUBLISHED = (
    (r"^reflectance_encoder\.3\.(\d)\.(\d)\.", r"reflectance_enc.model.3.model.\1.model.\2."),
    (r"^(reflectance|illumination)_(enc|dec)oder\.", r"\1_\2.model."),
    (r"^(reflectance|illumination)_rebuilding\.(\d)\.mix\.", r"\1Rec.resblocks.\2.harmonyRecConv."),
    (r"^guide\.4\.(\d)\.(\d)\.", r"ifm.model.4.model.\1.model.\2."),
    (r"^guide\.", "ifm.model."),
    (r"^light\.convs\.", "lighting.model."),
    (r"^light\.code\.", "lighting.light_mlp.fc."),
    (r"^lighting\.(\d)\.", r"lightingRes.resblocks.\1."),
    (r"\.convs\.0\.conv\.", ".conv_1."),
    (r"\.convs\.1\.conv\.", ".conv_2."),
    (r"\.transfers\.0\.", ".lt_1."),
    (r"\.transfers\.1\.", ".lt_2."),
    (r"(\.lt_\d\.)light\.", r"\1light_mlp.fc."),
    (r"(\.lt_\d\.)maps\.", r"\1rgb_model."),
)
"""Replacements that turn our keys into the authors', applied in order."""


def published_key(key: str) -> str:
    """Return the authors' key for one of our weights."""
    for pattern, replacement in _PUBLISHED:
        key = re.sub(pattern, replacement, key)
    return key


def load_weights(network: IIHNetwork, source: str) -> None:
    """Load weights into the network: ours, or a published checkpoint's.

    Args:
        network: modified in place.
        source: the name of shipped weights, or the path of a .safetensors or `torch.save` file.

    Raises:
        InputError: they cannot be read, or belong to another network; names the first keys that differ.
    """
    fit(network, weights_of(source, lambda checkpoint: _renamed(checkpoint, network)), source=source)


def _renamed(checkpoint: Mapping[str, Tensor], network: IIHNetwork) -> dict[str, Tensor]:
    return renamed(checkpoint, network, {key: published_key(key) for key in network.state_dict()})


class IIH(TorchMethod):
    """Harmonize each frame as reflectance times illumination, inpainted from the background (IIH, Guo 2021).

    Args:
        weights: name of shipped weights, the path of a .safetensors file, or of a published checkpoint (.pth). None:
            untrained.
        width: channels of the network at full size, an even number; must match the weights.
    """

    def __init__(self, weights: str | None = "iih", *, width: int = WIDTH) -> None:
        super().__init__()
        self.window, self.working_size = Window(), Size(SIDE, SIDE)
        self.network = IIHNetwork(width)
        if weights is not None:
            load_weights(self.network, weights)

    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> TensorPrediction:  # noqa: ARG002
        """Harmonize every frame.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, 256, 256), any L.
            mask: foreground weight. Shape (B, L, 1, 256, 256).
            state: unused.

        Raises:
            InputError: the frames have another size.
        """
        frames, weight = composite.flatten(0, 1), mask.flatten(0, 1)
        harmonized = over(self.network(frames, weight).harmonized, frames, weight)
        return TensorPrediction(kept_without_evidence(harmonized, frames, weight).view_as(composite))

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a published checkpoint. Any shape. See `TorchMethod.from_published`.

        Raises:
            InputError: it belongs to another network; names the first keys that differ.
        """
        with torch.device("meta"):  # only shapes are needed
            network = IIHNetwork()
        return _renamed(checkpoint, network)
