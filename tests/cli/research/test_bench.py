import json
from pathlib import Path

import pytest
import torch

from chromacord.cli.research.bench_report import measurement
from chromacord.io.writing import commit
from tests.cli.conftest import Run
from tests.lab.evaluation.scored_set import make_quality_footage
from tests.lab.training.material import disc, picture, write_manifest, write_still


def test_methods_are_printed_as_json_and_as_a_table_beside_it(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "methods.json"
    done = run("bench", "methods", "--method", "mkl, identity", "--frames", 1, "--repeats", 1, "-o", path)
    report = json.loads(done.out)
    assert done.code == 0
    assert json.loads(path.read_text()) == report
    assert list(report["methods"]) == ["mkl", "identity"]
    assert report["command"].startswith("chromacord")
    assert {"machine", "versions", "commit"} <= set(report)
    assert "| mkl | 0+1+0 | 0 | 0.00 |" in done.err


def test_a_method_that_does_not_exist_is_one_line(run: Run, tmp_path: Path) -> None:
    done = run("bench", "methods", "--method", "mkl,magic", "-o", tmp_path / "methods.json")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "there is no method 'magic'" in done.err
    assert not (tmp_path / "methods.json").exists()


def test_the_papers_table_takes_no_methods(run: Run) -> None:
    done = run("bench", "methods", "--table", 4, "--method", "mkl")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "omit --method" in done.err


def test_sources_of_flow_are_printed_as_json_and_as_a_table_beside_it(run: Run, tmp_path: Path) -> None:
    for index in range(2):
        write_still(tmp_path / "video/walk", f"{index:05d}", picture(index), disc(index))
    write_manifest(tmp_path, ["video/walk,video,binary,dev,CC0"])
    done = run("bench", "flow", "--data", tmp_path, "--source", "zero, dis", "--pairs", 1, "-o", tmp_path / "flow.json")
    report = json.loads(done.out)
    assert done.code == 0
    assert json.loads((tmp_path / "flow.json").read_text()) == report
    assert list(report["sources"]) == ["zero", "dis"]
    assert {"machine", "versions", "commit"} <= set(report)
    assert "| zero |" in done.err


def test_cuts_are_printed_as_json_and_as_a_table_beside_it(run: Run, tmp_path: Path) -> None:
    for name in ("walk", "run"):
        for index in range(12):
            write_still(tmp_path / "video" / name, f"{index:05d}", picture(len(name)), disc(index))
    write_manifest(tmp_path, [f"video/{name},video,binary,dev,CC0" for name in ("walk", "run")])
    done = run("bench", "cuts", "--data", tmp_path, "--use", "dev", "--per-clip", 1, "-o", tmp_path / "cuts.json")
    report = json.loads(done.out)
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "cuts.json").read_text()) == report
    assert list(report["uses"]) == ["dev"]
    assert report["uses"]["dev"]["kinds"]["cut"]["cuts"] == 2
    assert {"machine", "versions", "commit", "command"} <= set(report)
    assert "| fade through black | 2 | 2 |" in done.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_that_is_not_there_is_one_line(run: Run, tmp_path: Path) -> None:
    for arguments in (
        ("bench", "methods", "--method", "mkl", "--device", "cuda"),
        ("harmonize", "comp.mp4", "--mask", "mask.mp4", "-o", tmp_path / "out.mp4", "--device", "cuda"),
    ):
        done = run(*arguments)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert "device cuda: torch finds none" in done.err


def test_a_source_of_flow_that_does_not_exist_is_one_line(run: Run, tmp_path: Path) -> None:
    done = run("bench", "flow", "--data", tmp_path, "--source", "magic")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "there is no source of flow 'magic'" in done.err


def test_quality_is_one_table_as_json_and_as_markdown(run: Run, tmp_path: Path) -> None:
    footage = make_quality_footage(tmp_path / "footage")
    places = ("--data", footage, "--runs", tmp_path / "runs", "-o", tmp_path / "quality.json")
    done = run("bench", "quality", *places, "--sets", "pairs-dev", "--method", "identity,mkl", "--jobs", 1)
    assert done.code == 0
    text = (tmp_path / "quality.md").read_text()
    assert text.strip() in done.err
    assert "| pairs-dev | identity |" in text
    assert json.loads(done.out) == json.loads((tmp_path / "quality.json").read_text())


def test_bench_alone_shows_what_can_be_measured(run: Run) -> None:
    done = run("bench")
    assert done.code == 0
    assert "methods" in done.out
    assert "flow" in done.out


def test_a_measurement_that_is_stopped_speaks_of_no_clips_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They were in a temporary folder, which is gone."""
    monkeypatch.setattr(commit, "completed", ["/tmp/chromacord-bench/a/out.mp4"])
    with pytest.raises(SystemExit) as left, measurement(tmp_path / "a.json"):
        raise KeyboardInterrupt
    assert left.value.code == 130
    assert capsys.readouterr().err == "error: stopped with Ctrl-C; a report is written at the end alone\n"
