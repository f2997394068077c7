"""Cuts given by the user: as numbers, by a list, or as "none"."""

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chromacord.analysis.cuts import Cut, beyond, check_cuts, edl_file
from chromacord.analysis.given_cuts import named_cuts, read_cuts
from chromacord.api import harmonize_frames, harmonize_video
from chromacord.errors import ChromacordError, ChromacordWarning, InputError, MissingFileError, OutputExistsError
from chromacord.types import PixelFormat, VideoInfo
from tests.footage import disc, make_composite, make_mask, recoloured
from tests.images import write
from tests.scenes import describe

NTSC = Fraction(30000, 1001)


def info(num_frames: int | None = 20, **changes: Any) -> VideoInfo:
    values = vars(describe(PixelFormat("yuv", subsampling=(1, 1))))
    return VideoInfo(**{**values, "num_frames": num_frames, **changes})


def write_edl(folder: Path, *times: str, name: str = "cut.edl") -> Path:
    """Write a list whose events begin at these record times; the last time is the end of the last event."""
    pairs = enumerate(pairwise(times), start=1)
    lines = [f"{number:03} AX V C 00:00:00:00 00:00:01:00 {begin} {stop}" for number, (begin, stop) in pairs]
    (folder / name).write_text("\n".join(["TITLE: MADE", *lines, ""]))
    return folder / name


def make_clip(folder: Path, *, ending: str = ".mp4") -> dict[str, Path]:
    """Write 20 frames whose colours turn over at frame 10, with a mask."""
    frames = [recoloured("yuv420p", index) for index in range(20)]
    for planes in frames[10:]:
        planes[0] = (255 - planes[0]).clip(20, 230)
    codec = {".mp4": "libx264", ".mkv": "ffv1"}[ending]
    return {
        "composite": make_composite(folder / f"comp{ending}", codec=codec, frames=frames),
        "mask": make_mask(folder / "mask.mkv", frames=[[disc(index)] for index in range(20)]),
    }


def starts(grade: Path) -> list[int]:
    return [shot["start"] for shot in json.loads(grade.read_text())["shots"]]


@pytest.mark.parametrize(
    ("cuts", "expected", "source"),
    [
        ("4, 12", (4, 12), "given"),
        ([4, 12], (4, 12), "given"),
        (np.array([4, 12]), (4, 12), "given"),
        ("0,19", (19,), "given"),
        ("none", (), "none"),
        ((), (), "none"),
    ],
)
def test_numbers_are_first_frames_of_shots(cuts: Any, expected: tuple[int, ...], source: str) -> None:
    told = read_cuts(cuts, info())
    assert told is not None
    assert (told.frames, told.source, told.file) == (expected, source, None)


BAD = {
    "beyond": (
        "5,20",
        "made.mov: a cut at frame 20 lies beyond the clip, which has 20 frames; frames are counted from 0",
    ),
    "falling": ("12,4", "cuts: 4 comes after 12; frame numbers must increase"),
    "twice": ([4, 4], "cuts: 4 comes after 4; frame numbers must increase"),
    "negative": ([-1], "cuts: -1 is not a frame number"),
    "a fraction": ([1.5], "cuts: 1.5 is not a frame number"),
    "a truth": ([True], "cuts: True is not a frame number"),
    "too large": ("9" * 5000, "is not a frame number"),
    "a gap": ("4,,12", "cuts '4,,12': are not frame numbers; give the first frames of shots"),
    "a range": ("4:12", "are not frame numbers"),
    "a sign": ("-4", "are not frame numbers"),
    "nothing": ("", "are not frame numbers"),
}


@pytest.mark.parametrize(("cuts", "words"), BAD.values(), ids=BAD.keys())
def test_other_numbers_are_refused_in_one_line(cuts: Any, words: str) -> None:
    with pytest.raises(InputError) as refused:
        read_cuts(cuts, info())
    assert words in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_number_of_a_sequences_file_is_told_what_it_should_be() -> None:
    with pytest.raises(InputError, match=r"frames are counted from 0, that of file 1005 is 5$"):
        read_cuts("1005", info(first_number=1000))


