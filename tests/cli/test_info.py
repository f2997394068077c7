import json
from fractions import Fraction
from pathlib import Path

import pytest

from chromacord.cli.info import describe_pixels, describe_range
from chromacord.types import Colorimetry, PixelFormat
from tests.cli.conftest import Run
from tests.clips import BT709, BT2020, UNTAGGED, make_clip


def test_everything_known_of_a_file_is_shown(run: Run, tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "clip.mov",
        codec="libx265",
        pix_fmt="yuv420p10le",
        rate=Fraction(30000, 1001),
        colorimetry=BT2020,
        rotation=90,
        audio="aac",
        timecode="01:02:03:04",
    )
    facts = json.loads(run("info", clip, "--json").out)
    assert (facts["codec"], facts["width"], facts["height"], facts["frames"]) == ("hevc", 96, 64, 8)
    assert (facts["rate"], facts["rotation"], facts["timecode"]) == ("30000/1001", 90, "01:02:03:04")
    assert facts["pixels"] == "4:2:0 Y'CbCr, 10 bit"
    assert (facts["matrix"], facts["primaries"], facts["range"]) == ("BT.2020", "BT.2020", "limited")
    assert facts["transfer"] == "BT.2020 10 bit"
    assert facts["audio"] == ["aac 48000 Hz stereo"]
    assert facts["seconds"] == pytest.approx(8 * 1001 / 30000, abs=1e-3)


def test_people_get_a_line_for_each_fact(run: Run, tmp_path: Path) -> None:
    done = run("info", make_clip(tmp_path / "clip.mp4", colorimetry=BT709))
    lines = dict(
        line.split(maxsplit=1) for line in done.out.splitlines() if not line.startswith(("time", "other", "pix"))
    )
    assert (done.code, lines["codec"], lines["width"], lines["matrix"], lines["range"]) == (
        0,
        "h264",
        "96",
        "BT.709",
        "limited",
    )
    assert lines["audio"] == "none"


def test_what_is_not_tagged_is_said_to_be_untagged(run: Run, tmp_path: Path) -> None:
    facts = json.loads(run("info", make_clip(tmp_path / "clip.mp4", colorimetry=UNTAGGED), "--json").out)
    assert (facts["matrix"], facts["primaries"], facts["transfer"]) == ("untagged", "untagged", "untagged")


def test_a_file_that_does_not_exist_is_one_line(run: Run, tmp_path: Path) -> None:
    done = run("info", tmp_path / "nowhere.mp4")
    assert done == (2, "", f"error: {tmp_path / 'nowhere.mp4'}: no such file\n")
    done = run("info", tmp_path / "nowhere.mp4", "--json")
    assert (done.code, json.loads(done.out)["class"]) == (2, "MissingFileError")


def test_formats_are_told_in_words() -> None:
    assert describe_pixels(PixelFormat("rgb", 16, is_float=True)) == "RGB, 16 bit float"
    assert describe_pixels(PixelFormat("yuv", 10, subsampling=(0, 1))) == "4:2:2 Y'CbCr, 10 bit"
    ranges = [describe_range(Colorimetry(full_range=value)) for value in (None, False, True)]
    assert ranges == ["untagged", "limited", "full"]
