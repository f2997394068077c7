import gc
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from threading import Barrier

import av
import numpy as np
import pytest

from chromacord.errors import ChromacordWarning
from chromacord.io.pixels import describe, frame_bytes, frame_of, planar_name, planes_of, to_planar
from chromacord.io.video import video_source
from chromacord.io.video.video_source import VideoSource
from chromacord.types import Alpha, Colorimetry, PixelFormat, Size
from tests.clips import BT601, BT709, BT2020, DNXHR_SMALLEST, SMALL, UNTAGGED, make_clip, picture, to_frame

FULL = Colorimetry(1, 1, 1, full_range=True)

LOSSLESS = [
    *("yuv420p", "yuv422p", "yuv444p", "yuva420p", "yuva444p", "gray"),
    *("yuv420p10le", "yuv422p10le", "yuv444p12le", "yuva444p10le", "yuva444p16le", "yuv422p16le", "gray16le"),
    *("gbrp10le", "gbrp12le", "gbrp16le", "gbrap16le"),
]

CODED = [
    # suffix, encoder, format given, format of the frames, the codec's name, options
    (".mp4", "libx264", "yuv420p", "yuv420p", "h264", {}),
    (".mkv", "libx264", "yuv422p10le", "yuv422p10le", "h264", {}),
    (".mov", "libx264", "yuv444p", "yuv444p", "h264", {}),
    (".mp4", "libx265", "yuv420p10le", "yuv420p10le", "hevc", {}),
    (".mkv", "libx265", "yuv444p12le", "yuv444p12le", "hevc", {}),
    (".mp4", "libsvtav1", "yuv420p", "yuv420p", "av1", {}),
    (".mkv", "libsvtav1", "yuv420p10le", "yuv420p10le", "av1", {}),
    (".webm", "libvpx-vp9", "yuv420p", "yuv420p", "vp9", {"crf": "10", "b": "0"}),
    (".webm", "libvpx-vp9", "yuva420p", "yuva420p", "vp9", {"crf": "10", "b": "0", "auto-alt-ref": "0"}),
    (".mov", "prores_ks", "yuv422p10le", "yuv422p10le", "prores", {"profile": "hq"}),
    (".mov", "prores_ks", "yuva444p10le", "yuva444p12le", "prores", {"profile": "4444"}),
    (".mov", "dnxhd", "yuv422p", "yuv422p", "dnxhd", {"profile": "dnxhr_hq"}),
    (".mov", "dnxhd", "yuv422p10le", "yuv422p10le", "dnxhd", {"profile": "dnxhr_hqx"}),
    (".mxf", "dnxhd", "yuv444p10le", "yuv444p10le", "dnxhd", {"profile": "dnxhr_444"}),
    (".mov", "mjpeg", "yuvj420p", "yuv420p", "mjpeg", {"flags": "+qscale", "global_quality": "236"}),
    (".avi", "mjpeg", "yuvj422p", "yuv422p", "mjpeg", {"flags": "+qscale", "global_quality": "236"}),
]


def psnr(one: np.ndarray, other: np.ndarray, peak: float) -> float:
    error = np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))


@pytest.mark.parametrize("pix_fmt", LOSSLESS)
def test_planes_are_what_was_coded(tmp_path: Path, pix_fmt: str) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, num_frames=3))
    frames = list(source.frames())
    assert [frame.index for frame in frames] == [0, 1, 2]
    for index, frame in enumerate(frames):
        for plane, expected in zip(frame.planes, picture(pix_fmt, index), strict=True):
            assert plane.dtype == expected.dtype == source.info.pixel_format.dtype
            np.testing.assert_array_equal(plane, expected)
            assert not plane.flags.writeable


@pytest.mark.parametrize(("suffix", "codec", "pix_fmt", "decoded", "name", "options"), CODED)
def test_codecs_come_back_in_their_own_format(
    tmp_path: Path, suffix: str, codec: str, pix_fmt: str, decoded: str, name: str, options: dict[str, str]
) -> None:
    size = DNXHR_SMALLEST if codec == "dnxhd" else SMALL
    path = make_clip(tmp_path / f"in{suffix}", codec=codec, pix_fmt=pix_fmt, size=size, options=options)
    source = VideoSource(path)
    assert source.info.codec == name
    assert source.info.size == size
    frames = list(source.frames())
    assert len(frames) == 8
    for index, frame in enumerate(frames):
        for plane, expected in zip(frame.planes, picture(decoded, index, size=size), strict=True):
            assert plane.shape == expected.shape
            # 12-bit ProRes comes from 10-bit input, so the picture is compared, not the codes.
            assert psnr(plane, expected, source.info.pixel_format.max_code) > 30


