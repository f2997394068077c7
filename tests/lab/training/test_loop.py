"""Whole runs of a tiny recipe, in this process."""

import hashlib
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from chromacord.errors import ChromacordWarning, DivergedError, InputError, OutputError
from chromacord.lab import weight_files
from chromacord.lab.composites.augment import CompositeBatch
from chromacord.lab.networks.grade_network import GradeNetwork
from chromacord.lab.objectives.protocol import Batch, build_objective
from chromacord.lab.objectives.shot_grades import GradeObjective
from chromacord.lab.training import loop
from chromacord.lab.training.checkpoint import CHECKPOINT, Checkpoint, load_checkpoint
from chromacord.lab.training.loop import train
from chromacord.lab.training.optimization import learning_rate
from chromacord.lab.training.recipe import Recipe, read_recipe
from chromacord.types import Progress
from tests.lab.training.material import (
    GAIN,
    NETWORK,
    OFFSET,
    disc,
    make_data,
    picture,
    stage_values,
    write_cube,
    write_recipe,
    write_still,
)
from tests.lab.training.runs import Trained, log_of, shorten_validation, trained


@pytest.fixture(autouse=True)
def short_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_validation(monkeypatch)


def checkpoint_of(folder: Path, recipe: Path, data: Path) -> Checkpoint:
    values = read_recipe(recipe)
    objective = build_objective(values, values.stages[0], data)
    found = load_checkpoint(folder, values, objective.fingerprint)
    assert found is not None
    return found


