"""Pictures in formats that libav reads and OpenImageIO is not asked for: they are stills too."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from chromacord.io import open_sink, open_source
from chromacord.io.mattes import MatteReader
from tests.clips import make_clip

FORMATS = ["bmp", "tga", "pgm", "qoi", "sgi", "gif", "webp"]
CODECS = {"tga": "targa", "pgm": "pgm", "qoi": "qoi", "sgi": "sgi"}

MATTE = np.tile(np.linspace(0, 255, 24).round().astype(np.uint8), (12, 1))


def write_still(path: Path, *, num_frames: int = 1) -> Path:
    """Write a grey picture."""
    codec = CODECS.get(path.suffix[1:])
    if path.suffix == ".gif":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("gif", rate=25)
            stream.width, stream.height, stream.pix_fmt = 24, 12, "gray"
            for _ in range(num_frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(MATTE, format="gray")))
            container.mux(stream.encode(None))
    elif codec is None:
        cv2.imwrite(str(path), MATTE, [cv2.IMWRITE_WEBP_QUALITY, 101])
    else:
        encoder = av.CodecContext.create(codec, "w")
        encoder.width, encoder.height, encoder.pix_fmt = 24, 12, "rgb24" if codec == "qoi" else "gray"
        encoder.time_base = 1
        frame = av.VideoFrame.from_ndarray(MATTE, format="gray").reformat(format=encoder.pix_fmt)
        path.write_bytes(b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)]))
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_picture_of_any_format_is_a_still_of_one_frame(tmp_path: Path, suffix: str) -> None:
    source = open_source(write_still(tmp_path / f"m.{suffix}"), keep=True)
    assert (source.info.container, source.info.num_frames) == ("still", 1)
    (frame,) = source.frames()
    if suffix != "webp":  # which libav cannot tell from one with losses
        np.testing.assert_allclose(MatteReader(source.info, from_alpha=False).read(frame.planes), MATTE, atol=1)


def test_a_gif_of_several_frames_is_a_clip(tmp_path: Path) -> None:
    assert open_source(write_still(tmp_path / "m.gif", num_frames=3)).info.container == "gif"


def test_a_video_of_one_frame_is_no_still(tmp_path: Path) -> None:
    assert open_source(make_clip(tmp_path / "a.mp4", num_frames=1)).info.container != "still"


def test_such_a_still_is_written_to_folders_and_videos(tmp_path: Path) -> None:
    source = open_source(write_still(tmp_path / "m.bmp"))
    for out in (f"{tmp_path}/out/", f"{tmp_path}/out.mkv", f"{tmp_path}/out.png"):
        with open_sink(out, source.info) as sink:
            for frame in source.frames():
                sink.write(frame)
            sink.finish()
            sink.commit()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["frame.000000.png"]
    assert cv2.imread(str(tmp_path / "out.png")).shape == (12, 24, 3)
