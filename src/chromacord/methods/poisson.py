"""Seamless cloning in the gradient domain.

Perez, Gangnet and Blake, "Poisson Image Editing", ACM TOG 22(3), 2003, https://doi.org/10.1145/882262.882269.

Difference from the paper: a composite shows no foreground outside the mask and no background inside. Therefore the
gradient across the mask's border is set to 0 (which closes the border without a seam), and mixed gradients compare the
foreground with the smoothest continuation of the background.
"""

from typing import NamedTuple, Self

import numpy as np

from chromacord.color.alpha import over
from chromacord.color.statistics import has_both_sides
from chromacord.methods.base import Method, Prediction, State, as_frames
from chromacord.types import FloatArray

# Conjugate gradients: seven leave at most a hundredth of an 8-bit level (against thirty, quarter of a 256 x 144 frame).
_CYCLES = 7
_SWEEPS = 2
_COARSEST_SWEEPS = 2
_DAMPING = 0.8
_HALF = np.float32(0.5)


class Membrane(NamedTuple):
    """The 5-point Laplacian of a region with a fixed border, as springs between neighbouring pixels."""

    right: FloatArray
    """Spring to the pixel on the right; the last column is 0. Shape (1, 1, H, W)."""

    down: FloatArray
    """Spring to the pixel below; the last row is 0. Shape (1, 1, H, W)."""

    border: FloatArray
    """Springs to pixels outside the region; none across the picture's edge (Neumann). Shape (1, 1, H, W)."""

    @classmethod
    def of_region(cls, inside: FloatArray) -> Self:
        """Build the Laplacian of the pixels where `inside` is 1 rather than 0. Shape (1, 1, H, W)."""
        beside, below = _moved(inside, -1, -1), _moved(inside, -2, -1)
        neighbours = _neighbour_sum(np.ones_like(inside), np.ones_like(inside))
        right, down = inside * beside, inside * below
        own = right + down + _moved(right, -1, 1) + _moved(down, -2, 1)
        return cls(right, down, inside * neighbours - own)

    @property
    def diagonal(self) -> FloatArray:
        """Sum of a pixel's springs. Shape (1, 1, H, W)."""
        left, up = _moved(self.right, -1, 1), _moved(self.down, -2, 1)
        return self.right + self.down + left + up + self.border

    def coarser(self) -> Self:
        """Merge blocks of 2 x 2 pixels. Parallel springs add up, springs in series halve."""
        right, down, border = (_even(part) for part in self)
        right, down = right[..., 1::2], down[..., 1::2, :]
        return type(self)(
            (right[..., ::2, :] + right[..., 1::2, :]) * _HALF,
            (down[..., ::2] + down[..., 1::2]) * _HALF,
            _block_means(border) * 2,
        )

    def pull(self, values: FloatArray) -> FloatArray:
        """Apply the Laplacian. Shape (1, 3, H, W)."""
        across = self.right[..., :-1] * (values[..., 1:] - values[..., :-1])
        along = self.down[..., :-1, :] * (values[..., 1:, :] - values[..., :-1, :])
        pulled = self.border * values
        # In place on local arrays: this runs hundreds of times on small pictures, where copies dominate.
        pulled[..., :-1] -= across
        pulled[..., 1:] += across
        pulled[..., :-1, :] -= along
        pulled[..., 1:, :] += along
        return pulled


def _neighbour_sum(right: FloatArray, down: FloatArray) -> FloatArray:
    """Sum the left, right, upper and lower neighbours inside the picture. Shape (1, C, H, W)."""
    horizontal = _moved(right, -1, -1) + _moved(right, -1, 1)
    return horizontal + _moved(down, -2, -1) + _moved(down, -2, 1)


def _moved(values: FloatArray, axis: int, step: int) -> FloatArray:
    """Shift values by one pixel, up for a step of 1 and down for -1, filling with 0. Any shape."""
    moved = np.zeros_like(values)
    later, earlier = slice(1, None), slice(None, -1)
    target, source = (later, earlier) if step > 0 else (earlier, later)
    rest = (slice(None),) * (-1 - axis)
    moved[(..., target, *rest)] = values[(..., source, *rest)]
    return moved


def _even(values: FloatArray) -> FloatArray:
    """Pad to even height and width with zeros. Shape (1, C, H, W)."""
    height, width = values.shape[-2:]
    if not (height % 2 or width % 2):
        return values
    return np.pad(values, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)))


def _block_means(values: FloatArray) -> FloatArray:
    """Return the means of blocks of 2 x 2. Shape (1, C, H, W), H and W even, to (1, C, H / 2, W / 2)."""
    rows = values[..., ::2, :] + values[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]) * np.float32(0.25)


