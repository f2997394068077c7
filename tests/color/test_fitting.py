"""Fits against maps that are known, and against a dense least-squares solve."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from chromacord.color import fitting
from chromacord.color.fitting import fit_affine, fit_affine_field, fit_gains, fit_lut3d
from chromacord.color.transforms import AffineField, Lut3d, apply_lut3d, lattice


def picture(num_frames: int = 1, *, size: tuple[int, int] = (64, 72), seed: int = 0) -> Tensor:
    """Smooth colours of a limited gamut with a little grain. Shape (N, 3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 0.2 + 0.6 * torch.rand(num_frames, 3, 8, 9, generator=generator)
    smooth = F.interpolate(coarse, size, mode="bicubic", align_corners=False)
    return (smooth + 0.01 * torch.randn(smooth.shape, generator=generator)).clamp(0, 1)


def disc(num_frames: int = 1, *, size: tuple[int, int] = (64, 72)) -> Tensor:
    """A soft disc. Shape (N, 1, H, W)."""
    rows, columns = torch.linspace(-1, 1, size[0])[:, None], torch.linspace(-1, 1, size[1])
    return (6 * (0.8 - (rows**2 + columns**2).sqrt())).clamp(0, 1).expand(num_frames, 1, -1, -1)


def affine(num_frames: int = 1) -> AffineField:
    matrix = torch.tensor([[1.2, 0.1, -0.1], [0.05, 0.8, 0.0], [0.0, 0.1, 0.9]])
    return AffineField.from_matrix(
        matrix.expand(num_frames, 3, 3), torch.tensor([0.05, -0.02, 0.1]).expand(num_frames, 3)
    )


def smooth_lut() -> Lut3d:
    """Gamma, cross-talk and a tint in the shadows."""
    red, green, blue = lattice(17)
    return Lut3d(torch.stack([red**1.4, 0.9 * green + 0.1 * red * blue, 0.1 + 0.9 * blue**0.8])[None])


def levels(error: Tensor, mask: Tensor) -> float:
    """Root mean square under the mask, in 8-bit levels."""
    return float(255 * ((error.square() * mask).sum() / (3 * mask.sum())).sqrt())


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
    nodes = torch.eye(size**3).unflatten(-1, (1, size, size, size))
    hats = torch.stack([apply_lut3d(image, node.expand(1, 3, -1, -1, -1))[0, 0].flatten() for node in nodes], dim=-1)
    share = (mask / mask.sum()).flatten()
    line = torch.eye(size).diff(dim=0)
    laplacian = sum(
        torch.kron(
            torch.kron(*(line.T @ line if axis == k else torch.eye(size) for k in (0, 1))),
            line.T @ line if axis == 2 else torch.eye(size),
        )
        for axis in range(3)
    )
    prior = fitting._LUT_SMOOTHNESS * laplacian + fitting._LUT_PULL * torch.eye(size**3)
    base = fit_affine(image, target, mask)
    right = hats.T @ (share[:, None] * (target - base(image))[0].flatten(1).T)
    values = torch.linalg.solve((hats.T @ (share[:, None] * hats) + prior).double(), right.double()).float()
    expected = base.to_lut(size).parameters + values.T.unflatten(-1, (size, size, size))
    fitted = fit_lut3d(image, target, mask, size=size)
    torch.testing.assert_close(fitted.parameters, expected, atol=2e-4, rtol=0)


def test_a_lut_follows_an_affine_map_for_unseen_colours_too() -> None:
    image = picture(seed=1)
    fitted = fit_lut3d(image, affine()(image), disc())
    torch.testing.assert_close(fitted.parameters, affine().to_lut(17).parameters, atol=2e-3, rtol=0)


def test_gains_are_those_of_a_ridge_regression_per_channel() -> None:
    image, mask = picture(), disc()
    harmonized = image * torch.tensor([1.3, 0.9, 0.6])[:, None, None] + 0.05
    matrix = fit_gains(image, harmonized, mask).parameters[0, :, :, 0, 0]
    weight = mask.flatten().double().sqrt()
    for channel in range(3):
        # Least squares with one more row: a colour of level sqrt(0.05) that the gain 1 keeps.
        seen = torch.cat([weight * image[0, channel].flatten(), (0.05 * weight.square().sum())[None].sqrt()])
        wanted = torch.cat([weight * harmonized[0, channel].flatten(), (0.05 * weight.square().sum())[None].sqrt()])
        gain = torch.linalg.lstsq(seen[:, None], wanted[:, None]).solution.item()
        assert abs(matrix[channel, channel].item() - gain) < 1e-5
    assert torch.equal(matrix, torch.diag(matrix.diagonal()) @ torch.eye(3, 4))  # no cross-talk, black stays black


def test_gains_of_a_dark_foreground_stay_near_one() -> None:
    mask, image = disc(), 0.05 * picture()
    gains = fit_gains(image, image + 0.3, mask).parameters[0, :, :3, 0, 0].diagonal()
    assert (gains > 1).all()
    assert (gains < 1.3).all()


def test_a_field_follows_an_affine_map_in_unseen_places_too() -> None:
    image = picture(seed=1)
    fitted = fit_affine_field(image, affine()(image), disc())
    expected = affine().parameters.expand_as(fitted.parameters)
    torch.testing.assert_close(fitted.parameters, expected, atol=2e-3, rtol=0)


def test_unseen_colours_have_no_holes() -> None:
    grays = picture().mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    fitted = fit_lut3d(grays, grays + 0.2, disc())
    torch.testing.assert_close(fitted.parameters, lattice(17)[None] + 0.2, atol=0.02, rtol=0)


def test_a_field_recovers_a_local_gradient_of_brightness() -> None:
    image, mask = picture(), disc()
    target = image * torch.linspace(0.6, 1.3, image.shape[-1])
    fitted = fit_affine_field(image, target, mask)
    assert not fitted.is_global
    assert levels(fitted(image) - target, mask) < 2
    assert levels(fit_affine(image, target, mask)(image) - target, mask) > 4


def test_a_field_has_no_grid_or_halo_at_full_size() -> None:
    small, large = (60, 64), (480, 512)
    image, mask = picture(size=small), disc(size=small)
    target = image + 0.2 * torch.linspace(-1, 1, small[1]) * torch.linspace(0, 1, small[0])[:, None]
    field = fit_affine_field(image, target, mask)
    gray = torch.full((1, 3, *large), 0.5)
    change = field(gray) - gray
    steps = torch.cat([change.diff(dim=-1).flatten(), change.diff(dim=-2).flatten()])
    assert 255 * steps.abs().max() < 0.5


@pytest.mark.parametrize("grid", [(1, 1), (2, 5), (16, 16)])
def test_the_field_solve_agrees_with_a_dense_one(grid: tuple[int, int]) -> None:
    image, mask = picture(size=(20, 24)), disc(size=(20, 24))
    target = (image**1.3) * torch.linspace(0.7, 1.2, 24)
    base = fit_affine(image, target, mask)
    mean = (image * mask).sum(dim=(2, 3)) / mask.sum()
    unit = torch.eye(grid[0] * grid[1]).unflatten(-1, grid)[None]
    hats = F.interpolate(unit, (20, 24), mode="bilinear", align_corners=False)[0].flatten(1).double()
    features = torch.cat([image - mean[..., None, None], torch.ones_like(mask)], dim=1)[0].flatten(1).double()
    design = torch.einsum("kp,fp->pkf", hats, features).flatten(1)
    weight = (mask / mask.sum()).flatten().double()[:, None]
    right = design.T @ (weight * (target - base(image))[0].flatten(1).T)
    normal = design.T @ (weight * design) + fitting._field_prior(grid).double()
    delta = torch.linalg.solve(normal, right).T.unflatten(-1, (*grid, 4)).permute(0, 3, 1, 2)[None].float()
    offset = delta[:, :, 3] - torch.einsum("nochw,nc->nohw", delta[:, :, :3], mean)
    expected = base.parameters + torch.cat([delta[:, :, :3], offset[:, :, None]], dim=2)
    fitted = fit_affine_field(image, target, mask, grid=grid)
    assert fitted.parameters.shape == (1, 3, 4, *grid)
    torch.testing.assert_close(fitted.parameters, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("fit", [fit_affine, fit_gains, fit_lut3d, fit_affine_field])
def test_an_empty_mask_gives_the_identity(fit: type[Lut3d]) -> None:
    image = picture(2)
    fitted = fit(image, image**2, torch.zeros(2, 1, 64, 72))  # type: ignore[call-arg]
    torch.testing.assert_close(fitted(image), image, atol=1e-6, rtol=0)


@pytest.mark.parametrize("fit", [fit_affine, fit_gains, fit_lut3d, fit_affine_field])
def test_a_batch_is_fitted_one_by_one(fit: type[Lut3d]) -> None:
    image, mask = picture(2), disc(2).clone()
    mask[1, :, :30] = 0
    both = fit(image, image**1.2, mask)  # type: ignore[call-arg]
    second = fit(image[1:], image[1:] ** 1.2, mask[1:])  # type: ignore[call-arg]
    torch.testing.assert_close(both.parameters[1:], second.parameters, atol=2e-4, rtol=0)


@pytest.mark.parametrize("fit", [fit_affine, fit_gains, fit_lut3d, fit_affine_field])
def test_pixels_outside_the_mask_have_no_say(fit: type[Lut3d]) -> None:
    image, mask = picture(), disc()
    target = image**1.2
    other = torch.where(mask > 0, target, 0)
    first, second = fit(image, target, mask), fit(image, other, mask)  # type: ignore[call-arg]
    torch.testing.assert_close(first.parameters, second.parameters, atol=1e-5, rtol=0)


def test_a_foreground_of_one_colour_is_shifted() -> None:
    image = torch.full((1, 3, 16, 16), 0.4)
    fitted = fit_affine(image, image + 0.1, torch.ones(1, 1, 16, 16))
    torch.testing.assert_close(fitted.parameters[0, :, :3, 0, 0], torch.eye(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(fitted(image), image + 0.1)
