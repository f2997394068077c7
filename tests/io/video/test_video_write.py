import warnings
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from chromacord.color.spaces import code_to_rgb, rgb_to_code
from chromacord.errors import ChromacordWarning
from chromacord.io.pixels import describe, planes_of
from chromacord.io.video.encoder import VideoSink
from chromacord.io.video.video_source import VideoSource
from chromacord.types import Colorimetry, Encoding, Frame, PixelFormat, Size, VideoInfo
from tests.clips import BT601, BT709, BT2020, DNXHR_SMALLEST, SMALL, UNTAGGED, make_clip, picture
from tests.io.video.transcode import QUICK, transcode

FULL = Colorimetry(1, 1, 1, full_range=True)


def psnr(one: np.ndarray, other: np.ndarray, peak: float) -> float:
    error = np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))


def worst_psnr(one: VideoSource, other: VideoSource, plane: int = 0) -> float:
    peak = one.info.pixel_format.max_code
    pairs = zip(one.frames(), other.frames(), strict=True)
    return min(psnr(a.planes[plane], b.planes[plane], peak) for a, b in pairs)


SAME_FAMILY = [
    # suffix, encoder, format, options, ffmpeg's name of the copy's codec, its format
    (".mp4", "libx264", "yuv420p", {}, "h264", "yuv420p"),
    (".mkv", "libx264", "yuv422p10le", {}, "h264", "yuv422p10le"),
    (".mov", "libx264", "yuv444p", {}, "h264", "yuv444p"),
    (".mp4", "libx265", "yuv420p10le", {}, "hevc", "yuv420p10le"),
    (".mkv", "libx265", "yuv422p12le", {}, "hevc", "yuv422p12le"),
    (".mp4", "libsvtav1", "yuv420p", {}, "av1", "yuv420p"),
    (".mkv", "libsvtav1", "yuv420p10le", {}, "av1", "yuv420p10le"),
    (".webm", "libvpx-vp9", "yuv420p", {}, "vp9", "yuv420p"),
    (".webm", "libvpx-vp9", "yuva420p", {"auto-alt-ref": "0"}, "vp9", "yuva420p"),
    (".mov", "prores_ks", "yuv422p10le", {"profile": "hq"}, "prores", "yuv422p10le"),
    (".mov", "prores_ks", "yuv444p10le", {"profile": "4444"}, "prores", "yuv444p12le"),
    (".mov", "prores_ks", "yuva444p10le", {"profile": "4444"}, "prores", "yuva444p12le"),
    (".mov", "dnxhd", "yuv422p", {"profile": "dnxhr_hq"}, "dnxhd", "yuv422p"),
    (".mov", "dnxhd", "yuv422p10le", {"profile": "dnxhr_hqx"}, "dnxhd", "yuv422p10le"),
    (".mxf", "dnxhd", "yuv422p10le", {"profile": "dnxhr_hqx"}, "dnxhd", "yuv422p10le"),
    (".mkv", "ffv1", "yuva444p16le", {}, "ffv1", "yuva444p16le"),
    (".avi", "ffv1", "yuv420p", {}, "ffv1", "yuv420p"),
    (".mov", "mjpeg", "yuvj422p", {}, "mjpeg", "yuv422p"),
]


@pytest.mark.filterwarnings("ignore:.*(has no crf|does not keep):chromacord.errors.ChromacordWarning")
@pytest.mark.parametrize(("suffix", "codec", "pix_fmt", "options", "name", "decoded"), SAME_FAMILY)
def test_the_default_keeps_family_depth_alpha_tags_and_quality(
    tmp_path: Path, suffix: str, codec: str, pix_fmt: str, options: dict[str, str], name: str, decoded: str
) -> None:
    size = DNXHR_SMALLEST if codec == "dnxhd" else SMALL
    path = make_clip(tmp_path / f"in{suffix}", codec=codec, pix_fmt=pix_fmt, size=size, options=options)
    source = VideoSource(path)
    encoding = Encoding(crf=12, preset="ultrafast" if codec in ("libx264", "libx265") else None)
    copy = transcode(source, tmp_path / f"out{suffix}", encoding=encoding)
    assert (copy.info.codec, copy.info.pixel_format) == (name, describe(decoded))
    assert copy.info.profile == source.info.profile or codec == "libx264"
    assert copy.info.colorimetry == source.info.colorimetry
    for plane in range(len(picture(decoded))):
        assert worst_psnr(source, copy, plane) > 45
    assert [frame.pts for frame in copy.frames()] == [frame.pts for frame in source.frames()]


