"""What every source promises, whatever it reads."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from chromacord.io import FrameSource, LayeredSource, open_source
from chromacord.io.stills.sequence import SequenceSource
from chromacord.io.video.video_source import VideoSource
from chromacord.types import Alpha, Frame
from tests.clips import make_clip
from tests.images import noise, write

NUM_FRAMES = 4


def _video(folder: Path) -> FrameSource:
    return open_source(make_clip(folder / "clip.mp4", num_frames=NUM_FRAMES))


def _video_with_alpha(folder: Path) -> FrameSource:
    path = make_clip(folder / "clip.mkv", codec="ffv1", pix_fmt="yuva444p10le", num_frames=NUM_FRAMES)
    return open_source(path)


def _sequence(folder: Path) -> FrameSource:
    for number in range(NUM_FRAMES):
        write(folder / f"frame.{number + 7:03}.png", noise(4, "uint16", seed=number))
    return open_source(folder)


def _float_sequence(folder: Path) -> FrameSource:
    for number in range(NUM_FRAMES):
        write(folder / f"frame.{number}.exr", noise(3, "half", seed=number), "half")
    return open_source(folder / "frame.#.exr")


def _layers(folder: Path) -> FrameSource:
    foreground = make_clip(folder / "over.mkv", codec="ffv1", pix_fmt="yuva420p", num_frames=NUM_FRAMES)
    return LayeredSource(open_source(foreground), _video(folder))


SOURCES: dict[str, Callable[[Path], FrameSource]] = {
    "video": _video,
    "video with alpha": _video_with_alpha,
    "sequence": _sequence,
    "float sequence": _float_sequence,
    "layers": _layers,
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> FrameSource:
    return SOURCES[request.param](tmp_path)


def assert_same(one: Frame, other: Frame) -> None:
    assert (one.index, one.pts, one.duration) == (other.index, other.pts, other.duration)
    for plane, twin in zip(one.planes, other.planes, strict=True):
        np.testing.assert_array_equal(plane, twin)


def test_frames_are_as_info_says(source: FrameSource) -> None:
    info = source.info
    frames = list(source.frames())
    assert len(frames) == NUM_FRAMES
    assert info.num_frames in (None, NUM_FRAMES)
    num_planes = info.pixel_format.num_colors + (info.pixel_format.alpha is not Alpha.NONE)
    down, right = info.pixel_format.subsampling
    for frame in frames:
        assert len(frame.planes) == num_planes
        for number, plane in enumerate(frame.planes):
            is_chroma = info.pixel_format.model == "yuv" and number in (1, 2)
            shift = (down, right) if is_chroma else (0, 0)
            assert plane.shape == (-(-info.size.height >> shift[0]), -(-info.size.width >> shift[1]))
            assert plane.dtype == info.pixel_format.dtype
            assert info.pixel_format.is_float or int(plane.max()) <= info.pixel_format.max_code
    assert source.has_alpha == (info.pixel_format.alpha is not Alpha.NONE)


def test_frames_come_in_order_with_rising_times(source: FrameSource) -> None:
    frames = list(source.frames())
    assert [frame.index for frame in frames] == list(range(NUM_FRAMES))
    times = [frame.pts * source.info.time_base for frame in frames]
    steps = {later - earlier for earlier, later in pairwise(times)}
    assert steps == {1 / source.info.rate}


def test_reading_twice_gives_the_same(source: FrameSource) -> None:
    for one, other in zip(source.frames(), source.frames(), strict=True):
        assert_same(one, other)


def test_two_loops_do_not_disturb_each_other(source: FrameSource) -> None:
    ahead = source.frames()
    next(ahead)
    second = next(ahead)
    first = next(source.frames())
    assert (first.index, second.index, next(ahead).index) == (0, 1, 2)
    ahead.close()


@pytest.mark.parametrize(("start", "stop"), [(1, 3), (0, 2), (2, None), (3, 99), (4, None), (2, 2)])
def test_a_part_holds_the_same_frames_as_the_whole(source: FrameSource, start: int, stop: int | None) -> None:
    whole = list(source.frames())[start:stop]
    part = list(source.frames(start, stop))
    assert len(part) == len(whole)
    for one, other in zip(part, whole, strict=True):
        assert_same(one, other)


def test_a_frame_outlives_the_next_ones(source: FrameSource) -> None:
    frames = source.frames()
    first = next(frames)
    before = [plane.copy() for plane in first.planes]
    list(frames)
    for plane, copy in zip(first.planes, before, strict=True):
        np.testing.assert_array_equal(plane, copy)


def test_the_path_chooses_the_kind(tmp_path: Path) -> None:
    assert isinstance(_video(tmp_path), VideoSource)
    (tmp_path / "images").mkdir()
    assert isinstance(_sequence(tmp_path / "images"), SequenceSource)
    assert isinstance(open_source(tmp_path / "images" / "frame.007.png"), SequenceSource)
