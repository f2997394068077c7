"""Frames in the middle of a file are the same whether it is decoded from its start or from a key frame."""

from pathlib import Path

import av
import numpy as np
import pytest

from chromacord.io.interfaces import SupersededError, reading_while
from chromacord.io.video import decoding, video_source
from chromacord.io.video.video_source import VideoSource
from chromacord.types import Frame
from tests.clips import make_clip

NUM_FRAMES = 60
CODECS = {
    "closed.mp4": ("libx264", {"g": "12", "bf": "3"}),
    "open.mp4": ("libx264", {"g": "12", "bf": "3", "x264-params": "open-gop=1"}),
    "open.mkv": ("libx265", {"x265-params": "keyint=12:bframes=3:open-gop=1:log-level=none"}),
    "leading.mov": ("libx265", {"x265-params": "keyint=12:bframes=3:open-gop=1:log-level=none"}),
    "intra.mov": ("prores_ks", {}),
    "lossless.mkv": ("ffv1", {"g": "10"}),
    "stream.ts": ("libx264", {"g": "12"}),
}


def same(one: list[Frame], other: list[Frame]) -> bool:
    return len(one) == len(other) and all(
        (a.index, a.pts, a.duration) == (b.index, b.pts, b.duration)
        and all(np.array_equal(x, y) for x, y in zip(a.planes, b.planes, strict=True))
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("reordered", [decoding._REORDERED, 4])
@pytest.mark.parametrize("name", CODECS)
def test_frames_are_those_of_a_pass_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reordered: int
) -> None:
    monkeypatch.setattr(decoding, "_REORDERED", reordered)  # with few, packets of so short a clip are skipped too
    codec, options = CODECS[name]
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    clip = make_clip(tmp_path / name, codec=codec, pix_fmt=pix_fmt, num_frames=NUM_FRAMES, options=options)
    whole = list(VideoSource(clip).frames())
    for start in (0, 7, 8, 11, 12, 13, 23, 24, 37, 48, 59):
        for stop in (start + 1, start + 9, None):
            assert same(list(VideoSource(clip).frames(start, stop)), whole[start:stop]), (start, stop)
    assert list(VideoSource(clip).frames(NUM_FRAMES)) == []


def test_few_pictures_are_decoded_before_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip(tmp_path / "a.mp4", num_frames=NUM_FRAMES, options={"g": "12", "bf": "0"})
    source, decoded = VideoSource(clip), 0
    decode = decoding._decode

    def counting(*arguments: object) -> object:
        nonlocal decoded
        decoded += 1
        return decode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding, "_decode", counting)
    assert len(list(source.frames(50, 52))) == 2
    assert decoded < 12
    assert video_source._NEAR < 12


def test_few_packets_are_read_before_the_first_where_the_file_lists_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_REORDERED", 4)
    clip = make_clip(tmp_path / "a.mp4", num_frames=NUM_FRAMES, options={"g": "12", "bf": "2"})
    with av.open(str(clip)) as container:
        entry = decoding.find_entry(container, container.streams.video[0], 50)
    assert entry is not None
    assert entry.number == 48
    assert min(entry.numbers.values()) >= 24  # libav may seek to the key frame before the requested one


def test_key_frames_are_those_that_the_file_lists(tmp_path: Path) -> None:
    for name, found in (("a.mp4", (0, 12, 24, 36, 48)), ("a.mkv", ())):
        clip = make_clip(tmp_path / name, num_frames=NUM_FRAMES, options={"g": "12", "bf": "2"})
        assert decoding.key_frames(VideoSource(clip).info) == found


def test_the_way_to_a_frame_that_nobody_waits_for_is_left_at_once(tmp_path: Path) -> None:
    source, asked = VideoSource(make_clip(tmp_path / "a.mp4", num_frames=NUM_FRAMES)), 0

    def is_wanted() -> bool:
        nonlocal asked
        asked += 1
        return asked <= 5

    frames = source.frames(50)
    with reading_while(is_wanted), pytest.raises(SupersededError):
        next(frames)
    assert asked == 6
    assert next(source.frames(50)).index == 50  # afterwards all is wanted again
