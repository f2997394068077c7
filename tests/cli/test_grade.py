import json
from pathlib import Path

import numpy as np
import PyOpenColorIO
import pytest

from chromacord.grade.exports import EXPORT_FORMATS
from tests.cli.conftest import Run
from tests.footage import decoded, disc, make_composite, make_mask, recoloured


@pytest.mark.parametrize("suffix", [".json", *EXPORT_FORMATS])
def test_a_grade_is_decided_and_written_alone(run: Run, footage: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"look{suffix}"
    done = run("grade", footage / "comp.mp4", "--mask", footage / "mask.mkv", "-o", out, "--method", "poisson")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{out}: 10 frames, 1 shot, poisson, ")
    assert done.out.count("\n") == 1
    assert ("CDL error 0.0 of " in done.out) == (suffix in (".cc", ".ccc", ".cdl", ".edl", ".otio"))
    assert list(tmp_path.iterdir()) == [out]


def test_a_grade_applied_is_what_harmonize_gives(run: Run, footage: Path, tmp_path: Path) -> None:
    clip = (footage / "comp.mp4", "--mask", footage / "mask.mkv")
    options = ("--method", "mkl", "--strength", "0.8", "--frames", "2:9")
    assert run("harmonize", *clip, *options, "-o", tmp_path / "a.mkv", "--codec", "ffv1").code == 0
    assert run("grade", *clip, *options, "-o", tmp_path / "g.json").code == 0
    frames = ("--frames", "2:9", "--codec", "ffv1")
    done = run("apply", tmp_path / "g.json", *clip, *frames, "-o", tmp_path / "b.mkv")
    assert done.code == 0
    assert done.out.startswith(f"{tmp_path / 'b.mkv'}: 7 frames, 1 shot, mkl, ")
    for planes, again in zip(decoded(tmp_path / "a.mkv"), decoded(tmp_path / "b.mkv"), strict=True):
        for plane, same in zip(planes, again, strict=True):
            assert np.abs(plane.astype(int) - same).max() <= 1  # JSON keeps six digits


def test_programs_get_what_a_cdl_leaves(run: Run, footage: Path, tmp_path: Path) -> None:
    command = ("grade", footage / "comp.mp4", "--mask", footage / "mask.mkv", "-o", tmp_path / "look.cc", "--log-json")
    done = run(*command, "--method", "histogram")
    told = [json.loads(line) for line in done.out.splitlines()]
    (warning,) = (event["message"] for event in told if event["event"] == "warning")
    residual = told[-1]["cdl_residual"]
    assert 2 < residual["left"] < residual["change"]
    assert f"its mean error is {residual['left']:.1f} of {residual['change']:.1f} codes" in warning


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("look.lut", ["look.lut: no grade format has the extension '.lut'; choose one of .json, .cube, .clf,", ".cdl"]),
        ("luts", ["luts: no grade format has the extension ''"]),
        ("nowhere/look.cc", ["nowhere", "does not exist"]),
    ],
)
def test_outputs_that_cannot_be_are_one_line(
    run: Run, footage: Path, tmp_path: Path, output: str, words: list[str]
) -> None:
    done = run("grade", footage / "comp.mp4", "--mask", footage / "mask.mkv", "-o", tmp_path / output)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert all(word in done.err for word in words), done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cuts", ["3,7", "cuts.edl"])
def test_a_grade_begins_shots_where_it_is_told(run: Run, footage: Path, tmp_path: Path, cuts: str) -> None:
    (tmp_path / "cuts.edl").write_text(
        "001 A V C 00:00:00:00 00:00:00:03 01:00:00:00 01:00:00:03\n"
        "002 A V C 00:00:00:00 00:00:00:04 01:00:00:03 01:00:00:07\n"
        "003 A V C 00:00:00:00 00:00:00:03 01:00:00:07 01:00:00:10\n"
    )
    told = str(tmp_path / cuts) if cuts.endswith(".edl") else cuts
    clip = (footage / "comp.mp4", "--mask", footage / "mask.mkv", "--cuts", told, "--method", "poisson")
    whole = run("grade", *clip, "-o", tmp_path / "g.json")
    assert (whole.code, whole.err) == (0, "")
    assert ": 10 frames, 3 shots, poisson, " in whole.out
    assert "; 2 cuts given: 3 (" in whole.out
    assert [shot["start"] for shot in json.loads((tmp_path / "g.json").read_text())["shots"]] == [0, 3, 7]
    alone = run("grade", *clip, "-o", tmp_path / "look.cc")
    assert (alone.code, alone.err) == (0, "")
    assert len(list(tmp_path.glob("look_shot00[123]_f0*.cc"))) == 3
    applied = run("apply", tmp_path / "g.json", *clip[:3], "-o", tmp_path / "out.mkv")
    assert applied.code == 0
    assert "; 2 cuts from the grade file: 3 (" in applied.out


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("grade", "comp.mp4", "-o", ""), "--output is empty"),
        (("grade", "", "-o", "g.json"), "COMPOSITE is empty"),
        (("grade", "comp.mp4", "-o", "g.json", "--cuts", ""), "--cuts is empty"),
        (("apply", "", "comp.mp4", "-o", "out.mp4"), "GRADE is empty"),
        (("apply", "g.json", "comp.mp4", "-o", ""), "--output is empty"),
    ],
)
def test_empty_paths_are_called_what_the_command_calls_them(run: Run, command: tuple[str, ...], told: str) -> None:
    done = run(*command)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert told in done.err


def test_apply_names_a_grade_that_it_cannot_read(run: Run, footage: Path, tmp_path: Path) -> None:
    clip = (footage / "comp.mp4", "--mask", footage / "mask.mkv", "-o", tmp_path / "out.mp4")
    done = run("apply", tmp_path / "nowhere.json", *clip)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "nowhere.json: no such file" in done.err
    assert not list(tmp_path.iterdir())


