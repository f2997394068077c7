"""Huang's objectives: what their losses are, under motion that is known, and that networks learn by them."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.lab import weight_files
from chromacord.lab.composites.augment import ClipBatch
from chromacord.lab.flow.spynet import SPyNet
from chromacord.lab.layers.pictures import normalize
from chromacord.lab.objectives import pairs
from chromacord.lab.objectives.disharmony import DisharmonyDiscriminator, DisharmonyObjective, visibility
from chromacord.lab.objectives.pairs import PairsObjective
from chromacord.lab.objectives.protocol import AdversarialObjective, build_objective, check_objectives
from chromacord.lab.training import draws
from chromacord.lab.training.recipe import read_recipe
from chromacord.methods import load_method
from tests.lab.training.material import SIDE, stage_values, write_recipe
from tests.lab.training.runs import log_of, trained

PAIRS = {"objective": "harmonize_pairs", "optimizer": "adam"}
ADVERSARIAL = {"objective": "harmonize_pairs_adversarially", "optimizer": "adam", "betas": [0.5, 0.999]}
LEARNING = {
    "batch": 2,
    "steps": 24,
    "validate_every": 24,
    "save_every": 24,
    "learning_rate": 1e-3,
    "warmup": 0,
    "cooldown": 0,
    "average": 0.0,
    "max_norm": None,
}
SHIFT = 2
"""Pixels to the right that the known motion has."""


class KnownMotion(nn.Module):
    """In place of what estimates flow: each pixel of the later frame came from the right, and leads back."""

    def __init__(self) -> None:
        super().__init__()
        self.later: Tensor | None = None

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        if self.later is None:  # flow of the later frame is requested first
            self.later = first
        flow = torch.zeros(len(first), 2, *first.shape[-2:])
        flow[:, 0] = SHIFT if torch.equal(first, self.later) else -SHIFT
        return flow


@pytest.fixture(autouse=True)
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "_VALIDATION_LOOKS", 8)


@pytest.fixture
def known_motion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "DIS", KnownMotion)


def recipe_of(path: Path, stage: dict[str, Any], **changed: Any) -> Path:
    data = {"side": SIDE, "num_validated": 2, "augmentation": {"still_clip_share": 0.7, "camera": 0.2}}
    return write_recipe(path, stage_values(**stage), data=data, **{"method": "huang2019", "network": {}, **changed})


def objective_of(path: Path, stage: dict[str, Any], data: Path, **options: Any) -> PairsObjective:
    recipe = read_recipe(recipe_of(path / "r.toml", {**stage, "options": options}))
    check_objectives(recipe)
    made = build_objective(recipe, recipe.stages[0], data)
    assert isinstance(made, PairsObjective)
    return made


def mean(log: list[dict[str, Any]], name: str) -> float:
    return sum(line[name] for line in log) / len(log)


def shifted(pictures: Tensor) -> Tensor:
    """Return the value `SHIFT` pixels to the right of each pixel, the last one beyond the edge."""
    return F.pad(pictures, (0, SHIFT, 0, 0), mode="replicate")[..., SHIFT:]


def foreground_normalised(squared: Tensor, mask: Tensor) -> Tensor:
    """By the formula of Sofiiuk et al. 2021, A_min of 1000 pixels at 256 x 256."""
    return (squared.sum(dim=(1, 2, 3)) / (3 * mask.sum(dim=(1, 2, 3)).clamp_min(1000 * SIDE**2 / 256**2))).mean()


@pytest.mark.usefixtures("known_motion")
def test_the_loss_is_the_later_frames_error_and_a_share_of_the_change_along_the_motion(
    data: Path, tmp_path: Path
) -> None:
    made = objective_of(tmp_path, PAIRS, data)
    batch = ClipBatch(*made.batch(3, 5))
    assert batch.composite.shape == (3, 2, 3, SIDE, SIDE)
    made.module.eval()
    loss, figures = made.loss(made.module, batch)
    before, after = (made.module(batch.composite[:, place], batch.mask[:, place]).picture for place in (0, 1))
    expected = foreground_normalised((after - normalize(batch.real[:, 1])).square(), batch.mask[:, 1])
    change = (after - shifted(before)).square().mean()
    torch.testing.assert_close(figures["reconstruction"], expected.detach())
    torch.testing.assert_close(figures["temporal"], change.detach(), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(loss, expected + 0.01 * change)


@pytest.mark.usefixtures("known_motion")
def test_gradients_go_through_both_frames(data: Path, tmp_path: Path) -> None:
    """The earlier frame has no other term, so all that reaches it comes through its warp."""
    made = objective_of(tmp_path, PAIRS, data)
    batch = ClipBatch(*made.batch(1, 5))
    pictures = torch.rand(2, 3, SIDE, SIDE, requires_grad=True)
    made._pictures = lambda module, clips: pictures  # type: ignore[method-assign]
    made.loss(made.module, batch)[0].backward()  # type: ignore[no-untyped-call]
    assert pictures.grad is not None
    assert all(gradient.any() for gradient in pictures.grad)


def test_pairs_are_learned_and_a_heavier_share_makes_results_steadier(data: Path, tmp_path: Path) -> None:
    """Both runs see the same pairs. The first steps are not compared."""
    changes = []
    for temporal in (0.0, 10.0):
        recipe = recipe_of(tmp_path / "r.toml", {**PAIRS, **LEARNING, "options": {"temporal": temporal}})
        folder = tmp_path / f"run{temporal}"
        result = trained(recipe, data, folder)
        log = log_of(folder, "train")
        assert mean(log[-5:], "loss") < 0.85 * mean(log[:5], "loss")
        changes.append(mean(log[4:], "temporal"))
    assert changes[1] < 0.85 * changes[0]
    assert list(result.validation) == ["fmse", "composite_fmse", "ratio"]
    load_method("huang2019", weights=str(result.weights))


def test_flow_comes_from_spynets_weights_where_the_recipe_says_so(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = SPyNet()
    nn.init.normal_(network.levels[-1][-1].weight, std=0.2)
    weight_files.save(network.state_dict(), tmp_path / "flow.safetensors")
    made = objective_of(tmp_path, PAIRS, data, flow="spynet", flow_weights=str(tmp_path / "flow.safetensors"))
    batch = ClipBatch(*made.batch(2, 5))
    loss, _ = made.loss(made.module, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    weight_files.load_into(network, tmp_path / "flow.safetensors")
    torch.testing.assert_close(made._flows(batch.composite), network(batch.composite[:, 1], batch.composite[:, 0]))
    assert all(value.grad is None for value in made._flow.parameters())
    assert not {key for key in made.module.state_dict() if "levels" in key}
    with pytest.raises(InputError, match=r"recipe tiny \[stage\.options\]: flow_weights: none\.pth: no such file"):
        objective_of(tmp_path, PAIRS, data, flow="spynet", flow_weights="none.pth")


def test_the_foreground_is_visible_where_it_is_in_both_frames_and_the_motion_leads_back() -> None:
    """A row of five pixels that moves by one: the last leaves the picture, the second was background before."""
    mask = torch.ones(1, 2, 1, 1, 5)
    mask[0, 0, 0, 0, 2] = 0
    mask[0, 1, 0, 0, 0] = 0.5
    flow, back = torch.zeros(2, 1, 2, 1, 5)
    flow[:, 0], back[:, 0] = 1.0, -1.0
    assert visibility(mask, flow, back).flatten().tolist() == [0.5, 0, 1, 1, 0]
    back[0, 0, 0, 3] = -2.5  # 1.5 pixels off, of lengths 1 and 2.5: allowed is 0.01 * 7.25 + 0.5
    assert visibility(mask, flow, back).flatten().tolist() == [0.5, 0, 0, 1, 0]
    back[0, 0, 0, 3] = -1.7  # 0.7 pixels off: 0.49 is below 0.5
    assert visibility(mask, flow, back).flatten().tolist() == [0.5, 0, 1, 1, 0]


def test_the_discriminator_looks_at_pictures_of_any_size() -> None:
    with torch.inference_mode():
        assert DisharmonyDiscriminator().eval()(torch.rand(2, 3, 33, 47)).shape == (2, 1, 33, 47)


@pytest.mark.usefixtures("known_motion")
def test_both_losses_against_the_discriminator_are_what_they_say(data: Path, tmp_path: Path) -> None:
    made = objective_of(tmp_path, ADVERSARIAL, data, temporal=0.3, adversarial=0.2)
    assert isinstance(made, DisharmonyObjective)
    assert isinstance(made, AdversarialObjective)
    batch = ClipBatch(*made.batch(2, 5))
    made.module.eval()
    made.adversary.eval()
    generated = made.generate(made.module, batch)
    mask = batch.mask.flatten(0, 1)
    shown = mask * generated.flatten(0, 1) + (1 - mask) * normalize(batch.composite.flatten(0, 1))
    told = made.adversary(shown)
    judged = (told - mask).square().mean() + made.adversary(normalize(batch.real.flatten(0, 1))).square().mean()
    torch.testing.assert_close(made.adversary_loss(made.adversary, generated, batch)[0], judged)
    squared = (generated[:, 1] - normalize(batch.real[:, 1])).square()
    seen = batch.mask[:, 1] * shifted(batch.mask[:, 0])
    seen[..., -SHIFT:] = 0  # their motion leads out of the picture
    change = (seen * (generated[:, 1] - shifted(generated[:, 0])).square()).sum(dim=(1, 2, 3)) / seen.sum(dim=(1, 2, 3))
    expected = foreground_normalised(squared, batch.mask[:, 1]) + 0.3 * change.mean() + 0.2 * told.square().mean()
    torch.testing.assert_close(made.generator_loss(generated, batch)[0], expected)
    torch.testing.assert_close(made.loss(made.module, batch)[0], expected)


def test_network_and_discriminator_learn_against_each_other(data: Path, tmp_path: Path) -> None:
    made = objective_of(tmp_path, ADVERSARIAL, data)
    assert isinstance(made, DisharmonyObjective)
    batch = made.batch(2, 1)
    generated = made.generate(made.module, batch)
    made.adversary_loss(made.adversary, generated.detach(), batch)[0].backward()  # type: ignore[no-untyped-call]
    made.generator_loss(generated, batch)[0].backward()  # type: ignore[no-untyped-call]
    for module in (made.module, made.adversary):
        assert [name for name, value in module.named_parameters() if value.grad is None or not value.grad.any()] == []
    result = trained(recipe_of(tmp_path / "r.toml", {**ADVERSARIAL, **LEARNING}), data, tmp_path / "run")
    log = log_of(tmp_path / "run", "train")
    assert mean(log[-5:], "reconstruction") < 0.9 * mean(log[:5], "reconstruction")
    assert mean(log[-5:], "adversary") < 0.6 * mean(log[:5], "adversary")
    assert all(line["temporal"] >= 0 for line in log)
    load_method("huang2019", weights=str(result.weights))


@pytest.mark.parametrize(
    ("stage", "changed", "said"),
    [
        ({**PAIRS, "options": {"temporal": -1}}, {}, "temporal must be 0 or more"),
        ({**PAIRS, "options": {"adversarial": 1}}, {}, "adversarial is not known"),
        ({**PAIRS, "options": {"flow": "raft"}}, {}, "flow must be one of dis, spynet"),
        ({**PAIRS, "options": {"flow_weights": "a.pth"}}, {}, "flow_weights are for flow = 'spynet'"),
        ({**ADVERSARIAL, "options": {"adversarial": -1}}, {}, "adversarial must be 0 or more"),
        (PAIRS, {"method": "issam"}, "'harmonize_pairs' trains huang2019, not 'issam'"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    tmp_path: Path, stage: dict[str, Any], changed: dict[str, Any], said: str
) -> None:
    recipe = read_recipe(recipe_of(tmp_path / "r.toml", stage, **changed))
    with pytest.raises(InputError, match=said) as caught:
        check_objectives(recipe)
    assert "\n" not in str(caught.value)
