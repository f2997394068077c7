"""Huang et al., "Temporally Coherent Video Harmonization Using Adversarial Networks", IEEE TIP 29, 2020 (first 2018).

https://arxiv.org/abs/1809.01372. The contribution is the training: each frame must also resemble the previous one,
warped along the motion; at inference the network sees single frames. In the tables of CO2Net and of Chen et al. 2024,
"Huang et al." is iSSAM trained in this way, a "simple version" without an adversary by CO2Net's authors: the same
network of 2,185,340 parameters, with the same keys in checkpoints. `chromacord.lab.objectives.pairs` trains that
version, and `chromacord.lab.objectives.disharmony` one against a discriminator, like the original.

Difference from the original: its own network does not require the foreground mask. Only the paper's abstract was
available, not its text.
"""

from chromacord.lab.layers.unet import WIDTH
from chromacord.lab.methods.issam import ISSAM


class Huang2019(ISSAM):
    """Harmonize each frame with iSSAM, trained to agree with the previous frame (Huang 2019).

    Args:
        weights: name of shipped weights, the path of a .safetensors file, or of a checkpoint published by CO2Net's
            authors (.pth). None: untrained.
        working_side: height and width of the network's input; best at the size of training.
        width: channels of the first and the last layers; must match the weights.
    """

    def __init__(self, weights: str | None = "huang2019", *, working_side: int = 256, width: int = WIDTH) -> None:
        super().__init__(weights, working_side=working_side, width=width)
