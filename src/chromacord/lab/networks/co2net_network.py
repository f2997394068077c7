"""The network of CO2Net: neighbours' colours as a mapping, and a refinement; and what overlapping windows share.

`chromacord.lab.methods.co2net` says what it is and where it differs from its authors' code.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from chromacord.color.alpha import over
from chromacord.lab.color.mapping import look_up, splat
from chromacord.lab.layers.unet import FusionHead
from chromacord.lab.methods.backbone import Backbone

PAST = FUTURE = 8
"""Neighbours on either side."""

_WIDTH = 64
NUM_COLORS = 6
"""Channels of the refinement's input besides the features: two pictures."""


class Refinement(nn.Module):
    """Joins what a backbone makes of a frame with what the mapping says of it; a head mixes the composite in.

    Args:
        num_features: channels of the backbone's features; 0: it does without them.
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
        """Return a new picture.

        Args:
            picture: the backbone's, in its range. Shape (N, 3, H, W).
            features: the backbone's. Shape (N, num_features, H, W). None: there are none.
            mapped: what the mapping says, in the same range. Shape (N, 3, H, W).
            composite: what the head mixes in. Shape (N, 3, H, W).
        """
        parts = [picture, mapped] if features is None else [picture, features, mapped]
        refined: Tensor = self.head(self.blocks(torch.cat(parts, dim=1)), composite)
        return refined


class SeenFrame(NamedTuple):
    """What is known of one frame."""

    composite: Tensor
    """RGB in [0, 1]. Shape (B, 3, H, W)."""

    mask: Tensor
    """Shape (B, 1, H, W)."""

    picture: Tensor
    """The backbone's, in its range. Shape (B, 3, H, W)."""

    features: Tensor | None
    """The backbone's. Shape (B, num_features, H, W). None: this frame's turn is over, or there are none."""

    sums: Tensor
    """Its share of the mapping. Shape (B, 4, D, D, D)."""

    def shows(self, composite: Tensor, mask: Tensor) -> bool:
        """Whether it is this frame. Shape (B, 3, H, W), (B, 1, H, W)."""
        return torch.equal(self.composite, composite) and torch.equal(self.mask, mask)


class Memory(NamedTuple):
    """Frames that the next window has too, each once: what the backbone makes of a frame is not made again."""

    frames: tuple[SeenFrame, ...]


class CO2NetNetwork(nn.Module):
    """The whole network.

    Args:
        backbone: harmonizes each frame by itself.
        has_features: whether the refinement looks at the backbone's features.
        is_composite_normalized: whether the head mixes in the composite in the backbone's range.
    """

    def __init__(self, backbone: Backbone, *, has_features: bool = True, is_composite_normalized: bool = False) -> None:
        super().__init__()
        self.backbone = backbone
        self.refinement = Refinement(backbone.num_features if has_features else 0)
        self.has_features, self.is_composite_normalized = has_features, is_composite_normalized

    def train(self, mode: bool = True) -> "CO2NetNetwork":
        """Set training mode; a backbone that is frozen stays in evaluation mode, so that its norms do not move."""
        super().train(mode)
        if not any(value.requires_grad for value in self.backbone.parameters()):
            self.backbone.eval()
        return self

    def forward(self, composite: Tensor, mask: Tensor) -> Tensor:
        """Harmonize the frames between the past and the future of a window.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), L above 16.
            mask: Shape (B, L, 1, H, W).

        Returns:
            RGB in [0, 1] but not clamped, laid over the composite. Shape (B, L - 16, 3, H, W).
        """
        return self.window(composite, mask)[0]

    def window(self, composite: Tensor, mask: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """Do what `forward` does, with what is known of the window before.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), L above 16.
            mask: Shape (B, L, 1, H, W).
            memory: of the window before.
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
        """Return the frames of a window that differ, and which of them stands at each place."""
        known = memory.frames if memory is not None else ()
        length = composite.shape[1]
        last = length - (FUTURE if self.training else 0)  # training needs no later frames
        frames: list[SeenFrame] = []
        order = [0] * length
        for place in (*range(PAST, length), *range(PAST)):  # first those whose features are needed
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
        found = look_up(torch.stack([each.sums for each in neighbours]).sum(dim=0), composite)
        looked_up = over(found.picture, composite, mask)
        alone = over(backbone.denormalized(frame.picture.detach()), composite, mask)
        mapped = over(alone, looked_up, found.is_unmapped * mask)
        mixed_in = backbone.normalized(composite) if self.is_composite_normalized else composite
        refined = self.refinement(frame.picture, frame.features, backbone.normalized(mapped), mixed_in)
        return over(backbone.denormalized(refined), composite, mask)


def _place_of(frames: tuple[SeenFrame, ...] | list[SeenFrame], composite: Tensor, mask: Tensor) -> int | None:
    return next((place for place, frame in enumerate(frames) if frame.shows(composite, mask)), None)