def test_what_is_no_number_and_no_word_is_a_file(tmp_path: Path) -> None:
    assert edl_file("reel 1.edl") == Path("reel 1.edl")
    assert edl_file(Path("24,48")) == Path("24,48")
    for told in (None, "none", "24", "24,48", "24,", [24]):
        assert edl_file(told) is None
    with pytest.raises(MissingFileError, match=r"cut\.edl: no such file"):
        read_cuts(tmp_path / "cut.edl", info())


def test_a_list_begins_with_its_first_event_where_the_clip_has_no_timecode(tmp_path: Path) -> None:
    edl = write_edl(tmp_path, "01:00:00:00", "01:00:00:06", "01:00:00:12", "01:00:00:20")
    told = read_cuts(edl, info())
    assert told is not None
    assert (told.frames, told.source, told.file) == ((6, 12), "given", edl)


def test_a_list_is_placed_by_the_clips_timecode(tmp_path: Path) -> None:
    edl = write_edl(tmp_path, "00:59:59:00", "01:00:00:02", "01:00:00:12", "01:00:03:00", "01:00:04:00")
    told = read_cuts(str(edl), info(timecode="01:00:00:00"))
    assert told is not None
    assert told.frames == (2, 12)
    drop = write_edl(tmp_path, "00:00:59;28", "00:01:00;02", "00:01:00;10", name="drop.edl")
    placed = read_cuts(drop, info(rate=NTSC, timecode="00:00:59;28"))
    assert placed is not None
    assert placed.frames == (2,)


def test_a_timecode_of_another_time_is_told(tmp_path: Path) -> None:
    edl = write_edl(tmp_path, "01:00:00:00", "01:00:00:06", "01:00:00:20")
    with pytest.warns(
        ChromacordWarning, match="timecode 09:00:00:00 lies outside the record times, so the list's first"
    ):
        told = read_cuts(edl, info(timecode="09:00:00:00"))
    assert told is not None
    assert told.frames == (6,)


def test_a_list_that_is_longer_than_the_clip_is_refused_with_its_line(tmp_path: Path) -> None:
    edl = write_edl(tmp_path, "01:00:00:00", "01:00:00:06", "01:00:00:20", "01:00:01:00")
    with pytest.raises(
        InputError, match=r"cut\.edl line 4: begins a shot at frame 20, .* has 20; check that the list is for this clip"
    ):
        read_cuts(edl, info())


def test_cuts_are_named_by_timecode_and_by_the_number_of_their_file() -> None:
    assert named_cuts(info(), [24]) == (Cut(24, "00:00:01:00"),)
    assert named_cuts(info(timecode="take 3"), [25]) == (Cut(25, "00:00:01:01"),)
    assert named_cuts(info(rate=NTSC, timecode="00:00:59;29"), [1]) == (Cut(1, "00:01:00;02"),)
    assert named_cuts(info(first_number=1001), [24]) == (Cut(24, "00:00:01:00", 1025),)
    assert named_cuts(info(rate=Fraction(1, 3)), [2]) == (Cut(2, "00:00:02:00"),)


@pytest.mark.parametrize("consistency", ["smooth", "shot"])
def test_shots_begin_where_they_are_told_to(tmp_path: Path, consistency: Any) -> None:
    clip, grade = make_clip(tmp_path), tmp_path / "grade.json"
    summary = harmonize_video(
        **clip, output=tmp_path / "a.mkv", method="mkl", cuts="5,12", consistency=consistency, grade_out=grade
    )
    assert starts(grade) == [0, 5, 12]
    assert summary.cuts == (Cut(5, "00:00:00:05"), Cut(12, "00:00:00:12"))
    assert (summary.cuts_are, summary.num_shots) == ("given", 3)
    again = harmonize_video(**clip, output=tmp_path / "b.mkv", grade_in=grade)
    assert (again.cuts, again.cuts_are) == (summary.cuts, "grade")


