"""A video output appears whole or not at all, and says in one line why not."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from chromacord.errors import CodecError, OutputError, OutputExistsError
from chromacord.io.video.encoder import VideoSink
from chromacord.io.video.video_source import VideoSource
from chromacord.types import Encoding
from tests.clips import make_clip, picture
from tests.io.video.transcode import QUICK


def test_nothing_is_left_of_an_output_that_was_not_committed(tmp_path: Path) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4"))
    folder = tmp_path / "out"
    folder.mkdir()
    with VideoSink(folder / "out.mp4", source.info, encoding=QUICK) as sink:
        for frame in source.frames():
            sink.write(frame)
        assert [path.suffix for path in folder.iterdir()] == [".partial"]
    sink.discard()
    assert list(folder.iterdir()) == []


def test_a_video_without_frames_is_no_video(tmp_path: Path) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4"))
    sink = VideoSink(tmp_path / "out.mp4", source.info, encoding=QUICK)
    with pytest.raises(OutputError, match="no frame was written"):
        sink.finish()
    sink.discard()
    assert not (tmp_path / "out.mp4").exists()


def test_an_output_that_exists_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4")
    with pytest.raises(OutputExistsError):
        VideoSink(path, VideoSource(path).info, encoding=QUICK)


def test_a_picture_that_the_encoder_refuses_is_named(tmp_path: Path) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4"))
    with pytest.raises(CodecError, match=r"out\.mov: dnxhr cannot encode 96x64 yuv422p"):
        VideoSink(tmp_path / "out.mov", source.info, encoding=Encoding(codec="dnxhr"))


DISK_FULL = """
    import resource, signal, sys
    from pathlib import Path
    from chromacord.errors import OutputError
    from chromacord.types import Encoding
    from chromacord.io.video.encoder import VideoSink
    from chromacord.io.video.video_source import VideoSource

    source = VideoSource(sys.argv[1])
    out = Path(sys.argv[2])
    num_frames = int(sys.argv[4])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
    where = "opening"
    try:
        with VideoSink(out, source.info, encoding=Encoding(codec=sys.argv[5])) as sink:
            where = "writing"
            for frame in source.frames(0, num_frames):
                sink.write(frame)
            where = "finishing"
            sink.finish()
            sink.commit()
    except OutputError as error:
        print(where, error)
"""


@pytest.mark.parametrize(
    ("suffix", "codec", "limit", "num_frames", "where"),
    [
        (".mkv", "ffv1", 40_000, 60, "writing"),
        (".mov", "prores", 40_000, 60, "writing"),
        (".mp4", "h264", 3_000, 8, "finishing"),
        (".mkv", "ffv1", 6_000, 1, "finishing"),
    ],
)
def test_a_disk_that_fills_up_is_named_and_nothing_is_left(
    tmp_path: Path, suffix: str, codec: str, limit: int, num_frames: int, where: str
) -> None:
    # A limit on the size of files fails as a full disk does, at the write that crosses it.
    random = np.random.default_rng(0)
    noise = [[random.integers(16, 235, plane.shape, np.uint8) for plane in picture("yuv420p")] for _ in range(60)]
    path = make_clip(tmp_path / "in.mp4", frames=noise, options={"crf": "1"})
    folder = tmp_path / "out"
    folder.mkdir()
    arguments = [str(path), str(folder / f"out{suffix}"), str(limit), str(num_frames), codec]
    command = [sys.executable, "-c", textwrap.dedent(DISK_FULL), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{where} {folder / 'out'}{suffix}: cannot be written: File too large")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("codec", ["hevc", "av1", "h264", "vp9"])
def test_encoders_say_nothing_on_the_terminal(tmp_path: Path, codec: str) -> None:
    path = make_clip(tmp_path / "in.mkv", codec="ffv1", num_frames=2)
    # In a separate process: SVT-AV1 reads its log level only once.
    program = f"""
        from pathlib import Path
        from chromacord.types import Encoding
        from chromacord.io.video.video_source import VideoSource
        from tests.io.video.transcode import transcode
        transcode(VideoSource({str(path)!r}), Path({str(tmp_path / "out.mkv")!r}), encoding=Encoding(codec={codec!r}))
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert (done.stdout, done.stderr) == ("", "")
