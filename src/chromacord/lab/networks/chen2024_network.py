"""The network of Chen et al. 2024 (figure 1), with a cache for overlapping windows.

Assumptions A1 to A17 are listed in `chromacord.lab.methods.chen2024`.
"""

from typing import Literal, NamedTuple, TypeVar

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
Item = TypeVar("Item")


class DIS(nn.Module):
    """OpenCV's DIS as a module without weights; not differentiable."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Estimate flow. Shape (N, 3, H, W) twice to (N, 2, H, W); see `DISFlow`."""
        return DISFlow()(first.detach(), second.detach())


def middle(num_frames: int) -> range:
    """Return the index of a window's middle frame; for an even length the earlier of the two, as windows are cut."""
    place = (num_frames - 1) // 2
    return range(place, place + 1)


def build_flow(name: FlowName, levels: int | Literal["auto"] = SPYNET_LEVELS) -> nn.Module | None:
    """Build a flow estimator.

    Args:
        name: "spynet" and "spynet-random" (table 2, row 4), trained from the shipped weights or from scratch; "dis" is
            OpenCV's, which does not train; "none" returns None: features are not aligned.
        levels: levels of SPyNet, see `SPyNet`.
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
        nonlocal_levels: number of levels with a block, from the coarsest: 0 to 3.
        q: side of the block's window; 0: the whole picture.
        dilation: dilation of the window.
        nonlocal_position: position of the block within a level.
        mask_threshold: threshold that binarizes the mask for the block; None: use the soft mask.
        width: channels at full size.

    Raises:
        InputError: an option is out of range.
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
    # HarmonizationNetwork initializes all convolutions, the blocks' zeros included.
    for module in network.modules():
        if isinstance(module, NonLocal):
            module.start()
    return network


class SeenFrame(NamedTuple):
    """Cached results for one frame."""

    composite: Tensor
    """RGB in [0, 1]. Shape (B, 3, H, W)."""

    mask: Tensor
    """Foreground weight. Shape (B, 1, H, W)."""

    harmonized: Tensor
    """Result of stage 1, normalized. Shape (B, 3, H, W)."""

    features: Tensor
    """F^h in the paper. Shape (B, width, H, W)."""

    def shows(self, composite: Tensor, mask: Tensor) -> bool:
        """Whether the input equals this frame. Shape (B, 3, H, W), (B, 1, H, W)."""
        return torch.equal(self.composite, composite) and torch.equal(self.mask, mask)


class Memory(NamedTuple):
    """Cached results of a window: windows overlap and a clip's ends repeat, so most are reused."""

    frames: tuple[SeenFrame, ...]
    """The distinct frames."""

    order: tuple[int, ...]
    """Index into `frames` for each position of the window."""

    flows: dict[Pair, Tensor]
    """Flow by pairs of indices into `frames`."""


