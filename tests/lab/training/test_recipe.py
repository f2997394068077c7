"""Recipes: what is read, what is refused, and how errors name it."""

from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from chromacord.errors import InputError, MissingFileError
from chromacord.lab.composites.augment import Augmentation
from chromacord.lab.methods.chen2024 import Chen2024
from chromacord.lab.objectives.protocol import check_objectives
from chromacord.lab.objectives.shot_grades import GradeOptions
from chromacord.lab.training.picture_choice import GradeData
from chromacord.lab.training.recipe import Recipe, Stage, as_values, read_recipe
from chromacord.methods import METHODS
from chromacord.typed_tables import build
from tests.lab.training.material import NETWORK, stage_values, write_recipe

ROOT = Path(__file__).parents[3]
NEEDED = {"objective": "grade", "steps": 10, "batch": 2, "learning_rate": 0.1}


def refusal(path: Path) -> str:
    """Return the error for a refused recipe, which must be one line that starts with the file."""
    with pytest.raises(InputError) as caught:
        read_recipe(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text.removeprefix(str(path))


def test_values_of_a_recipe_arrive_where_they_belong(tmp_path: Path) -> None:
    stages = stage_values(betas=[0.8, 0.95], milestones=[3, 6]), stage_values(steps=7, options={"power": 1})
    recipe = read_recipe(write_recipe(tmp_path / "r.toml", *stages, precision="bf16", title="Two stages"))
    assert (recipe.name, recipe.method, recipe.seed, recipe.precision) == ("tiny", "shotgrade", 5, "bf16")
    assert recipe.network == NETWORK
    assert recipe.data["augmentation"]["num_looks"] == 8
    assert [stage.steps for stage in recipe.stages] == [12, 7]
    assert recipe.num_steps == 19
    assert recipe.stages[1].options == {"power": 1}


def test_lists_become_tuples(tmp_path: Path) -> None:
    (stage,) = read_recipe(write_recipe(tmp_path / "r.toml", stage_values(betas=[0.8, 0.95], milestones=[3, 6]))).stages
    assert stage.betas == (0.8, 0.95)
    assert stage.milestones == (3, 6)


def test_what_a_recipe_leaves_out_has_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(
        'name = "a"\nmethod = "b"\n[[stage]]\nobjective = "grade"\nsteps = 10\nbatch = 2\nlearning_rate = 1\n'
    )
    assert read_recipe(tmp_path / "r.toml") == Recipe("a", "b", (Stage("grade", 10, 2, 1),))


def test_plain_values_hold_all_of_a_recipe(tmp_path: Path) -> None:
    values = as_values(read_recipe(write_recipe(tmp_path / "r.toml", stage_values(options={"power": 0.7}))))
    assert values["network"] == NETWORK
    assert values["stages"][0]["options"] == {"power": 0.7}
    assert values["stages"][0]["learning_rate"] == 3e-3


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").rglob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_of_the_project_can_be_read_and_used(path: Path) -> None:
    """No weights are read: recipes of a second stage only get the name of a file to start from."""
    recipe = read_recipe(path)
    if recipe.stages[0].objective == "harmonize_clips":
        recipe = replace(recipe, start="stage1.safetensors")
    check_objectives(recipe)
    assert recipe.name in (path.stem, path.stem.replace("_", "-ablation-"))


def test_weights_are_used_as_their_recipe_trains_them_where_nothing_else_is_said() -> None:
    """They ship by the recipe's name: [network] is what the constructor takes by default, for these weights.

    They look at the paper's size, twice the one that they were trained at: they do better so.
    """
    recipe = read_recipe(ROOT / "recipes/chen2024.toml")
    parameters = signature(METHODS[recipe.method]).parameters
    defaults = {name: each.default for name, each in parameters.items()}
    assert defaults["weights"] == recipe.name
    network = dict(recipe.network)
    assert Chen2024().network.flow_reduction == network.pop("flow_reduction")
    assert {name: defaults[name] for name in network} == network
    assert defaults["working_side"] == 256 == 2 * recipe.data["side"]


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"none.toml: no such recipe; name a TOML file"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "r.toml").write_text("name = ")
    assert refusal(tmp_path / "r.toml").startswith(": cannot be read as TOML: ")
    (tmp_path / "r.toml").write_bytes(b'name = "\xff"')
    assert refusal(tmp_path / "r.toml").startswith(": cannot be read as TOML: ")


