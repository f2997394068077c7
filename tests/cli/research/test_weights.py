import json
from pathlib import Path

import pytest
import torch

from chromacord.lab import weight_files
from tests.cli.conftest import Run
from tests.lab.methods import published_issam


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "last.pth"
    torch.save(published_issam.checkpoint(), path)
    return path


def test_a_checkpoint_is_imported_and_told_in_one_line(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    done = run("weights", "import", "--method", "issam", checkpoint, "-o", tmp_path / "own")
    made = tmp_path / "own.safetensors"
    assert (done.code, done.err) == (0, "")
    count = sum(value.numel() for value in published_issam.checkpoint().values())
    assert done.out == f"{made}: {count:,} numbers, card own.toml; use: --method issam:weights={made}\n"
    again = run("weights", "import", "--method", "issam", checkpoint, "-o", tmp_path / "own")
    assert (again.code, again.out) == (2, "")
    assert again.err == f"error: {made}: exists already; use --force to replace it, or another name\n"
    forced = run("weights", "import", "--method", "issam", checkpoint, "-o", made, "--force", "--log-json")
    assert json.loads(forced.out)["weights"] == str(made)


def test_imported_weights_harmonize(run: Run, checkpoint: Path, footage: Path, tmp_path: Path) -> None:
    assert run("weights", "import", "--method", "issam", checkpoint, "-o", tmp_path / "own", "-q").code == 0
    clip = ("harmonize", footage / "comp.mp4", "--mask", footage / "mask.mkv", "--frames", ":2")
    done = run(
        *clip, "-o", tmp_path / "a.mkv", "--method", "issam:working_side=32", "--weights", tmp_path / "own.safetensors"
    )
    assert done.code == 0, done.err
    assert f", issam:working_side=32:weights={tmp_path / 'own.safetensors'}, " in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "mkl", "--weights", "a"], "method 'mkl': is not learned and takes no weights"),
        (["--method", "issam:weights=b", "--weights", "a"], "method 'issam:weights=b': already names its weights"),
        (["--method", "swan", "--weights", "a"], "there is no method 'swan'"),
        (["--weights", "no such weights"], "there are no weights 'no such weights'; choose one of chen2024, shotgrade"),
        (["--weights", "c:/a.safetensors"], "option values cannot contain a colon"),
    ],
)
def test_weights_for_a_method_that_cannot_take_them_are_one_line(
    run: Run, footage: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    clip = ("harmonize", footage / "comp.mp4", "--mask", footage / "mask.mkv", "-o", tmp_path / "out.mp4")
    done = run(*clip, *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
    assert not list(tmp_path.iterdir())


def test_the_group_alone_shows_what_it_can_do(run: Run) -> None:
    done = run("weights")
    assert done.code == 0
    assert "import" in done.out


def save(path: Path, **tensors: float) -> Path:
    weight_files.save({key: torch.full((2,), value) for key, value in tensors.items()}, path)
    return path


def test_weights_are_averaged_by_their_shares(run: Run, tmp_path: Path) -> None:
    first, second = (
        save(tmp_path / f"{name}.safetensors", layer=value, calibration=value)
        for name, value in (("a", 1.0), ("b", 5.0))
    )
    done = run(
        "weights",
        "average",
        first,
        second,
        "--shares",
        "3,1",
        "--keep",
        "calibration",
        "-o",
        tmp_path / "c.safetensors",
    )
    assert done.code == 0, done.err
    state = weight_files.state_dict(tmp_path / "c.safetensors")
    assert {key: value.tolist() for key, value in state.items()} == {"layer": [2.0, 2.0], "calibration": [1.0, 1.0]}
    assert run("weights", "average", first, second, "-o", tmp_path / "d.safetensors").code == 0
    assert weight_files.state_dict(tmp_path / "d.safetensors")["layer"].tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{a}", "-o", "{out}"], "give two or more different weights"),
        (["{a}", "{a}", "-o", "{out}"], "give two or more different weights"),
        (["{a}", "{b}", "--shares", "1", "-o", "{out}"], "2 weights need 2 numbers"),
        (["{a}", "{b}", "--shares", "1,-1", "-o", "{out}"], "2 weights need 2 numbers"),
        (["{a}", "{b}", "--shares", "1,x", "-o", "{out}"], "2 weights need 2 numbers"),
        (["{a}", "{other}", "-o", "{out}"], "other.safetensors: does not fit"),
        (["{a}", "{b}", "--keep", "layr", "-o", "{out}"], "did you mean layer?"),
        (["{a}", "{b}", "-o", "{b}", "--force"], "is also an input"),
        (["{a}", "{b}", "-o", "c.bin"], "weights are saved as .safetensors"),
    ],
)
def test_averages_that_mean_nothing_are_refused(run: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    files = {name: save(tmp_path / f"{name}.safetensors", layer=1.0) for name in "ab"}
    files |= {"other": save(tmp_path / "other.safetensors", others=1.0), "out": tmp_path / "out.safetensors"}
    done = run("weights", "average", *(each.format(**files) for each in arguments))
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not files["out"].exists()
