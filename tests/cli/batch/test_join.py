"""Chunks rendered separately and joined equal the result of one run."""

from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest

from chromacord.types import Size
from tests.cli.conftest import Run
from tests.clips import make_clip
from tests.footage import make_composite


class Read(NamedTuple):
    pixels: list[bytes]
    times: list[Fraction]
    packets: int
    streams: list[str]
    shown: tuple[object, ...]


def read(path: Path) -> Read:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        streams = sorted(stream.type for stream in container.streams)
        picture = container.streams.video[0]
        shown = (picture.average_rate, picture.codec_tag, frames[0].rotation, picture.metadata.get("timecode"))
    with av.open(str(path)) as container:
        packets = sum(packet.size > 0 for packet in container.demux(video=0))
    times = [frame.pts * frame.time_base for frame in frames]
    return Read([frame.to_ndarray().tobytes() for frame in frames], times, packets, streams, shown)


@pytest.fixture
def shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """Return a folder with a clip of 24 frames with sound, its mask, and its grade."""
    monkeypatch.chdir(tmp_path)
    size, rate = Size(72, 96), Fraction(24000, 1001)
    properties: dict[str, Any] = {"audio": "aac", "rate": rate, "rotation": 90, "timecode": "01:00:00:00"}
    make_clip(tmp_path / "a.mp4", num_frames=24, size=size, **properties)
    make_clip(tmp_path / "m.mp4", num_frames=24, size=size, rotation=90)
    assert run("grade", "a.mp4", "--mask", "m.mp4", "--method", "mkl", "-o", "g.json").code == 0
    return tmp_path


def render(run: Run, out: str, *more: str) -> None:
    done = run("apply", "g.json", "a.mp4", "--mask", "m.mp4", "-o", out, *more)
    assert done.code == 0, done.err


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "ffv1"), ("mp4", "h264"), ("mov", "hevc")])
def test_joined_chunks_have_the_frames_times_and_sound_of_one_run(
    run: Run, shot: Path, suffix: str, codec: str
) -> None:
    render(run, f"whole.{suffix}", "--codec", codec)
    for place in (1, 2, 3):
        render(run, f"{place}.{suffix}", "--codec", codec, "--chunk", f"{place}/3")
    parts = [f"{place}.{suffix}" for place in (1, 2, 3)]
    done = run("join", *parts, "--of", "a.mp4", "-o", f"joined.{suffix}")
    assert done == (0, f"joined.{suffix}: 24 frames of 3 chunks\n", "")
    whole, joined = read(shot / f"whole.{suffix}"), read(shot / f"joined.{suffix}")
    assert joined.times == whole.times
    assert joined.streams == whole.streams
    assert joined.shown == whole.shown
    assert joined.packets == whole.packets == 24
    assert sum(read(shot / part).streams.count("audio") for part in parts) == 0
    if codec == "ffv1":
        assert joined.pixels == whole.pixels
        return
    # Lossy chunks begin with a key frame each: not the same bytes, but no visible difference.
    values = [np.frombuffer(b"".join(each.pixels), np.uint8).astype(int) for each in (whole, joined)]
    assert np.abs(values[0] - values[1]).mean() < 1


def test_a_range_is_joined_from_time_0(run: Run, shot: Path) -> None:
    frames = ("--frames", "5:20")
    render(run, "whole.mp4", *frames)
    for place in (1, 2):
        render(run, f"{place}.mp4", *frames, "--chunk", f"{place}/2")
    assert run("join", "1.mp4", "2.mp4", "--of", "a.mp4", *frames, "-o", "joined.mp4").code == 0
    whole, joined = read(shot / "whole.mp4"), read(shot / "joined.mp4")
    assert (joined.times, joined.streams, joined.packets) == (whole.times, whole.streams, 15)
    assert joined.times[0] == 0


def test_images_of_chunks_are_complete_as_they_are(run: Run, shot: Path) -> None:
    for folder in ("whole", "chunks"):
        (shot / folder).mkdir()
    render(run, "whole/f.%04d.png")
    for place in (2, 1):
        render(run, "chunks/f.%04d.png", "--chunk", f"{place}/2")
    names = sorted(path.name for path in (shot / "whole").iterdir())
    assert len(names) == 24
    assert all((shot / "whole" / name).read_bytes() == (shot / "chunks" / name).read_bytes() for name in names)


def test_what_cannot_be_joined_is_refused_in_one_line(run: Run, shot: Path) -> None:
    for codec, place in (("h264", 1), ("hevc", 2)):
        render(run, f"{place}.mp4", "--codec", codec, "--chunk", f"{place}/2")
    make_composite(shot / "short.mp4", num_frames=10)
    for arguments, message in (
        (("1.mp4", "2.mp4", "--of", "a.mp4", "-o", "j.mp4"), "2.mp4: was not encoded with the settings of 1.mp4"),
        (("1.mp4", "--of", "a.mp4", "-o", "j.webm"), "j.webm: parts of .webm cannot be joined"),
        (("1.mp4", "--of", "short.mp4", "-o", "j.mp4"), "j.mp4: the parts have 12 frames, the source short.mp4 has 10"),
        (("1.mp4", "--of", "a.mp4", "-o", "a.mp4", "--force"), "a.mp4: is also an input"),
        (("no.mp4", "--of", "a.mp4", "-o", "j.mp4"), "no.mp4: cannot be read as a video"),
    ):
        done = run("join", *arguments)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert done.err.startswith(f"error: {message}"), done.err
    for chunk, message in (("3/2", "is not K/N"), ("1/100", "has only 24 frames")):
        done = run("apply", "g.json", "a.mp4", "--mask", "m.mp4", "-o", "c.mp4", "--chunk", chunk)
        assert done.code == 2
        assert message in done.err
    done = run("harmonize", "a.mp4", "--mask", "m.mp4", "-o", "c.mp4", "--chunk", "1/2")
    assert (done.code, "needs the grade of the whole clip" in done.err) == (2, True)
    assert not (shot / "c.mp4").exists()
    assert not (shot / "j.mp4").exists()
