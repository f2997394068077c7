"""Seamless cloning in the gradient domain.

Perez, Gangnet and Blake, "Poisson Image Editing", ACM TOG 22(3), 2003, https://doi.org/10.1145/882262.882269.

Differs from the paper in what is known: a composite shows no foreground outside the mask and no background inside.
So the gradient across the mask's border is 0 (the border is closed without a seam), and mixed gradients compare the
foreground with the smoothest continuation of the background.
"""

from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from chromacord.color.alpha import over
from chromacord.color.statistics import has_both_sides
from chromacord.methods.base import Method, Prediction, State

# Conjugate gradients: seven leave at most a hundredth of an 8-bit level (against thirty, quarter of a 256 x 144 frame).
_CYCLES = 7
_SWEEPS = 2
_COARSEST_SWEEPS = 2
_DAMPING = 0.8


class Membrane(NamedTuple):
    """The 5-point Laplacian of a region, held fast at its border, as springs between neighbouring pixels."""

    right: Tensor
    """Spring to the pixel on the right; the last column is 0. Shape (1, 1, H, W)."""

    down: Tensor
    """Spring to the pixel below; the last row is 0. Shape (1, 1, H, W)."""

    border: Tensor
    """Springs to pixels outside the region. Nothing beyond the picture's edge (Neumann). Shape (1, 1, H, W)."""

    @classmethod
    def of_region(cls, inside: Tensor) -> Self:
        """Build it for the pixels where `inside` is 1, not 0. Shape (1, 1, H, W)."""
        beside, below = F.pad(inside[..., 1:], (0, 1)), F.pad(inside[..., 1:, :], (0, 0, 0, 1))
        neighbours = _neighbour_sum(torch.ones_like(inside), torch.ones_like(inside))
        right, down = inside * beside, inside * below
        own = right + down + F.pad(right[..., :-1], (1, 0)) + F.pad(down[..., :-1, :], (0, 0, 1, 0))
        return cls(right, down, inside * neighbours - own)

    @property
    def diagonal(self) -> Tensor:
        """Sum of a pixel's springs. Shape (1, 1, H, W)."""
        left, up = F.pad(self.right[..., :-1], (1, 0)), F.pad(self.down[..., :-1, :], (0, 0, 1, 0))
        return self.right + self.down + left + up + self.border

    def coarser(self) -> Self:
        """Join blocks of 2 x 2 pixels. Springs that act side by side add up, ones in a row halve."""
        height, width = self.right.shape[-2:]
        even = (0, width % 2, 0, height % 2)
        right, down, border = (F.pad(part, even) for part in self)
        right, down = right[..., 1::2], down[..., 1::2, :]
        return type(self)(
            (right[..., ::2, :] + right[..., 1::2, :]) / 2,
            (down[..., ::2] + down[..., 1::2]) / 2,
            F.avg_pool2d(border, 2) * 2,
        )

    def pull(self, values: Tensor) -> Tensor:
        """Apply the Laplacian. Shape (1, 3, H, W)."""
        across = self.right[..., :-1] * (values[..., 1:] - values[..., :-1])
        along = self.down[..., :-1, :] * (values[..., 1:, :] - values[..., :-1, :])
        pulled = self.border * values
        # In place, on what was made here: this runs hundreds of times on small pictures, where copies cost most.
        pulled[..., :-1] -= across
        pulled[..., 1:] += across
        pulled[..., :-1, :] -= along
        pulled[..., 1:, :] += along
        return pulled


def _neighbour_sum(right: Tensor, down: Tensor) -> Tensor:
    """Sum what lies to the left, right, above and below inside the picture. Shape (1, C, H, W)."""
    horizontal = F.pad(right[..., 1:], (0, 1)) + F.pad(right[..., :-1], (1, 0))
    return horizontal + F.pad(down[..., 1:, :], (0, 0, 0, 1)) + F.pad(down[..., :-1, :], (0, 0, 1, 0))


def solve_membrane(membrane: Membrane, force: Tensor) -> Tensor:
    """Find values that a membrane balances a force with: conjugate gradients, preconditioned by multigrid V-cycles.

    Args:
        membrane: Shape (1, 1, H, W).
        force: 0 outside the region. Shape (1, C, H, W).

    Returns:
        Values, 0 outside the region; the residual falls by about five powers of ten. Shape (1, C, H, W).
    """
    levels = [membrane]
    while min(levels[-1].right.shape[-2:]) > 4:
        levels.append(levels[-1].coarser())
    inverses = [torch.where(level.diagonal > 0, 1 / level.diagonal.clamp_min(1e-6), 0) for level in levels]
    tiny = torch.finfo(force.dtype).tiny
    solution, error = torch.zeros_like(force), force
    direction = scaled = _v_cycle(levels, inverses, error)
    power = (error * scaled).sum(dim=(2, 3), keepdim=True)
    for _ in range(_CYCLES):
        image = membrane.pull(direction)
        step = power / (direction * image).sum(dim=(2, 3), keepdim=True).clamp_min(tiny)
        solution, error = solution + step * direction, error - step * image
        scaled = _v_cycle(levels, inverses, error)
        last, power = power, (error * scaled).sum(dim=(2, 3), keepdim=True)
        direction = scaled + power / last.clamp_min(tiny) * direction
    return solution


