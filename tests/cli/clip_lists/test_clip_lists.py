"""Clips from folders, globs and manifests, and batches that resume."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.footage import make_composite, make_mask

FAST = ("--method", "mkl", "--preset", "ultrafast")


@pytest.fixture
def shots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with two clips of the same name in a tree, and their masks in another."""
    monkeypatch.chdir(tmp_path)
    for folder in ("day", "night/one"):
        for root in ("shots", "masks"):
            (tmp_path / root / folder).mkdir(parents=True)
        make_composite(tmp_path / f"shots/{folder}/a.mp4", num_frames=4)
        make_mask(tmp_path / f"masks/{folder}/a.mkv", num_frames=4)
    (tmp_path / "shots/notes.txt").write_text("no clip")
    return tmp_path


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_is_mirrored(run: Run, shots: Path) -> None:
    done = run("harmonize", "shots", "--mask", "masks", "-o", "out", *FAST, "--jobs", 1)
    assert done.code == 0, done.err
    assert written(shots / "out") == ["day/a.mp4", "night/one/a.mp4"]
    (shots / "masks/day/a.mkv").unlink()
    done = run("harmonize", "shots", "--mask", "masks", "-o", "new", *FAST)
    assert (done.code, done.err) == (
        2,
        "error: shots/day/a.mp4: --mask masks has no file called day/a; keep one for each clip\n",
    )
    assert not (shots / "new").exists()
    assert run("harmonize", "shots", "--mask", "masks", "-o", "out.mp4").err.startswith("error: out.mp4: is one output")


def test_a_glob_that_no_shell_expanded_is_expanded(run: Run, shots: Path) -> None:
    named = ("--mask", "masks/{folder}/{name}.mkv", "-o", "out/{folder}/{name}.mp4", *FAST)
    done = run("harmonize", "shots/day/*.mp4", *named)
    assert done.code == 0, done.err
    assert written(shots / "out") == ["day/a.mp4"]
    done = run("harmonize", "shots/*.mov", *named)
    assert (done.code, done.err.startswith("error: shots/*.mov: matches no clip")) == (2, True)


def test_one_clip_that_names_its_output_gets_a_folder_like_several(run: Run, shots: Path) -> None:
    named = ("harmonize", "shots/day/a.mp4", "--mask", "masks/{folder}/{name}.mkv", *FAST)
    assert run(*named, "-o", "out/{parent}/{folder}_{name}.mp4").code == 0
    assert written(shots / "out") == ["shots/day/day_a.mp4"]
    assert "the folder none does not exist; create it first" in run(*named, "-o", "none/a.mp4").err


def test_a_manifest_gives_files_and_options_by_row(run: Run, shots: Path) -> None:
    rows = [
        "composite,mask,output,strength,mask-fit",
        "shots/day/a.mp4,masks/day/a.mkv,out/x/day.mp4,0,no",
        "shots/night/one/a.mp4,masks/night/one/a.mkv,out/y/night.mp4,,",
    ]
    (shots / "shots.csv").write_text("\n".join(rows))
    done = run("harmonize", "--manifest", "shots.csv", "--grade-out", "{name}_{folder}.json", *FAST, "--jobs", 1)
    assert done.code == 0, done.err
    assert written(shots / "out") == ["x/day.mp4", "y/night.mp4"]
    strengths = [json.loads((shots / f"a_{name}.json").read_text())["shots"][0]["strength"] for name in ("day", "one")]
    assert strengths == [0, 1]
    (shots / "list").mkdir()
    row = {"composite": "../shots/day/a.mp4", "mask": "../masks/day/a.mkv", "frames": "0:2", "crf": 30}
    (shots / "list/one.jsonl").write_text(json.dumps(row) + "\n\n")
    done = run("harmonize", "--manifest", "list/one.jsonl", "-o", "cut/{name}.mp4", *FAST)
    assert done.code == 0, done.err
    assert "cut/a.mp4: 2 frames" in done.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mask,output\nm.mkv,o.mp4", "row 1: has no column 'composite' (or 'foreground')"),
        ("composite,mask,output\nc.mp4,m.mkv,o.mp4\n,m.mkv,p.mp4", "row 2: has no composite"),
        ("composite,masks\nc.mp4,m.mkv", "row 1: no option is called 'masks'; choose one of"),
        ("composite,mask\nc.mp4,m.mkv", "row 1: has no output; add a column 'output'"),
        ("composite,output,strength\nc.mp4,o.mp4,much", "row 1: strength much"),
        ("composite,output,crf\nc.mp4,o.mp4,good", "row 1: crf is 'good'; write a number"),
        ("composite,output,lock\nc.mp4,o.mp4,perhaps", "row 1: lock is 'perhaps'; write true or false"),
        ("composite,mask,Mask\nc.mp4,m.mkv,n.mkv", "the header: names 'mask' twice; keep one"),
        ("composite;mask\nc.mp4;m.mkv", "the header is 'composite;mask'; separate columns with commas"),
        ("composite,output\nc.mp4,o.mp4,x", "row 1: has more cells than the header"),
        ("composite,output", "has no rows"),
    ],
)
def test_a_bad_manifest_is_refused_before_anything_starts(run: Run, shots: Path, text: str, message: str) -> None:
    (shots / "m.csv").write_text(text)
    done = run("harmonize", "--manifest", "m.csv")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "m.csv" in done.err
    assert message in done.err or message.replace("strength much", "strength") in done.err


