"""CO2Net's second stage: what its loss is, what trains, which neighbours it sees, and that it learns."""

from pathlib import Path
from typing import Any

import pytest
import torch

from chromacord.analysis.windows import windows
from chromacord.errors import InputError
from chromacord.lab import weight_files
from chromacord.lab.composites.augment import ClipBatch
from chromacord.lab.methods.co2net import CO2Net
from chromacord.lab.methods.issam import issam_network
from chromacord.lab.objectives.protocol import build_objective, check_objectives
from chromacord.lab.objectives.refining import RefinementObjective, windows_around
from chromacord.lab.training import draws
from chromacord.lab.training.recipe import read_recipe
from chromacord.methods import load_method
from chromacord.methods.base import Window
from tests.hyoutube_lookalike import LookAlike
from tests.lab.training.material import SIDE, make_data, stage_values, write_recipe
from tests.lab.training.runs import log_of, trained

REFINE = {"objective": "refine_clips", "max_norm": None, "warmup": None, "cooldown": None, "average": None}


@pytest.fixture(autouse=True)
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "_VALIDATION_LOOKS", 8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of iSSAM's weights."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "issam.safetensors"
    weight_files.save(issam_network().state_dict(), path)
    return str(path)


def recipe_of(path: Path, backbone: str | None, options: dict[str, Any] | None = None, **changed: Any) -> Path:
    named = {} if backbone is None else {"backbone_weights": backbone}
    stage = stage_values(**REFINE, options={"frames": 4, **named, **(options or {})}, **changed.pop("stage", {}))
    values = {"side": SIDE, "num_validated": 8, **changed.pop("data", {})}
    return write_recipe(path, stage, **{"method": "co2net", "network": {}, "data": values, **changed})


def objective_of(path: Path, folder: Path, backbone: str | None, **changed: Any) -> RefinementObjective:
    recipe = read_recipe(recipe_of(path / "r.toml", backbone, **changed))
    check_objectives(recipe)
    made = build_objective(recipe, recipe.stages[0], folder)
    assert isinstance(made, RefinementObjective)
    return made


def test_the_loss_is_the_squared_error_by_three_times_the_foreground(data: Path, backbone: str, tmp_path: Path) -> None:
    made = objective_of(tmp_path, data, backbone)
    made.module.eval()
    composite, mask, real = made.batch(3, 7)
    assert (composite.shape, mask.shape, real.shape) == (
        (3, 17, 3, SIDE, SIDE),
        (3, 17, 1, SIDE, SIDE),
        (3, 1, 3, SIDE, SIDE),
    )
    mask[1, 8] = 0
    mask[1, 8, 0, 5, 5] = 1  # however small: there is no least area
    squared = (made.module(composite, mask) - real).square().sum(dim=(1, 2, 3, 4))
    expected = (squared / (3 * mask[:, 8].sum(dim=(1, 2, 3)))).mean()
    torch.testing.assert_close(made.loss(made.module, (composite, mask, real))[0], expected)


def test_a_frame_without_foreground_gives_a_finite_loss(data: Path, backbone: str, tmp_path: Path) -> None:
    made = objective_of(tmp_path, data, backbone)
    composite, mask, real = made.batch(2, 7)
    assert made.loss(made.module, (composite, torch.zeros_like(mask), real))[0].isfinite()


@pytest.mark.parametrize("length", [1, 5, 20, 30])
def test_windows_are_those_of_the_pipeline(length: int) -> None:
    numbers = torch.arange(length, dtype=torch.float32).view(1, -1, 1, 1, 1)
    clips = ClipBatch(*(numbers.expand(length, -1, -1, -1, -1) for _ in range(3)))
    composite, mask, real = windows_around(clips, torch.arange(length))
    expected = [window.items for window in windows(range(length), Window(8, 1, 8))]
    assert composite.flatten(1).tolist() == mask.flatten(1).tolist() == expected
    assert real.flatten().tolist() == list(range(length))
    whole = windows_around(ClipBatch(*(part[:1] for part in clips)), torch.zeros(1, dtype=torch.long), hop=None)
    assert whole[0].flatten().tolist() == [0] * 8 + list(range(length)) + [length - 1] * 8
    assert whole[2].flatten().tolist() == list(range(length))