@pytest.mark.parametrize(
    "pix_fmt",
    [
        *("yuv420p", "yuv444p10le", "yuv422p12le", "yuv420p16le", "yuva420p", "yuva444p10le", "yuva444p16le"),
        *("gray", "gray12le", "gbrp10le", "gbrap12le", "gbrp16le", "yuv440p", "yuv411p"),
    ],
)
def test_ffv1_gives_every_sample_back(tmp_path: Path, pix_fmt: str) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, num_frames=2))
    copy = transcode(source, tmp_path / "out.mkv", encoding=Encoding())
    assert copy.info.pixel_format == source.info.pixel_format
    assert worst_psnr(source, copy) == float("inf")
    for before, after in zip(source.frames(), copy.frames(), strict=True):
        for one, other in zip(before.planes, after.planes, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["gbrp", "gbrap"])
def test_rgb_of_eight_bits_goes_through_ffv1_whole(tmp_path: Path, name: str) -> None:
    like = make_info(tmp_path, name, Colorimetry())
    random = np.random.default_rng(1)
    planes = tuple(random.integers(0, 256, plane.shape, dtype=np.uint8) for plane in picture(name))
    copy = write_frames(tmp_path / "out.mkv", like, [planes], encoding=Encoding(codec="ffv1"))
    (frame,) = copy.frames()
    for got, expected in zip(frame.planes, planes, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_the_encoder_is_given_the_very_planes(tmp_path: Path) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4", num_frames=3))
    given: list[av.VideoFrame] = []

    class Spy:
        def __init__(self, stream: av.VideoStream) -> None:
            self.stream = stream

        def encode(self, frame: av.VideoFrame | None) -> list[av.Packet]:
            given.append(frame) if frame is not None else None
            return list(self.stream.encode(frame))

    with VideoSink(tmp_path / "out.mp4", source.info, encoding=QUICK, copy_streams=False) as sink:
        sink._stream = Spy(sink._stream)  # type: ignore[assignment]
        for frame in source.frames():
            sink.write(frame)
        sink.finish()
    for frame, handed in zip(source.frames(), given, strict=True):
        assert handed.format.name == "yuv420p"
        for one, other in zip(frame.planes, planes_of(handed), strict=True):
            np.testing.assert_array_equal(one, other)


def test_lossless_x264_gives_every_sample_back(tmp_path: Path) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4"))
    copy = transcode(source, tmp_path / "out.mp4", encoding=Encoding(crf=0, preset="ultrafast"))
    assert worst_psnr(source, copy) == worst_psnr(source, copy, 1) == float("inf")


TAGS = [BT709, BT601, BT2020, FULL, replace(BT601, full_range=True), replace(BT2020, full_range=True), UNTAGGED]
TAG_NAMES = ["709", "601", "2020", "709-full", "601-full", "2020-full", "untagged"]


@pytest.mark.parametrize("colorimetry", TAGS, ids=TAG_NAMES)
@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "h264"), (".mkv", "h264"), (".mp4", "hevc"), (".mp4", "av1"), (".webm", "vp9")]
)
def test_tags_come_back(tmp_path: Path, colorimetry: Colorimetry, suffix: str, codec: str) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4", colorimetry=colorimetry, num_frames=2))
    assert source.info.colorimetry == colorimetry
    copy = transcode(source, tmp_path / f"out{suffix}", encoding=replace(QUICK, codec=codec, preset=None))
    tags = copy.info.colorimetry
    if colorimetry == UNTAGGED and codec != "h264":
        tags = replace(tags, full_range=None)  # these streams always say limited or full
        assert copy.info.colorimetry.full_range is False
    assert tags == colorimetry
    assert worst_psnr(source, copy) > 45