def test_grades_of_several_clips_are_named_after_them(run: Run, footage: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes((footage / "comp.mp4").read_bytes())
    clips = (tmp_path / "a.mp4", tmp_path / "b.mp4", "--mask", footage / "mask.mkv", "--method", "poisson")
    shared = run("grade", *clips, "-o", tmp_path / "look.cc")
    assert (shared.code, shared.err.count("\n")) == (2, 1)
    assert "look.cc: is one output for 2 clips" in shared.err
    done = run("grade", *clips, "-o", tmp_path / "{name}.cc", "--jobs", "1")
    assert (done.code, done.err) == (0, "")
    assert "2 of 2 clips graded, 20 frames, " in done.out
    assert {"a.cc", "b.cc"} <= {path.name for path in tmp_path.iterdir()}
    again = run("grade", *clips, "-o", tmp_path / "{name}.cc", "--jobs", "1", "--skip-existing")
    assert again.code == 0
    assert "0 of 2 clips graded, 2 skipped" in again.out


def test_with_a_cut_each_shot_has_the_cdl_that_it_has_alone(run: Run, tmp_path: Path) -> None:
    first = [recoloured("yuv420p", index) for index in range(12)]
    second = [[255 - plane[::-1] for plane in recoloured("yuv420p", index)] for index in range(12)]
    composite = make_composite(tmp_path / "comp.mkv", codec="ffv1", frames=first + second)
    mask = make_mask(tmp_path / "mask.mkv", frames=2 * [[disc(index)] for index in range(12)])
    options = (composite, "--mask", mask, "--method", "mkl", "--quiet")
    assert run("grade", *options, "-o", tmp_path / "both.cc").code == 0
    for number, frames in enumerate(("0:12", "12:24"), start=1):
        assert run("grade", *options, "-o", tmp_path / f"{number}.cc", "--frames", frames).code == 0
        (own,) = tmp_path.glob(f"both_shot00{number}_f*.cc")
        alone, cut = (
            PyOpenColorIO.CDLTransform.CreateFromFile(str(path), "") for path in (tmp_path / f"{number}.cc", own)
        )
        assert cut.getSOP() == pytest.approx(alone.getSOP(), abs=1e-4)
        assert cut.getSat() == pytest.approx(alone.getSat(), abs=1e-4)


def test_a_grade_that_is_there_is_left_out(run: Run, footage: Path, tmp_path: Path) -> None:
    """A file for each of several shots counts as well as one file."""
    clip = (footage / "comp.mp4", "--mask", footage / "mask.mkv", "-o", tmp_path / "look.cc", "--skip-existing")
    (tmp_path / "look_shot001_f0000-0009_tc01-00-00-00.cc").touch()
    done = run("grade", *clip)
    assert done.code == 0
    assert done.out == f"{tmp_path / 'look.cc'}: skipped, it exists\n"


def two_shots(folder: Path) -> tuple[object, ...]:
    first = [recoloured("yuv420p", index) for index in range(12)]
    second = [[255 - plane[::-1] for plane in recoloured("yuv420p", index)] for index in range(12)]
    composite = make_composite(folder / "comp.mkv", codec="ffv1", frames=first + second)
    mask = make_mask(folder / "mask.mkv", frames=2 * [[disc(index)] for index in range(12)])
    return composite, "--mask", mask, "--method", "mkl", "--quiet"


@pytest.mark.parametrize("scene", [("--lock",), ("--match", "1-2"), ("--match", "1", "--match", "2")])
def test_shots_of_one_scene_have_one_grade_in_every_output(run: Run, tmp_path: Path, scene: tuple[str, ...]) -> None:
    clip = two_shots(tmp_path)
    assert run("grade", *clip, *scene, "-o", tmp_path / "grade.json").code == 0
    first, second = json.loads((tmp_path / "grade.json").read_text())["shots"]
    is_one = scene[1:] != ("1", "--match", "2")
    assert (first["parametric"] == second["parametric"]) == is_one
    assert run("grade", *clip, *scene, "-o", tmp_path / "look.cc").code == 0
    sops = [PyOpenColorIO.CDLTransform.CreateFromFile(str(path), "").getSOP() for path in tmp_path.glob("*.cc")]
    assert (sops[0] == sops[1]) == is_one
    options = ("--codec", "ffv1")
    assert run("harmonize", *clip, *scene, *options, "-o", tmp_path / "a.mkv").code == 0
    assert run("apply", tmp_path / "grade.json", *clip[:3], *options, "-o", tmp_path / "b.mkv").code == 0
    for planes, again in zip(decoded(tmp_path / "a.mkv"), decoded(tmp_path / "b.mkv"), strict=True):
        for plane, same in zip(planes, again, strict=True):
            assert np.abs(plane.astype(int) - same).max() <= 1


def test_shots_of_a_grade_file_are_matched_later(run: Run, tmp_path: Path) -> None:
    assert run("grade", *two_shots(tmp_path), "-o", tmp_path / "own.json").code == 0
    assert run("grade", "--grade-in", tmp_path / "own.json", "--lock", "-o", tmp_path / "one.json").code == 0
    own, one = (json.loads((tmp_path / name).read_text())["shots"] for name in ("own.json", "one.json"))
    assert own[0]["parametric"] != own[1]["parametric"]
    assert one[0]["parametric"] == one[1]["parametric"]
    wrong = run("grade", "--grade-in", tmp_path / "own.json", "--match", "2,3", "-o", tmp_path / "no.json")
    assert wrong.code == 2
    assert wrong.err.startswith("error: match: there is no shot 3, the clip has 2 shots")
    assert not (tmp_path / "no.json").exists()
