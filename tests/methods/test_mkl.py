"""MKL against its formula in numpy float64 and against what defines the map."""

import numpy as np
import torch

from chromacord.methods.mkl import MKL, monge_kantorovich
from tests.methods.footage import composite_and_mask, pixels


def test_the_foreground_gets_the_backgrounds_mean_and_covariance() -> None:
    composite, mask = composite_and_mask()
    transform = MKL()(composite, mask).transform
    assert transform is not None
    mapped = pixels(transform(composite[0])[None], mask)
    wanted = pixels(composite, 1 - mask)
    torch.testing.assert_close(mapped.mean(dim=0), wanted.mean(dim=0), atol=1e-4, rtol=0)
    torch.testing.assert_close(mapped.T.cov(correction=0), wanted.T.cov(correction=0), atol=2e-4, rtol=0)


def test_the_matrix_is_the_papers_in_numpy() -> None:
    generator = torch.Generator().manual_seed(1)
    source, target = (torch.rand(50, 3, dtype=torch.float64, generator=generator).T.cov() for _ in range(2))

    def root(matrix: np.ndarray, power: float) -> np.ndarray:
        values, vectors = np.linalg.eigh(matrix)
        return vectors @ np.diag(values**power) @ vectors.T

    half, back = root(source.numpy(), 0.5), root(source.numpy(), -0.5)
    expected = back @ root(half @ target.numpy() @ half, 0.5) @ back
    np.testing.assert_allclose(monge_kantorovich(source[None], target[None])[0], expected, rtol=1e-9)


def test_equal_statistics_change_nothing() -> None:
    composite, _ = composite_and_mask()
    doubled = torch.cat([composite, composite], dim=-1)
    mask = torch.zeros_like(doubled[:, :, :1])
    mask[..., :64] = 1
    torch.testing.assert_close(MKL()(doubled, mask).harmonized, doubled, atol=1e-5, rtol=0)


def test_soft_masks_weight_the_statistics() -> None:
    composite, mask = composite_and_mask()
    soft = 0.25 + 0.5 * mask
    transform = MKL()(composite, soft).transform
    assert transform is not None
    colors, weight = composite[0, 0].flatten(1).numpy(), soft.flatten().numpy()
    mapped = transform(composite[0])[0].flatten(1).numpy()
    wanted = np.average(colors, axis=1, weights=1 - weight)
    np.testing.assert_allclose(np.average(mapped, axis=1, weights=weight), wanted, atol=1e-5)


def test_a_nearly_flat_foreground_is_not_blown_up() -> None:
    composite, mask = composite_and_mask()
    noise = 0.001 * torch.randn(composite.shape, generator=torch.Generator().manual_seed(2))
    flat = torch.where(mask > 0, 0.3 + noise, composite)
    gains = torch.linalg.eigvalsh(MKL(max_gain=3)(flat, mask).transform.parameters[0, :, :3, 0, 0])
    assert gains.max() <= 3.001
    assert pixels(MKL(max_gain=3)(flat, mask).harmonized, mask).std(dim=0).max() < 0.004


def test_a_flat_background_does_not_flatten_the_foreground() -> None:
    composite, mask = composite_and_mask()
    flat = torch.where(mask > 0, composite, 0.6)
    before, after = (pixels(image, mask).std(dim=0) for image in (flat, MKL(max_gain=3)(flat, mask).harmonized))
    assert (after > before / 3.5).all()