def make_info(folder: Path, pix_fmt: str, colorimetry: Colorimetry, *, size: Size = SMALL) -> VideoInfo:
    return VideoInfo(
        path=folder / "frames.%04d.png",
        size=size,
        pixel_format=describe(pix_fmt),
        colorimetry=colorimetry,
        rate=Fraction(25),
        time_base=Fraction(1, 25),
        num_frames=None,
        codec="png",
        container="sequence",
    )


def write_frames(
    out: Path, like: VideoInfo, pictures: list[tuple[np.ndarray, ...]], *, encoding: Encoding = QUICK
) -> VideoSource:
    with VideoSink(out, like, encoding=encoding) as sink:
        for index, planes in enumerate(pictures):
            sink.write(Frame(planes, index))
        sink.finish()
        sink.commit()
    return VideoSource(out)


COLOR = (74, 203, 221)


def flat_rgb(size: Size = SMALL) -> tuple[np.ndarray, ...]:
    return tuple(np.full(size, value, np.uint8) for value in COLOR)


def decoded_color(source: VideoSource) -> np.ndarray:
    """The colour in the middle, on the 0-255 scale, by the tags (ITU-T H.273 in chromacord.color.spaces)."""
    info = source.info
    frame = next(iter(source.frames()))
    codes = np.array([plane[plane.shape[0] // 2, plane.shape[1] // 2] for plane in frame.planes[:3]], np.float64)
    to_rgb = code_to_rgb(info.colorimetry, info.size, info.pixel_format)
    return 255 * (to_rgb.matrix @ codes + to_rgb.offset)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (Colorimetry(), Colorimetry(1, 1, 1, full_range=False)),
        (Colorimetry(1, 13, 0), Colorimetry(1, 13, 1, full_range=False)),
        (Colorimetry(9, 16, 0), Colorimetry(9, 16, 9, full_range=False)),
    ],
)
@pytest.mark.filterwarnings("ignore:.*chroma resolution:chromacord.errors.ChromacordWarning")
def test_rgb_becomes_the_ycbcr_of_its_tags(tmp_path: Path, tags: Colorimetry, expected: Colorimetry) -> None:
    copy = write_frames(tmp_path / "out.mp4", make_info(tmp_path, "gbrp", tags), [flat_rgb()])
    assert copy.info.colorimetry == expected
    assert np.abs(decoded_color(copy) - COLOR).max() < 2


@pytest.mark.filterwarnings("ignore:.*chroma resolution:chromacord.errors.ChromacordWarning")
def test_the_default_conversion_of_pyav_would_be_seen(tmp_path: Path) -> None:
    like = make_info(tmp_path, "gbrp", Colorimetry())
    ours = write_frames(tmp_path / "ours.mp4", like, [flat_rgb()])
    assert np.abs(decoded_color(ours) - COLOR).max() < 2
    naive = av.VideoFrame.from_ndarray(np.stack(flat_rgb(), axis=-1), format="rgb24").reformat(format="yuv420p")
    pixel_format = replace(like, pixel_format=describe("yuv420p"), colorimetry=BT709)
    theirs = write_frames(tmp_path / "theirs.mp4", pixel_format, [planes_of(naive)])
    assert np.abs(decoded_color(theirs) - COLOR).max() > 8


@pytest.mark.filterwarnings("ignore:.*has no crf:chromacord.errors.ChromacordWarning")
@pytest.mark.parametrize(
    ("codec", "suffix", "colorimetry"),
    [
        *(("dnxhr", ".mov", tags) for tags in (BT601, BT2020, FULL)),
        *(("prores", ".mov", tags) for tags in (FULL, replace(BT2020, full_range=True))),
        *(("mjpeg", ".mov", tags) for tags in (BT709, BT2020, FULL)),
    ],
)
def test_a_codec_with_one_matrix_or_range_keeps_the_colour(
    tmp_path: Path, codec: str, suffix: str, colorimetry: Colorimetry
) -> None:
    pixel_format = PixelFormat("yuv", 8, subsampling=(0, 1))
    like = replace(
        make_info(tmp_path, "yuv422p", colorimetry, size=DNXHR_SMALLEST), codec="h264", pixel_format=pixel_format
    )
    to_code = rgb_to_code(colorimetry, like.size, pixel_format)
    codes = np.round(to_code.matrix @ (np.array(COLOR) / 255) + to_code.offset)
    shapes = [plane.shape for plane in picture("yuv422p", size=like.size)]
    planes = tuple(np.full(shape, code, np.uint8) for shape, code in zip(shapes, codes, strict=True))
    copy = write_frames(tmp_path / f"out{suffix}", like, [planes] * 2, encoding=Encoding(codec=codec))
    assert copy.info.colorimetry != colorimetry
    assert copy.info.colorimetry.primaries == colorimetry.primaries
    assert np.abs(decoded_color(copy) - COLOR).max() < 4  # two roundings to 8 bits in the chroma, times up to 1.9


def test_grey_becomes_limited_luma(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 256, 16, dtype=np.uint8).repeat(6), (64, 1))
    copy = write_frames(tmp_path / "out.mp4", make_info(tmp_path, "gray", Colorimetry()), [(ramp,)])
    (frame,) = copy.frames()
    assert not copy.info.colorimetry.full_range
    # ITU-T H.273, eq. 20; the codec takes its share.
    assert np.abs(frame.planes[0] - (16 + 219 / 255 * ramp.astype(np.float64)))[:, 2::6].max() < 4
    assert (np.abs(frame.planes[1].astype(int) - 128) <= 1).all()


