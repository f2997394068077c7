"""Flow-guided propagation: features of each frame from the frames before and after it.

Chen et al. 2024, section 3.3 and equation 1. The paper leaves open how far features travel. "recurrent" is read from
what it follows nearly word for word, Chan et al., "BasicVSR", CVPR 2021: a state goes through the window, and is fused
with each frame's own features. "direct" is equation 1 as it stands: neighbours alone, no state; with a reach of half a
window all its frames are brought straight to the middle one, as in Wang et al., "EDVR", 2019.
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
"""A frame, and the frame that its flow points into."""

LEAK = 0.1
"""Slope of rectifiers below 0, as in BasicVSR."""


class Propagation(nn.Module):
    """Brings features of other frames to each frame.

    Args:
        width: channels of features.
        kind: see above.
        directions: "backward" is from later frames to earlier ones, "forward" the other way.
        is_aggregated: whether what is brought is weighed by a `ForegroundAggregator`, one for both directions.
        reach: "direct" alone: how many neighbours a direction has.
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
        """For each direction where the neighbour lies: 1 is the next frame, from which features travel backward."""
        self.aggregator = ForegroundAggregator(width) if is_aggregated else None
        fusions = (nn.Conv2d(2 * width, width, 1) for _ in self.steps) if self.is_recurrent else ()
        self.fusions = nn.ModuleList(fusions)

    @property
    def num_maps(self) -> int:
        """How many maps of features are brought to a frame: one for each direction, or for each neighbour."""
        return len(self.steps) * (1 if self.is_recurrent else self.reach)

    def pairs(self, num_frames: int, wanted: range) -> list[Pair]:
        """Return the frames between which flow is needed.

        Args:
            num_frames: of the window.
            wanted: frames for which features are wanted.
        """
        return [pair for step in self.steps for pair in self._pairs(num_frames, wanted, step)]

    def _pairs(self, num_frames: int, wanted: range, step: int) -> list[Pair]:
        frames, reach = (self._order(num_frames, wanted, step), 1) if self.is_recurrent else (wanted, self.reach)
        pairs = [(frame, frame + step * far) for frame in frames for far in range(1, reach + 1)]
        return [pair for pair in pairs if 0 <= pair[1] < num_frames]

    @staticmethod
    def _order(num_frames: int, wanted: range, step: int) -> range:
        """Return the frames that a state visits, from an end of the window to the last one that is wanted."""
        return range(num_frames - 1, wanted[0] - 1, -1) if step > 0 else range(wanted[-1] + 1)

    def forward(
        self,
        features: Sequence[Tensor],
        masks: Sequence[Tensor],
        flows: Mapping[Pair, Tensor],
        wanted: range,
    ) -> list[Tensor]:
        """Bring features to frames.

        Args:
            features: of each frame of the window. Shape (B, width, H, W) each.
            masks: Shape (B, 1, H, W) each.
            flows: for `pairs`, in pixels; a pair that is missing is taken as it lies. Shape (B, 2, H, W) each.
            wanted: frames for which features are wanted.

        Returns:
            For each frame that is wanted: its own features, and those that were brought to it. Shape
            (B, (1 + maps) * width, H, W) each.
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
        """Send a state through the window in one direction; return it at each frame that it visits."""
        step, states = self.steps[number], dict[int, Tensor]()
        for frame in self._order(len(features), wanted, step):
            brought = self._aligned(states.get(frame + step), features, masks, flows, (frame, frame + step))
            fused = self.fusions[number](torch.cat([features[frame], brought], dim=1))
            states[frame] = F.leaky_relu(fused, LEAK)
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
        """Return another frame's features seen from a frame, weighed; where there is none, the frame's own."""
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