def test_a_row_that_names_an_option_twice_is_refused(run: Run, shots: Path) -> None:
    (shots / "m.jsonl").write_text('{"composite": "a.mp4", "mask": "m.mkv", "mask": "n.mkv"}')
    done = run("harmonize", "--manifest", "m.jsonl")
    assert (done.code, done.err) == (2, "error: m.jsonl: row 1: names 'mask' twice; keep one\n")


def test_rows_that_repeat_an_output_are_refused(run: Run, shots: Path) -> None:
    rows = [
        {"composite": f"shots/{folder}/a.mp4", "mask": f"masks/{folder}/a.mkv", "output": "new/o.mp4"}
        for folder in ("day", "night/one")
    ]
    (shots / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = run("harmonize", "--manifest", "m.jsonl")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "new/o.mp4: would be written for shots/day/a.mp4 and for shots/night/one/a.mp4" in done.err
    assert not (shots / "new").exists()
    assert run("harmonize", "a.mp4", "--manifest", "m.jsonl").err.startswith("error: m.jsonl: names the clips")


def test_a_batch_goes_on_by_what_was_asked(run: Run, shots: Path) -> None:
    asked = ("harmonize", "shots", "--mask", "masks", "-o", "out", *FAST, "--jobs", 1, "--resume")
    assert run(*asked).code == 0
    first = {path: (shots / "out" / path).stat().st_mtime_ns for path in ("day/a.mp4", "night/one/a.mp4")}
    done = run(*asked)
    assert done.out.startswith("0 of 2 clips harmonized, 2 skipped because they are up to date, ")
    # Only the clip whose mask changed is rendered again.
    make_mask(shots / "masks/day/a.mkv", num_frames=4)
    os.utime(shots / "masks/day/a.mkv", ns=(1, 1))
    assert run(*asked).out.splitlines()[-1].startswith("1 of 2 clips harmonized, 1 skipped")
    now = {path: (shots / "out" / path).stat().st_mtime_ns for path in first}
    assert [now[path] == first[path] for path in first] == [False, True]
    # So does an option, of all clips, and an output that was changed by something else.
    assert run(*asked, "--strength", "0.5").out.splitlines()[-1].startswith("2 of 2 clips harmonized, ")
    (shots / "out/night/one/a.mp4").write_bytes(b"cut off")
    assert run(*asked, "--strength", "0.5").out.splitlines()[-1].startswith("1 of 2 clips harmonized, 1 skipped")
    # What this command did not write is not replaced.
    (shots / "out/day/.a.mp4.chromacord.json").unlink()
    done = run(*asked, "--strength", "0.5")
    assert (done.code, "out/day/a.mp4: exists already" in done.err) == (2, True)
