"""Fits against maps that are known, and against a dense least-squares solve."""

import cv2
import numpy as np
import pytest

from chromacord.color import fitting
from chromacord.color.fitting import fit_affine, fit_affine_field, fit_gains, fit_lut3d
from chromacord.color.transforms import AffineField, Lut3d, apply_lut3d, lattice, stretch_weights
from chromacord.types import FloatArray


def picture(num_frames: int = 1, *, size: tuple[int, int] = (64, 72), seed: int = 0) -> FloatArray:
    """Smooth colours of a limited gamut with a little grain. Shape (N, 3, H, W)."""
    random = np.random.default_rng(seed)
    coarse = 0.2 + np.float32(0.6) * random.random((num_frames, 8, 9, 3), np.float32)
    smooth = np.stack([cv2.resize(each, size[::-1], interpolation=cv2.INTER_CUBIC) for each in coarse])
    grain = np.float32(0.01) * random.standard_normal(smooth.shape, np.float32)
    return np.ascontiguousarray((smooth + grain).clip(0, 1).transpose(0, 3, 1, 2))


def disc(num_frames: int = 1, *, size: tuple[int, int] = (64, 72)) -> FloatArray:
    """A soft disc. Shape (N, 1, H, W)."""
    rows, columns = np.linspace(-1, 1, size[0])[:, None], np.linspace(-1, 1, size[1])
    one = (6 * (0.8 - np.hypot(rows, columns))).clip(0, 1).astype(np.float32)
    return np.tile(one, (num_frames, 1, 1, 1))


def affine() -> AffineField:
    matrix = np.float32([[[1.2, 0.1, -0.1], [0.05, 0.8, 0.0], [0.0, 0.1, 0.9]]])
    return AffineField.from_matrix(matrix, np.float32([[0.05, -0.02, 0.1]]))


def smooth_lut() -> Lut3d:
    """Gamma, cross-talk and a tint in the shadows."""
    red, green, blue = lattice(17)
    return Lut3d(np.stack([red**1.4, 0.9 * green + 0.1 * red * blue, 0.1 + 0.9 * blue**0.8])[None])


def levels(error: FloatArray, mask: FloatArray) -> float:
    """Root mean square under the mask, in 8-bit levels."""
    return float(255 * np.sqrt((error**2 * mask).sum() / (3 * mask.sum())))


def test_a_smooth_lut_is_recovered_on_seen_colours() -> None:
    image, mask = picture(), disc()
    fitted = fit_lut3d(image, smooth_lut()(image), mask)
    assert fitted.size == 17
    assert levels(fitted(image) - smooth_lut()(image), mask) < 0.3
    assert levels(fit_affine(image, smooth_lut()(image), mask)(image) - smooth_lut()(image), mask) > 1.5


def test_the_lut_solve_agrees_with_a_dense_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_CG_STEPS", 200)
    image, mask, size = picture(size=(16, 18)), disc(size=(16, 18)), 5
    target = smooth_lut()(image)
    nodes = np.eye(size**3, dtype=np.float32).reshape(-1, 1, size, size, size)
    hats = np.stack([apply_lut3d(image, node.repeat(3, axis=0)[None])[0, 0].ravel() for node in nodes], axis=-1)
    share = (mask / mask.sum()).ravel()
    line = np.diff(np.eye(size), axis=0)
    laplacian = sum(
        np.kron(
            np.kron(*(line.T @ line if axis == k else np.eye(size) for k in (0, 1))),
            line.T @ line if axis == 2 else np.eye(size),
        )
        for axis in range(3)
    )
    prior = fitting._LUT_SMOOTHNESS * laplacian + fitting._LUT_PULL * np.eye(size**3)
    base = fit_affine(image, target, mask)
    right = hats.T.astype(np.float64) @ (share[:, None] * (target - base(image))[0].reshape(3, -1).T)
    values = np.linalg.solve(hats.T.astype(np.float64) @ (share[:, None] * hats) + prior, right)
    expected = base.to_lut(size).parameters + values.T.reshape(1, 3, size, size, size)
    fitted = fit_lut3d(image, target, mask, size=size)
    np.testing.assert_allclose(fitted.parameters, expected, atol=2e-4)


def test_a_lut_follows_an_affine_map_for_unseen_colours_too() -> None:
    image = picture(seed=1)
    fitted = fit_lut3d(image, affine()(image), disc())
    np.testing.assert_allclose(fitted.parameters, affine().to_lut(17).parameters, atol=2e-3)


def test_gains_are_those_of_a_ridge_regression_per_channel() -> None:
    image, mask = picture(), disc()
    harmonized = image * np.float32([1.3, 0.9, 0.6])[:, None, None] + 0.05
    matrix = fit_gains(image, harmonized, mask).parameters[0, :, :, 0, 0]
    weight = np.sqrt(mask.ravel().astype(np.float64))
    pull = np.sqrt(0.05 * (weight**2).sum())
    for channel in range(3):
        # Least squares with one more row: a colour of level sqrt(0.05) that the gain 1 keeps.
        seen = np.append(weight * image[0, channel].ravel(), pull)
        wanted = np.append(weight * harmonized[0, channel].ravel(), pull)
        gain = np.linalg.lstsq(seen[:, None], wanted)[0].item()
        assert abs(matrix[channel, channel].item() - gain) < 1e-5
    assert np.array_equal(matrix, np.diag(matrix.diagonal()) @ np.eye(3, 4))  # no cross-talk, black stays black


def test_gains_of_a_dark_foreground_stay_near_one() -> None:
    mask, image = disc(), 0.05 * picture()
    gains = fit_gains(image, image + 0.3, mask).parameters[0, :, :3, 0, 0].diagonal()
    assert (gains > 1).all()
    assert (gains < 1.3).all()


