"""The network of Chen et al. 2024 (figure 1): how its parts are joined, and what overlapping windows share.

`chromacord.lab.methods.chen2024` says how the paper was read; A1 to A17 there.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.color.alpha import over
from chromacord.errors import InputError
from chromacord.lab.flow.dis import DISFlow
from chromacord.lab.flow.spynet import NUM_LEVELS as SPYNET_LEVELS
from chromacord.lab.flow.spynet import SPyNet
from chromacord.lab.layers.nonlocal_block import NonLocal
from chromacord.lab.layers.pictures import denormalize, normalize
from chromacord.lab.layers.propagation import Directions, Kind, Pair, Propagation
from chromacord.lab.layers.ssam import SSAM
from chromacord.lab.layers.temporal_decoder import Head, TemporalNetwork
from chromacord.lab.layers.unet import NUM_LEVELS, WIDTH, HarmonizationNetwork, widths

Position = Literal["joined", "upsampled"]
Output = Literal["all", "centre"]
FlowName = Literal["spynet", "spynet-random", "dis", "none"]


class DIS(nn.Module):
    """OpenCV's DIS as a module without weights; no gradient goes through it."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Estimate flow. Shape (N, 3, H, W) twice to (N, 2, H, W); see `DISFlow`."""
        return DISFlow()(first.detach(), second.detach())


def middle(num_frames: int) -> range:
    """Return the place of a window's middle frame; of an even number the earlier one, as windows are cut."""
    place = (num_frames - 1) // 2
    return range(place, place + 1)


def build_flow(name: FlowName, levels: int | Literal["auto"] = SPYNET_LEVELS) -> nn.Module | None:
    """Build what estimates flow.

    Args:
        name: "spynet" and "spynet-random" (table 2, row 4), which training starts from its shipped weights and from
            none; "dis" is OpenCV's, which never learns; "none" is None: features stay where they lie.
        levels: of SPyNet; see there.
    """
    if name in ("spynet", "spynet-random"):
        return SPyNet(levels=levels)
    return DIS() if name == "dis" else None


def image_network(
    *,
    nonlocal_levels: int = 2,
    q: int = 4,
    dilation: int = 1,
    nonlocal_position: Position = "joined",
    mask_threshold: float | None = None,
    width: int = WIDTH,
) -> HarmonizationNetwork:
    """Build stage 1: iSSAM with non-local blocks (figure 2).

    Args:
        nonlocal_levels: how many levels have a block, from the coarsest: 0 to 3.
        q: side of its window; 0: the whole picture.
        dilation: of the window.
        nonlocal_position: where in a level it stands.
        mask_threshold: where the mask is cut for the block; None: it is not.
        width: channels at the frames' own side.

    Raises:
        InputError: there is no such number of levels, no such window, or no such width.
    """
    if nonlocal_levels not in range(NUM_LEVELS + 1):
        raise InputError(f"nonlocal_levels must lie in 0..{NUM_LEVELS}, got {nonlocal_levels}")
    if q < 0:
        raise InputError(f"q must be 1 or more, or 0 for the whole picture, got {q}")
    after_up: dict[int, tuple[nn.Module, ...]] = {}
    after_join: dict[int, tuple[nn.Module, ...]] = {}
    for level in range(nonlocal_levels):
        joined = widths(width)[-1 - level]
        is_joined = nonlocal_position == "joined"
        channels = joined if is_joined else joined // 2
        block = NonLocal(channels, window=q or None, dilation=dilation, threshold=mask_threshold)
        (after_join if is_joined else after_up)[level] = (block,)
    finest = NUM_LEVELS - 1
    after_join[finest] = (*after_join.get(finest, ()), SSAM(2 * width))
    network = HarmonizationNetwork(after_up=after_up, after_join=after_join, width=width)
    for module in network.modules():
        if isinstance(module, NonLocal):
            module.start()
    return network


class SeenFrame(NamedTuple):
    """What is known of one frame."""

    composite: Tensor
    """RGB in [0, 1]. Shape (B, 3, H, W)."""

    mask: Tensor
    """Shape (B, 1, H, W)."""

    harmonized: Tensor
    """By stage 1, normalised. Shape (B, 3, H, W)."""

    features: Tensor
    """F^h. Shape (B, width, H, W)."""

    def shows(self, composite: Tensor, mask: Tensor) -> bool:
        """Whether it is this frame. Shape (B, 3, H, W), (B, 1, H, W)."""
        return torch.equal(self.composite, composite) and torch.equal(self.mask, mask)


