import json
from pathlib import Path

import pytest
import torch

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
