"""Huang et al., "Temporally Coherent Video Harmonization Using Adversarial Networks", IEEE TIP 29, 2020 (first 2018).

https://arxiv.org/abs/1809.01372. What sets it apart is how it is trained: each frame is also to look like the one
before it, seen along the motion; when it is used, the network looks at single frames. In the tables of CO2Net and of
Chen et al. 2024, "Huang et al." is iSSAM trained so, a "simple version" without an adversary by CO2Net's authors: the
same network, of 2,185,340 parameters, and the same keys in checkpoints. `chromacord.lab.objectives.pairs` trains that
one, `chromacord.lab.objectives.disharmony` one against a discriminator, as the original is.

Differs from the original: that has a network of its own, which need not be told where the foreground is. The paper's
text was not at hand; what is known of it is its abstract.
"""

from chromacord.lab.layers.unet import WIDTH
from chromacord.lab.methods.issam import ISSAM


class Huang2019(ISSAM):
    """Harmonize each frame by itself with iSSAM, trained to agree with the frame before (Huang 2019).

    Args:
        weights: shipped weights, the path of a .safetensors file, or of a checkpoint that CO2Net's authors published
            (.pth). None: not trained.
        working_side: height and width of the pictures that it looks at; weights know one size best.
        width: channels of the first and the last layers; those of the weights.
    """

    def __init__(self, weights: str | None = "huang2019", *, working_side: int = 256, width: int = WIDTH) -> None:
        super().__init__(weights, working_side=working_side, width=width)
