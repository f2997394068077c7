"""Synthetic frame pairs with exact flow, for training and measuring flow estimators.

A photograph is the background; parts of others are cut out along their masks and laid over it. Each layer moves
independently from the first frame to the second by an affine motion, usually of a few pixels and occasionally of many,
and a smooth bend. This gives motion boundaries and occlusions. Exposure, noise and sharpness then differ between the
frames.

A layer's photograph is sampled at C(p + bend(p)) in the first frame and at C(A^-1 q) in the second, where C places the
photograph and A is the layer's motion. So the point at p moves to q = A(p + bend(p)), and the flow is exact.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from chromacord.errors import InputError
from chromacord.lab.composites.flow_motion import WHOLE, Motion
from chromacord.lab.composites.photographs import Photographs
from chromacord.lab.flow.warp import warp

_BEND_NODES = 5
_COVERED = 0.5
_STRIP = (1.0, 8.0)
"""Least and greatest width of strips, in pixels of 256 x 256 pictures."""

_COARSEST = 4


class FlowPairs(NamedTuple):
    """N pairs of frames."""

    first: Tensor
    """RGB in [0, 1], quantized to 8 bits. Shape (N, 3, H, W)."""

    second: Tensor
    """Shape (N, 3, H, W)."""

    flow: Tensor
    """Displacement of each pixel of `first` in pixels, (x right, y down), occluded ones included.
    Shape (N, 2, H, W)."""

    visible: Tensor
    """1 where the pixel is visible in `second`, 0 where it left the frame or is occluded. Shape (N, 1, H, W)."""


class _Layers(NamedTuple):
    """L layers, one for each of some pairs; the first layers are the backgrounds."""

    colors: Tensor
    """Colours premultiplied by the coverage in the fourth channel. Shape (L, 4, T, T)."""

    layout: Tensor
    """Map from frame pixels, relative to the centre, to photograph pixels. Shape (L, 2, 3)."""

    motion: Tensor
    """Map from pixels of the first frame to pixels of the second. Shape (L, 2, 3)."""

    bend: Tensor
    """Shape (L, 2, H, W)."""


class PairMaker:
    """Draws batches of pairs."""

    def __init__(
        self, photographs: Photographs, motion: Motion, *, side: int, width: int | None = None, whole: int | None = None
    ) -> None:
        """Reduce the photographs to the working size.

        Args:
            photographs: the pictures to draw from; their side must be a multiple of `whole`.
            motion: how to draw.
            side: height of the frames, H.
            width: their width, W; None: as the height.
            whole: side of the picture from which a frame is cropped; None: no crop. Motions are relative to it. Frames
                larger than it mirror the photograph at its edges.

        Raises:
            InputError: the photographs' side is not a multiple of `whole`.
        """
        self._motion, self._size, self._whole = motion, (side, width or side), whole or side
        stored = photographs.pictures.shape[-1]
        if stored % self._whole:
            raise InputError(f"pictures of side {stored} cannot be reduced to {self._whole}; choose a multiple of it")
        self._source = _reduced(photographs, stored // self._whole)
        rows, columns = (torch.arange(length) - (length - 1) / 2 for length in self._size)
        self._places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))
        self._extent = torch.tensor(self._size[::-1])  # (x, y)

    def draw(self, count: int, generator: torch.Generator) -> FlowPairs:
        """Make pairs.

        Args:
            count: number of pairs, N.
            generator: random number generator.
        """
        most = self._motion.most_cutouts
        numbers = torch.randint(self._motion.least_cutouts, most + 1, (count,), generator=generator)
        back = self._backgrounds(count, generator)
        first, second, flow = self._seen(back, "reflection")
        first, second = first[:, :3], second[:, :3]
        top = torch.zeros(count, 1, *self._size)
        covers = torch.zeros(count, most, *self._size)
        for slot in range(most):
            has = (numbers > slot).nonzero()[:, 0]
            if not len(has):
                break
            layers = self._cutouts(back, has, generator)
            here, there, moved = self._seen(layers, "zeros")
            first[has] = here[:, :3] + (1 - here[:, 3:]) * first[has]
            second[has] = there[:, :3] + (1 - there[:, 3:]) * second[has]
            owned = here[:, 3:] > _COVERED
            flow[has] = torch.where(owned, moved, flow[has])
            top[has] = torch.where(owned, slot + 1.0, top[has])
            covers[has, slot] = there[:, 3]
        # A layer above the visible one at p covers its new position.
        covered, inside = warp(covers, flow)
        is_above = torch.arange(1, most + 1)[:, None, None] > top
        visible = inside & ~((covered > _COVERED) & is_above).any(dim=1, keepdim=True)
        return FlowPairs(*self._filmed(first, second, generator), flow, visible.float())

    def _backgrounds(self, count: int, generator: torch.Generator) -> _Layers:
        chosen = self._chosen(count, generator)
        colors = self._source.pictures[chosen].float() / 255
        colors = torch.cat([colors, torch.ones_like(colors[:, :1])], dim=1)
        zoom = _uniform((count,), 0.6, 1.0, generator)
        layout = self._layout(zoom, 10.0, generator)
        # The sampled region lies inside the photograph, up to the rotation.
        room = (self._whole - zoom[:, None] * self._extent).clamp_min(0) / 2
        layout[:, :, 2] = room * _uniform((count, 2), -1, 1, generator)
        pace = torch.full((count,), self._motion.back_pace)
        return _Layers(colors, layout, *self._moves(pace, generator))

    def _cutouts(self, back: _Layers, has: Tensor, generator: torch.Generator) -> _Layers:
        """Return one cut-out for each pair of `has`."""
        count, drawn = len(has), self._motion
        chosen, others = self._chosen(count, generator), self._chosen(count, generator)
        shown = torch.where(self._drawn(count, drawn.foreign_share, generator), others, chosen)
        masks = torch.stack([self._source.foreground(index, generator)[0] for index in chosen[:, None]])
        fast = self._drawn(count, drawn.fast_share, generator)
        zoom = _uniform((count,), drawn.least_zoom, drawn.most_zoom, generator) * (1 + fast)
        thin = self._drawn(count, drawn.thin_share, generator)
        masks[thin] = self._strips(zoom[thin], generator)
        pictures = self._source.pictures[shown].float() / 255
        colors = _prefiltered(torch.cat([pictures * masks, masks], dim=1), zoom)
        layout = self._layout(zoom, 20.0, generator)
        middle = 0.45 * self._extent * _uniform((count, 2), -1, 1, generator)
        layout[:, :, 2] = -torch.einsum("nij,nj->ni", layout[:, :, :2], middle)
        motion, bend = self._moves(1.0 + 2 * fast, generator)
        # Rotate about the object's own centre, not the frame's.
        motion[:, :, 2] += middle - torch.einsum("nij,nj->ni", motion[:, :, :2], middle)
        carried = self._drawn(count, drawn.carried_share, generator)
        motion[carried] = _composed(back.motion[has][carried], motion[carried])
        attached = self._drawn(count, drawn.attached_share, generator)
        motion[attached], bend[attached] = back.motion[has][attached], back.bend[has][attached]
        return _Layers(colors, layout, motion, bend)

    def _strips(self, zoom: Tensor, generator: torch.Generator) -> Tensor:
        """Return coverages of straight strips through photographs. Shape (n,) to (n, 1, T, T)."""
        count, whole = len(zoom), self._whole
        half = zoom * _uniform((count,), *_STRIP, generator) * whole / WHOLE / 2
        angle = torch.pi * _uniform((count, 1, 1), 0, 1, generator)
        offset = 0.3 * whole * _uniform((count, 1, 1), -1, 1, generator)
        places = torch.arange(whole) - (whole - 1) / 2
        distance = (angle.cos() * places + angle.sin() * places[:, None] - offset).abs()
        return (half[:, None, None] - distance + 0.5).clamp(0, 1)[:, None]

    def _layout(self, zoom: Tensor, turn: float, generator: torch.Generator) -> Tensor:
        """Draw small rotations, and mirror half of them. Shape (n,) to (n, 2, 3)."""
        count = len(zoom)
        layout = torch.zeros(count, 2, 3)
        angle = math.radians(turn) * _uniform((count,), -1, 1, generator)
        layout[:, :, :2] = zoom[:, None, None] * _rotation(angle)
        layout[self._drawn(count, 0.5, generator), :, 0] *= -1
        return layout

    def _moves(self, faster: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw affine motions, shape (n, 2, 3), and bends, shape (n, 2, H, W), for factors on the displacement (n,)."""
        motion, unit, count = self._motion, self._whole / WHOLE, len(faster)
        moves = ~self._drawn(count, motion.still_share, generator)
        # Speed as a multiple of the typical one: long motions rotate strongly.
        pace = (motion.spread * torch.randn(count, generator=generator)).exp()
        angle = torch.pi * _uniform((count,), -1, 1, generator)
        length = (motion.typical * faster * pace).clamp_max(motion.longest) * unit
        turning = faster.clamp_max(1) * pace.clamp_max(3.0) * (0.5 * torch.randn(count, generator=generator)).exp()
        turn = math.radians(motion.turn) * turning * torch.randn(count, generator=generator)
        scale = (motion.stretch * turning * torch.randn(count, generator=generator)).exp()
        shear = motion.stretch / 4 * turning[:, None, None] * torch.randn(count, 2, 2, generator=generator)
        affine = torch.zeros(count, 2, 3)
        affine[:, :, :2] = scale[:, None, None] * _rotation(turn) + shear
        affine[:, :, 2] = length[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
        affine[~moves] = torch.eye(2, 3)
        nodes = motion.bend * unit * torch.randn(count, 2, _BEND_NODES, _BEND_NODES, generator=generator)
        bent = moves & self._drawn(count, motion.bent_share, generator)
        bend = F.interpolate(nodes * bent[:, None, None, None], self._size, mode="bicubic", align_corners=True)
        return affine, bend

    def _seen(self, layers: _Layers, padding: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return layers as they appear in each frame, shape (L, 4, H, W), and the flow, shape (L, 2, H, W)."""
        bent = self._places + layers.bend
        moved = _transformed(layers.motion, bent)
        back = _inverse(layers.motion)
        frames = []
        for places in (bent, _transformed(back, self._places.expand_as(bent))):
            grid = 2 / layers.colors.shape[-1] * _transformed(layers.layout, places)
            frames.append(
                F.grid_sample(layers.colors, grid.permute(0, 2, 3, 1), padding_mode=padding, align_corners=False)
            )
        return frames[0], frames[1], moved - self._places

    def _filmed(self, first: Tensor, second: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Vary light, sharpness and noise, and quantize to 8 bits. Shape (N, 3, H, W) each."""
        count, motion = len(first), self._motion
        second = _relit(second, motion.relit_strength * self._drawn(count, motion.relit_share, generator), generator)
        both = torch.cat([first, second])
        which = self._drawn(2 * count, motion.blurred_share, generator)
        both[which] = _blurred(both[which], _uniform((int(which.sum()),), 0.3, 1.0, generator))
        level = motion.noise * _uniform((2 * count, 1, 1, 1), 0, 1, generator).square()
        both = both + level * torch.randn(both.shape, generator=generator)
        both = (255 * both).round().clamp(0, 255) / 255
        return both[:count], both[count:]

    def _chosen(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.multinomial(self._source.weights, count, replacement=True, generator=generator)

    def _drawn(self, count: int, share: float, generator: torch.Generator) -> Tensor:
        if not share:  # draw nothing, so that the other random numbers stay the same
            return torch.zeros(count, dtype=torch.bool)
        return torch.rand(count, generator=generator) < share


def _reduced(photographs: Photographs, step: int) -> Photographs:
    """Reduce the sides of photographs by a whole factor; labels are not averaged."""
    if step == 1:
        return photographs
    pictures, masks = (
        torch.cat([F.avg_pool2d(part.float(), step).round().to(torch.uint8) for part in codes.split(64)])
        for codes in (photographs.pictures, photographs.masks)
    )
    labelled = photographs.has_labels
    masks[labelled] = photographs.masks[labelled][:, :, step // 2 :: step, step // 2 :: step]
    return replace(photographs, pictures=pictures, masks=masks)


def _uniform(shape: tuple[int, ...], least: float, most: float, generator: torch.Generator) -> Tensor:
    return torch.empty(shape).uniform_(least, most, generator=generator)


def _rotation(angle: Tensor) -> Tensor:
    """Return rotation matrices for angles in radians. Shape (n,) to (n, 2, 2)."""
    rows = [torch.stack([angle.cos(), -angle.sin()], dim=-1), torch.stack([angle.sin(), angle.cos()], dim=-1)]
    return torch.stack(rows, dim=-2)


def _transformed(affine: Tensor, places: Tensor) -> Tensor:
    """Apply affine maps to positions. Shape (n, 2, 3) and (n, 2, H, W) to (n, 2, H, W)."""
    moved: Tensor = torch.einsum("nij,njyx->niyx", affine[:, :, :2], places) + affine[:, :, 2, None, None]
    return moved


def _inverse(affine: Tensor) -> Tensor:
    """Invert affine maps. Shape (n, 2, 3)."""
    back = torch.linalg.inv(affine[:, :, :2])
    return torch.cat([back, -back @ affine[:, :, 2:]], dim=2)


def _composed(outer: Tensor, inner: Tensor) -> Tensor:
    """Return the affine maps that apply `inner`, then `outer`. Shape (n, 2, 3) each."""
    linear, shift = outer[:, :, :2], outer[:, :, 2:]
    return linear @ inner + torch.cat([torch.zeros_like(linear), shift], dim=2)


def _prefiltered(colors: Tensor, zoom: Tensor) -> Tensor:
    """Average the pixels of layers that are shown much smaller, so that they do not alias. Shape (n, 4, T, T), (n,)."""
    for step in (2, _COARSEST):
        small = (zoom >= step) & ((zoom < 2 * step) | (step == _COARSEST))
        if small.any() and colors.shape[-1] % step == 0:
            means = F.avg_pool2d(colors[small], step)
            colors[small] = F.interpolate(means, scale_factor=step, mode="nearest")
    return colors


def _relit(frames: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """Vary exposure, contrast, white balance, and a horizontal light gradient. Shape (N, 3, H, W) and (N,)."""
    count = len(frames)

    def drawn(deviation: float, *shape: int) -> Tensor:
        return deviation * strength[:, None, None, None] * torch.randn(count, *shape, generator=generator)

    gain = (drawn(0.12, 1, 1, 1) + drawn(0.04, 3, 1, 1)).exp()
    slope = F.interpolate(drawn(0.04, 1, 2, 2), frames.shape[-2:], mode="bilinear", align_corners=True)
    power = drawn(0.1, 1, 1, 1).exp()
    return frames.clamp(1e-4, 1) ** power * gain * slope.exp() + drawn(0.015, 3, 1, 1)


def _blurred(frames: Tensor, radius: Tensor) -> Tensor:
    """Blur each frame with its own Gaussian. Shape (n, 3, H, W) and (n,)."""
    offsets = torch.arange(-2, 3)
    kernel = torch.exp(-0.5 * (offsets / radius[:, None]).square())
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(3, 0)
    channels = F.pad(frames, (2, 2, 2, 2), mode="replicate").flatten(0, 1)[None]
    count = channels.shape[1]
    if not count:
        return frames
    blurred: Tensor = F.conv2d(
        F.conv2d(channels, kernel[:, None, :, None], groups=count), kernel[:, None, None], groups=count
    )
    return blurred[0].view_as(frames)
