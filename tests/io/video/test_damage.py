"""Damage of which libav writes to its log alone."""

import gc
import logging
import subprocess
import sys
import warnings
from pathlib import Path

import av
import pytest

from chromacord.errors import ChromacordWarning, TruncatedFileError
from chromacord.io.video import video_source
from chromacord.io.video.damage import Listener
from chromacord.io.video.video_source import VideoSource
from chromacord.types import Size
from tests.clips import SMALL, make_clip

MAYBE = [(".avi", "mjpeg", "yuvj420p"), (".mkv", "libx265", "yuv420p")]

DROPPED = """
import sys
from chromacord.io.video import video_source
video_source.num_cores = lambda: 16
for _ in range(25):
    next(video_source.VideoSource(sys.argv[1]).frames())
"""


def damaged(path: Path, frame: int) -> Path:
    """Set the last quarter of a frame's packet to zero, in place."""
    with av.open(str(path)) as container:
        spots = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    position, size = spots[frame]
    assert position is not None
    data = bytearray(path.read_bytes())
    data[position + size - size // 4 : position + size] = bytes(size // 4)
    path.write_bytes(data)
    return path


@pytest.fixture(params=[1, 4])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(video_source, "num_cores", lambda: 2 * request.param)
    return int(request.param)


def ffv1(path: Path, size: Size = SMALL) -> Path:
    return make_clip(path, codec="ffv1", num_frames=20, size=size, options={"level": "3", "slicecrc": "1"})


@pytest.mark.usefixtures("threads")
def test_a_slice_whose_check_sum_is_wrong_is_damage(tmp_path: Path) -> None:
    path = damaged(ffv1(tmp_path / "a.mkv"), 12)
    with pytest.raises(TruncatedFileError, match=r"a\.mkv: breaks in the middle, at frame 12"):
        list(VideoSource(path).frames())


@pytest.mark.usefixtures("threads")
def test_the_pictures_before_it_are_kept(tmp_path: Path) -> None:
    whole, path = ffv1(tmp_path / "a.mkv"), damaged(ffv1(tmp_path / "b.mkv"), 12)
    with pytest.warns(ChromacordWarning, match=r"b\.mkv: breaks in the middle, at frame 12.*kept: 12 frames before it"):
        kept = list(VideoSource(path, salvage=True).frames())
    assert len(kept) == 12
    for frame, other in zip(kept, VideoSource(whole).frames(), strict=False):
        assert all((a == b).all() for a, b in zip(frame.planes, other.planes, strict=True))


@pytest.mark.usefixtures("threads")
def test_damage_is_of_the_file_that_has_it_when_two_are_read_side_by_side(tmp_path: Path) -> None:
    whole, path = ffv1(tmp_path / "a.mkv"), damaged(ffv1(tmp_path / "b.mkv"), 5)
    others = VideoSource(whole).frames()
    next(others)
    with pytest.raises(TruncatedFileError, match=r"b\.mkv: breaks in the middle, at frame 5"):
        list(VideoSource(path).frames())
    assert len(list(others)) == 19


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"), [(".avi", "mjpeg", "yuvj420p"), (".mkv", "libx265", "yuv420p")]
)
def test_what_may_be_damage_is_told_once(tmp_path: Path, suffix: str, codec: str, pix_fmt: str) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = make_clip(tmp_path / f"a{suffix}", codec=codec, pix_fmt=pix_fmt, num_frames=20, options=options)
    source = VideoSource(damaged(path, 12))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):
            list(source.frames())
    (message,) = [str(each.message) for each in told]
    assert f"a{suffix}: may be damaged near frame 1" in message


def test_a_whole_file_is_not_doubted(tmp_path: Path) -> None:
    path = ffv1(tmp_path / "a.mkv")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = VideoSource(path).frames()
        next(frames)
        av.logging.log(av.logging.ERROR, "ffv1", "slice CRC mismatch of another file")
        assert len(list(frames)) == 19


def test_dropping_a_reading_while_its_threads_decode_damage_ends(tmp_path: Path) -> None:
    """Their messages wait for the interpreter's lock, which is held while a decoder is freed."""
    path = ffv1(tmp_path / "a.mkv", Size(480, 640))
    for frame in range(1, 20):
        damaged(path, frame)
    subprocess.run([sys.executable, "-c", DROPPED, str(path)], check=True, timeout=60)


def test_the_log_is_as_it_was_when_nothing_is_read(tmp_path: Path) -> None:
    handlers, level = list(logging.getLogger("libav").handlers), av.logging.get_level()
    frames = VideoSource(ffv1(tmp_path / "a.mkv")).frames()
    next(frames)
    assert av.logging.get_level() == av.logging.ERROR
    del frames
    gc.collect()
    assert logging.getLogger("libav").handlers == handlers
    assert av.logging.get_level() == level


def test_a_program_that_has_the_log_keeps_it() -> None:
    av.logging.set_level(av.logging.INFO)
    try:
        listener = Listener("ffv1")
        assert av.logging.get_level() == av.logging.INFO
        listener.close()
        listener.close()
        assert av.logging.get_level() == av.logging.INFO
    finally:
        av.logging.set_level(None)
