import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.cli.conftest import Run
from tests.lab.training.material import make_data, stage_values, write_recipe
from tests.lab.training.runs import shorten_validation

SHORT = stage_values(steps=3, cooldown=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def short_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_validation(monkeypatch)


def test_a_run_is_described_in_one_line_and_can_be_repeated(run: Run, data: Path, tmp_path: Path) -> None:
    arguments = ["train", write_recipe(tmp_path / "r.toml", SHORT), "--data", data, "-o", tmp_path / "run"]
    done = run(*arguments)
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    weights = tmp_path / "run/tiny.safetensors"
    assert done.out.startswith(f"{weights}: 3 steps, 12 samples; validation: fmse ")
    assert weights.is_file()
    assert run(*arguments) == done


def test_progress_is_told_in_steps_and_the_summary_in_figures(run: Run, data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.toml", SHORT, data={"held_out": 0.3})
    done = run("train", recipe, "--data", data, "--output", tmp_path / "run", "--log-json")
    events = [json.loads(line) for line in done.out.splitlines()]
    steps = [event for event in events if event["event"] == "progress" and event["stage"] == "train"]
    assert (steps[-1]["done"], steps[-1]["total"], steps[-1]["unit"]) == (3, 3, "steps")
    assert {event["unit"] for event in events if event.get("stage") == "read"} == {"clips"}
    assert events[-1]["event"] == "summary"
    assert (events[-1]["steps"], events[-1]["samples"]) == (3, 12)
    assert set(events[-1]["validation"]) == {"fmse", "composite_fmse", "ratio", "rmse"}


def test_a_run_that_validates_on_nothing_says_so(run: Run, data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.toml", SHORT, data={"held_out": 0})
    assert run("train", recipe, "--data", data, "-o", tmp_path / "run").out.endswith("; validation: none\n")


@pytest.mark.parametrize(
    ("stage", "changed", "options", "message"),
    [
        ({}, {}, {"RECIPE": "none.toml"}, "none.toml: no such recipe"),
        ({}, {}, {"--data": "none"}, "none: no such folder"),
        ({}, {}, {"-o": "none/run"}, "none/run: the folder"),
        ({}, {}, {"--device": "cuda"}, "there is no CUDA device here; train with --device cpu"),
        ({}, {}, {"--device": "tpu"}, "'tpu'; choose one of cpu, cuda"),
        ({"stpes": 3}, {}, {}, "r.toml stage 1: stpes is not known"),
        ({"steps": "3"}, {}, {}, "r.toml stage 1: steps must be a whole number, got '3'"),
        ({"objective": "sing"}, {}, {}, "recipe tiny, stage 1: there is no objective 'sing'"),
        ({}, {"data": {"licences": ["GPL"]}}, {}, "are not among those that the recipe takes ('GPL'); name others"),
        ({}, {"data": {"held_out": 1e-6}}, {}, "0 of 18 pictures are held out"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    run: Run,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: dict[str, Any],
    changed: dict[str, Any],
    options: dict[str, str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    write_recipe(tmp_path / "r.toml", {**SHORT, **stage}, **changed)
    given = {"RECIPE": "r.toml", "--data": str(data), "-o": "run", **options}
    recipe = given.pop("RECIPE")
    done = run("train", recipe, *[word for option in given.items() for word in option])
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("error: ")
    assert message in done.err


def test_ctrl_c_says_that_the_run_can_go_on(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    arguments = ["train", write_recipe(tmp_path / "r.toml", SHORT), "--data", data, "-o", tmp_path / "run"]
    with monkeypatch.context() as patched:
        patched.setattr("chromacord.lab.training.loop.learning_rate", interrupt)
        done = run(*arguments)
    assert (done.code, done.out) == (130, "")
    assert done.err == "error: stopped with Ctrl-C; run the command again to continue from the last checkpoint\n"
    assert run(*arguments).code == 0


def test_weights_to_start_from_are_named_on_the_command_line(run: Run, data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.toml", SHORT)
    assert run("train", recipe, "--data", data, "-o", tmp_path / "one").code == 0
    first = tmp_path / "one/tiny.safetensors"
    done = run("train", recipe, "--data", data, "-o", tmp_path / "two", "--start", first)
    assert done.code == 0
    assert (tmp_path / "two/tiny.safetensors").read_bytes() != first.read_bytes()
    done = run("train", recipe, "--data", data, "-o", tmp_path / "three", "--start", tmp_path / "none.safetensors")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "none.safetensors: no such file" in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "the recipe is missing; give a TOML file, such as those in recipes/, or --table"),
        (["--table", "5"], "table 5 has no rows to train; choose one of 1, 2, 3, 4"),
        (["--table", "1"], "recipes/dovenet.toml: no such recipe"),
        (["--table", "1", "--budget", "small"], "recipes/small/dovenet.toml: no such recipe"),
        (["--table", "1", "--budget", "SMALL"], "recipes/small/dovenet.toml: no such recipe"),
        (["--table", "3", "--budget", "small"], "recipes/small/ablations/table2_row1.toml: no such recipe"),
        (["r.toml", "--budget", "small"], "--budget is for the figures of a table"),
        (["r.toml", "--test", "a"], "--test is for the figures of a table"),
        (["--table", "2"], "recipes/ablations/table2_row1.toml: no such recipe"),
        (["--table", "2", "--start", "a.safetensors"], "--start is for one recipe"),
        (["r.toml", "--next-frames", "a"], "--next-frames is for the figures of a table"),
        (["r.toml", "--jobs", "2"], "--jobs is for the figures of a table"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("train", *options, "--data", tmp_path, "-o", tmp_path / "run")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert message in done.err