@pytest.mark.parametrize("text", ["", "stage = 3", "stage = []", "stage = [1, 2]", "[stage]\nsteps = 3"])
def test_a_recipe_without_stages_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.toml").write_text(f'name = "a"\nmethod = "b"\n{text}\n')
    assert refusal(tmp_path / "r.toml") == ": has no [[stage]]; write at least one such table"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"sed": 3},
            ": sed is not known; choose one of name, method, stages, seed, precision, title, start, data, network",
        ),
        ({"stages": 2}, ": stages is not known; write each stage as a table [[stage]]"),
        ({"method": None}, ": method is missing; add it"),
        ({"seed": 1.5}, ": seed must be a whole number, got 1.5"),
        ({"seed": True}, ": seed must be a whole number, got True"),
        ({"title": 3}, ": title must be text, got 3"),
        ({"precision": "fp8"}, ": precision must be one of fp32, bf16, fp16, got 'fp8'"),
        ({"name": "../tiny"}, ": name must be a file's name without folders, got '../tiny'"),
        ({"name": ""}, ": name must be a file's name without folders, got ''"),
    ],
)
def test_a_key_of_a_recipe_that_cannot_be_used_is_named(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    assert refusal(write_recipe(tmp_path / "r.toml", **changed)) == said


@pytest.mark.parametrize("table", ["data", "network"])
def test_what_must_be_a_table_is_one(tmp_path: Path, table: str) -> None:
    (tmp_path / "r.toml").write_text(
        f'name = "a"\nmethod = "b"\n{table} = 3\n[[stage]]\nobjective = "grade"\nsteps = 1\nbatch = 2\n'
        "learning_rate = 1\n"
    )
    assert refusal(tmp_path / "r.toml") == f": {table} must be a table, got 3"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"stpes": 3}, "stpes is not known; choose one of objective, steps, batch, learning_rate, "),
        ({"batch": None}, "batch is missing; add it"),
        ({"steps": "many"}, "steps must be a whole number, got 'many'"),
        ({"learning_rate": "1e-3"}, "learning_rate must be a number, got '1e-3'"),
        ({"max_norm": "1"}, "max_norm must be a number, got '1'"),
        ({"betas": [0.9]}, "betas must be a list of 2 numbers, got [0.9]"),
        ({"betas": 0.9}, "betas must be a list of 2 numbers, got 0.9"),
        ({"milestones": [1, 2.5]}, "milestones must be a list of whole numbers, got [1, 2.5]"),
        ({"optimizer": "sgd"}, "optimizer must be one of adamw, adam, got 'sgd'"),
        ({"schedule": "linear"}, "schedule must be one of cooldown, cosine, milestones, got 'linear'"),
        ({"steps": 0, "cooldown": 0}, "steps must be 1 or more, got 0"),
        ({"batch": 0}, "batch must lie in 1..16384, got 0"),
        ({"log_every": 0}, "log_every must be 1 or more, got 0"),
        ({"save_every": 0}, "save_every must be 1 or more, got 0"),
        ({"validate_every": -1}, "validate_every must be 1 or more, got -1"),
        ({"warmup": -1}, "warmup must be 0 or more, got -1"),
        ({"cooldown": 13}, "cooldown must lie in 0..12, got 13"),
        ({"average": 1.0}, "average must lie in 0..1, below 1, got 1.0"),
        ({"betas": [0.9, 1.0]}, "betas must lie in 0..1, below 1, got 1.0"),
        ({"learning_rate": 0}, "learning_rate must be above 0, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number of at most 18 digits, got nan"),
        ({"max_norm": 0.0}, "max_norm must be above 0, got 0.0"),
        ({"rates": {"flow": 0}}, "rates: flow must be a number above 0, got 0"),
        ({"rates": {"flow": "slow"}}, "rates must be a table with a number for each key, got {'flow': 'slow'}"),
        ({"rates": 0.5}, "rates must be a table with a number for each key, got 0.5"),
    ],
)
def test_a_key_of_a_stage_that_cannot_be_used_is_named_with_its_stage(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    path = write_recipe(tmp_path / "r.toml", stage_values(), stage_values(**changed))
    assert refusal(path).startswith(f" stage 2: {said}")


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (GradeData, {"licences": "CC0"}, "licences must be a list of texts, got 'CC0'"),
        (GradeData, {"luts": 3}, "luts must be text, got 3"),
        (GradeData, {"without": ["still/a", 2]}, r"without must be a list of texts, got \['still/a', 2\]"),
        (GradeData, {"picture_side": 0}, "picture_side must lie in 1..4096, got 0"),
        (GradeData, {"held_out": 1}, r"held_out must lie in 0\.\.1, below 1, got 1"),
        (GradeData, {"held_out_luts": 0.6}, r"held_out_luts must lie in 0\.\.0\.5, got 0\.6"),
        (GradeOptions, {"power": 0}, r"power must lie in 0\.\.1, above 0, got 0"),
        (GradeOptions, {"num_pixels": 0}, "num_pixels must be 1 or more, got 0"),
        (Augmentation, {"lut_share": 1.5}, r"lut_share must lie in 0\.\.1, got 1\.5"),
        (Augmentation, {"lut_share": "all"}, "lut_share must be a number, got 'all'"),
        (Augmentation, {"smallest_crop": 0}, r"smallest_crop must lie in 0\.\.1, above 0, got 0"),
        (Augmentation, {"num_looks": 0}, "num_looks must be 1 or more, got 0"),
    ],
)
def test_a_key_of_any_table_that_cannot_be_used_is_named(kind: type, values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"^here: {said}$"):
        build(kind, values, where="here")


