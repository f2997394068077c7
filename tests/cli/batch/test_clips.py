from pathlib import Path

import pytest

from chromacord.cli.batch.clips import Clip, plan_clips
from chromacord.errors import InputError, OutputExistsError


def test_every_file_is_named_by_the_clip() -> None:
    others = {"mask": "{parent}/masks/{name}.mkv", "output": Path("out/{name}.mp4"), "preview": "out/{name}.png"}
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
    ],
)
def test_an_output_of_all_clips_is_named(composites: list[str], others: dict[str, str | Path], told: str) -> None:
    with pytest.raises(OutputExistsError) as caught:
        plan_clips(composites, [], others)
    assert str(caught.value).startswith(told)


def test_clips_are_either_composites_or_layers() -> None:
    with pytest.raises(InputError, match=r"fg\.mov: give either composites"):
        plan_clips(["a.mp4", "b.mp4"], ["fg.mov"], {"output": "{name}.mkv"})


def test_a_folder_is_named_alone_or_with_its_path() -> None:
    (clip,) = plan_clips(["x/y/a.mp4"], [], {"output": "{folder}_{name}.mp4", "mask": "{parent}/m.mp4"})
    assert (clip.output, clip.mask) == ("y_a.mp4", "x/y/m.mp4")


@pytest.mark.parametrize("source", ["...mp4", "..mp4"])
def test_a_clip_whose_name_would_be_a_folder_is_refused(source: str) -> None:
    with pytest.raises(InputError, match="which is not a name"):
        plan_clips([source], [], {"output": "out/{name}/"})


@pytest.mark.parametrize(
    ("composites", "others", "told"),
    [
        ([""], {"output": "o.mp4"}, "COMPOSITE is empty"),
        (["a.mp4"], {"output": ""}, "--output is empty"),
        (["a.mp4", "b.mp4"], {"output": "{name}/", "grade_out": ""}, "--grade-out is empty"),
    ],
)
def test_an_empty_path_is_not_the_working_folder(composites: list[str], others: dict[str, str], told: str) -> None:
    """A shell makes one of a variable that is not set."""
    with pytest.raises(InputError, match=f"^{told}; name a file$"):
        plan_clips(composites, [], others)