def test_a_field_follows_an_affine_map_in_unseen_places_too() -> None:
    image = picture(seed=1)
    fitted = fit_affine_field(image, affine()(image), disc())
    expected = np.broadcast_to(affine().parameters, fitted.parameters.shape)
    np.testing.assert_allclose(fitted.parameters, expected, atol=2e-3)


def test_unseen_colours_have_no_holes() -> None:
    grays = picture().mean(axis=1, keepdims=True).repeat(3, axis=1)
    fitted = fit_lut3d(grays, grays + 0.2, disc())
    np.testing.assert_allclose(fitted.parameters, lattice(17)[None] + 0.2, atol=0.02)


def test_a_field_recovers_a_local_gradient_of_brightness() -> None:
    image, mask = picture(), disc()
    target = image * np.linspace(0.6, 1.3, image.shape[-1], dtype=np.float32)
    fitted = fit_affine_field(image, target, mask)
    assert not fitted.is_global
    assert levels(fitted(image) - target, mask) < 2
    assert levels(fit_affine(image, target, mask)(image) - target, mask) > 4


def test_a_field_has_no_grid_or_halo_at_full_size() -> None:
    small, large = (60, 64), (480, 512)
    image, mask = picture(size=small), disc(size=small)
    target = image + np.float32(0.2) * np.outer(np.linspace(0, 1, small[0]), np.linspace(-1, 1, small[1])).astype(
        np.float32
    )
    field = fit_affine_field(image, target, mask)
    gray = np.full((1, 3, *large), 0.5, np.float32)
    change = field(gray) - gray
    steps = [np.abs(np.diff(change, axis=axis)).max() for axis in (-1, -2)]
    assert 255 * max(steps) < 0.5


@pytest.mark.parametrize("grid", [(1, 1), (2, 5), (16, 16)])
def test_the_field_solve_agrees_with_a_dense_one(grid: tuple[int, int]) -> None:
    image, mask = picture(size=(20, 24)), disc(size=(20, 24))
    target = (image**1.3) * np.linspace(0.7, 1.2, 24, dtype=np.float32)
    base = fit_affine(image, target, mask)
    mean = (image * mask).sum(axis=(2, 3)) / mask.sum()
    rows, columns = (stretch_weights(nodes, length, 0, length).T for nodes, length in zip(grid, (20, 24), strict=True))
    hats = np.einsum("ih,jw->ijhw", rows, columns).reshape(grid[0] * grid[1], -1).astype(np.float64)
    features = np.concatenate([image - mean[..., None, None], np.ones_like(mask)], axis=1)[0].reshape(4, -1)
    design = np.einsum("kp,fp->pkf", hats, features.astype(np.float64)).reshape(480, -1)
    weight = (mask / mask.sum()).ravel().astype(np.float64)[:, None]
    right = design.T @ (weight * (target - base(image))[0].reshape(3, -1).T)
    normal = design.T @ (weight * design) + fitting._field_prior(grid)
    delta = np.linalg.solve(normal, right).T.reshape(3, *grid, 4).transpose(0, 3, 1, 2)[None]
    offset = delta[:, :, 3] - np.einsum("nochw,nc->nohw", delta[:, :, :3], mean)
    expected = base.parameters + np.concatenate([delta[:, :, :3], offset[:, :, None]], axis=2)
    fitted = fit_affine_field(image, target, mask, grid=grid)
    assert fitted.parameters.shape == (1, 3, 4, *grid)
    np.testing.assert_allclose(fitted.parameters, expected, atol=1e-3)


@pytest.mark.parametrize("fit", [fit_affine, fit_gains, fit_lut3d, fit_affine_field])
def test_an_empty_mask_gives_the_identity(fit: type[Lut3d]) -> None:
    image = picture(2)
    fitted = fit(image, image**2, np.zeros((2, 1, 64, 72), np.float32))  # type: ignore[call-arg]
    np.testing.assert_allclose(fitted(image), image, atol=1e-6)


@pytest.mark.parametrize("fit", [fit_affine, fit_gains, fit_lut3d, fit_affine_field])
def test_a_batch_is_fitted_one_by_one(fit: type[Lut3d]) -> None:
    image, mask = picture(2), disc(2)
    mask[1, :, :30] = 0
    both = fit(image, image**1.2, mask)  # type: ignore[call-arg]
    second = fit(image[1:], image[1:] ** 1.2, mask[1:])  # type: ignore[call-arg]
    np.testing.assert_allclose(both.parameters[1:], second.parameters, atol=2e-4)


@pytest.mark.parametrize("fit", [fit_affine, fit_gains, fit_lut3d, fit_affine_field])
def test_pixels_outside_the_mask_have_no_say(fit: type[Lut3d]) -> None:
    image, mask = picture(), disc()
    target = image**1.2
    other = np.where(mask > 0, target, 0)
    first, second = fit(image, target, mask), fit(image, other, mask)  # type: ignore[call-arg]
    np.testing.assert_allclose(first.parameters, second.parameters, atol=1e-5)


def test_a_foreground_of_one_colour_is_shifted() -> None:
    image = np.full((1, 3, 16, 16), 0.4, np.float32)
    fitted = fit_affine(image, image + 0.1, np.ones((1, 1, 16, 16), np.float32))
    np.testing.assert_allclose(fitted.parameters[0, :, :3, 0, 0], np.eye(3), atol=1e-4)
    np.testing.assert_allclose(fitted(image), image + 0.1, rtol=1e-5)
