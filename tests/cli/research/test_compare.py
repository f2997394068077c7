import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.lab.evaluation.scored_set import make_pictures, write_list


@pytest.fixture
def places(tmp_path: Path) -> list[object]:
    pictures = make_pictures(tmp_path / "pictures")
    return ["--list", write_list(tmp_path / "list.csv", {}), "--data", pictures, "-o", tmp_path / "out"]


def test_strips_and_blind_sheets_are_written(run: Run, places: list[object], tmp_path: Path) -> None:
    done = run("compare", *places, "--method", "mkl,poisson", "--blind", "identity,mkl")
    assert (done.code, done.err) == (0, "")
    out = tmp_path / "out"
    assert done.out == f"{out}/strips.html: 1 composite; judge {out}/blind.html, then open {out}/blind_key.csv\n"
    names = {"strips.html", "strip-01-one.png", "blind.html", "blind-01.png", "blind_key.csv"}
    assert {path.name for path in out.iterdir()} == names
    assert "chromacord" in (out / "strips.html").read_text()


def test_blind_sheets_may_be_left_out(run: Run, places: list[object], tmp_path: Path) -> None:
    done = run("compare", *places, "--method", "mkl", "--blind", "", "--log-json")
    assert json.loads(done.out.splitlines()[-1])["composites"] == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"strips.html", "strip-01-one.png"}


def test_what_cannot_be_used_is_one_line(run: Run, places: list[object], tmp_path: Path) -> None:
    done = run("compare", *places, "--method", "magic", "--blind", "")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "there is no method 'magic'" in done.err
    assert not (tmp_path / "out").exists()
