"""Reproduce the paper's tables with recipes of two steps, and check the project's recipes for them."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from chromacord.errors import InputError, MissingFileError
from chromacord.job.threads import single_threaded
from chromacord.lab.methods.chen2024 import Chen2024
from chromacord.lab.reporting.literature import paper_tables
from chromacord.lab.reporting.tables import markdown
from chromacord.lab.training import paper_tables as made
from chromacord.lab.training.paper_tables import ROWS, TableRun, method_of, train_table
from chromacord.lab.training.recipe import Recipe, Stage, read_recipe
from chromacord.methods import load_method
from tests.hyoutube_lookalike import LookAlike
from tests.lab.training.material import SIDE, stage_values, write_recipe
from tests.lab.training.runs import COMMAND

RECIPES = Path(__file__).parents[3] / "recipes/ablations"
ABLATIONS = {number: rows for number, rows in ROWS.items() if number > 1}
NAMES = sorted({row.recipe for rows in ABLATIONS.values() for row in rows})


@pytest.fixture(scope="module")
def hyoutube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return LookAlike(tmp_path_factory.mktemp("hyoutube")).write()


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recipes of the same rows with the same networks, but small, short, and without pretrained flow."""
    folder = tmp_path_factory.mktemp("recipes")
    for name in NAMES:
        real = read_recipe(RECIPES / f"{name}.toml")
        network = {**real.network, **({"flow": "none"} if "flow" in real.network else {})}
        stage = stage_values(
            objective=real.stages[0].objective,
            steps=1,
            batch=2,
            cooldown=0,
            average=0.0,
            options={**real.stages[0].options},
        )
        data = {"layout": "hyoutube", "side": SIDE, "held_out": 0, "augmentation": {}}
        write_recipe(folder / f"{name}.toml", stage, name=name, method="chen2024", network=network, data=data)
    return folder


