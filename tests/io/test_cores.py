from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.speed_clips import describe
from chromacord.io import Encoding, open_sink, open_source
from chromacord.io.cores import core_share, num_cores, share_cores
from chromacord.io.video.codecs import choose
from chromacord.io.video.settings import encoder_options
from chromacord.types import Size
from tests.clips import make_clip


@pytest.fixture
def one_core() -> Iterator[None]:
    share_cores(1)
    yield
    share_cores(None)


def recoded(source: Path, out: Path, codec: str) -> bytes:
    clip = open_source(source)
    with open_sink(out, clip.info, encoding=Encoding(codec=codec)) as sink:
        for frame in clip.frames():
            sink.write(frame)
        sink.finish()
        sink.commit()
    return out.read_bytes()


@pytest.mark.parametrize(("codec", "told"), [("h264", b" threads=1 "), ("hevc", b"frame-threads=1 numa-pools=1")])
def test_encoders_keep_to_their_share_of_the_cores(tmp_path: Path, one_core: None, codec: str, told: bytes) -> None:
    source = make_clip(tmp_path / "in.mp4", num_frames=4)
    # x264 and x265 write their settings into the stream.
    assert told in recoded(source, tmp_path / "out.mkv", codec)
    assert sum(1 for _ in open_source(tmp_path / "out.mkv").frames()) == 4


@pytest.mark.parametrize(
    ("codec", "size", "told"),
    [
        ("av1", Size(360, 640), {"threads": "2", "svtav1-params": "lp=2"}),
        ("av1", Size(2160, 3840), {"threads": "2", "svtav1-params": "lookahead=0:hierarchical-levels=2:lp=1"}),
        ("vp9", Size(360, 640), {"threads": "2"}),
    ],
)
def test_encoders_that_do_not_tell_are_told_so(codec: str, size: Size, told: dict[str, str]) -> None:
    """More threads than one would undo what keeps AV1's memory small at 4K."""
    info = describe(size, 10)
    share_cores(2)
    try:
        choice = choose(info, Path("out.mkv"), codec)
        options = encoder_options(choice, Encoding(codec=codec), size=size, pixel_format=info.pixel_format)
    finally:
        share_cores(None)
    assert told.items() <= options.items()


def test_without_a_share_all_cores_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    assert (core_share(), num_cores()) == (None, 16)