def test_deeper_output_holds_the_codes_shifted_up(tmp_path: Path) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mkv", codec="ffv1", num_frames=1))
    encoding = Encoding(codec="prores")
    copy = transcode(source, tmp_path / "out.mov", encoding=encoding)
    assert copy.info.pixel_format == PixelFormat("yuv", 10, subsampling=(0, 1))
    (before,), (after,) = source.frames(), copy.frames()
    # Limited range: code10 = 4 * code8 (ITU-T H.273, eq. 20).
    assert psnr(4.0 * before.planes[0], after.planes[0], 1023) > 50


@pytest.mark.parametrize(("suffix", "clock"), [(".mp4", 600), (".mov", 24001), (".mkv", 1000), (".webm", 1000)])
def test_times_come_back_to_the_tick(tmp_path: Path, suffix: str, clock: int) -> None:
    ticks = (
        [26 * tick for tick in (10.5, 11, 12, 17, 18, 18.5, 40, 41)] if clock != 1000 else [5, 45, 50, 200, 233, 999]
    )
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    path = make_clip(
        tmp_path / f"in{suffix}",
        codec=codec,
        pts=[int(tick) for tick in ticks],
        time_base=Fraction(1, clock),
        clock=clock,
    )
    source = VideoSource(path)
    copy = transcode(source, tmp_path / f"out{suffix}", encoding=Encoding(crf=12))
    assert copy.info.time_base == source.info.time_base == Fraction(1, clock)
    before, after = list(source.frames()), list(copy.frames())
    assert [frame.pts for frame in after] == [frame.pts for frame in before]
    assert after[-1].duration == before[-1].duration


@pytest.mark.parametrize("preset", ["medium", "veryfast"])
def test_reordering_encoders_keep_times_and_count(tmp_path: Path, preset: str) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4", num_frames=40))
    copy = transcode(source, tmp_path / "out.mp4", encoding=Encoding(preset=preset))
    assert copy.info.num_frames == 40
    assert [frame.pts for frame in copy.frames()] == [frame.pts for frame in source.frames()]