def cells(text: str) -> list[list[str]]:
    """Return the cells of the first table of a text, without its head."""
    lines = [line for line in text.partition("\n\n**")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("number", [2, 3, 4])
def test_a_table_has_the_papers_rows_and_columns_with_figures_of_its_own(
    hyoutube: Path, recipes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    timed: list[str] = []

    def seconds(method: str, device: str) -> float:
        timed.append(method)
        return 0.125

    monkeypatch.setattr(made, "_seconds", seconds)
    with single_threaded():
        text = train_table(TableRun(number, hyoutube, tmp_path, recipes))
    assert text is not None
    paper = paper_tables()[number - 1]
    rows = cells(text)
    assert [row[0] for row in rows] == [row.label for row in paper.rows]
    assert text.endswith(markdown([paper]))
    fmse = [column.key for column in paper.columns].index("fmse") + 1
    for row, same in zip(rows, paper.rows, strict=True):
        assert float(row[fmse].strip("*")) > 0
        assert row[1:fmse] == list(same.values[: fmse - 1])  # ticks
    if number == 2:
        assert {row[fmse + 1] for row in rows} == {"–"}  # the look-alike has no consecutive frames
    if number == 4:
        assert {row[3].strip("*") for row in rows} == {"0.125"}
        assert [f":hop={frames}" in method for frames, method in zip((3, 5, 7), timed, strict=True)] == [True] * 3
    assert (tmp_path / f"table{number}.md").read_text() == text


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipes of table 1 with a small budget, narrower still, for one step each."""
    folder = tmp_path_factory.mktemp("narrow")
    for path in sorted((RECIPES.parent / "small").glob("*.toml")):
        real = read_recipe(path)
        (stage,) = real.stages
        short = stage_values(
            objective=stage.objective, steps=1, batch=1, cooldown=0, warmup=0, average=0.0, options=dict(stage.options)
        )
        network = {**real.network, "width": 2, **({"flow": "none"} if "flow" in real.network else {})}
        data = {name: value for name, value in real.data.items() if name not in ("licences", "luts", "num_validated")}
        write_recipe(
            folder / path.name,
            short,
            name=real.name,
            method=real.method,
            network=network,
            data={**data, "held_out": 0, "augmentation": {}},
        )
    return folder


@pytest.mark.slow
def test_table_1_trains_every_system_on_pictures_and_measures_them_on_another_set(
    data: Path, hyoutube: Path, narrow: Path, tmp_path: Path
) -> None:
    run = TableRun(1, data, tmp_path / "out", narrow, "small", hyoutube)
    with single_threaded():
        text = train_table(run)
    assert text is not None
    rows = cells(text)
    assert [row[0] for row in rows] == [row.label for row in paper_tables()[0].rows]
    assert len({row[1] for row in rows}) == len(rows)  # fMSE: the composite's, and one for each system
    assert "HYouTube test set" not in text  # the paper's own table: it is of other data
    assert "Reduced: narrow networks, few steps" in text
    refined, backbone = (load_file(tmp_path / f"out/{name}/{name}.safetensors") for name in ("co2net", "issam"))
    part = {key.removeprefix("backbone.network."): value for key, value in refined.items() if "backbone" in key}
    assert part.keys() == backbone.keys()
    assert all(torch.equal(value, backbone[key]) for key, value in part.items())


def test_pictures_have_no_test_set_of_their_own(data: Path, narrow: Path, tmp_path: Path) -> None:
    refused(TableRun(1, data, tmp_path / "out"), narrow, "recipe dovenet: .* name a data set to measure on with --test")


def test_table_1_has_recipes_for_all_its_rows_with_both_budgets() -> None:
    names = {name for row in ROWS[1] for name in (row.recipe, row.start, row.backbone) if name is not None}
    for folder in (RECIPES.parent, RECIPES.parent / "small"):
        recipes = {name: read_recipe(folder / f"{name}.toml") for name in names}
        assert {recipe.data["side"] for recipe in recipes.values()} == {256}
    methods = [recipes[row.recipe].method for row in ROWS[1]]
    assert methods == ["dovenet", "iih", "rainnet", "issam", "huang2019", "co2net", "chen2024"]
    assert [row.label for row in paper_tables()[0].rows if not row.is_reference][-1] == "Chen et al."


def test_the_small_budget_changes_sizes_and_nothing_else_of_a_row() -> None:
    for name in NAMES:
        full, small = (read_recipe(folder / f"{name}.toml") for folder in (RECIPES, RECIPES.parent / "small/ablations"))
        assert small.network == {**full.network, "width": 8}
        assert [stage.objective for stage in small.stages] == [stage.objective for stage in full.stages]
        assert [stage.options for stage in small.stages] == [stage.options for stage in full.stages]
        assert small.data["side"] == 128


def test_rows_that_build_on_stage_one_start_from_the_row_that_trained_it() -> None:
    for number, rows in ABLATIONS.items():
        for row in rows:
            recipe = read_recipe(RECIPES / f"{row.recipe}.toml")
            builds = recipe.stages[0].objective == "harmonize_clips"
            assert (row.start is not None) == builds, (number, row)


def test_every_row_of_the_paper_has_a_recipe_that_says_what_the_row_says() -> None:
    """The networks of the rows, and the settings of section 4.2."""
    networks = {name: dict(read_recipe(RECIPES / f"{name}.toml").network) for name in NAMES}
    assert networks["table2_row1"] == {"stage": 1, "nonlocal_levels": 0}
    assert networks["table2_row2"] == {"stage": 1}
    whole = {"stage": 2, "frames": 5, "flow": "spynet", "flow_reduction": 1}
    assert networks["table2_row3"] == {**whole, "directions": "forward"}
    assert networks["table2_row4"] == {**whole, "flow": "spynet-random"}
    assert networks["table2_row5"] == {**whole, "aggregator": False}
    assert networks["table2_row6"] == whole
    for levels in (1, 3):
        assert networks[f"table3_levels{levels}"] == {"stage": 1, "nonlocal_levels": levels}
    for frames in (3, 5, 7):
        assert networks[f"table4_frames{frames}"] == {**whole, "frames": frames}
    for path in [*(RECIPES / f"{name}.toml" for name in NAMES), *RECIPES.parent.glob("chen2024_*.toml")]:
        (stage,) = read_recipe(path).stages
        epoch = stage.steps / 150
        assert stage.milestones == (85 * epoch, 125 * epoch)
        assert (stage.optimizer, stage.learning_rate, stage.factor, stage.betas) == ("adam", 5e-4, 0.1, (0.9, 0.999))
        frames = read_recipe(path).network.get("frames", 1) if stage.objective == "harmonize_clips" else 1
        assert 0 <= epoch * stage.batch * frames - 51_160 < stage.batch * frames  # an epoch sees each frame once


def test_rows_that_are_the_same_in_two_tables_are_trained_once() -> None:
    assert [row.recipe for row in ROWS[3]][::2] == [row.recipe for row in ROWS[2]][:2]


@pytest.mark.parametrize("value", [True, False])
def test_the_weights_of_a_row_are_loaded_with_the_rows_options(tmp_path: Path, value: bool) -> None:
    network: dict[str, Any] = {"stage": 2, "aggregator": value, "flow": "none", "frames": 3}
    stage = Stage("harmonize_clips", 1, 1, 1e-3)
    recipe = Recipe("row", "chen2024", (stage,), network=network, data={"side": 64, "augmentation": {}})
    text = method_of(recipe, tmp_path / "row.safetensors")
    from chromacord.lab import weight_files
    from chromacord.lab.networks.chen2024_network import build_network

    weight_files.save(build_network(**network).state_dict(), tmp_path / "row.safetensors")
    loaded = load_method(text)
    assert isinstance(loaded, Chen2024)
    assert loaded.working_size == (64, 64)
    assert loaded.window.length == 3
    assert (loaded.network.temporal.propagation.aggregator is not None) == value  # type: ignore[union-attr]


def refused(run: TableRun, recipes: Path, said: str) -> None:
    """Check that a table is refused in one line, before anything is trained."""
    with pytest.raises(InputError, match=said) as caught:
        train_table(replace(run, recipes=recipes))
    assert "\n" not in str(caught.value)
    assert not list(run.output.parent.rglob("checkpoint.pt"))


def test_what_measuring_needs_is_missed_before_the_first_row_is_trained(
    hyoutube: Path, recipes: Path, tmp_path: Path
) -> None:
    run = TableRun(3, hyoutube, tmp_path / "out")
    refused(replace(run, next_frames=tmp_path / "none"), recipes, "has no list of its future clips")
    refused(replace(run, output=tmp_path / "a:b"), recipes, "a:b: paths of options cannot contain a colon .* -o")
    train_only = shutil.copytree(hyoutube, tmp_path / "train_only")
    for path in train_only.glob("test*"):
        path.unlink()
    refused(replace(run, data=train_only), recipes, "train_only")
    changed = shutil.copytree(recipes, tmp_path / "recipes")
    text = (recipes / "table3_levels3.toml").read_text()
    (changed / "table3_levels3.toml").write_text(text.replace(f"side = {SIDE}", f"side = {2 * SIDE}"))
    refused(run, changed, rf"recipe table3_levels3 \[data\]: side must be {SIDE}, as that of table2_row1: .* got 64")


def test_weights_of_flow_are_missed_before_the_first_row_is_trained(
    hyoutube: Path, recipes: Path, tmp_path: Path
) -> None:
    changed = shutil.copytree(recipes, tmp_path / "recipes")
    text = (recipes / "table2_row6.toml").read_text()
    (changed / "table2_row6.toml").write_text(
        text.replace('flow = "none"', 'flow = "spynet"') + 'flow_weights = "none.pth"\n'
    )
    refused(TableRun(2, hyoutube, tmp_path / "out"), changed, r"recipe table2_row6, .* none\.pth: no such file")


@pytest.mark.slow
def test_several_processes_train_all_rows_and_one_of_them_measures(
    hyoutube: Path, recipes: Path, tmp_path: Path
) -> None:
    (tmp_path / "command.py").write_text(COMMAND[-1])
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", str(tmp_path / "command.py")]
    done = subprocess.run(
        [*launch, "train", str(recipes), "--table", "3", "--data", str(hyoutube), "-o", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Table 3 of the paper, trained and measured anew") == 1
    assert len(cells((tmp_path / "out/table3.md").read_text())) == 4


def test_a_table_that_is_none_and_recipes_that_are_missing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="table 5 has no rows to train; choose one of 1, 2, 3, 4"):
        train_table(TableRun(5, tmp_path, tmp_path / "out", RECIPES))
    with pytest.raises(MissingFileError, match=r"table2_row1\.toml: no such recipe"):
        train_table(TableRun(2, tmp_path, tmp_path / "out", tmp_path))