def solve_membrane(membrane: Membrane, force: FloatArray) -> FloatArray:
    """Solve for the values at which a membrane balances a force, by multigrid-preconditioned conjugate gradients.

    Args:
        membrane: the Laplacian. Shape (1, 1, H, W).
        force: 0 outside the region. Shape (1, C, H, W).

    Returns:
        Values, 0 outside the region; the residual falls by about five orders of magnitude. Shape (1, C, H, W).
    """
    # Multigrid as a preconditioner: low frequencies, which plain iterations need hundreds of steps for, are
    # solved on small pictures.
    levels = [membrane]
    while min(levels[-1].right.shape[-2:]) > 4:
        levels.append(levels[-1].coarser())
    inverses = [np.where(level.diagonal > 0, 1 / level.diagonal.clip(1e-6), np.float32(0)) for level in levels]
    tiny = np.finfo(np.float32).tiny
    solution, error = np.zeros_like(force), force
    direction = scaled = _v_cycle(levels, inverses, error)
    power = (error * scaled).sum(axis=(2, 3), keepdims=True)
    for _ in range(_CYCLES):
        image = membrane.pull(direction)
        step = power / (direction * image).sum(axis=(2, 3), keepdims=True).clip(tiny)
        solution, error = solution + step * direction, error - step * image
        scaled = _v_cycle(levels, inverses, error)
        last, power = power, (error * scaled).sum(axis=(2, 3), keepdims=True)
        direction = scaled + power / last.clip(tiny) * direction
    return solution


def _v_cycle(levels: list[Membrane], inverses: list[FloatArray], force: FloatArray) -> FloatArray:
    """Approximate a solution by damped Jacobi sweeps on this level, then coarser ones, then this one again."""
    level, inverse = levels[0], _DAMPING * inverses[0]
    values = inverse * force
    # The first sweep from 0 is the scaled force itself, in the line above.
    for _ in range(_SWEEPS - 1 if len(levels) > 1 else _COARSEST_SWEEPS):
        values = values + inverse * (force - level.pull(values))
    if len(levels) == 1:
        return values
    height, width = force.shape[-2:]
    left = _even(force - level.pull(values))
    # The coarser level sums the residual of 2 x 2 pixels, which is four times their mean.
    coarse = _v_cycle(levels[1:], inverses[1:], 4 * _block_means(left))
    # Blocks at the border also cover pixels outside the region, which must stay 0.
    values = values + coarse.repeat(2, axis=-2).repeat(2, axis=-1)[..., :height, :width] * (inverses[0] > 0)
    for _ in range(_SWEEPS):
        values = values + inverse * (force - level.pull(values))
    return values


def clone(composite: FloatArray, inside: FloatArray, *, mixed: bool = False) -> FloatArray:
    """Clone a region: keep its gradients and match its border to the surroundings.

    Args:
        composite: RGB. Shape (1, 3, H, W).
        inside: 1 in the region, 0 outside; both must occur. Shape (1, 1, H, W).
        mixed: where the smoothly continued surroundings vary more than the region, use their gradients.

    Returns:
        RGB, not clamped; unchanged outside the region. Shape (1, 3, H, W).
    """
    membrane = Membrane.of_region(inside)
    outside = (1 - inside) * composite
    held = inside * _neighbour_sum(outside, outside)
    across = membrane.right * _steps(composite, -1)
    along = membrane.down * _steps(composite, -2)
    if mixed:
        smooth = solve_membrane(membrane, held)
        # The composite hides the background behind the foreground, so its gradients are those of a smooth continuation.
        other_across = membrane.right * _steps(smooth, -1)
        other_along = membrane.down * _steps(smooth, -2)
        across = np.where(np.abs(other_across) > np.abs(across), other_across, across)
        along = np.where(np.abs(other_along) > np.abs(along), other_along, along)
    divergence = across + along - _moved(across, -1, 1) - _moved(along, -2, 1)
    own = inside * composite
    return outside + own + solve_membrane(membrane, held - divergence - membrane.pull(own))


def _steps(values: FloatArray, axis: int) -> FloatArray:
    """Return the difference from each value to the next along an axis; 0 for the last. Any shape."""
    last = np.take(values, [-1], axis=axis)
    return np.diff(values, axis=axis, append=last)


class Poisson(Method):
    """Keep the foreground's gradients and blend its colours into the background at the border (Perez 2003).

    The pipeline takes only exposure and white balance from the cloned pixels, as three global gains: on recoloured
    clips this is closer to the real ones than the cloned pixels, because cloning spreads the border's light over the
    foreground like a haze. It also makes the grade exportable.

    Args:
        mixed: where the smoothly continued background varies more than the foreground, use its gradients.
    """

    working_size = None
    fitted = "gains"

    def __init__(self, mixed: bool = False) -> None:
        super().__init__()
        self.mixed = mixed

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:  # noqa: ARG002
        """Clone every frame independently; frames without foreground or background are unchanged.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), any L.
            mask: the region is where it is at least 0.5; it also blends the result over the composite. Shape (B, L, 1,
                H, W).
            state: unused.
        """
        image, weight = as_frames(composite), as_frames(mask)
        # Cloning needs a border where foreground and background meet; the soft mask blends the result
        # afterwards.
        inside = (weight >= 0.5).astype(np.float32)
        cloned = image.copy()
        for frame in has_both_sides(inside).nonzero()[0]:
            rows, columns = (_span(inside[frame, 0].max(axis=axis)) for axis in (1, 0))
            box = (slice(frame, frame + 1), slice(None), rows, columns)
            # Only the region with a border of one pixel takes part; the solver's cost is proportional to its area.
            cloned[box] = clone(image[box], inside[box], mixed=self.mixed)
        return Prediction(over(cloned, image, weight).clip(0, 1).reshape(composite.shape))


def _span(line: FloatArray) -> slice:
    """Return the range where a line is above 0, extended by one pixel on each side for the border."""
    places = line.nonzero()[0]
    return slice(max(int(places[0]) - 1, 0), int(places[-1]) + 2)