class Memory(NamedTuple):
    """What is known of a window: windows overlap, and a clip's ends are repeated, so most of it is of use again."""

    frames: tuple[SeenFrame, ...]
    """Those that differ."""

    order: tuple[int, ...]
    """Which of `frames` stands at each place of the window."""

    flows: dict[Pair, Tensor]
    """By places in `frames`."""


class Chen2024Network(nn.Module):
    """The whole network (figure 1), or stage 1 alone.

    Args:
        image: stage 1.
        temporal: stage 2; None: stage 1 alone.
        flow: estimates flow from its first to its second argument, Shape (N, 3, H, W) to (N, 2, H, W); None: features
            stay where they lie.
        flow_reduction: frames are reduced by this factor before flow is estimated.
        output: which frames of a window training looks at.
    """

    def __init__(
        self,
        image: HarmonizationNetwork,
        temporal: TemporalNetwork | None = None,
        flow: nn.Module | None = None,
        *,
        flow_reduction: int = 1,
        output: Output = "all",
    ) -> None:
        super().__init__()
        if flow_reduction < 1:
            raise InputError(f"flow_reduction must be 1 or more, got {flow_reduction}")
        self.image, self.temporal, self.flow = image, temporal, flow
        self.flow_reduction, self.output = flow_reduction, output

    def train(self, mode: bool = True) -> "Chen2024Network":
        """Set training mode; a part that is frozen stays in evaluation mode, so that its batch norms do not move."""
        super().train(mode)
        for part in self.children():
            if not any(value.requires_grad for value in part.parameters()):
                part.eval()
        return self

    def forward(self, composite: Tensor, mask: Tensor, *, stage: Literal[1, 2]) -> Tensor:
        """Do what a stage of training looks at.

        Args:
            composite: RGB in [0, 1]. Shape (B, T, 3, H, W), any T.
            mask: Shape (B, T, 1, H, W).
            stage: 1 or 2.

        Returns:
            Of stage 1 all frames, normalised, whole pictures. Of stage 2 the frames of `output`, in [0, 1] but not
            clamped, laid over the composite. Shape (B, T or 1, 3, H, W).
        """
        if stage == 1:
            picture: Tensor = self.image(composite.flatten(0, 1), mask.flatten(0, 1)).picture
            return picture.view(*composite.shape)
        return self.window(composite, mask, self.wanted(composite.shape[1]))[0]

    def wanted(self, num_frames: int) -> range:
        """Return the frames of a window that training looks at."""
        return range(num_frames) if self.output == "all" else middle(num_frames)

    def window(
        self, composite: Tensor, mask: Tensor, wanted: range, memory: Memory | None = None
    ) -> tuple[Tensor, Memory]:
        """Harmonize some frames of a window by all of it.

        Args:
            composite: RGB in [0, 1]. Shape (B, T, 3, H, W), any T.
            mask: Shape (B, T, 1, H, W).
            wanted: places of the frames that shall come out.
            memory: of the window before.

        Returns:
            Frames in [0, 1] but not clamped, laid over the composite, shape (B, number of them, 3, H, W); and what is
            known now.
        """
        if self.temporal is None:
            raise InputError("this network is stage 1 alone; build it with stage=2")
        frames, order = self._seen(composite, mask, memory)
        pairs = self.temporal.propagation.pairs(len(order), wanted)
        flows = self._flows(frames, [(order[a], order[b]) for a, b in pairs], memory)
        there = {(a, b): flows[order[a], order[b]] for a, b in pairs if (order[a], order[b]) in flows}
        placed = [frames[index] for index in order]
        pictures = {place: (placed[place].harmonized, normalize(placed[place].composite)) for place in wanted}
        made = self.temporal(
            [each.features for each in placed], [each.mask for each in placed], there, pictures, wanted
        )
        whole = [
            over(denormalize(picture), placed[place].composite, placed[place].mask)
            for picture, place in zip(made, wanted, strict=True)
        ]
        return torch.stack(whole, dim=1), Memory(tuple(frames), tuple(order), flows)

    def _seen(self, composite: Tensor, mask: Tensor, memory: Memory | None) -> tuple[list[SeenFrame], list[int]]:
        """Run stage 1 on the frames that are new; return those that differ, and which stands at each place."""
        known = list(memory.frames) if memory is not None else []
        pictures, masks = composite.unbind(1), mask.unbind(1)
        frames: list[SeenFrame] = []
        order: list[int] = []
        new: list[int] = []
        for picture, weight in zip(pictures, masks, strict=True):
            place = None if self.training else _place_of(frames, picture, weight)
            if place is None:
                place = len(frames)
                old = None if self.training else _place_of(known, picture, weight)
                frames.append(known[old] if old is not None else SeenFrame(picture, weight, picture, picture))
                new += [place] if old is None else []
            order.append(place)
        if new:
            made = self.image(
                torch.cat([frames[index].composite for index in new]), torch.cat([frames[index].mask for index in new])
            )
            parts = zip(made.picture.chunk(len(new)), made.features.chunk(len(new)), strict=True)
            for index, (picture, features) in zip(new, parts, strict=True):
                frames[index] = frames[index]._replace(harmonized=picture, features=features)
        return frames, order

    def _flows(self, frames: list[SeenFrame], pairs: list[Pair], memory: Memory | None) -> dict[Pair, Tensor]:
        """Return the flow of pairs of frames that differ; what the window before knows is not estimated again."""
        if self.flow is None:
            return {}
        flows: dict[Pair, Tensor] = {}
        if memory is not None and not self.training:
            now = {id(frame): place for place, frame in enumerate(frames)}
            moved = [now.get(id(frame)) for frame in memory.frames]
            for (a, b), flow in memory.flows.items():
                if (here := moved[a]) is not None and (there := moved[b]) is not None:
                    flows[here, there] = flow
        missing = list(dict.fromkeys(pair for pair in pairs if pair[0] != pair[1] and pair not in flows))
        if missing:
            first, second = (torch.cat([frames[pair[end]].composite for pair in missing]) for end in (0, 1))
            flows.update(zip(missing, self._flow(first, second).chunk(len(missing)), strict=True))
        return flows

    def _flow(self, first: Tensor, second: Tensor) -> Tensor:
        assert self.flow is not None
        size, step = first.shape[-2:], self.flow_reduction
        with torch.autocast(first.device.type, enabled=False):  # a tenth of a pixel exceeds half precision
            if step == 1:
                flow: Tensor = self.flow(first, second)
                return flow
            small = [max(1, round(side / step)) for side in size]
            flow = self.flow(*(F.interpolate(frames, small, mode="area") for frames in (first, second)))
            scale = flow.new_tensor([size[1] / small[1], size[0] / small[0]])[:, None, None]
            return scale * F.interpolate(flow, size, mode="bilinear", align_corners=False)