def test_the_last_duration_is_kept(tmp_path: Path) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4", pts=[0, 10, 20], time_base=Fraction(1, 250)))
    frames = [replace(frame, duration=170 if frame.index == 2 else frame.duration) for frame in source.frames()]
    with VideoSink(tmp_path / "out.mp4", source.info, encoding=QUICK) as sink:
        for frame in frames:
            sink.write(frame)
        sink.finish()
        sink.commit()
    assert [frame.duration for frame in VideoSource(tmp_path / "out.mp4").frames()][-1] == 170


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".mov", "prores_ks"), (".mkv", "ffv1")])
@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_comes_back(tmp_path: Path, suffix: str, codec: str, rotation: int) -> None:
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    path = make_clip(tmp_path / f"in{suffix}", codec=codec, pix_fmt=pix_fmt, rotation=rotation, num_frames=2)
    copy = transcode(VideoSource(path), tmp_path / f"out{suffix}", encoding=Encoding())
    assert copy.info.rotation == rotation
    assert copy.info.size == SMALL


def test_pixel_aspect_and_timecode_come_back(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mov", pixel_aspect=Fraction(16, 15), timecode="10:00:00:00")
    copy = transcode(VideoSource(path), tmp_path / "out.mov")
    assert copy.info.pixel_aspect == Fraction(16, 15)
    assert copy.info.timecode == "10:00:00:00"
    assert copy.info.other_streams == VideoSource(path).info.other_streams


def test_what_a_container_drops_is_said(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", pixel_aspect=Fraction(4, 3), num_frames=2)
    with pytest.warns(ChromacordWarning, match=r"\.mkv does not keep the source's pixel aspect with ffv1"):
        copy = transcode(VideoSource(path), tmp_path / "out.mkv", encoding=Encoding(codec="ffv1"))
    assert copy.info.pixel_aspect == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy = transcode(VideoSource(path), tmp_path / "h264.mkv")
    assert copy.info.pixel_aspect == Fraction(4, 3)


def test_hevc_is_tagged_as_apple_players_want_it(tmp_path: Path) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mkv", codec="libx265", num_frames=2))
    transcode(source, tmp_path / "out.mp4")
    assert b"hvc1" in (tmp_path / "out.mp4").read_bytes()


@pytest.mark.parametrize("num_frames", [1, 2, 3])
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_the_shortest_clips_can_be_written(tmp_path: Path, codec: str, num_frames: int) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4", num_frames=num_frames))
    copy = transcode(source, tmp_path / "out.mp4", encoding=Encoding(codec=codec))
    assert [frame.pts for frame in copy.frames()] == [frame.pts for frame in source.frames()]
    assert worst_psnr(source, copy) > 40


@pytest.mark.parametrize("size", [Size(63, 95), Size(64, 95), Size(63, 96)])
@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("hevc", ".mp4"), ("av1", ".mp4"), ("vp9", ".webm")])
def test_odd_sizes_stay_odd(tmp_path: Path, codec: str, suffix: str, size: Size) -> None:
    like = make_info(tmp_path, "gbrp", Colorimetry(), size=size)
    copy = write_frames(tmp_path / f"out{suffix}", like, [flat_rgb(size)] * 3, encoding=Encoding(codec=codec))
    assert copy.info.size == size
    assert len(list(copy.frames())) == 3
    assert np.abs(decoded_color(copy) - COLOR).max() < 3


def test_another_size_can_be_written(tmp_path: Path) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4", num_frames=2))
    with VideoSink(tmp_path / "out.mp4", source.info, encoding=QUICK, size=Size(64, 192)) as sink:
        for frame in source.frames():
            sink.write(replace(frame, planes=tuple(np.concatenate([plane, plane], axis=1) for plane in frame.planes)))
        sink.finish()
        sink.commit()
    assert VideoSource(tmp_path / "out.mp4").info.size == Size(64, 192)


def test_frames_without_times_follow_the_rate(tmp_path: Path) -> None:
    like = replace(make_info(tmp_path, "yuv420p", BT709), rate=Fraction(30000, 1001), time_base=Fraction(1001, 30000))
    copy = write_frames(tmp_path / "out.mp4", like, [tuple(picture("yuv420p", index)) for index in range(5)])
    times = [frame.pts * copy.info.time_base for frame in copy.frames() if frame.pts is not None]
    assert times == [Fraction(1001 * index, 30000) for index in range(5)]
    assert copy.info.rate == Fraction(30000, 1001)
