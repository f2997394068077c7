"""Seamless cloning against a direct sparse solve of the paper's equations."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from chromacord.methods.poisson import Poisson, clone
from chromacord.types import FloatArray
from tests.methods.footage import composite_and_mask

Array = npt.NDArray[np.float64]


def direct(composite: Array, inside: Array, *, mixed: bool = False) -> Array:
    """Write down Perez et al., eq. 7, pixel by pixel, and solve it. Shape (3, H, W)."""
    places = np.argwhere(inside > 0)
    number = {(int(y), int(x)): k for k, (y, x) in enumerate(places)}

    def solve(guide: Array) -> Array:
        matrix, right = lil_matrix((len(places), len(places))), np.zeros((len(places), 3))
        for (y, x), k in number.items():
            for v, u in ((y, x + 1), (y + 1, x), (y, x - 1), (y - 1, x)):
                if 0 <= v < inside.shape[0] and 0 <= u < inside.shape[1]:
                    matrix[k, k] += 1
                    if (v, u) in number:
                        matrix[k, number[v, u]] -= 1
                        own, other = composite[:, y, x] - composite[:, v, u], guide[:, y, x] - guide[:, v, u]
                        right[k] += np.where(np.abs(other) > np.abs(own), other, own)
                    else:
                        right[k] += composite[:, v, u]
        solved = composite.copy()
        solved[:, places[:, 0], places[:, 1]] = spsolve(matrix.tocsr(), right).T
        return solved

    if not mixed:
        return solve(np.zeros_like(composite))
    background = composite * (inside == 0)
    flat = background.copy()
    flat[:, places[:, 0], places[:, 1]] = 0
    membrane = direct(flat, inside)
    return solve(membrane)


def region(kind: str) -> FloatArray:
    """Shape (1, 1, 26, 33)."""
    inside = np.zeros((1, 1, 26, 33), np.float32)
    if kind == "holes":
        inside[..., 3:20, 4:30] = 1
        inside[..., 8:11, 10:20] = 0
        inside[..., 22:24, 2:5] = 1
    else:
        inside[..., :9, :12] = 1
        inside[..., 15:, 20:] = 1
    return inside


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("kind", ["holes", "at the picture's edges"])
def test_pixels_are_those_of_a_direct_solve(kind: str, mixed: bool) -> None:
    composite, inside = np.random.default_rng(0).random((1, 3, 26, 33), np.float32), region(kind)
    expected = direct(composite[0].astype(np.float64), inside[0, 0], mixed=mixed)
    np.testing.assert_allclose(clone(composite, inside, mixed=mixed)[0], expected, atol=1e-4)


def test_a_constant_change_of_the_foreground_is_undone() -> None:
    gradient = np.tile(np.linspace(0.2, 0.6, 64, dtype=np.float32), (1, 1, 3, 48, 1))
    _, mask = composite_and_mask()
    changed = gradient + mask * np.float32([0.2, -0.1, 0.05])[:, None, None]
    harmonized = Poisson().harmonize(changed, mask).harmonized
    np.testing.assert_allclose(harmonized, gradient, atol=0.02)


def test_a_large_region_is_solved_as_well_as_a_small_one() -> None:
    composite, _ = composite_and_mask(size=(200, 220))
    inside = np.zeros((1, 1, 200, 220), np.float32)
    inside[..., 1:-1, 1:-1] = 1
    membrane = clone(composite[0], inside) - composite[0]
    pull = 4 * membrane - sum(np.roll(membrane, step, axis) for step in (1, -1) for axis in (2, 3))
    deep = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert np.abs(pull[deep]).max() < 1e-4  # harmonic: the change of the foreground has no Laplacian


def test_the_background_is_as_it_was_and_soft_edges_are_laid_over_it() -> None:
    composite, mask = composite_and_mask()
    soft = 0.8 * mask
    harmonized = Poisson().harmonize(composite, soft).harmonized
    outside = np.broadcast_to(soft == 0, composite.shape)
    assert np.array_equal(harmonized[outside], composite[outside])
    cloned = Poisson().harmonize(composite, mask).harmonized
    np.testing.assert_allclose(harmonized, composite + soft * (cloned - composite), atol=0.02)


def test_it_leaves_the_transform_to_the_pipeline() -> None:
    composite, mask = composite_and_mask()
    assert Poisson().harmonize(composite, mask).transform is None


def test_a_mask_below_a_half_everywhere_changes_nothing() -> None:
    composite, mask = composite_and_mask()
    assert np.array_equal(Poisson().harmonize(composite, 0.4 * mask).harmonized, composite)