def test_a_whole_number_is_a_number_and_nothing_is_text_by_chance() -> None:
    assert build(Stage, {**NEEDED, "learning_rate": 1}, where="here").learning_rate == 1
    assert build(GradeData, {"licences": ["CC0"], "luts": "a.zip"}, where="here").licences == ("CC0",)


GOOD = """name = "a"
method = "issam"
seed = 3
[network]
width = 4
[[stage]]
objective = "harmonize_frames"
steps = 3
batch = 2
learning_rate = 1e-3
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed = 3", f"seed = {10**23}", "seed must be a finite number of at most 18 digits"),
        ("seed = 3", "seed = -1", "seed must be 0 or more, got -1"),
        ("seed = 3", "seed = 0x" + "f" * 50_000, "seed must be a finite number of at most 18 digits, got a very long"),
        ("batch = 2", "batch = 1000000000", "batch must lie in 1..16384, got 1000000000"),
        ("1e-3", "inf", "learning_rate must be a finite number"),
        ("1e-3", "1e999", "learning_rate must be a finite number"),
        ("1e-3", "1e-3\nbetas = [0.9, nan]", "betas must be a finite number"),
        ('"a"', '"' + "a" * 300 + '"', "name must be a file's name without folders, got 'aaa"),
        ('"a"', '"a\\u0000"', "name must be a file's name without folders"),
        ("seed = 3", "seed = " + "[" * 60_000, "cannot be read as TOML: it is nested too deeply"),
        ("seed = 3", "a." * 30_000 + "a = 1", "cannot be read as TOML: it is nested too deeply"),
        ("seed = 3", "#" * 70_000, "is larger than the limit of 65,536 bytes"),
    ],
)
def test_values_that_no_run_could_use_are_refused_at_once(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(InputError, match=said) as caught:
        read_recipe(path)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"network": {"width": -3}}, r"the option 'width' must lie in 0..256, got -3"),
        ({"network": {"width": 100_000_000}}, r"the option 'width' must lie in 0..256, got 100000000"),
        ({"network": {"width": 0}}, r"width must be 1 or more, got 0"),
        ({"data": {"picture_side": 1_000_000}}, r"picture_side must lie in 1..4096, got 1000000"),
        ({"data": {"side": 1_000_000}}, r"side must lie in 1..4096, got 1000000"),
        ({"data": {"num_readers": 1_000_000}}, r"num_readers must lie in 1..256, got 1000000"),
    ],
)
def test_sizes_that_no_memory_holds_are_refused_before_anything_is_read(
    tmp_path: Path, changed: dict[str, dict[str, int]], said: str
) -> None:
    (tmp_path / "r.toml").write_text(GOOD)
    with pytest.raises(InputError, match=said):
        check_objectives(replace(read_recipe(tmp_path / "r.toml"), **changed))
