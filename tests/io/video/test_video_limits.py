"""What libav or a container cannot carry: it is worked around, or said in one line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chromacord.color.spaces import code_scale
from chromacord.errors import ChromacordWarning, InputError
from chromacord.io import Encoding, open_sink, open_source
from chromacord.io.video.video_source import VideoSource
from chromacord.types import Colorimetry, ContentLight, Frame, PixelFormat, Size, VideoInfo
from tests.clips import BT709, SMALL, make_clip, picture
from tests.images import video_info
from tests.io.video.transcode import transcode

PQ = Colorimetry(9, 16, 9, full_range=False)


def clip_info(folder: Path, pixel_format: PixelFormat, *, size: Size = SMALL) -> VideoInfo:
    """Return what a lossless BT.709 clip in Matroska says of itself."""
    info = video_info(pixel_format, BT709, size=size)
    return replace(info, path=folder / "in.mkv", codec="ffv1", container="matroska")


@pytest.mark.parametrize("name", ["out.mp4", "out.png"])
def test_grey_of_limited_range_keeps_its_light(tmp_path: Path, name: str) -> None:
    """swscale treats grey as full range whatever it is given; images always are."""
    ramp = np.tile(np.arange(16, 236, 13, dtype=np.uint8).repeat(6), (64, 1))
    like = clip_info(tmp_path, PixelFormat("gray"), size=Size(*ramp.shape))
    encoding = Encoding(crf=0) if name == "out.mp4" else None
    with open_sink(tmp_path / name, like, encoding=encoding, copy_streams=False) as sink:
        sink.write(Frame((ramp,), 0))
        sink.finish()
        sink.commit()
    copy = open_source(tmp_path / name)
    (frame,) = copy.frames()
    scale, offset, _, _ = code_scale(copy.info.colorimetry, copy.info.pixel_format)
    light = (ramp.astype(np.float64) - 16) / 219  # ITU-T H.273, eq. 20
    np.testing.assert_allclose((frame.planes[0] - offset) / scale, light, atol=0.6 / 219)


def test_times_that_do_not_rise_are_named(tmp_path: Path) -> None:
    like = clip_info(tmp_path, PixelFormat("yuv", subsampling=(1, 1)))
    planes = tuple(picture("yuv420p"))
    with open_sink(tmp_path / "out.mp4", like, copy_streams=False) as sink:
        sink.write(Frame(planes, 0, pts=0))
        sink.write(Frame(planes, 1, pts=1))
        with pytest.raises(InputError, match=r"in\.mkv: frame 2 is not later than the frame before it.* write \.mkv"):
            sink.write(Frame(planes, 2, pts=1))


def hdr_clip(path: Path) -> VideoSource:
    static = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
    options = {"x265-params": f"log-level=none:bframes=0:hdr10=1:{static}"}
    return VideoSource(make_clip(path, codec="libx265", pix_fmt="yuv420p10le", options=options, colorimetry=PQ))


@pytest.mark.parametrize(
    ("codec", "suffix"), [("hevc", ".mp4"), ("hevc", ".mov"), ("hevc", ".mkv"), ("av1", ".mp4"), ("h264", ".mp4")]
)
def test_hdr_metadata_survives(tmp_path: Path, codec: str, suffix: str) -> None:
    source = hdr_clip(tmp_path / "in.mp4")
    copy = transcode(source, tmp_path / f"out{suffix}", encoding=Encoding(codec=codec))
    for info in (source.info, copy.info):
        mastering, light = info.hdr_metadata.mastering, info.hdr_metadata.light
        assert mastering is not None
        places = [*mastering.red, *mastering.green, *mastering.blue, *mastering.white]
        assert places == pytest.approx([0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329], abs=1e-5)
        assert (mastering.darkest, mastering.brightest) == pytest.approx((1e-4, 1000), rel=0.4)  # AV1: in 1/16384
        assert light == ContentLight(1000, 400)
        assert info.colorimetry == PQ


def test_hdr_metadata_that_a_codec_cannot_hold_is_said_to_be_lost(tmp_path: Path) -> None:
    source = hdr_clip(tmp_path / "in.mp4")
    with pytest.warns(ChromacordWarning, match=r"prores does not keep the source's HDR metadata \(mastering display"):
        copy = transcode(source, tmp_path / "out.mov", encoding=Encoding(codec="prores"))
    assert not copy.info.hdr_metadata
