"""DoveNet's and RainNet's training: what their losses are, and that tiny networks learn two clips."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from chromacord.errors import InputError
from chromacord.lab import weight_files
from chromacord.lab.composites.augment import ClipBatch
from chromacord.lab.objectives.adversarial import VerifiedObjective
from chromacord.lab.objectives.losses import gradient_penalty, hinge
from chromacord.lab.objectives.protocol import AdversarialObjective, build_objective, check_objectives
from chromacord.lab.training.recipe import read_recipe
from chromacord.methods import load_method
from tests.hyoutube_lookalike import LookAlike
from tests.lab.training.material import stage_values, write_recipe
from tests.lab.training.runs import log_of, trained

METHODS = ("dovenet", "rainnet")
STAGE = {"objective": "harmonize_adversarially", "optimizer": "adam", "betas": [0.5, 0.999], "learning_rate": 2e-3}


@pytest.fixture(scope="session")
def hyoutube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of four frames to train on: those of the look-alike's first test video."""
    folder = LookAlike(tmp_path_factory.mktemp("hyoutube")).write()
    lines = (folder / "test_list.txt").read_text().splitlines()
    (folder / "train_frames.txt").unlink(missing_ok=True)
    (folder / "train_list.txt").write_text("\n".join(lines[:2]))
    return folder


def recipe_of(path: Path, method: str, **changed: Any) -> Path:
    options = {"adversary_width": 2, **changed.pop("options", {})}
    data = {"layout": "hyoutube", "held_out": 0, "side": 256, **changed.pop("data", {})}
    network = changed.pop("network", {"width": 4})
    values = {**STAGE, "batch": 2, "warmup": 0, "cooldown": 0, "average": 0.0, "max_norm": None, **changed}
    return write_recipe(path, stage_values(**values, options=options), method=method, network=network, data=data)


def objective_of(path: Path, method: str, data: Path, **changed: Any) -> VerifiedObjective:
    recipe = read_recipe(recipe_of(path / "r.toml", method, **changed))
    check_objectives(recipe)
    made = build_objective(recipe, recipe.stages[0], data)
    assert isinstance(made, VerifiedObjective)
    assert isinstance(made, AdversarialObjective)
    return made


def laid(picture: Tensor, clips: ClipBatch) -> Tensor:
    """Lay a picture in [-1, 1] over the composite. Shape (N, 3, S, S)."""
    composite, mask = clips.composite.flatten(0, 1), clips.mask.flatten(0, 1)
    return mask * picture + (1 - mask) * (2 * composite - 1)


def test_the_hinge_loss_is_its_formula() -> None:
    real, generated = torch.tensor([0.5, 2.0]), torch.tensor([-3.0, 0.25])
    assert float(hinge(real, generated)) == pytest.approx((0.5 + 0) / 2 + (0 + 1.25) / 2)


def test_the_penalty_is_how_far_the_slope_of_a_score_is_from_one() -> None:
    """Of a linear score it is the length of its weights, whatever the mix; of half a square, that of the mix itself."""
    vector = torch.full((3, 2, 2), 0.5)
    real, generated = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2)
    linear = gradient_penalty(lambda mixed: (mixed * vector).sum(dim=(1, 2, 3)), real, generated)
    assert float(linear) == pytest.approx((3**0.5 - 1) ** 2, rel=1e-5)
    mixes: list[Tensor] = []

    def squared(mixed: Tensor) -> Tensor:
        mixes.append(mixed.detach())
        return mixed.square().sum(dim=(1, 2, 3)) / 2

    found = gradient_penalty(squared, real, generated)
    lengths = mixes[0].flatten(1).norm(dim=1)
    torch.testing.assert_close(found, (lengths - 1).square().mean())
    shares = (mixes[0] - generated) / (real - generated)
    torch.testing.assert_close(shares, shares[:, :1, :1, :1].expand_as(shares), atol=1e-3, rtol=0)
    assert len({round(float(share), 3) for share in shares[:, 0, 0, 0]}) == 4


