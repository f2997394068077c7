"""ShotGrade: one smooth colour transform for a shot, from comparing the foreground with its background.

Our own method, the default. A small convolutional encoder looks at foreground and background together; what decides
is the comparison of the two: means and deviations of features inside and outside the mask at three scales, and colour
histograms of both. Out come weights of learned basis LUTs. Their sum is a global transform, linear in its parameters,
so it applies at any size, exports as .cube, and can be averaged over time.

Ideas that it builds on: image-adaptive mixtures of basis LUTs (Zeng et al., "Learning Image-adaptive 3D Lookup Tables
for High Performance Photo Enhancement in Real-time", TPAMI 2020), here for one region and estimated from another; one
colour map for a whole clip (Lu et al., "Deep Video Harmonization with Color Mapping Consistency", 2022).
"""

from itertools import product
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.color.statistics import has_both_sides
from chromacord.color.transforms import Lut3d, apply_lut3d, lattice
from chromacord.methods.base import Method, Prediction, State, Window
from chromacord.weights import load_into

_WORKING_SIDE = 256
"""Height and width of the pictures that the method gets."""

_WIDTHS = (24, 48, 96, 160)
"""Channels of the encoder at a half, a quarter, an eighth and a sixteenth of its input's side."""

_CUBE_BINS, _CURVE_BINS = 6, 16
"""Bins a side of the colour histogram, and of each channel's own."""

_TOGETHER = 4
"""Pictures that pass the network at once. One by one the small ones would go through torch's slow convolutions; the
features of a whole window would fit into no cache, and take twice the memory."""

_POLYNOMIAL_DEGREE = 3

_SHARPNESS = 3
"""Of the step from grades that are left out to those that are applied. The odds themselves weaken all grades a little;
at 3 those that are surely right stay whole."""


class _Conv(nn.Sequential):
    """A convolution, normalised, with a rectifier."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )


class _Residual(nn.Module):
    """Two convolutions whose result is added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _Conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, features: Tensor) -> Tensor:
        mixed: Tensor = F.relu(features + self.second(self.first(features)))
        return mixed


def _averaged(picture: Tensor, step: int) -> Tensor:
    """Return the means of squares of `step` pixels a side. Shape (N, C, H, W) to (N, C, H / step, W / step)."""
    while step > 1 and step % 2 == 0:  # by halves: vectors of whole rows are added, five times as fast as torch pools
        rows = picture[..., ::2, :] + picture[..., 1::2, :]
        picture, step = (rows[..., ::2] + rows[..., 1::2]) / 4, step // 2
    return F.avg_pool2d(picture, step) if step > 1 else picture


def _pooled(features: Tensor, weight: Tensor) -> Tensor:
    """Return mean and deviation of features under a weight. Shape (N, C, H, W), (N, 1, H, W) to (N, 2C)."""
    share = (weight / weight.sum(dim=(-2, -1), keepdim=True).clamp_min(1e-6)).flatten(2)
    flat = features.flatten(2)
    mean = (flat * share).sum(dim=-1)
    variance = ((flat - mean[..., None]).square() * share).sum(dim=-1)
    return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)


def color_histograms(colors: Tensor, weight: Tensor) -> Tensor:
    """Return the square roots of colour histograms of foreground and background: of the cube, and of each channel.

    Each pixel is shared out to the nodes around it in proportion to its distance, so that histograms move smoothly.

    Args:
        colors: RGB in [0, 1]. Shape (N, 3, P).
        weight: of the foreground, in [0, 1]. Shape (N, 1, P).

    Returns:
        Shape (N, 2 * (bins of the cube + bins of three channels)).
    """
    sides = torch.cat([weight, 1 - weight], dim=1)
    sides = sides / sides.sum(dim=-1, keepdim=True).clamp_min(1e-6)
    low, share = _node_shares(colors, _CUBE_BINS)
    steps = torch.tensor([_CUBE_BINS**2, _CUBE_BINS, 1], device=low.device)
    first = (low * steps[:, None]).sum(dim=1)
    red, green, blue = torch.stack([1 - share, share]).unbind(dim=2)
    cube = colors.new_zeros(len(colors), 2, _CUBE_BINS**3)
    for i, j in product((0, 1), repeat=2):
        edge = red[i] * green[j]
        for k in (0, 1):
            node = first + (i * _CUBE_BINS + j) * _CUBE_BINS + k
            cube.scatter_add_(2, node[:, None].expand_as(sides), (edge * blue[k])[:, None] * sides)
    low, share = _node_shares(colors, _CURVE_BINS)
    low = low + _CURVE_BINS * torch.arange(3, device=low.device)[:, None]
    curves = colors.new_zeros(len(colors), 2, 3 * _CURVE_BINS)
    for side in (0, 1):
        part = (share if side else 1 - share)[:, None] * sides[:, :, None]
        curves.scatter_add_(2, (low + side)[:, None].expand_as(part).flatten(2), part.flatten(2))
    return (torch.cat([cube.flatten(1), curves.flatten(1)], dim=1) + 1e-6).sqrt()


