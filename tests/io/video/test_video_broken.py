"""Bad input gets one clear line: what, where, what to do."""

import warnings
from pathlib import Path

import av
import pytest

from chromacord.errors import (
    ChromacordWarning,
    InputError,
    MissingFileError,
    TruncatedFileError,
    UnreadableFileError,
)
from chromacord.io.video.integrity import is_cut_off
from chromacord.io.video.video_source import VideoSource
from chromacord.types import Size
from tests.clips import make_audio, make_clip


def with_index_first(path: Path, out: Path) -> Path:
    """Copy an MP4 or QuickTime file so that its index survives a cut."""
    with av.open(str(path)) as source, av.open(str(out), "w", options={"movflags": "+faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    return out


def cut(path: Path, out: Path, *, part: float) -> Path:
    data = path.read_bytes()
    out.write_bytes(data[: int(part * len(data))])
    return out


CLIPS = [
    (".mp4", "libx264", "yuv420p"),
    (".mkv", "libx264", "yuv420p"),
    (".webm", "libvpx-vp9", "yuv420p"),
    (".mov", "prores_ks", "yuv422p10le"),
    (".avi", "mjpeg", "yuvj420p"),
    (".mkv", "ffv1", "yuv420p"),
    (".mov", "mjpeg", "yuvj420p"),
]


@pytest.mark.parametrize("part", [0.6, 0.97])
@pytest.mark.parametrize(("suffix", "codec", "pix_fmt"), CLIPS)
def test_a_file_that_ends_in_the_middle_is_named_with_the_frame(
    tmp_path: Path, suffix: str, codec: str, pix_fmt: str, part: float
) -> None:
    whole = make_clip(tmp_path / f"whole{suffix}", codec=codec, pix_fmt=pix_fmt, num_frames=30)
    if suffix in (".mp4", ".mov"):
        whole = with_index_first(whole, tmp_path / f"first{suffix}")
    path = cut(whole, tmp_path / f"cut{suffix}", part=part)
    assert is_cut_off(path)
    assert not is_cut_off(whole)
    frames = []
    with pytest.raises(
        TruncatedFileError, match=rf"cut\{suffix}: breaks in the middle, at frame \d+.*use --salvage"
    ) as told:
        for frame in VideoSource(path).frames():
            frames.append(frame)
    assert 0 < len(frames) < 30
    assert f"at frame {len(frames)}" in str(told.value)
    assert [frame.index for frame in frames] == list(range(len(frames)))


@pytest.mark.parametrize(("suffix", "codec", "pix_fmt"), CLIPS)
def test_what_decodes_of_a_broken_file_can_be_salvaged(tmp_path: Path, suffix: str, codec: str, pix_fmt: str) -> None:
    whole = make_clip(tmp_path / f"whole{suffix}", codec=codec, pix_fmt=pix_fmt, num_frames=30)
    if suffix in (".mp4", ".mov"):
        whole = with_index_first(whole, tmp_path / f"first{suffix}")
    path = cut(whole, tmp_path / f"cut{suffix}", part=0.7)
    expected = list(VideoSource(whole).frames())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        frames = list(VideoSource(path, salvage=True).frames())
    assert len(told) == 1
    assert told[0].category is ChromacordWarning
    assert f"kept: {len(frames)} frames before it" in str(told[0].message)
    assert len(frames) > 5
    for one, other in zip(frames, expected, strict=False):
        assert (one.planes[0] == other.planes[0]).all()


def test_the_part_before_the_break_can_be_read(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mkv", num_frames=30)
    path = cut(whole, tmp_path / "cut.mkv", part=0.7)
    assert len(list(VideoSource(path).frames(0, 5))) == 5


def test_damage_in_the_middle_is_named_with_the_frame(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mov", codec="prores_ks", pix_fmt="yuv422p10le", num_frames=30)
    with av.open(str(path)) as container:
        spots = [packet.pos for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    assert spots[12] is not None
    data[spots[12] : spots[12] + 200] = bytes(200)
    path.write_bytes(data)
    with pytest.raises(TruncatedFileError, match="breaks in the middle, at frame 12 of 30"):
        list(VideoSource(path).frames())


def test_a_picture_that_the_decoder_had_to_guess_is_damage(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mkv", num_frames=30, options={"crf": "5"})
    with av.open(str(path)) as container:
        spots = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    start, size = spots[12]
    assert start is not None
    data[start + size // 2 : start + size] = bytes(size - size // 2)
    path.write_bytes(data)
    with pytest.raises(TruncatedFileError, match="breaks in the middle, at frame 12"):
        list(VideoSource(path).frames())


def test_a_matroska_file_that_loses_its_thread_is_seen_to_be_shorter_than_it_says(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.webm", codec="libvpx-vp9", num_frames=50)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        spots = [packet.pos for packet in container.demux(video=0) if packet.size]
    assert spots[20] is not None
    data[spots[20] - 4 : -1] = bytes(len(data) - spots[20] + 3)
    path.write_bytes(data)
    assert not is_cut_off(path)
    with pytest.raises(TruncatedFileError, match="breaks in the middle, at frame 20"):
        list(VideoSource(path).frames())


def test_a_recording_without_its_index_is_named(tmp_path: Path) -> None:
    path = cut(make_clip(tmp_path / "whole.mp4"), tmp_path / "cut.mp4", part=0.5)
    with pytest.raises(TruncatedFileError, match=r"cut\.mp4: ends before its first frame.*has no index"):
        VideoSource(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no\.mp4: no such file"):
        VideoSource(tmp_path / "no.mp4")


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="is a folder"):
        VideoSource(tmp_path)


def test_an_empty_file_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "in.mp4"
    path.touch()
    with pytest.raises(UnreadableFileError, match="is empty"):
        VideoSource(path)


@pytest.mark.parametrize("name", ["in.mp4", "in.txt", "in"])
def test_a_text_is_no_video(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("Dear diary,\n" * 100)
    with pytest.raises(UnreadableFileError):
        VideoSource(path)


@pytest.mark.parametrize(("name", "codec"), [("in.m4a", "aac"), ("in.wav", "pcm_s16le"), ("in.mkv", "flac")])
def test_sound_alone_is_no_video(tmp_path: Path, name: str, codec: str) -> None:
    path = make_audio(tmp_path / name, codec=codec)
    with pytest.raises(UnreadableFileError, match="has no picture: only audio; name a file with video"):
        VideoSource(path)


def test_a_video_without_frames_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.start_encoding()
    with pytest.raises(UnreadableFileError, match="holds no frames"):
        VideoSource(path)


def test_a_change_of_size_is_named_with_the_frame(tmp_path: Path) -> None:
    small = make_clip(tmp_path / "small.webm", codec="libvpx-vp9", num_frames=5)
    large = make_clip(tmp_path / "large.webm", codec="libvpx-vp9", num_frames=5, size=Size(96, 128))
    path = tmp_path / "in.webm"
    with av.open(str(small)) as one, av.open(str(large)) as other, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(one.streams.video[0], opaque=True)
        for index, packet in enumerate([*one.demux(video=0), *other.demux(video=0)]):
            if packet.size:
                packet.stream, packet.pts, packet.dts = stream, 40 * index, 40 * index
                target.mux(packet)
    with pytest.raises(UnreadableFileError, match="frame 5 is 128x96, the frames before are 96x64"):
        list(VideoSource(path).frames())


def test_all_of_these_are_errors_of_input_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as told:
        VideoSource(tmp_path / "no.mp4")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("stored", ["rgb4", "bgr4", "xyz12le"])
def test_a_pixel_format_that_libav_cannot_unpack_is_refused_with_the_file(tmp_path: Path, stored: str) -> None:
    with av.open(str(tmp_path / "raw.nut"), "w") as container:
        stream = container.add_stream("rawvideo", rate=24)
        stream.width, stream.height, stream.pix_fmt = 32, 16, stored
        for packet in (*stream.encode(av.VideoFrame(32, 16, stored)), *stream.encode(None)):
            container.mux(packet)
    with pytest.raises(UnreadableFileError, match=rf"raw\.nut: pixel format {stored} is not supported; convert"):
        VideoSource(tmp_path / "raw.nut")


def test_video_of_floats_is_refused_by_name(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "float.mov"), "w") as container:
        stream = container.add_stream("exr", rate=24)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "gbrpf32le"
        for packet in (*stream.encode(av.VideoFrame(32, 16, "gbrpf32le")), *stream.encode(None)):
            container.mux(packet)
    with pytest.raises(
        UnreadableFileError, match=r"float\.mov: is floating-point video, .* write its frames as \.exr files"
    ):
        VideoSource(tmp_path / "float.mov")


def test_a_file_that_is_removed_while_it_is_read_is_named(tmp_path: Path) -> None:
    source = VideoSource(cut(make_clip(tmp_path / "a.mkv"), tmp_path / "cut.mkv", part=0.9))
    (tmp_path / "cut.mkv").unlink()
    with pytest.raises(MissingFileError, match=r"cut.mkv: (was removed while it was being read|no such file)"):
        list(source.frames())
    with pytest.raises(MissingFileError, match="was removed while it was being read; keep it until the run ends"):
        is_cut_off(tmp_path / "cut.mkv")


def test_a_header_that_states_more_than_any_file_holds_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    path.write_bytes(b"\x1a\x45\xdf\xa3" + b"\x01" + b"\xff" * 6 + b"\xfe" + bytes(40))
    assert is_cut_off(path)
    with pytest.raises(UnreadableFileError):
        VideoSource(path)