def test_a_run_leaves_weights_a_log_a_curve_and_a_checkpoint(data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.toml")
    result = trained(recipe, data, tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        CHECKPOINT,
        "curve.svg",
        "log.jsonl",
        "tensorboard",
        "tiny.safetensors",
    ]
    assert (result.steps, result.samples) == (12, 48)
    assert result.weights == tmp_path / "run/tiny.safetensors"
    assert result.sha256 == hashlib.sha256(result.weights.read_bytes()).hexdigest()
    (stage,) = read_recipe(recipe).stages
    lines = log_of(tmp_path / "run", "train")
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert [line["learning_rate"] for line in lines] == pytest.approx([learning_rate(stage, n) for n in range(12)])
    validations = log_of(tmp_path / "run", "validate")
    assert [line["step"] for line in validations] == [6, 12]
    assert {name: validations[-1][name] for name in result.validation} == result.validation


def test_figures_of_a_validation_fit_each_other(data: Path, tmp_path: Path) -> None:
    """At the least: the root of a mean is no less than the mean of roots. The ratio is by the composites' error."""
    figures = trained(write_recipe(tmp_path / "r.toml"), data, tmp_path / "run").validation
    assert next(iter(figures)) == "fmse"
    assert figures["ratio"] == pytest.approx(figures["fmse"] / figures["composite_fmse"])
    assert math.sqrt(figures["fmse"]) >= figures["rmse"]


def test_the_weights_are_the_running_mean_and_fit_the_network_of_that_size(data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.toml")
    result = trained(recipe, data, tmp_path / "run")
    network = GradeNetwork(**NETWORK)
    weight_files.load_into(network, result.weights)
    checkpoint = checkpoint_of(tmp_path / "run", recipe, data)
    assert (checkpoint.stage, checkpoint.step) == (0, 12)
    for name, value in network.state_dict().items():
        if name != "calibration":  # fitted after the last step
            assert torch.equal(value, checkpoint.average[name].half().to(value)), name
    assert any(not torch.equal(value, checkpoint.module[name]) for name, value in checkpoint.average.items())
    with pytest.raises(InputError, match="does not fit GradeNetwork"):
        weight_files.load_into(GradeNetwork(**{**NETWORK, "hidden": 32}), result.weights)


def test_training_lowers_the_loss_and_the_error_of_pictures_it_never_saw(data: Path, tmp_path: Path) -> None:
    """One change for all pictures: even a tiny network learns most of it."""
    (tmp_path / "data").symlink_to(data)
    write_cube(tmp_path / "one.cube", GAIN, OFFSET)
    timing = {"steps": 60, "warmup": 0, "cooldown": 20, "validate_every": 60, "save_every": 60}
    stage = stage_values(batch=8, average=0.9, options={"log_error": 0.0}, **timing)
    augmentation = {"unchanged_share": 0.0, "relit_share": 0.0, "inverted_share": 0.0}
    changes = {
        "lut": 1.0,
        "look": 0.0,
        "adjustment": 0.0,
        "transfer": 0.0,
        "inverse_lut": 0.0,
        "both": 0.0,
        "neither": 0.0,
    }
    tables = {"luts": str(tmp_path / "one.cube"), "augmentation": augmentation, "changes": changes}
    recipe = write_recipe(tmp_path / "r.toml", stage, data=tables)
    result = trained(recipe, data, tmp_path / "run")
    for figure in ("loss", "rmse"):
        values = [line[figure] for line in log_of(tmp_path / "run", "train")]
        assert sum(values[-10:]) < 0.7 * sum(values[:10]), figure
    assert result.validation["ratio"] < 0.7


def test_two_runs_are_equal_and_another_seed_makes_another(data: Path, tmp_path: Path) -> None:
    stage = stage_values(steps=4, cooldown=0)
    one, same, other = (
        trained(write_recipe(tmp_path / f"{name}.toml", stage, seed=seed), data, tmp_path / name)
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    assert one.sha256 == same.sha256 != other.sha256
    assert log_of(tmp_path / "one") == log_of(tmp_path / "same")


def test_a_finished_run_that_is_started_again_only_writes_its_weights(data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.toml")
    first = trained(recipe, data, tmp_path / "run")
    log = log_of(tmp_path / "run")
    first.weights.unlink()
    assert trained(recipe, data, tmp_path / "run") == first
    assert log_of(tmp_path / "run") == log


def test_a_run_can_be_lengthened_before_its_cooldown(data: Path, tmp_path: Path) -> None:
    """The first run ends where the cooldown of the second begins: its steps are the same."""
    whole = stage_values(steps=12, cooldown=4)
    part = stage_values(steps=8, cooldown=0)
    expected = trained(write_recipe(tmp_path / "whole.toml", whole), data, tmp_path / "whole")
    trained(write_recipe(tmp_path / "part.toml", part), data, tmp_path / "run")
    assert trained(write_recipe(tmp_path / "part.toml", whole), data, tmp_path / "run").sha256 == expected.sha256


def test_another_recipe_or_other_data_does_not_go_on_in_the_folder_of_a_run(data: Path, tmp_path: Path) -> None:
    stage = stage_values(steps=2, cooldown=0)
    trained(write_recipe(tmp_path / "r.toml", stage), data, tmp_path / "run")
    with pytest.raises(InputError, match=r"another recipe \(seed\)"):
        trained(write_recipe(tmp_path / "s.toml", stage, seed=9), data, tmp_path / "run")
    others = make_data(tmp_path / "others")
    write_cube(others / "luts/new.cube")
    with pytest.raises(InputError, match="other data"):
        trained(tmp_path / "r.toml", others, tmp_path / "run")


def test_a_run_that_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        trained(write_recipe(tmp_path / "r.toml"), tmp_path / "nothing", tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError):
        trained(tmp_path / "r.toml", tmp_path / "nothing", tmp_path / "mine")
    assert (tmp_path / "mine").exists()


def test_a_second_stage_starts_from_what_the_first_one_made(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stage_values(steps=4, cooldown=0), stage_values(steps=3, cooldown=0, learning_rate=1e-4)
    alone = write_recipe(tmp_path / "one.toml", first)
    trained(alone, data, tmp_path / "one")
    expected = checkpoint_of(tmp_path / "one", alone, data).average
    started = []
    ordinary = loop.build_optimizer

    def recorded(module: torch.nn.Module, stage: object) -> torch.optim.Optimizer:
        started.append({name: value.clone() for name, value in module.state_dict().items()})
        return ordinary(module, stage)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "build_optimizer", recorded)
    both = write_recipe(tmp_path / "two.toml", first, second)
    result = trained(both, data, tmp_path / "two")
    assert len(started) == 2
    for name, value in expected.items():
        assert torch.equal(started[1][name], value), name
    assert result.steps == 7
    assert [line["step"] for line in log_of(tmp_path / "two", "train")] == list(range(1, 8))


def test_a_stage_may_draw_otherwise_than_the_recipe_says(data: Path, tmp_path: Path) -> None:
    """The recipe inverts no mask, the stage all of them."""
    stage = stage_values(options={"augmentation": {"inverted_share": 1.0}})
    recipe = read_recipe(
        write_recipe(tmp_path / "r.toml", stage_values(), stage, data={"augmentation": {"inverted_share": 0.0}})
    )
    plain, inverted = (CompositeBatch(*build_objective(recipe, each, data).batch(8, 1)) for each in recipe.stages)
    torch.testing.assert_close(inverted.mask, 1 - plain.mask, atol=1e-5, rtol=0)


def test_no_batch_comes_twice_in_a_stage_or_in_the_next(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []
    ordinary = GradeObjective.batch

    def recorded(objective: GradeObjective, count: int, seed: int) -> Batch:
        seeds.append(seed)
        return ordinary(objective, count, seed)

    monkeypatch.setattr(GradeObjective, "batch", recorded)
    trained(write_recipe(tmp_path / "r.toml", *[stage_values(steps=4, cooldown=0)] * 2), data, tmp_path / "run")
    assert len(set(seeds)) == len(seeds) == 8


@pytest.fixture(scope="module")
def two_stages(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trained]:
    """A folder with a recipe of two stages and its uninterrupted run."""
    folder = tmp_path_factory.mktemp("two_stages")
    stages = stage_values(steps=4, cooldown=0), stage_values(steps=4, cooldown=2)
    with pytest.MonkeyPatch.context() as patched:  # `short_validation` is set up for each test, after this
        shorten_validation(patched)
        return folder, trained(write_recipe(folder / "r.toml", *stages), data, folder / "whole")


@pytest.mark.parametrize("stopped_at", [(0, 2), (0, 4), (1, 2)])
def test_a_run_of_two_stages_goes_on_from_any_checkpoint(
    data: Path,
    two_stages: tuple[Path, Trained],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stopped_at: tuple[int, int],
) -> None:
    """Stopped inside the first stage, at its end, and inside the second."""
    folder, expected = two_stages
    save = loop.save_checkpoint

    def stopping(folder: Path, checkpoint: Checkpoint) -> None:
        save(folder, checkpoint)
        if (checkpoint.stage, checkpoint.step) == stopped_at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(loop, "save_checkpoint", stopping)
        with pytest.raises(KeyboardInterrupt):
            trained(folder / "r.toml", data, tmp_path / "run")
    assert trained(folder / "r.toml", data, tmp_path / "run").sha256 == expected.sha256
    assert log_of(tmp_path / "run") == log_of(folder / "whole")


def test_without_held_out_pictures_nothing_validates(data: Path, tmp_path: Path) -> None:
    stage = stage_values(steps=2, cooldown=0)
    result = trained(write_recipe(tmp_path / "r.toml", stage, data={"held_out": 0}), data, tmp_path / "run")
    assert result.validation == {}
    assert log_of(tmp_path / "run", "validate") == []
    assert not (tmp_path / "run/curve.svg").exists()


def test_progress_tells_steps_of_all_stages(data: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    recipe = write_recipe(tmp_path / "r.toml", *[stage_values(steps=2, cooldown=0)] * 2)
    train(read_recipe(recipe), data, tmp_path / "run", progress=seen.append)
    steps = [each for each in seen if each.stage == "train"]
    assert [(each.done, each.total, each.unit) for each in steps] == [(n, 4, "steps") for n in (1, 2, 3, 4)]


def tiny(tmp_path: Path, **changed: object) -> Recipe:
    return replace(read_recipe(write_recipe(tmp_path / "r.toml")), **changed)  # type: ignore[arg-type]


def test_packages_that_are_missing_are_named_before_any_picture_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("accelerate", "torch.utils.tensorboard"):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, name, None)
            with pytest.raises(InputError, match=r"pip install '\.\[train\]'"):
                train(tiny(tmp_path), tmp_path / "nothing", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_gpu_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"^there is no CUDA device here; train with --device cpu$"):
        train(tiny(tmp_path), tmp_path / "nothing", tmp_path / "run", device="cuda")


def test_half_precision_needs_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="recipe tiny: precision fp16 needs --device cuda"):
        train(tiny(tmp_path, precision="fp16"), tmp_path / "nothing", tmp_path / "run")


def test_processes_that_cannot_share_a_batch_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accelerate.Accelerator.num_processes", 3)
    with pytest.raises(InputError, match="recipe tiny, stage 1: a batch of 4 cannot be divided among 3 processes"):
        train(tiny(tmp_path), tmp_path / "nothing", tmp_path / "run")


def test_a_second_precision_in_one_process_is_refused_in_our_words(data: Path, tmp_path: Path) -> None:
    trained(write_recipe(tmp_path / "r.toml", stage_values(steps=1, cooldown=0)), data, tmp_path / "run")
    with pytest.raises(InputError, match="recipe tiny: cpu with bf16 failed: "):
        train(tiny(tmp_path, precision="bf16"), data, tmp_path / "other")


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ({"objective": "sing"}, "recipe tiny, stage 2: there is no objective 'sing'; choose one of grade"),
        ({"options": {"powr": 1}}, r"recipe tiny, stage 2 \[stage.options\]: powr is not known; choose one of power,"),
        (
            {"options": {"augmentation": {"dim": 1}}},
            r"recipe tiny, stage 2 \[stage.options.augmentation\]: dim is not known; choose one of lut_share,",
        ),
    ],
)
def test_a_slip_in_a_later_stage_is_found_before_the_first_begins(
    tmp_path: Path, stage: dict[str, object], said: str
) -> None:
    recipe = read_recipe(write_recipe(tmp_path / "r.toml", stage_values(), stage_values(**stage)))
    with pytest.raises(InputError, match=said):
        train(recipe, tmp_path / "nothing", tmp_path / "run")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"network": {"width": 3}}, r"\[network\]: width is not known; choose one of side, lut_size, hidden"),
        ({"network": {"side": "big"}}, r"\[network\]: side must be a whole number, got 'big'"),
        ({"data": {"lut": "a"}}, r"\[data\]: lut is not known; choose one of use, "),
        (
            {"data": {"augmentation": {"mixed": 1}}},
            r"\[data.augmentation\]: mixed is not known; choose one of lut_share",
        ),
        ({"data": {"augmentation": 1}}, r"\[data\]: augmentation must be a table, got 1"),
    ],
)
def test_a_slip_in_the_tables_is_named_with_its_table(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        train(tiny(tmp_path, **changed), tmp_path / "nothing", tmp_path / "run")


def test_data_that_cannot_be_used_is_one_line(data: Path, tmp_path: Path) -> None:
    for folder, changed, said in (
        (tmp_path / "nothing", {}, "nothing: no such folder"),
        (data, {"luts": "none"}, r"none: is missing, but the recipe's \[data\] luts names it; correct or remove"),
        (data, {"unmasked": "none"}, r"none: is missing, but the recipe's \[data\] unmasked names it"),
        (
            data,
            {"licences": ["GPL"]},
            r"are not among those that the recipe takes \('GPL'\); name others in a copy of the recipe",
        ),
        (data, {"held_out": 1e-6}, r"0 of 18 pictures are held out at \[data\] held_out = 1e-06; choose a larger"),
        (data, {"held_out": 0.999999}, "18 of 18 pictures are held out at .*; choose a smaller share"),
    ):
        recipe = read_recipe(write_recipe(tmp_path / "r.toml", data=changed))
        with pytest.raises(InputError, match=said) as caught:
            train(recipe, folder, tmp_path / "run")
        assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"run: the folder .*away does not exist; create it first"):
        train(tiny(tmp_path), data, tmp_path / "away/run")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file is not a folder"):
        train(tiny(tmp_path), data, tmp_path / "file")


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_its_last_checkpoint(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_recipe(tmp_path / "r.toml")
    ordinary = GradeObjective.loss

    def loss(self: GradeObjective, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        value, figures = ordinary(self, module, batch)
        steps.append(1)
        return value * (math.nan if len(steps) == 8 else 1), figures

    steps: list[int] = []
    monkeypatch.setattr(GradeObjective, "loss", loss)
    with pytest.raises(DivergedError, match="loss of step 8 is nan; the last checkpoint is kept"):
        trained(recipe, data, tmp_path / "run")
    found = checkpoint_of(tmp_path / "run", recipe, data)
    assert found.step == 6
    assert all(value.isfinite().all() for value in found.average.values())
    assert not (tmp_path / "run/tiny.safetensors").exists()


def test_a_shipped_recipe_trains_on_pictures_of_ones_own(tmp_path: Path) -> None:
    """A few pictures with masks: no manifest, no LUTs, no set without masks."""
    own = tmp_path / "own"
    for seed in range(8):
        write_still(own / f"place{seed}", "a", picture(seed), disc(seed))
    shipped = read_recipe(Path(__file__).parents[3] / "recipes/shotgrade.toml").data
    changed = {key: shipped[key] for key in ("licences", "luts", "unmasked", "optional", "held_out")}
    recipe = read_recipe(write_recipe(tmp_path / "r.toml", data=changed))
    with pytest.warns(ChromacordWarning) as told:
        trained = train(recipe, own, tmp_path / "run")
    assert trained is not None
    messages = "\n".join(str(each.message) for each in told)
    assert "own: it has no manifest.csv, so all of its clips are used" in messages
    assert "train.zip: is missing; trained without the recipe's luts" in messages
    assert "photos_without_masks: is missing; trained without the recipe's unmasked" in messages


def test_what_may_be_absent_is_one_of_three(data: Path, tmp_path: Path) -> None:
    recipe = read_recipe(write_recipe(tmp_path / "r.toml", data={"optional": ["masks"]}))
    with pytest.raises(InputError, match=r"optional: choose one of manifest, luts, unmasked.*got 'masks'"):
        train(recipe, data, tmp_path / "run")
