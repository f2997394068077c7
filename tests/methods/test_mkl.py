"""MKL against its formula in numpy float64 and against what defines the map."""

import numpy as np

from chromacord.methods.mkl import MKL, monge_kantorovich
from tests.methods.footage import composite_and_mask, pixels


def test_the_foreground_gets_the_backgrounds_mean_and_covariance() -> None:
    composite, mask = composite_and_mask()
    transform = MKL().harmonize(composite, mask).transform
    assert transform is not None
    mapped = pixels(transform(composite[0])[None], mask)
    wanted = pixels(composite, 1 - mask)
    np.testing.assert_allclose(mapped.mean(axis=0), wanted.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(np.cov(mapped.T, ddof=0), np.cov(wanted.T, ddof=0), atol=2e-4)


def test_the_matrix_is_the_papers_in_numpy() -> None:
    random = np.random.default_rng(1)
    source, target = (np.cov(random.random((3, 50))) for _ in range(2))

    def root(matrix: np.ndarray, power: float) -> np.ndarray:
        values, vectors = np.linalg.eigh(matrix)
        return vectors @ np.diag(values**power) @ vectors.T

    half, back = root(source, 0.5), root(source, -0.5)
    expected = back @ root(half @ target @ half, 0.5) @ back
    np.testing.assert_allclose(monge_kantorovich(source[None], target[None])[0], expected, rtol=1e-9)


def test_equal_statistics_change_nothing() -> None:
    composite, _ = composite_and_mask()
    doubled = np.concatenate([composite, composite], axis=-1)
    mask = np.zeros_like(doubled[:, :, :1])
    mask[..., :64] = 1
    np.testing.assert_allclose(MKL().harmonize(doubled, mask).harmonized, doubled, atol=1e-5)


def test_soft_masks_weight_the_statistics() -> None:
    composite, mask = composite_and_mask()
    soft = 0.25 + 0.5 * mask
    transform = MKL().harmonize(composite, soft).transform
    assert transform is not None
    colors, weight = composite[0, 0].reshape(3, -1), soft.ravel()
    mapped = transform(composite[0])[0].reshape(3, -1)
    wanted = np.average(colors, axis=1, weights=1 - weight)
    np.testing.assert_allclose(np.average(mapped, axis=1, weights=weight), wanted, atol=1e-5)


def test_a_nearly_flat_foreground_is_not_blown_up() -> None:
    composite, mask = composite_and_mask()
    noise = np.float32(0.001) * np.random.default_rng(2).standard_normal(composite.shape, np.float32)
    flat = np.where(mask > 0, 0.3 + noise, composite)
    gains = np.linalg.eigvalsh(MKL(max_gain=3).harmonize(flat, mask).transform.parameters[0, :, :3, 0, 0])
    assert gains.max() <= 3.001
    assert pixels(MKL(max_gain=3).harmonize(flat, mask).harmonized, mask).std(axis=0).max() < 0.004


def test_a_flat_background_does_not_flatten_the_foreground() -> None:
    composite, mask = composite_and_mask()
    flat = np.where(mask > 0, composite, 0.6)
    before, after = (
        pixels(image, mask).std(axis=0) for image in (flat, MKL(max_gain=3).harmonize(flat, mask).harmonized)
    )
    assert (after > before / 3.5).all()
