from collections.abc import Iterator
from pathlib import Path

import pytest

from chromacord.io import Encoding, open_sink, open_source
from chromacord.io.threads import core_share, num_cores, share_cores
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


@pytest.mark.parametrize(
    ("codec", "told"), [("h264", b" threads=1 "), ("hevc", b"frame-threads=1 numa-pools=1"), ("av1", b""), ("vp9", b"")]
)
def test_encoders_keep_to_their_share_of_the_cores(tmp_path: Path, one_core: None, codec: str, told: bytes) -> None:
    source = make_clip(tmp_path / "in.mp4", num_frames=4)
    # x264 and x265 write their settings into the stream.
    assert told in recoded(source, tmp_path / "out.mkv", codec)
    assert sum(1 for _ in open_source(tmp_path / "out.mkv").frames()) == 4


def test_without_a_share_all_cores_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    assert (core_share(), num_cores()) == (None, 16)