def _node_shares(colors: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Return the node below each value in [0, 1], and the share of the node above it. Any shape."""
    place = colors.clamp(0, 1) * (bins - 1)
    low = place.long().clamp(0, bins - 2)
    return low, place - low


class Estimate(NamedTuple):
    """What the network makes of N pictures."""

    lut: Tensor
    """Shape (N, 3, D, D, D)."""

    confidence: Tensor
    """The chance that the grade brings the foreground nearer to the truth, in [0, 1]. Shape (N,)."""


def _polynomials(size: int, degree: int) -> Tensor:
    """Return orthonormal polynomials of colour up to a degree, for each output channel. Shape (K, 3, D, D, D)."""
    axes = 2 * lattice(size).flatten(1) - 1
    powers = [
        axes[0] ** i * axes[1] ** j * axes[2] ** k
        for i in range(degree + 1)
        for j in range(degree + 1 - i)
        for k in range(degree + 1 - i - j)
    ]
    basis = torch.linalg.qr(torch.stack(powers, dim=1)).Q.mT * size**1.5
    table = torch.zeros(3, len(basis), 3, size**3)
    for channel in range(3):
        table[channel, :, channel] = basis
    return table.view(-1, 3, size, size, size)


class GradeNetwork(nn.Module):
    """Predicts the weights of basis LUTs for one picture.

    Args:
        side: pictures are reduced to this height and width.
        lut_size: nodes a side of the basis LUTs.
        hidden: width of the fully connected layers.
    """

    def __init__(self, *, side: int = 128, lut_size: int = 9, hidden: int = 256) -> None:
        super().__init__()
        if side < 16 or _WORKING_SIDE % side or lut_size < 2:
            raise ValueError(f"side must divide {_WORKING_SIDE} and lut_size be 2 or more, got {side} and {lut_size}")
        self.side = side
        first, second, third, fourth = _WIDTHS
        self.stem = nn.Sequential(_Conv(4, first, 2), _Conv(first, second, 2))
        self.middle = nn.Sequential(_Conv(second, third, 2), _Residual(third))
        self.deep = nn.Sequential(_Conv(third, fourth, 2), _Residual(fourth))
        histogram = 2 * (_CUBE_BINS**3 + 3 * _CURVE_BINS)
        self.histogram = nn.Linear(histogram, hidden)
        self.features = nn.Linear(4 * (second + third + fourth) + 12, hidden)
        self.trunk = nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.basis = nn.Parameter(_polynomials(lut_size, _POLYNOMIAL_DEGREE))
        self.weights = nn.Linear(hidden, len(self.basis))
        self.confidence = nn.Linear(hidden, 1)
        nn.init.normal_(self.weights.weight, std=1e-3)
        nn.init.zeros_(self.weights.bias)
        nn.init.zeros_(self.confidence.weight)
        nn.init.constant_(self.confidence.bias, 2.0)

    def forward(self, composite: Tensor, mask: Tensor) -> Estimate:
        """Estimate a transform for each picture.

        Args:
            composite: RGB in [0, 1]. Shape (N, 3, H, W), H and W multiples of `side`.
            mask: foreground weight. Shape (N, 1, H, W).
        """
        step = composite.shape[-1] // self.side
        composite, mask = _averaged(composite, step), _averaged(mask, step)
        shallow = self.stem(torch.cat([2 * composite - 1, 2 * mask - 1], dim=1))
        middle = self.middle(shallow)
        deep = self.deep(middle)
        parts = []
        for features in (shallow, middle, deep):
            weight = F.adaptive_avg_pool2d(mask, features.shape[-2:])
            parts += [_pooled(features, weight), _pooled(features, 1 - weight)]
        sides = [_pooled(composite, mask), _pooled(composite, 1 - mask)]
        histogram = color_histograms(composite[..., ::2, ::2].flatten(2), mask[..., ::2, ::2].flatten(2))
        hidden = self.trunk(self.features(torch.cat([*parts, *sides], dim=1)) + self.histogram(histogram))
        with torch.autocast(composite.device.type, enabled=False):  # three digits are too few for colours
            hidden = hidden.float()
            confidence = torch.sigmoid(self.confidence(hidden)[:, 0]) * _evidence(composite, mask)
            # A grade weighs as much as it can be trusted. The chance is learned from its own loss alone: bent to make
            # errors small, it would be no chance any more.
            weights = self.weights(hidden) * confidence.detach()[:, None]
            change = torch.einsum("nk,kcxyz->ncxyz", weights, self.basis)
            unit = lattice(self.basis.shape[-1]).to(change)
            return Estimate(unit + change, confidence)


def _evidence(composite: Tensor, mask: Tensor) -> Tensor:
    """Return how much there is to go by: pixels on both sides, and colours that differ at all. Shape (N,)."""
    foreground, background = mask.mean(dim=(1, 2, 3)), (1 - mask).mean(dim=(1, 2, 3))
    mean = composite.mean(dim=(2, 3), keepdim=True)
    variance = (composite - mean).square().mean(dim=(1, 2, 3))
    seen = foreground / (foreground + 5e-4) * background / (background + 5e-3)
    return seen * (1 - torch.exp(-variance / 4e-4)) * has_both_sides(mask)


def _trust(confidence: Tensor, caution: float) -> Tensor:
    """Return how much of a grade is applied, by the odds that it helps. Shape (N,)."""
    helps, harms = confidence**_SHARPNESS, caution * (1 - confidence) ** _SHARPNESS
    return helps / (helps + harms).clamp_min(1e-9)


def _recolored(picture: Tensor, mask: Tensor, lut: Tensor) -> Tensor:
    """Map the pixels of the foreground, and no others: most of a picture is background. Shape (3, H, W)."""
    inside = (mask.flatten() > 0).nonzero()[:, 0]
    colors = picture.flatten(1).index_select(1, inside)
    mapped = apply_lut3d(colors[None, :, None], lut[None])[0, :, 0].clamp(0, 1)
    return picture.flatten(1).index_copy(1, inside, mapped).view_as(picture)


class ShotState(NamedTuple):
    """What is kept of the windows before."""

    lut: Tensor
    """Mean of the LUTs so far. Shape (B, 3, D, D, D)."""

    weight: Tensor
    """How much it counts, in frames that can be trusted wholly. Shape (B,)."""


class ShotGrade(Method):
    """One smooth colour transform for a shot, learned from comparing foreground and background.

    A window's frames are estimated one by one and averaged, each by the confidence in it, together with what is
    remembered of the windows before. The first window's frames all get the mean; from there the grade moves to each
    following window's mean in equal steps, so nothing jumps.

    Args:
        weights: shipped weights ("shotgrade", or "shotgrade-research": trained also on pictures that may be used for
            research only), or the path of a .safetensors file. None: not trained.
        memory: share of what is remembered that is kept from window to window. 0 follows a change of light within
            8 analysed frames; 1 never forgets, inside a shot.
        caution: how much likelier than in training it is that a foreground fits already. The higher, the more a grade
            is weakened that is not trusted; 0 applies it as the network, which has learned some care of its own, gives
            it.
        per_frame: estimate each frame by itself, and remember nothing.
        side, lut_size, hidden: of the network; those of the weights.
    """

    def __init__(
        self,
        weights: str | None = "shotgrade",
        *,
        memory: float = 0.5,
        caution: float = 4.0,
        per_frame: bool = False,
        side: int = 128,
        lut_size: int = 9,
        hidden: int = 256,
    ) -> None:
        super().__init__()
        if not 0 <= memory <= 1:
            raise ValueError(f"memory must lie in 0..1, got {memory}")
        if not caution >= 0:
            raise ValueError(f"caution must be 0 or more, got {caution}")
        self.window = Window() if per_frame else Window(hop=8)
        self.memory, self.caution, self.per_frame = memory, caution, per_frame
        self.network = GradeNetwork(side=side, lut_size=lut_size, hidden=hidden)
        if weights is not None:
            load_into(self.network, weights)

    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> Prediction:
        """Grade the frames of each window.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, 256, 256).
            mask: foreground weight. Shape (B, L, 1, 256, 256).
            state: a `ShotState`, or None.
        """
        decided = self.decide(composite, mask, state)
        assert isinstance(decided.transform, Lut3d)
        each = zip(composite.flatten(0, 1), mask.flatten(0, 1), decided.transform.parameters, strict=True)
        harmonized = torch.stack([_recolored(*frame) for frame in each])
        return decided._replace(harmonized=harmonized.view_as(composite))

    def decide(self, composite: Tensor, mask: Tensor, state: State = None) -> Prediction:
        """Decide the grades of the frames of each window, and change no pixel. See `Method.decide`.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, 256, 256).
            mask: foreground weight. Shape (B, L, 1, 256, 256).
            state: a `ShotState`, or None.
        """
        batch, length = composite.shape[:2]
        frames = composite.flatten(0, 1), mask.flatten(0, 1)
        estimates = map(self.network, *(each.split(_TOGETHER) for each in frames))
        estimate = Estimate(*map(torch.cat, zip(*estimates, strict=True)))
        trust = _trust(estimate.confidence, self.caution)
        unit = lattice(estimate.lut.shape[-1]).to(estimate.lut)
        lut = unit + trust[:, None, None, None, None] * (estimate.lut - unit)
        if not self.per_frame:
            known = state
            weight = estimate.confidence.view(batch, length) * _is_new(composite)
            state = self._remember(lut.unflatten(0, (batch, length)), weight, known)
            lut = _moved(state if known is None else known, state, length)
        return Prediction(composite, Lut3d(lut), state, estimate.confidence)

    def _remember(self, lut: Tensor, weight: Tensor, state: ShotState | None) -> ShotState:
        """Join a window's estimates with what is remembered. Shape (B, L, 3, D, D, D), (B, L)."""
        total = weight.sum(dim=1)
        share = torch.where(total[:, None] > 0, weight / total.clamp_min(1e-6)[:, None], 1 / lut.shape[1])
        mean = torch.einsum("bl,blcxyz->bcxyz", share, lut)
        if state is None:
            return ShotState(mean, total)
        kept = self.memory * state.weight
        part = (total / (total + kept).clamp_min(1e-6))[:, None, None, None, None]
        return ShotState(state.lut + part * (mean - state.lut), total + kept)


def _is_new(composite: Tensor) -> Tensor:
    """Return which frames differ from the one before: a window's repeated last frame is no evidence of its own.

    Shape (B, L, 3, H, W) to (B, L).
    """
    # `equal` stops at the first pixels that differ, which most often are the first of all.
    is_new = [
        [number == 0 or not torch.equal(frames[number], frames[number - 1]) for number in range(len(frames))]
        for frames in composite
    ]
    return torch.tensor(is_new, device=composite.device)


def _moved(before: ShotState, after: ShotState, length: int) -> Tensor:
    """Return LUTs that move from one mean to the next over a window's frames. Shape (B * length, 3, D, D, D)."""
    share = torch.arange(1, length + 1, device=after.lut.device, dtype=after.lut.dtype) / length
    moved = before.lut[:, None] + share[:, None, None, None, None] * (after.lut - before.lut)[:, None]
    return moved.flatten(0, 1)