def test_the_same_seed_draws_the_same_batch(data: Path, backbone: str, tmp_path: Path) -> None:
    made = objective_of(tmp_path, data, backbone)
    first, again, other = made.batch(2, 3), made.batch(2, 3), made.batch(2, 4)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_the_loss_falls_and_the_backbone_stays_as_it_is(data: Path, backbone: str, tmp_path: Path) -> None:
    stage = {"steps": 12, "batch": 2, "learning_rate": 1e-2, "weight_decay": 0.01, "validate_every": 99}
    recipe = recipe_of(tmp_path / "r.toml", backbone, stage=stage)
    made = trained(recipe, data, tmp_path / "run")
    assert len(log_of(tmp_path / "run", "train")) == 12
    objective = objective_of(tmp_path, data, backbone)
    module, batch = objective.module.train(), objective.batch(4, 99)
    with torch.no_grad():
        first = objective.loss(module, batch)[0]
        module.load_state_dict(weight_files.state_dict(made.weights))
        assert objective.loss(module, batch)[0] < 0.7 * first
    assert set(made.validation) == {"fmse", "composite_fmse", "ratio"}
    state = weight_files.state_dict(made.weights)
    before = weight_files.state_dict(backbone)
    assert all(torch.equal(state[f"backbone.network.{key}"], value) for key, value in before.items())
    torch.manual_seed(5)
    fresh = CO2Net(None).network.state_dict()
    moved = [
        key for key, value in fresh.items() if key.startswith("refinement.") and not torch.equal(state[key], value)
    ]
    assert len(moved) == sum(key.startswith("refinement.") for key in fresh)
    load_method("co2net", weights=str(made.weights), working_side=SIDE)


def test_gradients_reach_the_refinement_alone(data: Path, backbone: str, tmp_path: Path) -> None:
    made = objective_of(tmp_path, data, backbone)
    made.module.train()
    made.loss(made.module, made.batch(2, 1))[0].backward()  # type: ignore[no-untyped-call]
    reached = {name for name, value in made.module.named_parameters() if value.grad is not None and value.grad.any()}
    assert reached == {name for name, _ in made.module.named_parameters() if name.startswith("refinement.")}


def test_windows_of_a_data_set_train_too(backbone: str, tmp_path: Path) -> None:
    folder = LookAlike(tmp_path / "hyoutube").write()
    lines = (folder / "test_list.txt").read_text().splitlines()
    (folder / "train_frames.txt").unlink(missing_ok=True)
    (folder / "train_list.txt").write_text("\n".join(lines[:2]))
    made = objective_of(tmp_path, folder, backbone, data={"layout": "hyoutube", "held_out": 0})
    assert made.batch(2, 1)[0].shape == (2, 17, 3, SIDE, SIDE)
    assert made.validate(made.module) == {}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"method": "issam"}, "the objective 'refine_clips' trains co2net, not 'issam'"),
        ({"network": {"hop": 2}}, r"\[network\]: hop does not affect training; remove it"),
        ({"network": {"backbone_weights": "a"}}, r"\[network\]: backbone_weights stands in \[stage.options\]"),
        ({"network": {"backbone": "swan"}}, r"\[network\]: method 'co2net': the option 'backbone' cannot be 'swan'"),
        ({"options": {"frames": 0}}, "frames must be 1 or more, got 0"),
        ({"options": {"backbone_weights": "none.pth"}}, r"\[stage.options\]: backbone_weights: none.pth: no such file"),
        ({"backbone": None}, r"needs a trained backbone; name its weights as backbone_weights"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_refused_in_one_line(
    data: Path, backbone: str, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said) as refused:
        objective_of(tmp_path, data, **{"backbone": backbone, **changed})
    assert "\n" not in str(refused.value)
