"""The temporal part of Chen et al. 2024 (sections 3.1 and 4.2): propagation, aggregation and the frame decoder."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.lab.layers.convolutions import ResidualBlock
from chromacord.lab.layers.pictures import Box
from chromacord.lab.layers.propagation import LEAK, Pair, Propagation
from chromacord.lab.layers.unet import FusionHead

Head = Literal["residual", "plain", "fusion"]

NUM_BLOCKS = 5
REACH = 2 * NUM_BLOCKS + 2
"""Reach of the decoder's convolutions, in pixels."""


class TemporalDecoder(nn.Module):
    """A convolution, five residual blocks and an output head.

    Args:
        inputs: number of input channels.
        width: channels of the blocks.
        head: "residual" adds its result, initially zero, to the frame from the image network; "plain" predicts RGB;
            "fusion" mixes RGB with the composite like iSSAM.
    """

    def __init__(self, inputs: int, width: int = 32, *, head: Head = "residual") -> None:
        super().__init__()
        self.kind = head
        self.first = nn.Conv2d(inputs, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(NUM_BLOCKS)))
        self.head: nn.Module = FusionHead(width) if head == "fusion" else nn.Conv2d(width, 3, 3, padding=1)
        if isinstance(self.head, nn.Conv2d) and head == "residual":
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]
        elif head == "plain":  # a different key, because these weights have a different meaning
            self.head = nn.Sequential(self.head)

    def forward(self, features: Tensor, harmonized: Tensor, composite: Tensor) -> Tensor:
        """Decode frames.

        Args:
            features: Shape (N, inputs, H, W).
            harmonized: frames from the image network, normalized. Shape (N, 3, H, W).
            composite: normalized RGB. Shape (N, 3, H, W).

        Returns:
            Normalized RGB. Shape (N, 3, H, W).
        """
        hidden = self.blocks(F.leaky_relu(self.first(features), LEAK))
        if self.kind == "fusion":
            mixed: Tensor = self.head(hidden, composite)
            return mixed
        picture: Tensor = self.head(hidden)
        return harmonized + picture if self.kind == "residual" else picture


class TemporalNetwork(nn.Module):
    """Turns features of a window's frames into temporally consistent frames.

    Args:
        propagation: brings features from frame to frame.
        width: number of feature channels.
        head: head of the decoder, see `TemporalDecoder`.
    """

    def __init__(self, propagation: Propagation, width: int, *, head: Head = "residual") -> None:
        super().__init__()
        self.propagation = propagation
        self.decoder = TemporalDecoder(width * (1 + propagation.num_maps), width, head=head)

    def forward(
        self,
        features: Sequence[Tensor],
        masks: Sequence[Tensor],
        flows: Mapping[Pair, Tensor],
        pictures: Mapping[int, tuple[Tensor, Tensor]],
        wanted: range,
    ) -> list[Tensor]:
        """Compute the wanted frames.

        Args:
            features, masks, flows, wanted: as for `Propagation.forward`. Shape (B, ...) each.
            pictures: for each wanted frame the image network's result and the composite, both normalized.

        Returns:
            Normalized RGB. Outside the masks' box, which is not used, it is the image network's result. Shape (B, 3, H,
            W) each.
        """
        joined = self.propagation(features, masks, flows, wanted)
        decoded = []
        for maps, frame in zip(joined, wanted, strict=True):
            box = Box.around(masks[frame], REACH, REACH)
            harmonized, composite = pictures[frame]
            part = self.decoder(*(box.cut(each) for each in (maps, harmonized, composite)))
            decoded.append(box.pasted(part, harmonized))
        return decoded
