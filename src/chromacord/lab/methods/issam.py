"""iSSAM, called iS2AM in tables of video harmonization.

Sofiiuk, Popenova and Konushin, "Foreground-aware Semantic Representations for Image Harmonization", WACV 2021,
https://arxiv.org/abs/2006.00809. This is the improved SSAM network for 256 x 256, on which CO2Net and Chen et al. 2024
build (`chromacord.lab.layers.unet`): a U-Net of 2,185,340 parameters with spatial-separated attention at its finest
scale, and a head that mixes the composite with a new picture.

Two differences from the authors' code. The kernel that smooths the mask is a true Gaussian: their initializer
overwrites it with noise, which is then saved with the weights; published checkpoints keep theirs when loaded. Sides
that are not multiples of 32 are padded by repeating the edge at the right and bottom, where their predictor puts zeros
on both sides; 256 x 256 needs no padding.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from chromacord.color.alpha import over
from chromacord.errors import InputError
from chromacord.lab.layers.pictures import denormalize, normalize
from chromacord.lab.layers.ssam import SSAM
from chromacord.lab.layers.unet import NUM_LEVELS, WIDTH, HarmonizationNetwork
from chromacord.lab.methods.backbone import Backbone, BackboneFrames
from chromacord.lab.methods.evidence import kept_without_evidence
from chromacord.lab.published import weights_of
from chromacord.lab.torch_method import TensorPrediction
from chromacord.lab.weight_files import fit, renamed
from chromacord.methods.base import State, Window
from chromacord.types import Size

_PUBLISHED = (
    (r"^encoder\.blocks\.([01])\.(\d)\.", r"encoder.block\1.convs.block.\2."),
    (r"^encoder\.blocks\.(\d)\.(\d)\.", r"encoder.blocks_connected.block\1.convs.block.\2."),
    (r"^decoder\.(\d)\.up\.", r"decoder.up_blocks.\1.upconv.1."),
    (r"^decoder\.(\d)\.convs\.(\d)\.", r"decoder.up_blocks.\1.convs.block.\2."),
    (
        r"^decoder\.(\d)\.attention\.0\.(background|foreground|mix)\.",
        r"decoder.up_blocks.\1.attention.\2_gate.attention_transform.",
    ),
    (r"^decoder\.(\d)\.attention\.0\.learned\.", r"decoder.up_blocks.\1.attention.learning_block."),
    (r"^decoder\.(\d)\.attention\.0\.kernel$", r"decoder.up_blocks.\1.attention.mask_blurring.weight"),
    (r"^head\.share\.", "decoder.conv_attention."),
    (r"^head\.color\.", "decoder.to_rgb."),
    (r"\.conv\.", ".block.0."),
    (r"\.norm\.", ".block.1."),
)
"""Replacements that turn our keys into the authors', applied in order."""


def issam_network(width: int = WIDTH) -> HarmonizationNetwork:
    """Build the untrained network.

    Args:
        width: channels at full size.

    Raises:
        InputError: it is not 1 or more.
    """
    finest = NUM_LEVELS - 1
    return HarmonizationNetwork(after_join={finest: (SSAM(2 * width),)}, width=width)


def published_key(key: str) -> str:
    """Return the authors' key for one of our weights."""
    for pattern, replacement in _PUBLISHED:
        key = re.sub(pattern, replacement, key)
    return key


def load_weights(network: HarmonizationNetwork, source: str) -> None:
    """Load weights into the network: ours, or a checkpoint published by the authors or by CO2Net's.

    Args:
        network: modified in place.
        source: the name of shipped weights, or the path of a .safetensors or `torch.save` file.

    Raises:
        InputError: they cannot be read, or belong to another network; names the first keys that differ.
    """
    fit(network, weights_of(source, ISSAM.from_published), source=source)


class ISSAM(Backbone):
    """Harmonize each frame with a U-Net and spatial-separated attention (iSSAM, Sofiiuk 2021).

    Args:
        weights: name of shipped weights, the path of a .safetensors file, or of a published checkpoint (.pth). None:
            untrained.
        working_side: height and width of the network's input; best at the size of training.
        width: channels of the first and the last layers; must match the weights.
    """

    def __init__(self, weights: str | None = "issam", *, working_side: int = 256, width: int = WIDTH) -> None:
        super().__init__()
        if working_side < 1:
            raise InputError(f"working_side must be 1 or more, got {working_side}")
        self.window, self.working_size = Window(), Size(working_side, working_side)
        self.network = issam_network(width)
        self.num_features = width
        if weights is not None:
            load_weights(self.network, weights)

    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> TensorPrediction:  # noqa: ARG002
        """Harmonize every frame.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), any L, H and W.
            mask: foreground weight. Shape (B, L, 1, H, W).
            state: unused.
        """
        frames, weight = composite.flatten(0, 1), mask.flatten(0, 1)
        whole = over(self.denormalized(self.look(frames, weight).picture), frames, weight)
        harmonized = kept_without_evidence(whole.clamp(0, 1), frames, weight)
        return TensorPrediction(harmonized.view_as(composite))

    def look(self, composite: Tensor, mask: Tensor) -> BackboneFrames:
        """Return pictures and the head's input. See `Backbone.look`. Shape (N, 3, H, W) and (N, 1, H, W)."""
        return BackboneFrames(*self.network(composite, mask))

    def normalized(self, picture: Tensor) -> Tensor:
        """Normalize by ImageNet's statistics. Shape (N, 3, H, W)."""
        return normalize(picture)

    def denormalized(self, picture: Tensor) -> Tensor:
        """Undo `normalized`. Shape (N, 3, H, W)."""
        return denormalize(picture)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a checkpoint published by the authors or by CO2Net's. Any shape.

        See `TorchMethod.from_published`.
        """
        network = issam_network()
        return renamed(checkpoint, network, {key: published_key(key) for key in network.state_dict()})