@pytest.mark.parametrize("method", METHODS)
def test_both_losses_are_those_of_the_authors_code(hyoutube: Path, tmp_path: Path, method: str) -> None:
    made = objective_of(tmp_path, method, hyoutube, options={"reconstruction": 50, "penalty": 3})
    batch = made.batch(2, 7)
    clips = ClipBatch(*batch)
    made.module.eval()
    made.adversary.eval()
    generated = made.generate(made.module, batch)
    picture = made.module(clips.composite.flatten(0, 1), clips.mask.flatten(0, 1))
    torch.testing.assert_close(generated, laid(picture, clips) if method == "rainnet" else picture)
    real, mask = 2 * clips.real.flatten(0, 1) - 1, clips.mask.flatten(0, 1)
    fake, true = made.adversary(generated, mask), made.adversary(real, mask)
    loss, figures = made.generator_loss(generated, batch)
    error = (generated - real).abs().mean()
    torch.testing.assert_close(loss, 50 * error - fake.picture.mean() - fake.domains.mean())
    torch.testing.assert_close(figures["error"], error)
    torch.manual_seed(5)
    loss, _ = made.adversary_loss(made.adversary, generated.detach(), batch)
    torch.manual_seed(5)
    penalty = gradient_penalty(lambda mixed: sum(made.adversary(mixed, mask)) / 2, real, generated.detach())
    expected = sum((1 + score).relu().mean() for score in fake) + sum((1 - score).relu().mean() for score in true)
    torch.testing.assert_close(loss, expected + 3 * penalty)


def test_backgrounds_are_those_of_the_real_frames_where_the_recipe_says_so(hyoutube: Path, tmp_path: Path) -> None:
    plain, real = (
        ClipBatch(*objective_of(tmp_path, "rainnet", hyoutube, options={"real_background": each}).batch(2, 1))
        for each in (False, True)
    )
    outside = (plain.mask == 0).expand_as(plain.real)
    assert torch.equal(real.composite[outside], real.real[outside])
    assert not torch.equal(plain.composite[outside], plain.real[outside])
    inside = (plain.mask == 1).expand_as(plain.real)
    torch.testing.assert_close(real.composite[inside], plain.composite[inside])


@pytest.mark.parametrize("method", METHODS)
def test_gradients_reach_every_parameter_of_both_networks(hyoutube: Path, tmp_path: Path, method: str) -> None:
    """Biases before an instance norm are taken out again: they have a gradient, which is zero but for rounding."""
    made = objective_of(tmp_path, method, hyoutube)
    batch = made.batch(2, 3)
    generated = made.generate(made.module.train(), batch)
    made.adversary_loss(made.adversary.train(), generated.detach(), batch)[0].backward()  # type: ignore[no-untyped-call]
    unreached = [name for name, value in made.adversary.named_parameters() if value.grad is None]
    made.generator_loss(generated, batch)[0].backward()  # type: ignore[no-untyped-call]
    unreached += [name for name, value in made.module.named_parameters() if value.grad is None]
    assert unreached == []
    still = {name for name, value in made.module.named_parameters() if not value.grad.any()}  # type: ignore[union-attr]
    assert not {name for name in still if not name.endswith("conv.bias")}


@pytest.mark.parametrize("method", METHODS)
def test_half_precision_gives_about_the_same_losses(hyoutube: Path, tmp_path: Path, method: str) -> None:
    """bfloat16 has 8 bits; this tests that second derivatives and the spectral norm work in it."""
    made = objective_of(tmp_path, method, hyoutube)
    batch = made.batch(2, 3)
    losses = []
    for is_half in (False, True):
        torch.manual_seed(4)
        with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
            generated = made.generate(made.module.eval(), batch)
            judged, _ = made.adversary_loss(made.adversary.eval(), generated.detach(), batch)
            loss, _ = made.generator_loss(generated, batch)
        (judged + loss).backward()
        losses.append(torch.stack([judged, loss]).detach())
    torch.testing.assert_close(losses[1], losses[0], atol=0.5, rtol=0.02)
    assert all(value.grad.isfinite().all() for value in made.adversary.parameters())  # type: ignore[union-attr]