def test_a_grade_that_is_written_alone_begins_shots_where_it_is_told_to(tmp_path: Path) -> None:
    clip, grade = make_clip(tmp_path, ending=".mkv"), tmp_path / "grade.json"
    summary = harmonize_video(**clip, method="mkl", cuts=[5, 12], grade_out=grade)
    assert (starts(grade), summary.outputs) == ([0, 5, 12], (grade,))
    assert ([cut.frame for cut in summary.cuts], summary.cuts_are) == ([5, 12], "given")
    with pytest.raises(InputError, match="a cut at frame 20 lies beyond the clip, which has 20 frames"):
        harmonize_video(**clip, method="mkl", cuts=[20], grade_out=tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()


def test_none_is_one_shot_whatever_the_pictures_are(tmp_path: Path) -> None:
    clip, grade = make_clip(tmp_path), tmp_path / "grade.json"
    found = harmonize_video(**clip, output=tmp_path / "a.mkv", method="mkl")
    assert (found.cuts, found.cuts_are) == ((Cut(10, "00:00:00:10"),), "found")
    told = harmonize_video(**clip, output=tmp_path / "b.mkv", method="mkl", cuts="none", grade_out=grade)
    assert (told.cuts, told.cuts_are, starts(grade)) == ((), "none", [0])


def test_cuts_outside_the_range_are_left_out(tmp_path: Path) -> None:
    clip, grade = make_clip(tmp_path), tmp_path / "grade.json"
    options = {"cuts": [2, 6, 8, 15], "frames": (6, 12), "grade_out": grade}
    summary = harmonize_video(**clip, output=tmp_path / "a.mkv", method="mkl", **options)
    assert (starts(grade), [cut.frame for cut in summary.cuts]) == ([6, 8], [8])


def test_a_cut_behind_an_end_that_is_not_stated_is_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path, ending=".mkv")
    for consistency in ("smooth", "shot"):
        with pytest.raises(InputError, match="a cut at frame 20 lies beyond the clip, which has 20 frames"):
            harmonize_video(**clip, output=tmp_path / "a.mkv", method="mkl", cuts="20", consistency=consistency)
    assert not (tmp_path / "a.mkv").exists()


def test_a_grade_says_itself_where_its_shots_begin(tmp_path: Path) -> None:
    clip = make_clip(tmp_path)
    with pytest.raises(InputError, match=r"old\.json: the grade already says where shots begin; omit --cuts"):
        harmonize_video(**clip, output=tmp_path / "a.mkv", grade_in=tmp_path / "old.json", cuts="none")
    check_cuts(None, grade_in="old.json")


def test_an_output_never_replaces_the_list(tmp_path: Path) -> None:
    edl = write_edl(tmp_path, "00:00:00:00", "00:00:00:06", "00:00:00:20")
    before = edl.read_bytes()
    with pytest.raises(OutputExistsError, match=r"cut\.edl: is also an input"):
        harmonize_video(**make_clip(tmp_path), output=tmp_path / "a.mkv", cuts=edl, grade_out=edl, force=True)
    assert edl.read_bytes() == before


def test_sequences_are_counted_from_0_and_told_by_file_too(tmp_path: Path) -> None:
    for index in range(8):
        write(tmp_path / f"c.{1001 + index}.png", np.stack(recoloured("gbrp", index), axis=-1))
    mask = write(tmp_path / "mask.png", disc(0)[..., None])
    summary = harmonize_video(
        tmp_path / "c.%04d.png", mask=mask, output=tmp_path / "o.%04d.png", method="mkl", cuts=[3]
    )
    assert summary.cuts == (Cut(3, "00:00:00:03", 1004),)


def test_arrays_take_numbers_too() -> None:
    pairs = [(np.stack(recoloured("gbrp", index), axis=-1), disc(index)) for index in range(8)]
    turned = [(255 - composite, mask) for composite, mask in pairs]
    both = list(harmonize_frames(pairs + turned, "mkl", cuts=[8], consistency="shot"))
    apart = [
        frame for part in (pairs, turned) for frame in harmonize_frames(part, "mkl", cuts="none", consistency="shot")
    ]
    np.testing.assert_array_equal(both, apart)
    for cuts in ("cut.edl", [3, 2], [-1]):
        with pytest.raises(ChromacordError, match="cuts"):
            harmonize_frames(pairs, "mkl", cuts=cuts)  # type: ignore[arg-type]


@pytest.mark.parametrize(("number", "frame"), [(999, None), (1000, 0), (1019, 19), (1020, None)])
def test_a_number_of_a_file_is_told_as_the_frame_that_was_meant(number: int, frame: int | None) -> None:
    told = str(beyond(number, Path("shot.%04d.png"), 20, first_number=1000))
    assert "frames are counted from 0" in told
    assert (f"that of file {number} is {frame}" in told) == (frame is not None)
    assert "that of file" not in str(beyond(number, Path("shot.mov"), 20))