def _v_cycle(levels: list[Membrane], inverses: list[Tensor], force: Tensor) -> Tensor:
    """Approximate a solution by damped Jacobi sweeps on this level, the coarser ones, and this one again."""
    level, inverse = levels[0], _DAMPING * inverses[0]
    values = inverse * force
    for _ in range(_SWEEPS - 1 if len(levels) > 1 else _COARSEST_SWEEPS):
        values = values + inverse * (force - level.pull(values))
    if len(levels) == 1:
        return values
    height, width = force.shape[-2:]
    left = F.pad(force - level.pull(values), (0, width % 2, 0, height % 2))
    coarse = _v_cycle(levels[1:], inverses[1:], 4 * F.avg_pool2d(left, 2))
    values = values + F.interpolate(coarse, scale_factor=2.0)[..., :height, :width] * (inverses[0] > 0)
    for _ in range(_SWEEPS):
        values = values + inverse * (force - level.pull(values))
    return values


def clone(composite: Tensor, inside: Tensor, *, mixed: bool = False) -> Tensor:
    """Give a region the gradients of its own picture and the border of what lies around it.

    Args:
        composite: RGB. Shape (1, 3, H, W).
        inside: 1 in the region, 0 around it; both must occur. Shape (1, 1, H, W).
        mixed: where the surroundings, continued smoothly, vary more than the region does, take their gradient.

    Returns:
        RGB, not clamped; around the region as it was. Shape (1, 3, H, W).
    """
    membrane = Membrane.of_region(inside)
    outside = (1 - inside) * composite
    held = inside * _neighbour_sum(outside, outside)
    across = membrane.right * F.pad(composite[..., 1:] - composite[..., :-1], (0, 1))
    along = membrane.down * F.pad(composite[..., 1:, :] - composite[..., :-1, :], (0, 0, 0, 1))
    if mixed:
        smooth = solve_membrane(membrane, held)
        other_across = membrane.right * F.pad(smooth[..., 1:] - smooth[..., :-1], (0, 1))
        other_along = membrane.down * F.pad(smooth[..., 1:, :] - smooth[..., :-1, :], (0, 0, 0, 1))
        across = torch.where(other_across.abs() > across.abs(), other_across, across)
        along = torch.where(other_along.abs() > along.abs(), other_along, along)
    divergence = across + along - F.pad(across[..., :-1], (1, 0)) - F.pad(along[..., :-1, :], (0, 0, 1, 0))
    own = inside * composite
    return outside + own + solve_membrane(membrane, held - divergence - membrane.pull(own))


class Poisson(Method):
    """Keep the foreground's gradients and let its colours run into the background's at the border (Perez 2003).

    The pipeline takes only exposure and white balance from the cloned pixels, as three gains that hold everywhere: on
    recoloured clips that comes nearer to the real ones than the cloned pixels do, since cloning lays the border's
    light over the foreground like a haze. It also makes the grade exportable.

    Args:
        mixed: where the background, continued smoothly, varies more than the foreground, take its gradient.
    """

    working_size = None
    fitted = "gains"

    def __init__(self, mixed: bool = False) -> None:
        super().__init__()
        self.mixed = mixed

    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> Prediction:  # noqa: ARG002
        """Clone every frame by itself; a frame without foreground or background is left as it is.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), L free.
            mask: the region is where it reaches 0.5; the result is laid over the composite by it.
                Shape (B, L, 1, H, W).
            state: not looked at.
        """
        image, weight = composite.flatten(0, 1), mask.flatten(0, 1)
        inside = (weight >= 0.5).to(image.dtype)
        cloned = image.clone()
        for frame in has_both_sides(inside).nonzero().flatten().tolist():
            rows, columns = (_span(inside[frame, 0].amax(dim=axis)) for axis in (1, 0))
            box = (slice(frame, frame + 1), slice(None), rows, columns)
            cloned[box] = clone(image[box], inside[box], mixed=self.mixed)
        return Prediction(over(cloned, image, weight).clamp(0, 1).unflatten(0, composite.shape[:2]))


def _span(line: Tensor) -> slice:
    """Return the range where a line is above 0, with one more pixel on each side for the border."""
    places = line.nonzero().flatten()
    return slice(max(int(places[0]) - 1, 0), int(places[-1]) + 2)