def test_vp9_alpha_is_not_dropped(tmp_path: Path) -> None:
    options = {"crf": "4", "b": "0", "auto-alt-ref": "0"}
    path = make_clip(tmp_path / "in.webm", codec="libvpx-vp9", pix_fmt="yuva420p", options=options)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).format.name == "yuv420p"  # libav's own decoder loses it
    source = VideoSource(path)
    assert source.has_alpha
    assert source.info.pixel_format == PixelFormat("yuv", 8, subsampling=(1, 1), alpha=Alpha.STRAIGHT)
    for index, frame in enumerate(source.frames()):
        assert psnr(frame.planes[3], picture("yuva420p", index)[3], 255) > 40


@pytest.mark.parametrize(
    "colorimetry", [BT709, BT601, BT2020, UNTAGGED, FULL], ids=["709", "601", "2020", "no", "full"]
)
@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".mkv", "ffv1")])
def test_tags_are_read(tmp_path: Path, colorimetry: Colorimetry, suffix: str, codec: str) -> None:
    path = make_clip(tmp_path / f"in{suffix}", codec=codec, colorimetry=colorimetry, num_frames=2)
    assert VideoSource(path).info.colorimetry == colorimetry


def test_a_yuvj_format_is_full_range(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mov", codec="mjpeg", pix_fmt="yuvj420p", colorimetry=FULL, num_frames=2)
    assert VideoSource(path).info.colorimetry.full_range is True


def test_what_the_container_says_is_read(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "in.mov",
        rotation=90,
        pixel_aspect=Fraction(4, 3),
        timecode="01:02:03:04",
        audio="pcm_s16le",
        rate=Fraction(30000, 1001),
    )
    info = VideoSource(path).info
    assert info.path == path
    assert info.rotation == 90
    assert info.pixel_aspect == Fraction(4, 3)
    assert info.timecode == "01:02:03:04"
    assert info.audio == ("pcm_s16le 48000 Hz stereo",)
    assert info.rate == Fraction(30000, 1001)
    assert info.num_frames == 8
    assert info.container.startswith("mov,mp4")


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_is_counted_counter_clockwise(tmp_path: Path, rotation: int) -> None:
    info = VideoSource(make_clip(tmp_path / "in.mp4", rotation=rotation, num_frames=1)).info
    assert info.rotation == rotation
    assert info.size == SMALL


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_variable_rate_keeps_its_times(tmp_path: Path, suffix: str) -> None:
    ticks = [0, 40, 80, 200, 233, 266, 600, 640]
    path = make_clip(tmp_path / f"in{suffix}", pts=ticks, time_base=Fraction(1, 1000))
    source = VideoSource(path)
    times = [frame.pts * source.info.time_base for frame in source.frames() if frame.pts is not None]
    assert times == [Fraction(tick, 1000) for tick in ticks]


def test_reordered_frames_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", num_frames=20, options={"preset": "medium", "bf": "3", "crf": "1"})
    frames = list(VideoSource(path).frames())
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.pts for frame in frames] == sorted(frame.pts or 0 for frame in frames)
    for index, frame in enumerate(frames):
        assert psnr(frame.planes[0], picture("yuv420p", index)[0], 255) > 40


def test_a_part_has_the_frames_of_the_whole(tmp_path: Path) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4", num_frames=10))
    whole, part = list(source.frames()), list(source.frames(3, 6))
    assert [frame.index for frame in part] == [3, 4, 5]
    for frame in part:
        assert frame.pts == whole[frame.index].pts
        np.testing.assert_array_equal(frame.planes[0], whole[frame.index].planes[0])


def test_two_loops_over_one_source_do_not_disturb_each_other(tmp_path: Path) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4"))
    first, second = source.frames(), source.frames()
    next(first)
    assert next(second).index == 0
    assert next(first).index == 1


