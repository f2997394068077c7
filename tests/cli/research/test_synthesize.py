import json
from pathlib import Path

import pytest

from chromacord.color.cube import cube_text
from chromacord.color.transforms import Lut3d, lattice
from chromacord.lab.data import open_dataset
from tests.cli.conftest import Run
from tests.lab.data.test_clip_folder import make_frames


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two clips, of which the manifest marks one, and two LUTs."""
    make_frames(tmp_path / "clips/bear")
    make_frames(tmp_path / "clips/dog")
    (tmp_path / "clips/manifest.csv").write_text("path,use\nbear,dev\ndog,train\n")
    (tmp_path / "luts").mkdir()
    for name, scale in (("half", 0.5), ("dim", 0.8)):
        text = cube_text(Lut3d(scale * lattice(2)[None]), title=name, size=2)
        (tmp_path / f"luts/{name}.cube").write_text(text)
    return tmp_path


def test_a_data_set_is_made_and_described_in_one_line(run: Run, folder: Path) -> None:
    done = run("synthesize", "--clips", folder / "clips", "--luts", folder / "luts", "-o", folder / "made", "--jobs", 1)
    assert done.code == 0
    assert done.out.startswith(f"{folder / 'made'}: 2 composite clips, 6 frames in ")
    assert done.out.count("\n") == 1
    assert len(open_dataset(folder / "made")) == 2
    assert json.loads((folder / "made/manifest.json").read_text())["recipe"]["enhance"] is True
    again = run("synthesize", "--clips", folder / "clips", "--luts", folder / "luts", "-o", folder / "made")
    assert "2 composite clips, 2 of them from a run before, 6 frames" in again.out


def test_random_looks_need_no_files_and_are_not_enhanced(run: Run, folder: Path) -> None:
    arguments = ["synthesize", "--clips", folder / "clips", "--luts", "random", "-o", folder / "made", "--jobs", 1]
    done = run(*arguments, "--use", "dev", "--per-clip", 3, "--frames", 2, "--drift", "--log-json", "--split", "train")
    assert done.code == 0
    events = [json.loads(line) for line in done.out.splitlines()]
    assert events[-1]["event"] == "summary"
    assert (events[-1]["pairs"], events[-1]["frames"], events[-1]["kept"]) == (3, 6, 0)
    assert (events[-2]["event"], events[-2]["done"], events[-2]["total"]) == ("progress", 6, 6)
    manifest = json.loads((folder / "made/manifest.json").read_text())
    assert manifest["recipe"]["enhance"] is False
    assert manifest["recipe"]["drift"] is True
    assert [pair["lut"] for pair in manifest["pairs"]] == ["random"] * 3
    assert open_dataset(folder / "made", split="train").names[0] == "bear/object_1"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"--clips": "nowhere"}, "nowhere: no such folder"),
        ({"--luts": "nowhere"}, "nowhere: no such file; name a .cube file, a .zip archive or a folder"),
        ({"--luts": "clips"}, "holds no .cube files"),
        ({"--per-clip": "3"}, "3 LUTs a clip are requested, but there are only 2"),
        ({"-o": "luts"}, "is not a synthesized data set"),
        ({"--use": "test"}, "and none the use test"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], message: str
) -> None:
    monkeypatch.chdir(folder)
    options = {"--clips": "clips", "--luts": "luts", "-o": "made", **changed}
    done = run("synthesize", *[word for option in options.items() for word in option])
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("error: ")
    assert message in done.err
    assert not (folder / "made").exists()


def test_ctrl_c_says_that_the_run_can_go_on(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    arguments = ["synthesize", "--clips", folder / "clips", "--luts", "random", "-o", folder / "made", "--jobs", 1]
    with monkeypatch.context() as patched:
        patched.setattr("chromacord.lab.composites.synthesis_job.recolor", interrupt)
        done = run(*arguments)
    assert (done.code, done.out) == (130, "")
    assert done.err == "error: stopped with Ctrl-C; run the command again to continue\n"
    assert not list((folder / "made").rglob("*.jpg"))
    assert run(*arguments).code == 0
