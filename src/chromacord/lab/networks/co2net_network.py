"""The network of CO2Net: a colour mapping from neighbours and a refinement, with a cache for overlapping windows.

See `chromacord.lab.methods.co2net` for a description and the differences from the authors' code.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from chromacord.color.alpha import over
from chromacord.lab.color.mapping import look_up, splat
from chromacord.lab.layers.unet import FusionHead
from chromacord.lab.methods.backbone import Backbone

PAST = FUTURE = 8
"""Number of neighbours on either side."""

_WIDTH = 64
NUM_COLORS = 6
"""Input channels of the refinement besides features: two pictures."""


class Refinement(nn.Module):
    """Combines the backbone's result with the mapped frame; a head then mixes in the composite.

    Args:
        num_features: channels of the backbone's features; 0: none are used.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features
        self.blocks = nn.Sequential(
            nn.Conv2d(NUM_COLORS + num_features, _WIDTH, 3, padding=1),
            nn.BatchNorm2d(_WIDTH),
            nn.ELU(),
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1),
            nn.BatchNorm2d(_WIDTH),
            nn.ELU(),
        )
        self.head = FusionHead(_WIDTH)

    def forward(self, picture: Tensor, features: Tensor | None, mapped: Tensor, composite: Tensor) -> Tensor:
        """Return the refined picture.

        Args:
            picture: the backbone's result in its value range. Shape (N, 3, H, W).
            features: the backbone's features; None if unused. Shape (N, num_features, H, W).
            mapped: the mapped frame in the same range. Shape (N, 3, H, W).
            composite: the picture that the head mixes in. Shape (N, 3, H, W).
        """
        parts = [picture, mapped] if features is None else [picture, features, mapped]
        refined: Tensor = self.head(self.blocks(torch.cat(parts, dim=1)), composite)
        return refined


class SeenFrame(NamedTuple):
    """Cached results for one frame."""

    composite: Tensor
    """RGB in [0, 1]. Shape (B, 3, H, W)."""

    mask: Tensor
    """Foreground weight. Shape (B, 1, H, W)."""

    picture: Tensor
    """The backbone's result in its value range. Shape (B, 3, H, W)."""

    features: Tensor | None
    """The backbone's features; None if unused or already consumed. Shape (B, num_features, H, W)."""

    sums: Tensor
    """The frame's contribution to the mapping. Shape (B, 4, D, D, D)."""

    def shows(self, composite: Tensor, mask: Tensor) -> bool:
        """Whether the input equals this frame. Shape (B, 3, H, W), (B, 1, H, W)."""
        return torch.equal(self.composite, composite) and torch.equal(self.mask, mask)


class Memory(NamedTuple):
    """Distinct frames that the next window shares, so that the backbone runs once per frame."""

    frames: tuple[SeenFrame, ...]


class CO2NetNetwork(nn.Module):
    """The complete network.

    Args:
        backbone: harmonizes frames independently.
        has_features: feed the backbone's features to the refinement.
        is_composite_normalized: let the head mix in the composite in the backbone's value range.
    """

    def __init__(self, backbone: Backbone, *, has_features: bool = True, is_composite_normalized: bool = False) -> None:
        super().__init__()
        self.backbone = backbone
        self.refinement = Refinement(backbone.num_features if has_features else 0)
        self.has_features, self.is_composite_normalized = has_features, is_composite_normalized

    def train(self, mode: bool = True) -> "CO2NetNetwork":
        """Set training mode; a frozen backbone stays in evaluation mode, so that its norms do not change."""
        super().train(mode)
        if not any(value.requires_grad for value in self.backbone.parameters()):
            self.backbone.eval()
        return self

    def forward(self, composite: Tensor, mask: Tensor) -> Tensor:
        """Harmonize the frames between a window's past and future.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), L above 16.
            mask: foreground weight. Shape (B, L, 1, H, W).

        Returns:
            Composited RGB in [0, 1], not clamped. Shape (B, L - 16, 3, H, W).
        """
        return self.window(composite, mask)[0]

    def window(self, composite: Tensor, mask: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """Harmonize like `forward`, reusing results of the previous window.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), L above 16.
            mask: foreground weight. Shape (B, L, 1, H, W).
            memory: cache of the previous window.
        """
        frames, order = self._seen(composite, mask, memory)
        hop = composite.shape[1] - PAST - FUTURE
        made = []
        for place in range(PAST, PAST + hop):
            neighbours = [*order[place - PAST : place], *order[place + 1 : place + 1 + FUTURE]]
            made.append(self._refined(frames[order[place]], [frames[index] for index in neighbours]))
        kept, waiting = dict.fromkeys(order[hop:]), set(order[PAST + hop :])
        remembered = [frames[index] for index in kept]
        for number, index in enumerate(kept):
            if index not in waiting:  # features take most of a frame's memory, and are no longer needed
                remembered[number] = remembered[number]._replace(features=None)
        return torch.stack(made, dim=1), Memory(tuple(remembered))

    def _seen(self, composite: Tensor, mask: Tensor, memory: Memory | None) -> tuple[list[SeenFrame], list[int]]:
        """Return a window's distinct frames, and the index of each position's frame."""
        known = memory.frames if memory is not None else ()
        length = composite.shape[1]
        last = length - (FUTURE if self.training else 0)  # training needs no later frames
        frames: list[SeenFrame] = []
        order = [0] * length
        for place in (*range(PAST, length), *range(PAST)):  # start with those whose features are needed
            picture, weight = composite[:, place], mask[:, place]
            needs_features = self.has_features and PAST <= place < last
            index = _place_of(frames, picture, weight)
            if index is None:
                old, index = _place_of(known, picture, weight), len(frames)
                if old is None or (needs_features and known[old].features is None):
                    frames.append(self._looked_at(picture, weight, has_features=needs_features))
                else:
                    frames.append(known[old])
            order[place] = index
        return frames, order

    def _looked_at(self, composite: Tensor, mask: Tensor, *, has_features: bool) -> SeenFrame:
        picture, features = self.backbone.look(composite, mask)
        harmonized = over(self.backbone.denormalized(picture), composite, mask)
        sums = splat(composite, harmonized, mask)
        return SeenFrame(composite, mask, picture, features if has_features else None, sums)

    def _refined(self, frame: SeenFrame, neighbours: list[SeenFrame]) -> Tensor:
        composite, mask, backbone = frame.composite, frame.mask, self.backbone
        # Contributions are sums, so each frame's is computed once and added up for every window that it is in.
        found = look_up(torch.stack([each.sums for each in neighbours]).sum(dim=0), composite)
        looked_up = over(found.picture, composite, mask)
        alone = over(backbone.denormalized(frame.picture.detach()), composite, mask)
        # Colours that no neighbour has cannot be looked up; the frame's own result is used instead.
        mapped = over(alone, looked_up, found.is_unmapped * mask)
        mixed_in = backbone.normalized(composite) if self.is_composite_normalized else composite
        refined = self.refinement(frame.picture, frame.features, backbone.normalized(mapped), mixed_in)
        return over(backbone.denormalized(refined), composite, mask)


def _place_of(frames: tuple[SeenFrame, ...] | list[SeenFrame], composite: Tensor, mask: Tensor) -> int | None:
    return next((place for place, frame in enumerate(frames) if frame.shows(composite, mask)), None)
