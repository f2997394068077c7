"""ShotGrade's network: compares a picture's foreground with its background and predicts the grade that matches them.

A pretrained encoder recognizes content such as skin, grass, snow or a black cat. Its features are pooled inside and
outside the mask and along both sides of its edge; attention retrieves background colours for each foreground position
from similar positions. The outputs are weights of basis LUTs, whose sum is a smooth transform that is linear in its
parameters, and the expected error.
"""

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.lab.color.lut3d import lattice
from chromacord.lab.networks.efficientnet import EfficientNetLite0
from chromacord.methods.grade_plan import (
    ATTENTION_SCALE,
    CLIP,
    CUBE_BINS,
    CURVE_BINS,
    POLYNOMIAL_DEGREE,
    SEAM,
    SEAM_SCALES,
    WIDTHS,
    check_sizes,
    input_widths,
)

_LEAST_DEVIATION = 1e-3


def averaged(picture: Tensor, step: int) -> Tensor:
    """Average over squares of `step` pixels per side. Shape (N, C, H, W) to (N, C, H / step, W / step)."""
    while step > 1 and step % 2 == 0:  # halve repeatedly: adding whole rows is five times as fast as torch's pooling
        rows = picture[..., ::2, :] + picture[..., 1::2, :]
        picture, step = (rows[..., ::2] + rows[..., 1::2]) / 4, step // 2
    return F.avg_pool2d(picture, step) if step > 1 else picture


def _shares(weights: Tensor) -> Tensor:
    """Normalize weights over positions. Shape (N, R, H, W) to (N, R, P)."""
    flat = weights.flatten(2)
    return flat / flat.sum(dim=-1, keepdim=True).clamp_min(1e-6)


def _pooled(features: Tensor, shares: Tensor) -> Tensor:
    """Return means and standard deviations of features by region. Shape (N, P, C), (N, R, P) to (N, R, 2C)."""
    mean = shares @ features
    square = shares @ features.square()
    # Rounding can make the variance slightly negative, and the root's gradient has no limit at 0.
    return torch.cat([mean, (square - mean.square()).clamp_min(0).add(1e-4).sqrt()], dim=-1)


def _bands(mask: Tensor) -> Tensor:
    """Return the bands of foreground and background along the mask's edge.

    Shape (N, 1, S, S) to (N, 2, S, S).
    """
    width = round(SEAM * mask.shape[-1])
    # Pixels beyond the picture do not count: as zeros they would look like background, and a foreground cut off
    # by the frame would get a seam there. Two passes of lines take less work than one of squares.
    near = F.avg_pool2d(mask, (2 * width + 1, 1), 1, (width, 0), count_include_pad=False)
    near = F.avg_pool2d(near, (1, 2 * width + 1), 1, (0, width), count_include_pad=False)
    return torch.cat([mask * (1 - near), (1 - mask) * near], dim=1)


def color_histograms(colors: Tensor, weight: Tensor) -> Tensor:
    """Return square roots of colour histograms of foreground and background: a joint one and one per channel.

    Each pixel is distributed linearly over the nearest nodes, so that histograms change smoothly.

    Args:
        colors: RGB in [0, 1]. Shape (N, 3, P).
        weight: foreground weight in [0, 1]. Shape (N, 1, P).

    Returns:
        Shape (N, 2 * (bins of the cube + bins of three channels)).
    """
    sides = torch.cat([weight, 1 - weight], dim=1)
    sides = sides / sides.sum(dim=-1, keepdim=True).clamp_min(1e-6)
    # Each colour is shared by the eight nodes of its cell, with trilinear weights.
    low, share = _node_shares(colors, CUBE_BINS)
    steps = torch.tensor([CUBE_BINS**2, CUBE_BINS, 1], device=low.device)
    first = (low * steps[:, None]).sum(dim=1)
    red, green, blue = torch.stack([1 - share, share]).unbind(dim=2)
    cube = colors.new_zeros(len(colors), 2, CUBE_BINS**3)
    for i, j in product((0, 1), repeat=2):
        edge = red[i] * green[j]
        for k in (0, 1):
            node = first + (i * CUBE_BINS + j) * CUBE_BINS + k
            cube.scatter_add_(2, node[:, None].expand_as(sides), (edge * blue[k])[:, None] * sides)
    low, share = _node_shares(colors, CURVE_BINS)
    low = low + CURVE_BINS * torch.arange(3, device=low.device)[:, None]
    curves = colors.new_zeros(len(colors), 2, 3 * CURVE_BINS)
    for side in (0, 1):
        part = (share if side else 1 - share)[:, None] * sides[:, :, None]
        curves.scatter_add_(2, (low + side)[:, None].expand_as(part).flatten(2), part.flatten(2))
    # The distance between square roots is Hellinger's, in which rare colours count beside a dominant one.
    return (torch.cat([cube.flatten(1), curves.flatten(1)], dim=1) + 1e-6).sqrt()


