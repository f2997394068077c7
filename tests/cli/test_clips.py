from pathlib import Path

import pytest

from chromacord.cli.clips import Clip, plan_clips
from chromacord.errors import InputError, OutputExistsError


def test_every_file_is_named_by_the_clip() -> None:
    others = {"mask": "{folder}/masks/{name}.mkv", "output": Path("out/{name}.mp4"), "preview": "out/{name}.png"}
    clips = plan_clips(["x/a.mp4", "y/b.mp4"], [], {**others, "grade_in": "all.json", "lut_out": None})
    assert clips == [
        Clip(composite="x/a.mp4", mask="x/masks/a.mkv", output="out/a.mp4", preview="out/a.png", grade_in="all.json"),
        Clip(composite="y/b.mp4", mask="y/masks/b.mkv", output="out/b.mp4", preview="out/b.png", grade_in="all.json"),
    ]


def test_layers_are_called_by_their_foregrounds() -> None:
    clips = plan_clips([], ["fg/a.mov", "fg/b.mov"], {"background": "bg/{name}.mp4", "output": "{name}.mp4"})
    assert [(clip.source, clip.background, clip.output) for clip in clips] == [
        ("fg/a.mov", "bg/a.mp4", "a.mp4"),
        ("fg/b.mov", "bg/b.mp4", "b.mp4"),
    ]


def test_one_clip_may_be_named_so_too_and_is_not_looked_at() -> None:
    (clip,) = plan_clips(["a.mp4"], [], {"mask": "{name}.mkv", "output": "a.mp4"})
    assert clip == Clip(composite="a.mp4", mask="a.mkv", output="a.mp4")
    assert plan_clips([], [], {"output": "a.mp4"}) == [Clip(output="a.mp4")]


@pytest.mark.parametrize(
    ("composites", "others", "told"),
    [
        (["a.mp4", "b.mp4"], {"output": "out.mp4"}, "out.mp4: is one output for 2 clips; put {name}"),
        (["a.mp4", "b.mp4"], {"output": "{name}.mkv", "lut_out": Path("luts")}, "luts: is one output for 2 clips"),
        (
            ["a.mp4", "b.mp4"],
            {"output": "."},
            ".: is one output for 2 clips; put {name} or {folder} in it, as in '{name",
        ),
        (["x/a.mp4", "y/a.mov"], {"output": "{name}.mkv"}, "a.mkv: would be written for x/a.mp4 and for y/a.mov"),
        (["a.mp4", "a.mp4"], {"output": "{name}.mkv"}, "a.mkv: would be written for a.mp4 and for a.mp4"),
        (["a.mp4", "a.png.mp4"], {"output": "{name}.png", "preview": "{name}.png.png"}, "a.png.png: would be written"),
        (["a.mp4", "b.mp4"], {"output": "./{name}.mp4"}, "a.mp4: would be written for a.mp4, and is read for a.mp4"),
        (["a.mp4", "b.mp4"], {"mask": "x/{name}.mp4", "output": "{folder}/x/{name}.mp4"}, "x/a.mp4: would be written"),
    ],
)
def test_files_that_would_be_written_twice_or_are_read_are_named(
    composites: list[str], others: dict[str, str | Path], told: str
) -> None:
    with pytest.raises(OutputExistsError) as caught:
        plan_clips(composites, [], others)
    assert str(caught.value).startswith(told)


def test_clips_are_either_composites_or_layers() -> None:
    with pytest.raises(InputError, match=r"fg\.mov: give either composites"):
        plan_clips(["a.mp4", "b.mp4"], ["fg.mov"], {"output": "{name}.mkv"})