def _place_of(frames: list[SeenFrame], composite: Tensor, mask: Tensor) -> int | None:
    return next((place for place, frame in enumerate(frames) if frame.shows(composite, mask)), None)


def build_network(
    *,
    stage: Literal[1, 2] = 2,
    frames: int = 5,
    nonlocal_levels: int = 2,
    q: int = 4,
    dilation: int = 1,
    nonlocal_position: Position = "joined",
    mask_threshold: float | None = None,
    propagation: Kind = "recurrent",
    directions: Directions = "both",
    aggregator: bool = True,
    output: Output = "all",
    head: Head = "residual",
    flow: FlowName | nn.Module | None = "spynet",
    flow_levels: int | Literal["auto"] = SPYNET_LEVELS,
    flow_reduction: int = 1,
    width: int = WIDTH,
) -> Chen2024Network:
    """Build the network from the options of `Chen2024`; `flow` may also be a module, or None.

    Raises:
        InputError: an option is out of its range.
    """
    if frames < 1:
        raise InputError(f"frames must be 1 or more, got {frames}")
    image = image_network(
        nonlocal_levels=nonlocal_levels,
        q=q,
        dilation=dilation,
        nonlocal_position=nonlocal_position,
        mask_threshold=mask_threshold,
        width=width,
    )
    if stage == 1:
        return Chen2024Network(image)
    is_centred = propagation == "direct" and output == "centre"
    brought = Propagation(
        width,
        kind=propagation,
        directions=directions,
        is_aggregated=aggregator,
        reach=max(1, frames // 2) if is_centred else 1,
    )
    temporal = TemporalNetwork(brought, width, head=head)
    estimator = build_flow(flow, flow_levels) if isinstance(flow, str) else flow
    return Chen2024Network(image, temporal, estimator, flow_reduction=flow_reduction, output=output)
