"""Checkpoints: what is restored, what is refused, and how far a run may be extended."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from chromacord.errors import InputError, OutputError, UnreadableFileError
from chromacord.lab.training.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    load_checkpoint,
    only_run,
    restore,
    save_checkpoint,
)
from chromacord.lab.training.optimization import averaged, build_optimizer
from chromacord.lab.training.recipe import Recipe, Stage, as_values

STAGE = Stage("grade", 100, 4, 0.01, cooldown=30, options={"power": 0.5})
RECIPE = Recipe("tiny", "shotgrade", (STAGE, replace(STAGE, steps=50)), data={"licences": ["CC0"]})
DATA = "hash of the data"


class Training:
    """A layer that has learned for some steps, with dropout's random numbers."""

    def __init__(self, *, num_steps: int = 3, width: int = 3) -> None:
        torch.manual_seed(7)
        self.module = nn.Linear(width, 2)
        self.average = averaged(self.module)
        self.optimizer = build_optimizer(self.module, STAGE)
        for _ in range(num_steps):
            self.step()

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.module(torch.rand(4, 3)).square().sum().backward()
        self.optimizer.step()

    def checkpoint(self, *, stage: int = 0, step: int = 3) -> Checkpoint:
        states = (part.state_dict() for part in (self.module, self.average, self.optimizer))
        return Checkpoint(as_values(RECIPE), DATA, stage, step, *states, torch.get_rng_state())


def saved(folder: Path, *, stage: int = 0, step: int = 3) -> Checkpoint:
    checkpoint = Training().checkpoint(stage=stage, step=step)
    save_checkpoint(folder, checkpoint)
    return checkpoint


def with_stage(number: int, **changed: Any) -> Recipe:
    stages = [replace(stage, **changed) if index == number else stage for index, stage in enumerate(RECIPE.stages)]
    return replace(RECIPE, stages=tuple(stages))


def assert_same(found: object, expected: object) -> None:
    if isinstance(expected, torch.Tensor):
        assert isinstance(found, torch.Tensor)
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert isinstance(found, dict)
        assert list(found) == list(expected)
        for name in expected:
            assert_same(found[name], expected[name])
    elif isinstance(expected, list | tuple):
        assert isinstance(found, type(expected))
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    expected = saved(tmp_path)
    found = load_checkpoint(tmp_path, RECIPE, DATA)
    assert found is not None
    for name in Checkpoint.__dataclass_fields__:
        assert_same(getattr(found, name), getattr(expected, name))
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_a_folder_without_checkpoint_has_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, RECIPE, DATA) is None


def test_what_is_restored_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    training = Training()
    save_checkpoint(tmp_path, training.checkpoint())
    for _ in range(3):
        training.step()
    other = Training(num_steps=0)
    found = load_checkpoint(tmp_path, RECIPE, DATA)
    assert found is not None
    restore(found, tmp_path, module=other.module, average=other.average, optimizer=other.optimizer)
    for _ in range(3):
        other.step()
    assert_same(other.module.state_dict(), training.module.state_dict())
    assert_same(other.optimizer.state_dict(), training.optimizer.state_dict())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    other = Training(num_steps=0, width=5)
    with pytest.raises(UnreadableFileError, match=r"checkpoint.pt: fits another version of the network") as caught:
        restore(saved(tmp_path), tmp_path, module=other.module, average=other.average, optimizer=other.optimizer)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "cut early", "empty", "text", "a pickle", "of another version"])
def test_a_damaged_file_is_named_in_one_line(tmp_path: Path, damage: str) -> None:
    saved(tmp_path)
    path = tmp_path / CHECKPOINT
    content = path.read_bytes()
    if damage == "a pickle":
        torch.save([1, 2], path)
    elif damage == "of another version":
        torch.save({"recipe": {}, "stage": 0}, path)
    else:
        damaged = {"cut": content[:-50], "cut early": content[:300], "empty": b"", "text": b"no checkpoint at all\n"}
        path.write_bytes(damaged[damage])
    with pytest.raises(UnreadableFileError, match=r"checkpoint.pt: is damaged, or of another version") as caught:
        load_checkpoint(tmp_path, RECIPE, DATA)
    assert "\n" not in str(caught.value)