@pytest.mark.parametrize(("suffix", "codec", "pix_fmt", "options"), [(*case[:3], case[5]) for case in CODED])
def test_reading_again_gives_the_same_frames_and_times(
    tmp_path: Path, suffix: str, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    path = make_clip(tmp_path / f"in{suffix}", codec=codec, pix_fmt=pix_fmt, options=options, size=DNXHR_SMALLEST)
    source = VideoSource(path, keep=True)
    first, again = list(source.frames()), list(source.frames())
    assert [(frame.pts, frame.duration) for frame in again] == [(frame.pts, frame.duration) for frame in first]
    for frame, other in zip(first, again, strict=True):
        for plane, same in zip(frame.planes, other.planes, strict=True):
            np.testing.assert_array_equal(plane, same)


def test_threads_that_begin_together_all_get_all_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mp4", num_frames=5), keep=True)
    together, begun, begin = Barrier(4), [], source._begin
    monkeypatch.setattr(source, "_begin", lambda: begun.append(1) or begin())

    def read(_: int) -> list[int]:
        together.wait()
        return [frame.index for frame in source.frames()]

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, range(4))) == [list(range(5))] * 4
    assert len(begun) == 3  # one continued from the picture that was decoded on opening the file


def held() -> tuple[int, int]:
    """Return how many files and threads this process has."""
    files, threads = (list(Path("/proc/self", name).iterdir()) for name in ("fd", "task"))
    return len(files), len(threads)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Linux tells what a process holds")
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("num_frames", [None, 0, 2, 8], ids=["unread", "none", "some", "all"])
def test_a_source_that_is_dropped_holds_nothing(
    tmp_path: Path, keep: bool, num_frames: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_source, "num_cores", lambda: 16)
    path = make_clip(tmp_path / "in.mp4", num_frames=8)
    gc.collect()
    before = held()
    gc.disable()  # freed at once: decoders of large pictures are large
    try:
        for _ in range(3):
            source = VideoSource(path, keep=keep)
            if num_frames is not None:
                assert len(list(source.frames(0, num_frames))) == num_frames
            if not keep:
                assert held() == before
            del source
            assert held() == before
    finally:
        gc.enable()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_file_that_is_opened_again_gives_the_frames_of_a_file_that_is_looked_at(tmp_path: Path, suffix: str) -> None:
    path = make_clip(tmp_path / f"clip{suffix}", num_frames=12, options={"bf": "3", "b-pyramid": "normal"})
    with av.open(str(path)) as container:
        expected = [(frame.pts, frame.to_ndarray()) for frame in container.decode(video=0)]
    source, suspicious = VideoSource(path, keep=True), VideoSource(path, keep=True)
    suspicious._probed_depth += 1  # as if the pictures had tags that the header lacks
    # The first reader continues from the picture that was probed; later ones reopen the file.
    for each in (source, source, suspicious, suspicious):
        frames = list(each.frames())
        assert [frame.pts for frame in frames] == [pts for pts, _ in expected]
        for frame, (_, codes) in zip(frames, expected, strict=True):
            np.testing.assert_array_equal(np.concatenate([plane.ravel() for plane in frame.planes]), codes.ravel())


