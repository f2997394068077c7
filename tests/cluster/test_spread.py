"""Evaluations, data sets and the rows of a table on a real Ray cluster; a node is killed in the middle."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cluster_speed import add_node
from chromacord.errors import InputError, ProcessDiedError
from chromacord.lab.training.recipe import read_recipe
from chromacord.types import Progress
from tests.cli.conftest import Run
from tests.cli.conftest import run as run
from tests.cluster.conftest import kill_a_node
from tests.hyoutube_lookalike import LookAlike
from tests.integrations.results import record
from tests.lab.training.material import SIDE, stage_values, write_recipe

pytestmark = pytest.mark.heavy

ABLATIONS = Path(__file__).parents[2] / "recipes/ablations"
ROWS = ("table2_row1", "table3_levels1", "table2_row2", "table3_levels3")
"""Recipes of table 3."""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data set by a relative path, in a working folder that is not the nodes'."""
    monkeypatch.chdir(tmp_path)
    LookAlike(tmp_path).write()
    return Path()


def with_a_kill(run: Run, cluster: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[Any]) -> list[dict[str, Any]]:
    """Run a command on the cluster; at its first progress, a node is killed. Return its events."""
    from chromacord.cli.screen.display import JsonDisplay

    killed: list[bool] = []
    ordinary = JsonDisplay.progress

    def progress(display: JsonDisplay, told: Progress) -> None:
        if not killed:
            killed.append(True)
            kill_a_node(cluster)
        ordinary(display, told)

    with monkeypatch.context() as patched:
        patched.setattr(JsonDisplay, "progress", progress)
        done = run(*arguments, "--engine", "ray", "--address", cluster.address, "--log-json")
    add_node(cluster)
    assert done.code == 0, done.out + done.err
    assert killed
    return [json.loads(line) for line in done.out.splitlines()]


def files_of(folder: Path, *, without: tuple[str, ...] = ()) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name not in without)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def figures_of(folder: Path) -> list[dict[str, Any]]:
    """Return the records without the times that they took."""
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    timed = ("method_seconds", "score_seconds")
    kept = [{key: value for key, value in record.items() if key not in timed} for record in records]
    return sorted(kept, key=lambda record: (record.get("clip", ""), record.get("method", "")))


def test_an_evaluation_equals_one_machines(run: Run, data: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["evaluate", "--data", data, "--method", "mkl,reinhard", "--size", 32, "--strips", 0]
    assert run(*arguments, "--jobs", 1, "-o", "one").code == 0
    events = with_a_kill(run, cluster, monkeypatch, [*arguments, "-o", "many"])
    progress = [event["done"] for event in events if event["event"] == "progress"]
    assert progress == sorted(progress)
    assert figures_of(Path("many")) == figures_of(Path("one"))
    record("ray, evaluate", sys.executable, "ray", nodes=3, killed=1, equals_one_machine=True)


def test_a_data_set_equals_one_machines(run: Run, data: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["synthesize", "--clips", data, "--luts", "random", "--per-clip", 3, "--frames", 2]
    assert run(*arguments, "--jobs", 1, "-o", "one").code == 0
    with_a_kill(run, cluster, monkeypatch, [*arguments, "-o", "many"])
    assert files_of(Path("many")) == files_of(Path("one"))
    record("ray, synthesize", sys.executable, "ray", nodes=3, killed=1, equals_one_machine=True)


@pytest.fixture
def recipes(data: Path) -> Path:
    """Return a folder of the recipes of table 3, by a relative path."""
    folder = Path("recipes")
    folder.mkdir()
    for name in ROWS:
        real = read_recipe(ABLATIONS / f"{name}.toml")
        stage = stage_values(
            objective=real.stages[0].objective, steps=4, batch=2, cooldown=0, average=0.0, save_every=1
        )
        settings = {"layout": "hyoutube", "side": SIDE, "held_out": 0, "augmentation": {}}
        write_recipe(folder / f"{name}.toml", stage, name=name, method="chen2024", network=real.network, data=settings)
    return folder


def test_the_rows_of_a_table_are_trained_on_nodes_and_equal_one_machines(
    run: Run, data: Path, recipes: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["train", recipes, "--table", 3, "--data", data]
    assert run(*arguments, "-o", "one").code == 0
    events = with_a_kill(run, cluster, monkeypatch, [*arguments, "-o", "many"])
    stages = {event["stage"] for event in events if event["event"] == "progress"}
    assert len({stage for stage in stages if stage.startswith("train ")}) > 1
    for name in ROWS:
        file = f"{name}/{name}.safetensors"
        assert Path("many", file).read_bytes() == Path("one", file).read_bytes()
    record("ray, train --table", sys.executable, "ray", nodes=3, killed=1, rows=len(ROWS), equals_one_machine=True)


def test_a_folder_that_a_node_lacks_is_refused(cluster: Any, tmp_path: Path) -> None:
    from chromacord.cluster.connection import connected

    with (
        pytest.raises(
            InputError, match=r"has no folder .*/none; start the command in a folder that all machines share"
        ),
        connected(cluster.address, folder=tmp_path / "none"),
    ):
        pass


@pytest.fixture(scope="module")
def spread(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from chromacord.cluster.connection import connected
    from chromacord.cluster.spread import Spread

    folder = tmp_path_factory.mktemp("spread")
    with connected(cluster.address, folder=folder, libraries=("torch",)) as ray:
        yield Spread(ray, folder=folder, retries=0)


def test_few_tasks_are_submitted_at_a_time_and_all_are_done(spread: Any) -> None:
    started: list[int] = []

    class Watched(list[int]):
        def __iter__(self) -> Any:
            for task in range(40):
                started.append(task)
                yield task

    done = []
    for result in spread.run(lambda task, _: task * 2, Watched()):
        done.append(result)
        assert len(started) <= len(done) + 6
    assert sorted(done) == list(range(0, 80, 2))


def failing(problem: Exception) -> Callable[[int, Any], int]:
    def work(task: int, _: object) -> int:
        raise problem

    return work


def test_an_error_arrives_as_it_was_raised(spread: Any) -> None:
    with pytest.raises(InputError, match=r"^the clip is empty$"):
        list(spread.run(failing(InputError("the clip is empty")), [1, 2, 3]))


def test_a_task_whose_process_dies_too_often_is_one_line(spread: Any) -> None:
    def die(task: int, _: object) -> None:
        import os

        os._exit(task)

    with pytest.raises(ProcessDiedError, match=r"its node or process died 1 times .*; run the same command again"):
        list(spread.run(die, [3]))


def test_tasks_for_a_gpu_are_refused_where_there_is_none(spread: Any) -> None:
    with pytest.raises(InputError, match="no node of the cluster has a GPU"):
        list(spread.run(lambda task, _: task, [1], on_gpu=True))