class Chen2024Network(nn.Module):
    """The whole network (figure 1), or only stage 1.

    Args:
        image: the network of stage 1.
        temporal: the network of stage 2; None: stage 1 only.
        flow: estimates flow from its first to its second argument, shape (N, 3, H, W) to (N, 2, H, W); None: features
            are not aligned.
        flow_reduction: factor by which frames are reduced before flow is estimated.
        output: frames of a window used in training.
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
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on a CPU

    def train(self, mode: bool = True) -> "Chen2024Network":
        """Set training mode; frozen parts stay in evaluation mode, so that their batch norms do not change."""
        super().train(mode)
        for part in self.children():
            if not any(value.requires_grad for value in part.parameters()):
                part.eval()
        return self

    def forward(self, composite: Tensor, mask: Tensor, *, stage: Literal[1, 2]) -> Tensor:
        """Compute the output that a training stage uses.

        Args:
            composite: RGB in [0, 1]. Shape (B, T, 3, H, W), any T.
            mask: foreground weight. Shape (B, T, 1, H, W).
            stage: 1 or 2.

        Returns:
            Stage 1: all frames, normalized and not composited. Stage 2: the frames of `output`, composited, in [0, 1]
            but not clamped. Shape (B, T or 1, 3, H, W).
        """
        if stage == 1:
            picture: Tensor = self.image(composite.flatten(0, 1), mask.flatten(0, 1)).picture
            return picture.view(*composite.shape)
        return self.window(composite, mask, self.wanted(composite.shape[1]))[0]

    def wanted(self, num_frames: int) -> range:
        """Return the frames of a window used in training."""
        return range(num_frames) if self.output == "all" else middle(num_frames)

    def window(
        self, composite: Tensor, mask: Tensor, wanted: range, memory: Memory | None = None
    ) -> tuple[Tensor, Memory]:
        """Harmonize some frames of a window with all of it as context.

        Args:
            composite: RGB in [0, 1]. Shape (B, T, 3, H, W), any T.
            mask: foreground weight. Shape (B, T, 1, H, W).
            wanted: indices of the frames to return.
            memory: cache of the previous window.

        Returns:
            Composited frames in [0, 1] but not clamped, shape (B, len(wanted), 3, H, W); and the updated cache.
        """
        if self.temporal is None:
            raise InputError("this network is stage 1 alone; build it with stage=2")
        frames, order = self._seen(composite, mask, memory)
        pairs = self.temporal.propagation.pairs(len(order), wanted)
        flows = self._flows(frames, [(order[a], order[b]) for a, b in pairs], memory)
        # Two positions that show the same frame have no flow: nothing moved, so they are not aligned.
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
        """Run stage 1 on new frames; return the distinct frames, and the index of each position's frame."""
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
                # A new frame's results are placeholders until stage 1 has run below.
                frames.append(known[old] if old is not None else SeenFrame(picture, weight, picture, picture))
                new += [place] if old is None else []
            order.append(place)
        for places in self._together(new):
            seen = [frames[index] for index in places]
            made = self.image(torch.cat([each.composite for each in seen]), torch.cat([each.mask for each in seen]))
            parts = zip(made.picture.chunk(len(seen)), made.features.chunk(len(seen)), strict=True)
            for index, (picture, features) in zip(places, parts, strict=True):
                frames[index] = frames[index]._replace(harmonized=picture, features=features)
        return frames, order

    def _together(self, items: list[Item]) -> list[list[Item]]:
        """Divide work into batches: all at once for training, one by one otherwise, which suits a CPU's caches."""
        if self.training:
            return [items] if items else []
        return [[item] for item in items]

    def _flows(self, frames: list[SeenFrame], pairs: list[Pair], memory: Memory | None) -> dict[Pair, Tensor]:
        """Return the flow between pairs of distinct frames, reusing what the previous window computed."""
        if self.flow is None:
            return {}
        flows: dict[Pair, Tensor] = {}
        if memory is not None and not self.training:
            # Frames taken over from the previous window are the same objects, so identity suffices; comparing
            # their pixels again would cost more.
            now = {id(frame): place for place, frame in enumerate(frames)}
            moved = [now.get(id(frame)) for frame in memory.frames]
            for (a, b), flow in memory.flows.items():
                if (here := moved[a]) is not None and (there := moved[b]) is not None:
                    flows[here, there] = flow
        missing = list(dict.fromkeys(pair for pair in pairs if pair[0] != pair[1] and pair not in flows))
        for some in self._together(missing):
            first, second = (torch.cat([frames[pair[end]].composite for pair in some]) for end in (0, 1))
            flows.update(zip(some, self._flow(first, second).chunk(len(some)), strict=True))
        return flows

    def _flow(self, first: Tensor, second: Tensor) -> Tensor:
        assert self.flow is not None
        size, step = first.shape[-2:], self.flow_reduction
        with torch.autocast(first.device.type, enabled=False):  # a tenth of a pixel exceeds half precision
            if step == 1:
                flow: Tensor = self.flow(first, second)
                return flow
            # Sides are rounded, so the two axes are enlarged by slightly different factors.
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
        InputError: an option is out of range.
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