def test_an_edit_list_hides_the_frames_that_a_player_hides(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", num_frames=10, time_base=Fraction(1, 12800), pts=[512 * i for i in range(10)])
    data = path.read_bytes()
    at = data.index(b"elst")
    # Version 0, one entry: duration in ms, then media time in ticks. Start four frames later.
    assert int.from_bytes(data[at + 8 : at + 12], "big") == 1
    start = int.from_bytes(data[at + 16 : at + 20], "big") + 4 * 512
    path.write_bytes(data[: at + 12] + (240).to_bytes(4, "big") + start.to_bytes(4, "big") + data[at + 20 :])
    source = VideoSource(path)
    frames = list(source.frames())
    assert len(frames) == 6
    assert source.info.num_frames == 6
    assert psnr(frames[0].planes[0], picture("yuv420p", 4)[0], 255) > 30


def test_cover_art_is_not_the_picture(tmp_path: Path) -> None:
    film = make_clip(tmp_path / "film.mp4", num_frames=3)
    cover = make_clip(tmp_path / "cover.mov", codec="mjpeg", pix_fmt="yuvj420p", size=Size(32, 32), num_frames=1)
    path = tmp_path / "in.mp4"
    with av.open(str(film)) as one, av.open(str(cover)) as two, av.open(str(path), "w") as out:
        art = out.add_stream_from_template(two.streams.video[0], opaque=True)
        art.disposition = av.stream.Disposition.attached_pic
        moving = out.add_stream_from_template(one.streams.video[0], opaque=True)
        for container, stream in ((two, art), (one, moving)):
            for packet in container.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    source = VideoSource(path)
    assert source.info.size == SMALL
    assert len(list(source.frames())) == 3


def test_interlaced_video_is_told_once(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", options={"x264-params": "tff=1"})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        list(VideoSource(path).frames())
    assert [str(warning.message).partition(": ")[2][:13] for warning in told] == ["is interlaced"]
    assert told[0].category is ChromacordWarning


def test_progressive_video_warns_of_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(VideoSource(make_clip(tmp_path / "in.mp4")).frames())


Pack = Callable[[list[np.ndarray]], list[np.ndarray]]


def interleave(order: str) -> Pack:
    return lambda planes: [np.stack([planes["rgba".index(name)] for name in order], axis=-1)]


def semi_planar(shift: int = 0) -> Pack:
    return lambda planes: [planes[0] << shift, np.stack([planes[1], planes[2]], axis=-1) << shift]


def packed_422(planes: list[np.ndarray]) -> list[np.ndarray]:
    luma, blue, red = planes
    return [np.stack([luma[:, ::2], blue, luma[:, 1::2], red], axis=-1)]


PACKED: list[tuple[str, str, Pack]] = [
    ("rgb24", "gbrp", interleave("rgb")),
    ("bgr24", "gbrp", interleave("bgr")),
    ("rgba", "gbrap", interleave("rgba")),
    ("bgra", "gbrap", interleave("bgra")),
    ("rgb48le", "gbrp16le", interleave("rgb")),
    ("rgba64le", "gbrap16le", interleave("rgba")),
    ("nv12", "yuv420p", semi_planar()),
    ("nv16", "yuv422p", semi_planar()),
    ("p010le", "yuv420p10le", semi_planar(6)),
    ("p210le", "yuv422p10le", semi_planar(6)),
    ("yuyv422", "yuv422p", packed_422),
    ("yuv420p10be", "yuv420p10le", lambda planes: [plane.byteswap() for plane in planes]),
    ("gray16be", "gray16le", lambda planes: [plane.byteswap() for plane in planes]),
    ("ya8", "gbrap", lambda planes: [np.stack([planes[0], planes[3]], axis=-1)]),
]


@pytest.mark.parametrize("full_range", [None, False, True])
@pytest.mark.parametrize(("stored", "planar", "pack"), PACKED, ids=[row[0] for row in PACKED])
def test_packed_formats_are_shuffled_without_a_change_of_value(
    stored: str, planar: str, pack: Pack, full_range: bool | None
) -> None:
    # Every code that the format has, legal or not; the packing above is the second implementation.
    random = np.random.default_rng(0)
    shapes = [plane.shape for plane in picture(planar)]
    top = 1 << av.VideoFormat(planar).components[0].bits
    planes = [random.integers(0, top, shape).astype(picture(planar)[0].dtype) for shape in shapes]
    if stored == "ya8":
        planes[1] = planes[2] = planes[0]
    frame = av.VideoFrame(SMALL.width, SMALL.height, stored)
    frame.color_range = {None: 0, False: 1, True: 2}[full_range]
    for plane, values in zip(frame.planes, pack(planes), strict=True):
        rows = values.reshape(plane.height, -1)
        np.frombuffer(plane, values.dtype).reshape(plane.height, -1)[:, : rows.shape[1]] = rows
    pixel_format = describe(stored)
    assert planar_name(pixel_format) == planar
    for got, expected in zip(planes_of(to_planar(frame, planar)), planes, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuva444p16le", "gbrap", "gray12le", "yuv411p"])
def test_the_bytes_of_a_frame_are_those_of_its_planes(pix_fmt: str) -> None:
    assert frame_bytes(SMALL, describe(pix_fmt)) == sum(plane.nbytes for plane in picture(pix_fmt))


def test_a_frame_made_of_planes_gives_them_back() -> None:
    for pix_fmt in ("yuv420p", "yuva444p10le", "gbrap16le", "gray12le"):
        planes = picture(pix_fmt)
        frame = frame_of(planes, describe(pix_fmt))
        assert frame.format.name == pix_fmt
        for got, expected in zip(planes_of(frame), planes, strict=True):
            np.testing.assert_array_equal(got, expected)
        for got, expected in zip(planes_of(to_frame(pix_fmt, planes)), planes, strict=True):
            np.testing.assert_array_equal(got, expected)