@pytest.mark.parametrize("method", METHODS)
def test_two_clips_are_learned(hyoutube: Path, tmp_path: Path, method: str) -> None:
    """The generator's error falls by half, and the weights are used unchanged."""
    recipe = recipe_of(tmp_path / "r.toml", method, steps=26, save_every=26, batch=1)
    result = trained(recipe, hyoutube, tmp_path / "run")
    lines = log_of(tmp_path / "run", "train")
    errors = [line["error"] for line in lines]
    assert sum(errors[-5:]) < 0.5 * sum(errors[:5])
    assert {"loss", "adversary", "penalty", "picture_score", "domain_score"} <= lines[0].keys()
    assert not [key for key in weight_files.state_dict(result.weights) if not key.startswith(("downs", "ups", "out"))]
    loaded = load_method(method, weights=str(result.weights), width=4)
    made = objective_of(tmp_path, method, hyoutube)
    clips = ClipBatch(*made.batch(2, 1))
    made.module.load_state_dict(loaded.network.state_dict())
    with torch.inference_mode():
        used = loaded(clips.composite, clips.mask).harmonized.flatten(0, 1)
        expected = laid(made.module.eval()(clips.composite.flatten(0, 1), clips.mask.flatten(0, 1)), clips)
        torch.testing.assert_close(used, (expected + 1) / 2, atol=1e-5, rtol=0)


def test_held_out_frames_validate_as_they_will_be_tested(hyoutube: Path, tmp_path: Path) -> None:
    """Laid over their background, on the 0-255 scale, for every frame its foreground's mean squared error."""
    made = objective_of(tmp_path, "dovenet", hyoutube)
    made._held_out = made._trained
    figures = made.validate(made.module.eval())
    assert list(figures) == ["fmse", "composite_fmse", "ratio"]
    assert figures["ratio"] == pytest.approx(figures["fmse"] / figures["composite_fmse"])


def test_a_run_that_goes_on_ends_with_the_same_bytes(hyoutube: Path, tmp_path: Path) -> None:
    """Dropout, the penalty's mixes and the spectral norm's power iterations resume where they stopped."""
    small: dict[str, Any] = {"network": {"width": 1}, "options": {"adversary_width": 1}, "batch": 1, "save_every": 1}
    whole = trained(recipe_of(tmp_path / "r.toml", "dovenet", steps=4, **small), hyoutube, tmp_path / "whole")
    trained(recipe_of(tmp_path / "s.toml", "dovenet", steps=2, **small), hyoutube, tmp_path / "part")
    gone_on = trained(recipe_of(tmp_path / "s.toml", "dovenet", steps=4, **small), hyoutube, tmp_path / "part")
    assert gone_on.sha256 == whole.sha256
    assert log_of(tmp_path / "part", "train")[:4] == log_of(tmp_path / "whole", "train")[:4]


@pytest.mark.parametrize(
    ("method", "changed", "said"),
    [
        ("dovenet", {"data": {"side": 128}}, r"\[data\]: side must be a multiple of 256, got 128"),
        ("dovenet", {"options": {"penalty": -1}}, r"\[stage\.options\]: penalty must be 0 or more"),
        ("dovenet", {"options": {"adversary_width": 0}}, r"adversary_width must lie in 1..256, got 0"),
        (
            "dovenet",
            {"options": {"least_area": 3}},
            r"least_area is not known; choose one of augmentation, reconstruction",
        ),
        ("dovenet", {"network": {"inputs": 4}}, r"\[network\]: method 'dovenet' has no option 'inputs'"),
        ("rainnet", {"network": {"inputs": 5}}, r"\[network\]: inputs must be 3 or 4, got 5"),
        ("rainnet", {"network": {"working_side": 512}}, r"\[network\]: working_side does not affect training"),
        ("issam", {"network": {}}, r"'harmonize_adversarially' trains dovenet or rainnet, not 'issam'"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    tmp_path: Path, method: str, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        check_objectives(read_recipe(recipe_of(tmp_path / "r.toml", method, **changed)))
    assert "\n" not in str(caught.value)
