import json
from dataclasses import replace
from pathlib import Path

import av
import pytest

from chromacord.analysis.cuts import Cut
from chromacord.cli.screen.summary_text import summary_line, summary_values
from chromacord.job.summary import Summary
from chromacord.methods import DEFAULT_METHOD
from tests.cli.conftest import Run


def count_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_clip_is_harmonized_and_told_in_one_line(run: Run, footage: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    done = run("harmonize", footage / "comp.mp4", "--mask", footage / "mask.mkv", "-o", out)
    assert done.code == 0
    assert done.err == ""
    assert done.out.count("\n") == 1
    assert done.out.startswith(f"{out}: 10 frames, 1 shot, {DEFAULT_METHOD}, ")
    assert count_frames(out) == 10


def test_all_outputs_are_written_and_named(run: Run, footage: Path, tmp_path: Path) -> None:
    grade, luts, picture = tmp_path / "grade.json", tmp_path / "luts", tmp_path / "both.png"
    outputs = ("--grade-out", grade, "--lut-out", luts, "--preview", picture, "--method", "reinhard:max_gain=3")
    done = run("harmonize", footage / "comp.mp4", "--mask", footage / "mask.mkv", "-o", tmp_path / "a.mp4", *outputs)
    assert done.code == 0, done.err
    assert all(str(path) in done.out for path in (grade, luts, picture))
    assert json.loads(grade.read_text())["method"] == "reinhard:max_gain=3"
    assert ", reinhard:max_gain=3, " in done.out
    assert [path.suffix for path in luts.iterdir()] == [".cube"]
    again = ("--grade-in", grade, "--strength", "0.5", "--codec", "ffv1", "--frames", "2:5", "-o", tmp_path / "b.mkv")
    assert run("harmonize", footage / "comp.mp4", "--mask", footage / "mask.mkv", *again).code == 0
    assert count_frames(tmp_path / "b.mkv") == 3


def test_names_of_two_lines_are_told_in_one(run: Run, footage: Path, tmp_path: Path) -> None:
    out = tmp_path / "a\nb.mp4"
    done = run("harmonize", footage / "comp.mp4", "--mask", footage / "mask.mkv", "-o", out, "--method", "mkl")
    assert (done.code, done.out.count("\n")) == (0, 1)
    assert done.out.startswith(f"{tmp_path}/a\\nb.mp4: 10 frames")
    assert f"path           {tmp_path}/a\\nb.mp4\n" in run("info", out).out
    assert run("info", tmp_path / "no\nsuch.mp4").err == f"error: {tmp_path}/no\\nsuch.mp4: no such file\n"


def test_quiet_says_nothing(run: Run, footage: Path, tmp_path: Path) -> None:
    done = run("harmonize", footage / "comp.mp4", "--mask", footage / "mask.mkv", "-o", tmp_path / "out.mp4", "-q")
    assert done == (0, "", "")


def test_log_json_prints_json_lines_and_nothing_else(run: Run, footage: Path, tmp_path: Path) -> None:
    command = ("harmonize", footage / "comp.mp4", "--mask", footage / "short.mkv", "--salvage", "--log-json")
    done = run(*command, "-o", tmp_path / "out.mp4")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    assert done.err == ""
    assert {"progress", "warning", "summary"} == {event["event"] for event in events}
    stages = [event["stage"] for event in events if event["event"] == "progress"]
    assert set(stages) == {"render"}
    assert [event for event in events if event["event"] == "progress"][-1]["done"] == 9
    assert events[-1]["outputs"] == [str(tmp_path / "out.mp4")]
    assert events[-1]["frames"] == 9


def test_log_json_holds_the_class_of_an_error(run: Run, footage: Path, tmp_path: Path) -> None:
    command = ("harmonize", footage / "comp.mp4", "--mask", footage / "short.mkv", "--log-json")
    done = run(*command, "-o", tmp_path / "out.mp4")
    last = json.loads(done.out.splitlines()[-1])
    assert done.code == 2
    assert done.err == ""
    assert (last["event"], last["class"]) == ("error", "MismatchError")
    assert "9 frames" in last["message"]
    assert not list(tmp_path.iterdir())


def test_log_json_holds_errors_in_options_too(run: Run, footage: Path, tmp_path: Path) -> None:
    command = ("harmonize", footage / "comp.mp4", "--mask", footage / "mask.mkv", "--log-json", "--strength", "3")
    done = run(*command, "-o", tmp_path / "out.mp4")
    (line,) = done.out.splitlines()
    assert (done.code, done.err) == (2, "")
    assert json.loads(line)["event"] == "error"
    assert "strength must lie in 0..1, got 3.0" in json.loads(line)["message"]


def test_a_warning_is_one_line(run: Run, footage: Path, tmp_path: Path) -> None:
    command = ("harmonize", footage / "comp.mp4", "--mask", footage / "short.mkv", "--salvage")
    done = run(*command, "-o", tmp_path / "out.mp4")
    assert done.code == 0
    assert done.err.startswith("warning: ")
    assert all(line.startswith("warning: ") for line in done.err.splitlines())


BAD = {
    "strength above 1": (("--strength", "2"), ["strength must lie in 0..1"]),
    "strength that is no number": (("--strength", "x"), ["strength 'x'", "number"]),
    "consistency that does not exist": (("--consistency", "scene"), ["--consistency", "smooth"]),
    "empty range": (("--frames", "5:2"), ["--frames 5:2", "is empty"]),
    "range that is none": (("--frames", "5"), ["--frames 5", "A:B"]),
    "range of letters": (("--frames", "a:b"), ["--frames a:b", "A:B"]),
    "unknown option": (("--strenght", "1"), ["--strenght", "--strength"]),
    "unknown method": (("--method", "magic"), ["magic", "mkl"]),
    "option that the method lacks": (("--method", "mkl:speed=2"), ["'speed'", "max_gain: float = 4.0"]),
    "value that the option cannot have": (("--method", "mkl:max_gain=0"), ["max_gain", "at least 1"]),
    "unknown codec": (("--codec", "divx"), ["divx", "h264"]),
    "no such mask": (("--mask", "nowhere.mp4"), ["nowhere.mp4", "no such file"]),
    "short mask": (("--mask", "{footage}/short.mkv"), ["short.mkv", "9 frames", "10 frames"]),
    "no cuts": (("--cuts", "a range:b"), ["a range:b", "no such file"]),
    "cuts that fall": (("--cuts", "4,2"), ["cuts", "2 comes after 4"]),
    "a cut behind the end": (("--cuts", "10"), ["comp.mp4", "frame 10", "10 frames"]),
    "cuts beside a grade": (("--cuts", "4", "--grade-in", "{footage}/mask.mkv"), ["mask.mkv", "--cuts"]),
    "no such grade": (("--grade-in", "nowhere.json"), ["nowhere.json"]),
    "frames behind the end": (("--frames", "50:"), ["comp.mp4", "10 frames"]),
    "output is an input": (("-o", "{footage}/comp.mp4", "--force"), ["comp.mp4", "input"]),
    "output in no folder": (("-o", "{footage}/nowhere/out.mp4"), ["nowhere", "does not exist"]),
    "both composite and layers": (("--foreground", "{footage}/comp.mp4"), ["foreground", "composite"]),
}


@pytest.mark.parametrize(("options", "words"), BAD.values(), ids=BAD.keys())
def test_bad_input_gets_one_clear_line_and_code_2(
    run: Run, footage: Path, tmp_path: Path, options: tuple[str, ...], words: list[str]
) -> None:
    before = sorted(footage.iterdir())
    command = ("harmonize", footage / "comp.mp4", "--mask", footage / "mask.mkv", "-o", tmp_path / "out.mp4")
    done = run(*command, *(option.format(footage=footage) for option in options))
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert all(word in done.err for word in words), done.err
    assert not list(tmp_path.iterdir())
    assert sorted(footage.iterdir()) == before


def test_a_missing_output_is_named(run: Run, footage: Path) -> None:
    done = run("harmonize", footage / "comp.mp4")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--output" in done.err


def test_the_summary_counts_what_passed_through() -> None:
    summary = Summary(
        outputs=(Path("a.mp4"),),
        method="mkl",
        num_frames=20,
        num_empty=3,
        num_full=1,
        num_shots=2,
        num_analysed=5,
        confidence=None,
        seconds=4.0,
        cpu_seconds=3.0,
    )
    line = "a.mp4: 20 frames, 2 shots, mkl, 4.0 s (5.0 frames a second)"
    passed = "; passed through: 3 with an empty mask, 1 with a full one"
    assert summary_line(summary) == f"{line}{passed}; no cut found"
    trusted = replace(summary, confidence=0.756, num_empty=0, num_full=0)
    assert summary_line(trusted) == f"{line}, confidence 0.76; no cut found"
    cut = Cut(24, "00:00:01:00")
    for told, cuts, words in (
        ("found", [cut], "1 cut found: 24 (00:00:01:00)"),
        ("given", [cut, Cut(48, "00:00:02:00", 1049)], "2 cuts given: 24 (00:00:01:00), 48 (00:00:02:00, file 1049)"),
        ("given", [], "no cut given"),
        ("grade", [cut], "1 cut from the grade file: 24 (00:00:01:00)"),
        ("none", [], "one shot, as given"),
        ("found", [cut] * 7, f"7 cuts found: {', '.join(5 * ['24 (00:00:01:00)'])} and 2 more"),
    ):
        assert summary_line(replace(trusted, cuts=tuple(cuts), cuts_are=told)).endswith(f"; {words}")
    values = summary_values(replace(trusted, cuts=(cut,) * 7))
    assert values["cuts"] == [{"frame": 24, "timecode": "00:00:01:00", "file_number": None}] * 7
    assert values["cuts_are"] == "found"
