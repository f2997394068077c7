"""Alpha of video with a palette: only where a pixel is transparent."""

from pathlib import Path

import av
import numpy as np
import pytest

from chromacord.io import open_source
from chromacord.types import Alpha

NUM_FRAMES = 4


def make_palette_clip(path: Path, codec: str, *, transparent_from: int | None = None) -> Path:
    """Write a square that moves over grey; `transparent_from` is the first frame in which it is transparent."""
    palette = np.full((256, 4), 255, np.uint8)  # A R G B
    palette[0, 1:], palette[1, 1:], palette[2] = (90, 90, 90), (200, 60, 20), (0, 0, 0, 0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "pal8"
        for index in range(NUM_FRAMES):
            is_clear = transparent_from is not None and index >= transparent_from
            codes = np.zeros((16, 32), np.uint8)
            codes[4:9, 4 + index : 12 + index] = 2 if is_clear else 1
            frame = av.VideoFrame.from_ndarray((codes, palette), format="pal8")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("name", "codec"), [("a.gif", "gif"), ("a.nut", "rawvideo")])
def test_a_palette_without_a_transparent_pixel_is_no_alpha(tmp_path: Path, name: str, codec: str) -> None:
    source = open_source(make_palette_clip(tmp_path / name, codec), keep=True)
    assert source.info.pixel_format.alpha is Alpha.NONE
    frames = list(source.frames())
    assert [len(frame.planes) for frame in frames] == [3] * NUM_FRAMES
    assert [int(plane[5, 8]) for plane in frames[1].planes] == [200, 60, 20]


def test_a_pixel_that_is_transparent_in_any_frame_is_alpha(tmp_path: Path) -> None:
    source = open_source(make_palette_clip(tmp_path / "a.gif", "gif", transparent_from=2))
    assert source.info.pixel_format.alpha is Alpha.STRAIGHT
    lowest = [int(frame.planes[3].min()) for frame in source.frames()]
    assert (lowest[0], lowest[-1]) == (255, 0)
