"""Concurrent analysis and rendering give the same result as sequential ones, and read no mask twice."""

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chromacord.api import harmonize_video
from chromacord.errors import ChromacordError, MismatchError
from chromacord.io import open_source
from chromacord.io.video.video_source import VideoSource
from chromacord.job.summary import Summary
from chromacord.types import Frame, Progress, Size
from tests.footage import SIZE, decoded, disc, make_composite, make_mask, recoloured, times
from tests.images import write
from tests.scenes import Shade

EMPTY = [np.zeros(SIZE, np.uint8)]
FULL = [np.full(SIZE, 255, np.uint8)]


def shots(count: int, *cuts: int) -> list[list[np.ndarray]]:
    """Return frames of a composite whose colours turn over at each cut."""
    frames = [recoloured("yuv420p", index % 20) for index in range(count)]
    for index, planes in enumerate(frames):
        if sum(index >= cut for cut in cuts) % 2:
            planes[0] = (255 - planes[0]).clip(20, 230)
            planes[1], planes[2] = planes[2], planes[1]
    return frames


def masks(count: int, *, empty: range = range(0), full: range = range(0)) -> list[list[np.ndarray]]:
    return [EMPTY if n in empty else FULL if n in full else [disc(n % 20)] for n in range(count)]


def make_clip(folder: Path, count: int, *cuts: int, **unusable: range) -> dict[str, Any]:
    return {
        "composite": make_composite(folder / "comp.mkv", codec="ffv1", frames=shots(count, *cuts)),
        "mask": make_mask(folder / "mask.mkv", frames=masks(count, **unusable)),
    }


def make_layers(folder: Path) -> dict[str, Any]:
    layer = [[*recoloured("gbrp10le", n)[:3], disc(n, top=1023)] for n in range(12)]
    return {
        "background": make_composite(folder / "bg.mkv", codec="ffv1", num_frames=12),
        "foreground": make_composite(folder / "fg.mkv", "gbrap10le", codec="ffv1", frames=layer),
    }


def make_sequence(folder: Path) -> dict[str, Any]:
    for kind in ("comp", "mask"):
        (folder / kind).mkdir()
    for n in range(12):
        write(folder / "comp" / f"{n:03d}.png", np.stack(recoloured("gbrp", n), axis=-1))
        write(folder / "mask" / f"{n:03d}.png", disc(n)[..., None])
    return {"composite": folder / "comp", "mask": folder / "mask"}


def make_still_mask(folder: Path) -> dict[str, Any]:
    write(folder / "mask.png", disc(3)[..., None])
    return {"composite": make_composite(folder / "comp.mkv", codec="ffv1", num_frames=12), "mask": folder / "mask.png"}


def make_salvaged(folder: Path) -> dict[str, Any]:
    clip = make_clip(folder, 20)
    return clip | {"mask": make_mask(folder / "short.mkv", frames=masks(15)), "salvage": True}


CASES = {
    "several windows": lambda folder: make_clip(folder, 90),
    "several shots": lambda folder: make_clip(folder, 60, 17, 40),
    "shorter than a window": lambda folder: make_clip(folder, 5),
    "empty and full in parts": lambda folder: make_clip(folder, 60, 30, empty=range(8, 45), full=range(50, 54)),
    "empty at both ends": lambda folder: make_clip(folder, 40, empty=range(12), full=range(33, 40)),
    "a part": lambda folder: make_clip(folder, 60, 30) | {"frames": (22, 51)},
    "every frame": lambda folder: make_clip(folder, 30, 12) | {"consistency": "frame"},
    "half strength": lambda folder: make_clip(folder, 40) | {"strength": 0.5},
    "no strength": lambda folder: make_clip(folder, 12) | {"strength": 0.0},
    "another method": lambda folder: make_clip(folder, 40) | {"method": "mkl"},
    "local grades": lambda folder: make_clip(folder, 12) | {"method": Shade()},
    "its own alpha": lambda folder: {"composite": make_layers(folder)["foreground"], "mask": "alpha"},
    "layers": make_layers,
    "images": make_sequence,
    "a still mask": make_still_mask,
    "a mask that ends early": make_salvaged,
}


def run(folder: Path, options: dict[str, Any], *, whole: bool) -> tuple[Summary, list[str], list[Progress]]:
    """Harmonize; with `whole`, everything must be analysed first, for a preview of the most telling frame."""
    folder.mkdir()
    told: list[Progress] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        summary = harmonize_video(
            **options,
            output=folder / "out.mkv",
            grade_out=folder / "grade.json",
            preview=folder / "preview.png" if whole else None,
            progress=told.append,
        )
    assert ("analyse" in {progress.stage for progress in told}) == whole
    return summary, sorted({str(warning.message) for warning in caught}), told


