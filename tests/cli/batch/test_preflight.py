from pathlib import Path

import pytest

from chromacord.cli.batch.clips import Clip
from chromacord.cli.batch.existing import is_done
from chromacord.cli.batch.preflight import inspect
from chromacord.color.management.config import BUILT_IN, open_config
from chromacord.errors import InputError, MissingFileError, OutputError, OutputExistsError, SequenceGapError
from chromacord.job.options import Options


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with files of these names; their contents are not read."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "a.mkv", "there.mp4", "gap.1.png", "gap.3.png"):
        (tmp_path / name).touch()
    (tmp_path / "frames").mkdir()
    return tmp_path


PLAIN = Options(method="identity")


@pytest.mark.parametrize(
    ("clip", "kind", "told"),
    [
        (Clip(composite="none.mp4", mask="alpha", output="out.mp4"), MissingFileError, "none.mp4: no such file"),
        (Clip(composite="a.mp4", mask="none.mkv", output="out.mp4"), MissingFileError, "none.mkv: no such file"),
        (Clip(composite="a.mp4", mask="m.%d.png", output="out.mp4"), MissingFileError, "m.%d.png: no such files"),
        (Clip(composite="gap.%d.png", mask="a.mkv", output="out.mp4"), SequenceGapError, "gap.2.png: frame 2 is miss"),
        (Clip(composite="a.mp4", mask="a.mkv", output="there.mp4"), OutputExistsError, "there.mp4: exists already"),
        (
            Clip(composite="a.mp4", mask="a.mkv", output="out.mp4", preview="gap.1.png"),
            OutputExistsError,
            "gap.1.png: exists already",
        ),
        (Clip(composite="a.mp4", mask="a.mkv", output="a.mkv/b/out.mp4"), OutputError, "a.mkv/b/out.mp4: "),
        (
            Clip(composite="a.mp4", mask="a.mkv", output="out.mp4", grade_in="none.json"),
            MissingFileError,
            "none.json: no such file",
        ),
    ],
)
def test_what_is_missing_or_in_the_way_is_found(folder: Path, clip: Clip, kind: type[Exception], told: str) -> None:
    good = Clip(composite="a.mp4", mask="alpha", output="frames/", preview="both.png")
    found = inspect([good, clip], PLAIN)
    ((which, error),) = found.problems
    assert which == clip
    assert isinstance(error, kind)
    assert str(error).startswith(told)
    assert not found.done


def test_what_the_settings_allow_is_no_problem(folder: Path) -> None:
    clips = [Clip(composite="gap.%d.png", mask="a.mkv", output="there.mp4")]
    assert not inspect(clips, Options(method="identity", force=True, missing="hold")).problems


def test_a_method_that_does_not_exist_is_a_problem_of_all(folder: Path) -> None:
    with pytest.raises(InputError, match="magic"):
        inspect([], Options(method="magic"))


def test_outputs_of_two_clips_that_are_one_file_are_found(folder: Path) -> None:
    (folder / "dot").symlink_to(".")
    clips = [Clip("out.mp4", "a.mp4", "a.mkv"), Clip("dot/out.mp4", "there.mp4", "a.mkv")]
    ((clip, error),) = inspect(clips, PLAIN).problems
    assert clip == clips[1]
    assert str(error).startswith("dot/out.mp4: would be written for a.mp4 and for there.mp4")


def test_an_output_that_is_a_hard_link_to_an_input_is_found(folder: Path) -> None:
    (folder / "link.mp4").hardlink_to(folder / "a.mkv")
    clip = Clip("out.mp4", "a.mp4", "a.mkv", preview="link.mp4")
    ((_, error),) = inspect([clip], Options(method="identity", force=True)).problems
    assert "also an input" in str(error) or "exists already" in str(error)


def test_an_output_that_another_clip_reads_is_found(folder: Path) -> None:
    """So are a configuration and a reference, which all clips read."""
    (folder / "config.json").write_text(open_config(BUILT_IN).serialize())
    options = Options(method="identity", force=True, config="config.json")
    for other in ("config.json", "there.mp4"):
        clips = [
            Clip("1.mp4", "a.mp4", "a.mkv", preview=other, reference="there.mp4"),
            Clip("2.mp4", "a.mp4", "a.mkv", reference="there.mp4"),
        ]
        problems = {clip.output: str(error) for clip, error in inspect(clips, options).problems}
        assert problems["1.mp4"] == f"{other}: is also an input; choose another output"
        assert problems["2.mp4"].startswith(f"{other}: would be written for a.mp4, and is read for a.mp4")


def test_clips_are_left_out_only_when_all_of_their_outputs_are_there(folder: Path) -> None:
    clip = Clip(composite="a.mp4", mask="a.mkv", output="there.mp4")
    found = inspect([clip], PLAIN, skip_existing=True)
    assert (found.problems, found.done) == ([], [clip])
    assert not is_done(Clip(composite="a.mp4", output="gap.%d.png"), PLAIN)
    assert not is_done(Clip(composite="a.mp4", output="there.mp4", preview="both.png"), PLAIN)
    assert not is_done(Clip(composite="a.mp4", output="frames/"), PLAIN)
    for left in (".a.png.host-1.1.partial", "notes.txt"):
        (folder / "frames" / left).touch()
    luts = Clip(composite="a.mp4", output="there.mp4", lut_out="frames")
    assert not is_done(Clip(composite="a.mp4", output="frames/"), PLAIN)
    assert not is_done(luts, PLAIN)
    (folder / "frames" / "frame.000000.png").touch()
    assert is_done(Clip(composite="a.mp4", output="frames/"), PLAIN)
    assert not is_done(luts, PLAIN)
    (folder / "frames" / "a_shot001.cube").touch()
    assert is_done(luts, PLAIN)
    assert not is_done(Clip(composite="a.mp4", output="out.%d.png"), PLAIN)