def _node_shares(colors: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Return the node below each value in [0, 1], and the weight of the node above. Any shape."""
    place = colors.clamp(0, 1) * (bins - 1)
    # The value 1 belongs to the last cell, as its upper end.
    low = place.long().clamp(0, bins - 2)
    return low, place - low


def polynomials(size: int, degree: int) -> Tensor:
    """Return orthonormal colour polynomials up to a degree, per output channel. Shape (K, 3, D, D, D)."""
    axes = 2 * lattice(size).flatten(1) - 1
    powers = [
        axes[0] ** i * axes[1] ** j * axes[2] ** k
        for i in range(degree + 1)
        for j in range(degree + 1 - i)
        for k in range(degree + 1 - i - j)
    ]
    # QR returns columns of length 1; scaled by the root of the number of nodes, each polynomial has RMS 1, so
    # that weights of all degrees are comparable.
    basis = torch.linalg.qr(torch.stack(powers, dim=1)).Q.mT * size**1.5
    table = torch.zeros(3, len(basis), 3, size**3)
    for channel in range(3):
        table[channel, :, channel] = basis
    return table.view(-1, 3, size, size, size)


class _Standardized(nn.Module):
    """Standardizes each feature by the mean and deviation measured on training's first composites."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    def forward(self, numbers: Tensor) -> Tensor:
        return ((numbers - self.mean) / self.deviation).clamp(-CLIP, CLIP)


class _Mixer(nn.Module):
    """A residual fully connected layer."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first, self.second = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        mixed: Tensor = hidden + self.dropout(self.second(F.silu(self.first(self.norm(hidden)))))
        return mixed


class Attention(nn.Module):
    """Attention from foreground positions to similar background positions and their colours."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inputs)
        self.query, self.key = nn.Linear(inputs, width), nn.Linear(inputs, width)
        self.own = nn.Linear(inputs, width)
        self.mix = nn.Linear(width + 4 * 3 + 1, outputs)

    def forward(self, features: Tensor, colors: Tensor, mask: Tensor) -> Tensor:
        """Apply the attention.

        Args:
            features: Shape (N, P, C).
            colors: mean foreground and background colour of each position. Shape (N, P, 6).
            mask: foreground share of each position. Shape (N, P).

        Returns:
            The mean result over the foreground. Shape (N, outputs).
        """
        places = self.norm(features)
        query, key, own = self.query(places), self.key(places), self.own(places)
        # Adding the logarithm of the background's share multiplies the softmax's weights by it. The limit keeps
        # it finite where the foreground fills the picture.
        outside = (1 - mask).clamp_min(1e-4).log()
        match = query @ key.mT / key.shape[-1] ** 0.5
        weight = torch.softmax(match + outside[:, None], dim=-1)
        inner, outer = colors.split(3, dim=-1)
        found = weight @ torch.cat([outer, outer.square()], dim=-1)
        level, square = found.split(3, dim=-1)
        spread = (square - level.square()).clamp_min(0).add(1e-4).sqrt()
        # Similarity of the best matches, as a measure of their reliability.
        sure = torch.logsumexp(match + outside[:, None], dim=-1, keepdim=True) / 4
        mixed = F.silu(self.mix(torch.cat([own, inner, level, inner - level, spread, sure], dim=-1)))
        share = mask / mask.sum(dim=-1, keepdim=True).clamp_min(1e-6)
        return (share[:, None] @ mixed)[:, 0]


class Estimate(NamedTuple):
    """The network's result for N pictures."""

    lut: Tensor
    """The transform. Shape (N, 3, D, D, D)."""

    log_error: Tensor
    """Logarithm of the expected mean squared error. Shape (N,)."""


class Features(NamedTuple):
    """Input features of N pictures."""

    semantic: Tensor
    """The encoder's pooled features. Shape (N, K)."""

    histogram: Tensor
    """Square roots of colour histograms. Shape (N, K)."""

    colors: Tensor
    """Colour statistics by region. Shape (N, K)."""

    places: Tensor
    """The encoder's features at each position. Shape (N, P, C)."""

    place_colors: Tensor
    """Mean foreground and background colour of each position. Shape (N, P, 6)."""

    place_masks: Tensor
    """Foreground share of each position. Shape (N, P)."""


class GradeNetwork(nn.Module):
    """Predicts the weights of basis LUTs for a picture.

    `calibration` is fitted on held-out pictures after training: two rows of coefficients for 1, the logarithm of the
    mean squared change, and `log_error`. The logistic function of the first row is the strength that minimizes the
    error; that of the second is the probability that the grade brings the foreground closer to the truth.

    Args:
        side: height and width to which pictures are reduced.
        lut_size: nodes per side of the basis LUTs.
        hidden: width of the fully connected layers.
        attention: width of the attention over the background; 0 disables it.
        encoder: use the pretrained encoder's features; otherwise only colours are compared.
        dropout: dropout probability of features and hidden units in training.
    """

    calibration: Tensor

    def __init__(
        self,
        *,
        side: int = 128,
        lut_size: int = 9,
        hidden: int = 320,
        attention: int = 48,
        encoder: bool = True,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_sizes(side, lut_size)
        self.side = side
        self.encoder = EfficientNetLite0() if encoder else None
        self.attention = None
        if attention and encoder:
            self.attention = Attention(WIDTHS[ATTENTION_SCALE], attention, 2 * attention)
        widths = input_widths(encoder=encoder)
        self.standardized = nn.ModuleDict({name: _Standardized(width) for name, width in widths.items()})
        self.inputs = nn.ModuleDict(
            {name: nn.Linear(width, hidden, bias=name == "colors") for name, width in widths.items()}
        )
        self.attended = nn.Linear(2 * attention, hidden, bias=False) if self.attention is not None else None
        self.dropout = nn.Dropout(dropout)
        self.trunk = nn.Sequential(
            _Mixer(hidden, dropout), _Mixer(hidden, dropout), nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.SiLU()
        )
        self.basis = nn.Parameter(polynomials(lut_size, POLYNOMIAL_DEGREE))
        self.weights = nn.Linear(hidden, len(self.basis))
        self.log_error = nn.Linear(hidden, 1)
        # Until it is fitted: full strength, and a confidence of 0.88 for every picture.
        self.register_buffer("calibration", torch.tensor([[9.0, 0.0, 0.0], [2.0, 0.0, 0.0]]))
        # Start close to the identity. With weights of exactly 0, no gradient would reach the layers before.
        nn.init.normal_(self.weights.weight, std=1e-3)
        nn.init.zeros_(self.weights.bias)
        nn.init.zeros_(self.log_error.weight)
        # exp(-5) is an error of 438 squared 8-bit levels; 0 would expect one of the full scale.
        nn.init.constant_(self.log_error.bias, -5.0)

    @property
    def is_standardized(self) -> bool:
        """Whether `standardize` was called, or standardized weights were loaded."""
        colors = self.standardized["colors"]
        assert isinstance(colors, _Standardized)
        # Measured deviations are never all exactly 1, so no additional flag has to be stored.
        return bool((colors.deviation != 1).any())

    @torch.no_grad()
    def standardize(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Measure the mean and deviation of each feature.

        Args:
            batches: composites and masks. Shape (N, 3, H, W) and (N, 1, H, W) each.
        """
        features = [self.features(*batch) for batch in batches]
        for name, layer in self.standardized.items():
            assert isinstance(layer, _Standardized)
            numbers = torch.cat([getattr(each, name) for each in features])
            layer.mean.copy_(numbers.mean(dim=0))
            layer.deviation.copy_(numbers.std(dim=0).clamp_min(_LEAST_DEVIATION))

    def features(self, composite: Tensor, mask: Tensor) -> Features:
        """Compute the input features.

        Args:
            composite: RGB in [0, 1]. Shape (N, 3, H, W), H and W multiples of `side`.
            mask: foreground weight. Shape (N, 1, H, W).
        """
        step = composite.shape[-1] // self.side
        composite, mask = averaged(composite, step), averaged(mask, step)
        half = averaged(composite, 2), averaged(mask, 2)
        regions = torch.cat([half[1], 1 - half[1], _bands(half[1])], dim=1)
        maps = self.encoder(composite.contiguous(memory_format=torch.channels_last)) if self.encoder is not None else []
        semantic, places = [], []
        for number, each in enumerate(maps):
            weights = averaged(regions, regions.shape[-1] // each.shape[-1])
            shares, flat = _shares(weights), each.flatten(2).mT
            semantic.append(_pooled(flat, shares[:, :2]).flatten(1))
            if number < SEAM_SCALES:
                semantic.append((shares[:, 2:] @ flat).flatten(1))
            if number == ATTENTION_SCALE:
                colors = self._place_colors(*half, regions.shape[-1] // each.shape[-1])
                places = [flat, colors, weights[:, 0].flatten(1)]
        histogram = color_histograms(composite[..., ::2, ::2].flatten(2), mask[..., ::2, ::2].flatten(2))
        empty = composite.new_zeros(len(composite), 0)
        return Features(
            torch.cat(semantic, dim=1) if semantic else empty,
            histogram,
            self._colors(half[0], regions),
            *(places or [empty] * 3),
        )

    @staticmethod
    def _place_colors(composite: Tensor, mask: Tensor, step: int) -> Tensor:
        """Return the mean foreground and background colour of each position. Shape (N, P, 6)."""
        sides = []
        for weight in (mask, 1 - mask):
            share = averaged(weight, step)
            # A position without this side becomes black instead of 0 / 0.
            sides.append(averaged(composite * weight, step) / share.clamp_min(1e-3))
        return torch.cat(sides, dim=1).flatten(2).mT

    @staticmethod
    def _colors(composite: Tensor, regions: Tensor) -> Tensor:
        """Return colour statistics of each region, and their differences. Shape (N, K)."""
        shares = _shares(regions)
        red, green, blue = composite.flatten(2).unbind(1)
        largest, least = composite.amax(dim=1).flatten(1), composite.amin(dim=1).flatten(1)
        light = composite.flatten(2).square()  # close enough to linear light for a statistic, and cheaper than a power
        channels = torch.stack([red, green, blue, largest - least, (largest - least) / (largest + 0.05)], dim=1)
        pooled = _pooled(torch.cat([channels, light], dim=1).mT, shares)
        level = (shares @ light.mT + 1e-3).log()
        # With the mean subtracted, the balance does not depend on exposure. Its three channels sum to 0, so two
        # suffice.
        balance = level - level.mean(dim=-1, keepdim=True)
        differences = torch.cat(
            [level[:, 0] - level[:, 1], level[:, 2] - level[:, 3], (balance[:, 0] - balance[:, 1])[:, :2]], dim=-1
        )
        area = regions.flatten(2).mean(dim=-1).clamp_min(1e-4).log()
        return torch.cat([pooled.flatten(1), differences, area], dim=1)

    def forward(
        self, composite: Tensor | None = None, mask: Tensor | None = None, *, features: Features | None = None
    ) -> Estimate:
        """Estimate a transform for each picture.

        Args:
            composite: RGB in [0, 1]. Shape (N, 3, H, W), H and W multiples of `side`.
            mask: foreground weight. Shape (N, 1, H, W).
            features: precomputed features, instead of composite and mask.
        """
        if features is None:
            if composite is None or mask is None:
                raise ValueError("give composite and mask, or their features")
            features = self.features(composite, mask)
        parts = [
            layer(self.dropout(self.standardized[name](getattr(features, name)))) for name, layer in self.inputs.items()
        ]
        hidden = torch.stack(parts).sum(dim=0)
        if self.attention is not None and self.attended is not None:
            hidden = hidden + self.attended(
                self.attention(features.places, features.place_colors, features.place_masks)
            )
        hidden = self.trunk(hidden)
        change = torch.einsum("nk,kcxyz->ncxyz", self.weights(hidden), self.basis)
        return Estimate(lattice(self.basis.shape[-1]).to(change) + change, self.log_error(hidden)[:, 0])
