"""Flow-guided propagation: bring features of preceding and following frames to each frame.

Chen et al. 2024, section 3.3 and equation 1. The paper does not specify how far features travel. "recurrent" follows
Chan et al., "BasicVSR", CVPR 2021, which the section paraphrases: a state passes through the window and is fused with
each frame's features. "direct" is equation 1 literally: neighbours only, no state. With a reach of half a window, all
frames are aligned directly to the middle one, as in Wang et al., "EDVR", 2019.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.lab.flow.warp import warp
from chromacord.lab.layers.aggregator import ForegroundAggregator

Kind = Literal["recurrent", "direct"]
Directions = Literal["both", "backward", "forward"]
Pair = tuple[int, int]
"""A frame, and the frame that its flow points to."""

LEAK = 0.1
"""Negative slope of leaky ReLUs, as in BasicVSR."""


class Propagation(nn.Module):
    """Brings features of other frames to each frame.

    Args:
        width: number of feature channels.
        kind: "recurrent" or "direct", see above.
        directions: "backward" goes from later to earlier frames, "forward" the other way.
        is_aggregated: weight propagated features by a `ForegroundAggregator` shared by both directions.
        reach: number of neighbours per direction; "direct" only.
    """

    def __init__(
        self,
        width: int,
        *,
        kind: Kind = "recurrent",
        directions: Directions = "both",
        is_aggregated: bool = True,
        reach: int = 1,
    ) -> None:
        super().__init__()
        self.is_recurrent, self.reach = kind == "recurrent", reach
        self.steps = {"both": (1, -1), "backward": (1,), "forward": (-1,)}[directions]
        """Offset of the neighbour for each direction: 1 is the next frame, whose features travel backward."""
        self.aggregator = ForegroundAggregator(width) if is_aggregated else None
        fusions = (nn.Conv2d(2 * width, width, 1) for _ in self.steps) if self.is_recurrent else ()
        self.fusions = nn.ModuleList(fusions)

    @property
    def num_maps(self) -> int:
        """Number of feature maps brought to a frame: one per direction, or one per neighbour."""
        return len(self.steps) * (1 if self.is_recurrent else self.reach)

    def pairs(self, num_frames: int, wanted: range) -> list[Pair]:
        """Return the frame pairs that need flow.

        Args:
            num_frames: length of the window.
            wanted: frames to compute.
        """
        return [pair for step in self.steps for pair in self._pairs(num_frames, wanted, step)]

    def _pairs(self, num_frames: int, wanted: range, step: int) -> list[Pair]:
        frames, reach = (self._order(num_frames, wanted, step), 1) if self.is_recurrent else (wanted, self.reach)
        # Neighbours beyond the window have no flow; `_aligned` uses the frame's own features for them.
        pairs = [(frame, frame + step * far) for frame in frames for far in range(1, reach + 1)]
        return [pair for pair in pairs if 0 <= pair[1] < num_frames]

    @staticmethod
    def _order(num_frames: int, wanted: range, step: int) -> range:
        """Return the frames that a state visits, from one end of the window to the last wanted frame."""
        # A state only moves on, so frames beyond the last wanted one would be computed for nothing.
        return range(num_frames - 1, wanted[0] - 1, -1) if step > 0 else range(wanted[-1] + 1)

    def forward(
        self,
        features: Sequence[Tensor],
        masks: Sequence[Tensor],
        flows: Mapping[Pair, Tensor],
        wanted: range,
    ) -> list[Tensor]:
        """Propagate features.

        Args:
            features: of each frame of the window. Shape (B, width, H, W) each.
            masks: foreground weight of each frame. Shape (B, 1, H, W) each.
            flows: flow in pixels for `pairs`; a missing pair is not aligned. Shape (B, 2, H, W) each.
            wanted: frames to compute.

        Returns:
            For each wanted frame its own features followed by the propagated ones. Shape (B, (1 + maps) * width, H, W)
            each.
        """
        brought: list[list[Tensor]] = [[features[frame]] for frame in wanted]
        for number, step in enumerate(self.steps):
            if self.is_recurrent:
                states = self._states(features, masks, flows, wanted, number)
                found = [[states[frame]] for frame in wanted]
            else:
                found = [
                    [
                        self._neighbour(features, masks, flows, (frame, frame + step * far))
                        for far in range(1, self.reach + 1)
                    ]
                    for frame in wanted
                ]
            for maps, more in zip(brought, found, strict=True):
                maps += more
        return [torch.cat(maps, dim=1) for maps in brought]

    def _states(
        self,
        features: Sequence[Tensor],
        masks: Sequence[Tensor],
        flows: Mapping[Pair, Tensor],
        wanted: range,
        number: int,
    ) -> dict[int, Tensor]:
        """Pass a state through the window in one direction; return it at each visited frame."""
        step, states = self.steps[number], dict[int, Tensor]()
        for frame in self._order(len(features), wanted, step):
            brought = self._aligned(states.get(frame + step), features, masks, flows, (frame, frame + step))
            states[frame] = F.leaky_relu(_fused(self.fusions[number], features[frame], brought), LEAK)
        return states

    def _neighbour(
        self, features: Sequence[Tensor], masks: Sequence[Tensor], flows: Mapping[Pair, Tensor], pair: Pair
    ) -> Tensor:
        there = features[pair[1]] if 0 <= pair[1] < len(features) else None
        return self._aligned(there, features, masks, flows, pair)

    def _aligned(
        self,
        there: Tensor | None,
        features: Sequence[Tensor],
        masks: Sequence[Tensor],
        flows: Mapping[Pair, Tensor],
        pair: Pair,
    ) -> Tensor:
        """Align and weight a neighbour's features; at the window's end, return the frame's own."""
        here = features[pair[0]]
        if there is None:
            return here
        if pair in flows:
            with torch.autocast(here.device.type, enabled=False):  # pixel positions exceed half precision
                there = warp(there.float(), flows[pair].float())[0].to(here.dtype)
        if self.aggregator is None:
            return there
        weighed: Tensor = self.aggregator(there, here, masks[pair[0]])
        return weighed


def _fused(fusion: nn.Module, first: Tensor, second: Tensor) -> Tensor:
    """Apply a 1 x 1 convolution to the concatenation of two maps, without forming it. Shape (B, width, H, W) each."""
    assert isinstance(fusion, nn.Conv2d)
    here, there = fusion.weight.chunk(2, dim=1)
    return F.conv2d(first, here, fusion.bias) + F.conv2d(second, there)
