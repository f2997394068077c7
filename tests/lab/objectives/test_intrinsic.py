"""IIH's objective: its five terms against numpy, and that a narrow network learns by them."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from chromacord.errors import InputError
from chromacord.lab.composites.augment import ClipBatch
from chromacord.lab.networks.iih_network import IntrinsicPictures
from chromacord.lab.objectives.intrinsic import (
    IntrinsicObjective,
    contrast_structure,
    intrinsic_terms,
    roughness,
    slopes,
)
from chromacord.lab.objectives.protocol import build_objective, check_objectives
from chromacord.lab.training import draws
from chromacord.lab.training.recipe import read_recipe
from chromacord.methods import load_method
from tests.lab.training.material import stage_values, write_recipe
from tests.lab.training.runs import log_of, trained

STAGE = {"objective": "intrinsic", "optimizer": "adam", "betas": [0.5, 0.999]}
NETWORK = {"width": 4}
GREY = np.array([0.2989, 0.5870, 0.1140])


@pytest.fixture(autouse=True)
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "_VALIDATION_LOOKS", 8)


def recipe_of(path: Path, stage: dict[str, Any], **changed: Any) -> Path:
    data = {"side": 256, "num_validated": 2, **changed.pop("data", {})}
    return write_recipe(
        path, stage_values(**{**STAGE, **stage}), data=data, **{"method": "iih", "network": NETWORK} | changed
    )


def objective_of(path: Path, data: Path, **options: float) -> IntrinsicObjective:
    recipe = read_recipe(recipe_of(path / "r.toml", {"options": options}))
    check_objectives(recipe)
    made = build_objective(recipe, recipe.stages[0], data)
    assert isinstance(made, IntrinsicObjective)
    return made


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def slopes_by_numpy(picture: Tensor) -> npt.NDArray[np.float64]:
    summed = np.pad(picture.double().numpy().sum(axis=1), ((0, 0), (1, 0), (1, 0)))
    left, up = np.diff(summed, axis=2)[:, 1:], np.diff(summed, axis=1)[:, :, 1:]
    return np.abs(np.stack([left, up], axis=1))


def roughness_by_numpy(picture: Tensor) -> float:
    values = picture.double().numpy()
    across = np.abs(np.diff(np.diff(values, axis=2), axis=3)).mean()
    return float(np.abs(np.diff(values, 2, axis=2)).mean() + np.abs(np.diff(values, 2, axis=3)).mean() + 2 * across)


def contrast_structure_by_loops(picture: Tensor, reference: Tensor) -> float:
    """At each pixel the weighted variances and covariance of 11 x 11 values, those outside being zeros."""
    bell = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weight = np.outer(bell, bell) / bell.sum() ** 2
    first, second = (
        np.pad(each.double().numpy(), ((0, 0), (0, 0), (5, 5), (5, 5)))[:, 0] for each in (picture, reference)
    )
    values = []
    for one, other in zip(first, second, strict=True):
        for y in range(one.shape[0] - 10):
            for x in range(one.shape[1] - 10):
                a, b = one[y : y + 11, x : x + 11], other[y : y + 11, x : x + 11]
                a, b = a - (weight * a).sum(), b - (weight * b).sum()
                covariance, variances = (weight * a * b).sum(), (weight * (a**2 + b**2)).sum()
                values.append((2 * covariance + 9e-4) / (variances + 9e-4))
    return float(np.mean(values))


def test_slopes_are_those_of_the_summed_channels_with_zeros_outside() -> None:
    picture = random(2, 3, 5, 6)
    np.testing.assert_allclose(slopes(picture).numpy(), slopes_by_numpy(picture), atol=1e-6)
    opposite = torch.stack([picture[:, 0], -picture[:, 0]], dim=1)
    assert not slopes(opposite).any()


def test_roughness_is_four_means_of_second_differences() -> None:
    picture = random(2, 3, 7, 6)
    assert float(roughness(picture)) == pytest.approx(roughness_by_numpy(picture), rel=1e-5)
    ramp = torch.arange(6.0).expand(1, 3, 7, 6)
    assert float(roughness(ramp)) == 0


def test_contrast_and_structure_are_those_of_ssim() -> None:
    picture, reference = random(2, 1, 9, 12), random(2, 1, 9, 12, seed=1)
    expected = contrast_structure_by_loops(picture, reference)
    assert float(contrast_structure(picture, reference)) == pytest.approx(expected, abs=1e-5)
    assert float(contrast_structure(picture, picture)) == pytest.approx(1)


def test_the_five_terms_are_those_of_the_authors() -> None:
    real = random(2, 3, 256, 256, seed=1)
    harmonized, reflectance, illumination = random(3, 2, 3, 256, 256, seed=2)
    guide = 2 * random(2, 1, 32, 32, seed=3) - 1
    found = intrinsic_terms(IntrinsicPictures(harmonized, reflectance, illumination, guide), real)
    grey = torch.from_numpy(np.einsum("nchw,c->nhw", real[..., ::8, ::8].double().numpy(), GREY))[:, None]
    slope = np.abs(slopes_by_numpy(reflectance) - slopes_by_numpy(real))
    expected = {
        "reconstruction": float((harmonized - real).abs().mean()),
        "reflectance": slope[:, 0].mean() + slope[:, 1].mean(),
        "illumination": float((illumination - real).square().mean()),
        "smoothness": roughness_by_numpy(illumination),
        "guide": (1 - contrast_structure_by_loops(guide, grey)) / 2,
    }
    assert {name: float(term) for name, term in found.items()} == pytest.approx(expected, rel=1e-4)


def test_the_loss_is_their_sum_with_the_weights_of_version_one(data: Path, tmp_path: Path) -> None:
    published = {"reconstruction": 100, "reflectance": 10, "illumination": 1, "smoothness": 10, "guide": 100}
    others = {"reconstruction": 1.0, "reflectance": 0.0, "illumination": 3.0, "smoothness": 0.5, "guide": 2.0}
    for options, weights in (({}, published), (others, others)):
        made = objective_of(tmp_path, data, **options)
        loss, figures = made.loss(made.module, made.batch(1, 3))
        assert float(loss.detach()) == pytest.approx(
            sum(weights[name] * float(figures[name]) for name in weights), rel=1e-5
        )
        assert figures["loss"] == loss


def test_a_narrow_network_learns_and_all_of_it_is_reached(data: Path, tmp_path: Path) -> None:
    made = objective_of(tmp_path, data)
    made.loss(made.module, made.batch(2, 1))[0].backward()  # type: ignore[no-untyped-call]
    unreached = [name for name, value in made.module.named_parameters() if value.grad is None or not value.grad.any()]
    assert unreached == []
    stage = {"steps": 20, "batch": 2, "learning_rate": 2e-3, "warmup": 0, "cooldown": 10, "average": 0.0}
    result = trained(
        recipe_of(tmp_path / "r.toml", {**stage, "max_norm": None, "validate_every": 20}), data, tmp_path / "run"
    )
    log = log_of(tmp_path / "run", "train")
    assert sum(line["reconstruction"] for line in log[-5:]) < 0.8 * sum(line["reconstruction"] for line in log[:5])
    assert list(result.validation) == ["fmse", "composite_fmse", "ratio"]
    composite, mask, _ = ClipBatch(*made.batch(1, 3))
    method = load_method("iih", weights=str(result.weights), **NETWORK)
    with torch.inference_mode():
        assert not torch.equal(method(composite, mask).harmonized, composite)


@pytest.mark.parametrize(
    ("stage", "changed", "said"),
    [
        ({}, {"data": {"side": 128}}, r"\[data\]: side must be 256, the only size that IIH accepts, got 128"),
        ({"options": {"guide": -1}}, {}, "guide must be 0 or more"),
        ({"options": {"least_area": 10}}, {}, "least_area is not known"),
        ({}, {"data": {"mirrored_share": 2}}, r"mirrored_share must lie in 0\.\.1"),
        ({}, {"network": {"width": 5}}, r"\[network\]: width must be even"),
        ({}, {"method": "issam", "network": {}}, "'intrinsic' trains iih, not 'issam'"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    tmp_path: Path, stage: dict[str, Any], changed: dict[str, Any], said: str
) -> None:
    recipe = read_recipe(recipe_of(tmp_path / "r.toml", stage, **changed))
    with pytest.raises(InputError, match=said) as caught:
        check_objectives(recipe)
    assert "\n" not in str(caught.value)