def test_other_data_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    with pytest.raises(InputError, match=r"checkpoint.pt: was trained on other data; choose another folder with -o"):
        load_checkpoint(tmp_path, RECIPE, "another hash")


@pytest.mark.parametrize(
    ("recipe", "differing"),
    [
        (replace(RECIPE, seed=3), "seed"),
        (replace(RECIPE, data={"licences": ["CC0", "MIT"]}), "data"),
        (replace(RECIPE, network={"side": 64}, precision="bf16"), "precision, network"),
        (with_stage(0, learning_rate=0.02), "learning_rate of stage 1"),
        (with_stage(0, options={"power": 1.0}), "options of stage 1"),
    ],
)
def test_another_recipe_is_refused_with_what_differs(tmp_path: Path, recipe: Recipe, differing: str) -> None:
    saved(tmp_path)
    with pytest.raises(InputError, match=r"checkpoint.pt: was made with another recipe") as caught:
        load_checkpoint(tmp_path, recipe, DATA)
    assert f"({differing}); choose another folder" in str(caught.value)


def test_a_key_that_stages_had_not_yet_stands_for_its_default(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path)
    older = [{name: value for name, value in stage.items() if name != "rates"} for stage in checkpoint.recipe["stages"]]
    save_checkpoint(tmp_path, replace(checkpoint, recipe={**checkpoint.recipe, "stages": older}))
    assert load_checkpoint(tmp_path, RECIPE, DATA) is not None
    with pytest.raises(InputError, match="rates of stage 1"):
        load_checkpoint(tmp_path, with_stage(0, rates={"layer": 0.5}), DATA)


@pytest.mark.parametrize(
    ("step", "changed", "is_taken"),
    [
        (3, {"steps": 200}, True),
        (3, {"steps": 200, "cooldown": 60}, True),
        (70, {"steps": 200}, True),
        (71, {"steps": 200}, False),
        (3, {"steps": 40}, True),
        (11, {"steps": 40}, False),
        (69, {"cooldown": 31}, True),
        (70, {"cooldown": 31}, False),
    ],
)
def test_a_stage_may_get_another_length_until_the_cooldown_begins(
    tmp_path: Path, step: int, changed: dict[str, int], is_taken: bool
) -> None:
    """The cooldown of 30 steps begins after 70 of 100; by the new lengths after 140, 170, 10 and 69."""
    saved(tmp_path, step=step)
    recipe = with_stage(0, **changed)
    if is_taken:
        assert load_checkpoint(tmp_path, recipe, DATA) is not None
    else:
        with pytest.raises(InputError, match=r"\((steps|cooldown) of stage 1\)"):
            load_checkpoint(tmp_path, recipe, DATA)


def test_stages_that_have_not_begun_may_be_changed_added_and_taken_out(tmp_path: Path) -> None:
    saved(tmp_path, stage=0)
    for recipe in (
        with_stage(1, steps=500, batch=8, options={"power": 1.0}),
        replace(RECIPE, stages=RECIPE.stages[:1]),
        replace(RECIPE, stages=(*RECIPE.stages, STAGE)),
    ):
        assert load_checkpoint(tmp_path, recipe, DATA) is not None


def test_stages_that_are_over_are_fixed(tmp_path: Path) -> None:
    saved(tmp_path, stage=1)
    with pytest.raises(InputError, match=r"\(steps of stage 1\)"):
        load_checkpoint(tmp_path, with_stage(0, steps=500), DATA)
    with pytest.raises(InputError, match=r"\(number of stages\)"):
        load_checkpoint(tmp_path, replace(RECIPE, stages=RECIPE.stages[:1]), DATA)


def test_a_title_may_change_at_any_time(tmp_path: Path) -> None:
    saved(tmp_path)
    assert load_checkpoint(tmp_path, replace(RECIPE, title="In other words"), DATA) is not None