@pytest.mark.parametrize("name", CASES)
def test_both_ways_give_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    options = CASES[name](tmp_path)
    side_by_side, said, _ = run(tmp_path / "a", options, whole=False)
    in_turn, said_in_turn, _ = run(tmp_path / "b", options, whole=True)
    assert (tmp_path / "a" / "grade.json").read_bytes() == (tmp_path / "b" / "grade.json").read_bytes()
    assert times(tmp_path / "a" / "out.mkv") == times(tmp_path / "b" / "out.mkv")
    for one, other in zip(decoded(tmp_path / "a" / "out.mkv"), decoded(tmp_path / "b" / "out.mkv"), strict=True):
        for plane, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(plane, expected)
    assert said == said_in_turn
    unlike = {"outputs": (), "seconds": 0.0, "cpu_seconds": 0.0}
    assert replace(side_by_side, **unlike) == replace(in_turn, **unlike)


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often each video is read, and how many of its frames."""
    counted: Counter[str] = Counter()
    original = VideoSource.frames

    def frames(self: VideoSource, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        counted[self.info.path.stem] += 1
        for frame in original(self, start, stop):
            counted[f"{self.info.path.stem} frames"] += 1
            yield frame

    monkeypatch.setattr(VideoSource, "frames", frames)
    return counted


def test_the_mask_is_read_once(tmp_path: Path, openings: Counter[str]) -> None:
    clip = make_clip(tmp_path, 30)
    harmonize_video(**clip, output=tmp_path / "out.mkv")
    # Its first frame twice: the form of its values, such as 0 and 1, is known before the clip is read.
    assert openings == {"mask": 2, "mask frames": 31, "comp": 2, "comp frames": 60}


def test_the_first_frame_comes_out_after_as_many_frames_whatever_the_length(
    tmp_path: Path, openings: Counter[str]
) -> None:
    read = []
    for count in (90, 240):
        (tmp_path / str(count)).mkdir()
        clip = make_clip(tmp_path / str(count), count)
        openings.clear()
        told: list[int] = []

        def note(progress: Progress, told: list[int] = told) -> None:
            if progress.stage == "render" and progress.done == 1:
                told.append(openings["mask frames"])

        harmonize_video(**clip, output=tmp_path / f"{count}.mkv", progress=note)
        read.append(told[0])
    # A window of eight frames, four apart, twice: smoothing reaches into the second. And what threads hold.
    assert max(read) <= 2 * 32 + 8
    assert abs(read[0] - read[1]) <= 4


def test_a_mask_that_is_too_short_is_found_before_anything_is_kept(tmp_path: Path) -> None:
    clip = make_clip(tmp_path, 100) | {"mask": make_mask(tmp_path / "short.mkv", frames=masks(99))}
    before = sorted(tmp_path.iterdir())
    with pytest.raises(MismatchError, match=r"99 frames.*100 frames"):
        harmonize_video(**clip, output=tmp_path / "out.mkv")
    assert sorted(tmp_path.iterdir()) == before


def test_an_error_of_the_progress_callback_leaves_nothing(tmp_path: Path) -> None:
    clip = make_clip(tmp_path, 100)

    def fail(progress: Progress) -> None:
        if progress.done:
            raise ZeroDivisionError

    before = sorted(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError):
        harmonize_video(**clip, output=tmp_path / "out.mkv", progress=fail)
    assert sorted(tmp_path.iterdir()) == before


def test_no_frame_is_rendered_of_a_clip_without_a_usable_mask(tmp_path: Path) -> None:
    clip = make_clip(tmp_path, 40, empty=range(20), full=range(20, 40))
    told: list[Progress] = []
    with pytest.raises(ChromacordError, match="empty or full in all 40 frames"):
        harmonize_video(**clip, output=tmp_path / "out.mkv", progress=told.append)
    assert [progress.done for progress in told] == [0]


def test_a_preview_video_shows_each_frame_beside_its_source(tmp_path: Path) -> None:
    harmonize_video(**make_clip(tmp_path, 12), output=tmp_path / "out.mkv", preview=tmp_path / "beside.mp4")
    info = open_source(tmp_path / "beside.mp4").info
    assert (info.size, info.num_frames) == (Size(SIZE.height, 2 * SIZE.width), 12)