def test_a_cosine_has_one_length_from_its_first_step(tmp_path: Path) -> None:
    """Every learning rate of it depends on where it ends."""
    recipe = with_stage(0, schedule="cosine", cooldown=0)
    save_checkpoint(tmp_path, replace(Training().checkpoint(step=1), recipe=as_values(recipe)))
    longer = replace(recipe, stages=(replace(recipe.stages[0], steps=200), recipe.stages[1]))
    with pytest.raises(InputError, match=r"\(steps of stage 1\)"):
        load_checkpoint(tmp_path, longer, DATA)


def test_a_half_written_checkpoint_takes_the_place_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path, step=3)

    for error, said in (
        (OSError(28, "No space left on device"), "No space left on device"),
        (RuntimeError("[enforce fail at inline_container.cc:672] .\nunexpected pos 768"), "the disk may be full"),
    ):

        def cut(values: object, path: Path, error: Exception = error) -> None:
            path.write_bytes(b"half")
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(torch, "save", cut)
            with pytest.raises(OutputError, match=f"checkpoint.pt: cannot be written: {said}; make room, and run"):
                saved(tmp_path, step=9)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
    found = load_checkpoint(tmp_path, RECIPE, DATA)
    assert found is not None
    assert found.step == 3


def test_another_number_of_processes_would_draw_other_batches(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, replace(Training().checkpoint(), num_processes=2))
    assert load_checkpoint(tmp_path, RECIPE, DATA, num_processes=2) is not None
    with pytest.raises(InputError, match="trained by 2 processes, now there are 1; start the same number"):
        load_checkpoint(tmp_path, RECIPE, DATA)


def test_the_scale_of_half_precision_comes_back(tmp_path: Path) -> None:
    scaler = {"scale": 1024.0, "_growth_tracker": 7}
    save_checkpoint(tmp_path, replace(Training().checkpoint(), scaler=scaler))
    found = load_checkpoint(tmp_path, RECIPE, DATA)
    assert found is not None
    assert found.scaler == scaler


def test_stages_that_have_not_begun_may_be_changed_and_added(tmp_path: Path) -> None:
    saved(tmp_path)
    more = replace(RECIPE, stages=(*with_stage(1, learning_rate=0.5).stages, STAGE))
    assert load_checkpoint(tmp_path, more, DATA) is not None


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    said = "another run is training there; wait for it, or choose another"
    with only_run(tmp_path), pytest.raises(InputError, match=said), only_run(tmp_path):
        pass
    with only_run(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"recipe": []},
        {"recipe": {}},
        {"recipe": {"stages": [{}]}},
        {"stage": 2},
        {"stage": -1},
        {"step": -1},
        {"step": 101},
        {"step": 3.0},
        {"step": True},
        {"module": None},
        {"optimizer": torch.zeros(3)},
        {"num_processes": "1"},
        {"more": 1},
    ],
    ids=str,
)
def test_values_that_no_run_wrote_are_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    checkpoint = saved(tmp_path)
    values = {name: getattr(checkpoint, name) for name in Checkpoint.__dataclass_fields__}
    torch.save(values | changed, tmp_path / CHECKPOINT)
    with pytest.raises(InputError, match=r"checkpoint.pt: (is damaged, or of another version|was made with another)"):
        load_checkpoint(tmp_path, RECIPE, DATA)


def test_states_that_fit_nothing_are_refused_before_the_first_step(tmp_path: Path) -> None:
    good = saved(tmp_path)
    broken = [
        replace(good, generator=torch.zeros(3)),
        replace(good, optimizer={}),
        replace(good, optimizer={**good.optimizer, "state": {0: {"exp_avg": torch.zeros(7)}}}),
        replace(good, module={"weight": 3}),
    ]
    for checkpoint in broken:
        other = Training(num_steps=0)
        with pytest.raises(UnreadableFileError, match=r"checkpoint.pt: fits another version of the network"):
            restore(checkpoint, tmp_path, module=other.module, average=other.average, optimizer=other.optimizer)
