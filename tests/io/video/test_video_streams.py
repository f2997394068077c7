"""Everything in a file but the picture: sound, subtitles, data, attachments, chapters, tags, timecode."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition

from chromacord.errors import ChromacordWarning, CodecError
from chromacord.io.timecode import advance
from chromacord.io.video.encoder import VideoSink
from chromacord.io.video.video_source import VideoSource
from chromacord.types import Encoding
from tests.clips import make_clip
from tests.io.video.transcode import QUICK, transcode

SUBTITLE = b"Good evening."


def packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """Time in seconds and payload of each packet of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [
            ((packet.pts or 0) * packet.time_base, bytes(packet)) for packet in container.demux(stream) if packet.size
        ]


def payload_of(subtitle: str) -> bytes:
    """QuickTime's texts start with their length."""
    return len(SUBTITLE).to_bytes(2, "big") + SUBTITLE if subtitle == "mov_text" else SUBTITLE


def add_streams(path: Path, out: Path, *, subtitle: str | None = None, attachment: bool = False) -> Path:
    """Copy a clip with a line of subtitles from 40 to 200 ms, or a font, added."""
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        copies = {stream.index: target.add_stream_from_template(stream, opaque=True) for stream in source.streams}
        if subtitle:
            text = target.add_mux_stream(subtitle)
            text.time_base = Fraction(1, 1000)
            text.metadata["language"] = "fra"
        if attachment:
            target.add_attachment("font.ttf", "font/ttf", b"not really a font")
        if subtitle:
            packet = av.Packet(payload_of(subtitle))
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts, packet.dts, packet.duration = 40, 40, 160
            target.mux(packet)
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                target.mux(packet)
    return out


@pytest.mark.parametrize(
    ("suffix", "sound", "out"),
    [
        (".mp4", "aac", ".mp4"),
        (".mp4", "aac", ".mov"),
        (".mov", "pcm_s16le", ".mov"),
        (".mov", "pcm_s16le", ".mkv"),
        (".mkv", "libopus", ".mkv"),
        (".mkv", "flac", ".mkv"),
        (".mp4", "libmp3lame", ".mp4"),
    ],
)
def test_sound_is_copied_packet_by_packet(tmp_path: Path, suffix: str, sound: str, out: str) -> None:
    path = make_clip(tmp_path / f"in{suffix}", num_frames=50, audio=sound)
    transcode(VideoSource(path), tmp_path / f"out{out}")
    before, after = packets(path, "audio"), packets(tmp_path / f"out{out}", "audio")
    assert len(before) > 10
    assert [payload for _, payload in after] == [payload for _, payload in before]
    # Matroska counts milliseconds.
    tolerance = Fraction(1, 1000) if out == ".mkv" and suffix != ".mkv" else 0
    assert all(abs(one - other) <= tolerance for (one, _), (other, _) in zip(before, after, strict=True))


def test_sound_keeps_its_distance_to_the_picture_where_times_below_zero_are_not_possible(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", audio="aac")
    copy = transcode(VideoSource(path), tmp_path / "out.mkv")
    source = VideoSource(path)
    start, copied = packets(path, "audio")[0][0], packets(tmp_path / "out.mkv", "audio")[0][0]
    assert start < 0 <= copied  # AAC's priming samples lie before the picture
    for before, after in zip(source.frames(), copy.frames(), strict=True):
        distance = (before.pts or 0) * source.info.time_base - start
        assert abs((after.pts or 0) * copy.info.time_base - copied - distance) <= Fraction(1, 1000)


def test_sound_is_interleaved_with_the_picture(tmp_path: Path) -> None:
    # Longer than the ten seconds that libav waits for a stream without packets.
    path = make_clip(tmp_path / "in.mov", num_frames=150, rate=10, audio="pcm_s16le")
    transcode(VideoSource(path), tmp_path / "out.mov")
    with av.open(str(tmp_path / "out.mov")) as container:
        spots = {kind: [] for kind in ("video", "audio")}
        for packet in container.demux():
            if packet.size:
                spots[packet.stream.type].append((packet.pos, packet.dts * packet.time_base))
    # At any place of the file both streams have come equally far, within a second.
    for position, time in spots["video"]:
        heard = [other for place, other in spots["audio"] if place < position]
        assert abs((heard[-1] if heard else 0) - time) < 1


@pytest.mark.parametrize(("suffix", "codec"), [(".mkv", "subrip"), (".mp4", "mov_text"), (".mov", "mov_text")])
def test_subtitles_are_copied(tmp_path: Path, suffix: str, codec: str) -> None:
    path = add_streams(make_clip(tmp_path / f"clip{suffix}"), tmp_path / f"in{suffix}", subtitle=codec)
    copy = transcode(VideoSource(path), tmp_path / f"out{suffix}")
    assert copy.info.other_streams == VideoSource(path).info.other_streams == (f"subtitle {codec} (fra)",)
    assert packets(copy.info.path, "subtitle") == packets(path, "subtitle")
    assert (Fraction(40, 1000), payload_of(codec)) in packets(path, "subtitle")


def test_a_subtitle_that_does_not_fit_is_left_out_with_a_warning(tmp_path: Path) -> None:
    path = add_streams(make_clip(tmp_path / "clip.mkv"), tmp_path / "in.mkv", subtitle="subrip", attachment=True)
    with pytest.warns(ChromacordWarning) as told:
        copy = transcode(VideoSource(path), tmp_path / "out.mp4")
    messages = [str(warning.message) for warning in told]
    assert any("cannot hold the source's subtitle subrip (fra); it is dropped" in text for text in messages)
    assert any("cannot hold the source's attachment" in text for text in messages)
    assert copy.info.other_streams == ()


def test_an_attachment_that_webm_leaves_out_is_said(tmp_path: Path) -> None:
    path = add_streams(make_clip(tmp_path / "clip.mkv"), tmp_path / "in.mkv", attachment=True)
    with pytest.warns(ChromacordWarning, match=r"cannot hold the source's attachment font\.ttf"):
        transcode(VideoSource(path), tmp_path / "out.webm")


def test_attachments_are_copied(tmp_path: Path) -> None:
    path = add_streams(make_clip(tmp_path / "clip.mkv"), tmp_path / "in.mkv", attachment=True)
    transcode(VideoSource(path), tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        (font,) = container.streams.attachments
        assert (font.name, font.mimetype, font.data) == ("font.ttf", "font/ttf", b"not really a font")


def cover_of(path: Path) -> list[tuple[str, bytes]]:
    """Return codec and bytes of each cover picture, and check that no other stream counts as a picture."""
    with av.open(str(path)) as container:
        covers = [stream for stream in container.streams.video if stream.disposition & Disposition.attached_pic]
        assert len(container.streams.video) == len(covers) + 1
        return [
            (cover.codec_context.name, b"".join(bytes(packet) for packet in container.demux(cover))) for cover in covers
        ]


@pytest.mark.parametrize(("suffix", "name"), [(".jpg", "mjpeg"), (".png", "png")])
def test_a_cover_is_kept_in_matroska_and_mp4_and_said_to_be_lost_elsewhere(
    tmp_path: Path, suffix: str, name: str
) -> None:
    art = cv2.imencode(suffix, np.full((8, 8, 3), 90, np.uint8))[1].tobytes()
    film, source = make_clip(tmp_path / "film.mkv"), tmp_path / "in.mkv"
    with av.open(str(film)) as one, av.open(str(source), "w") as target:
        stream = target.add_stream_from_template(one.streams.video[0], opaque=True)
        target.add_attachment(f"cover{suffix}", {".jpg": "image/jpeg", ".png": "image/png"}[suffix], art)
        for packet in one.demux():
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    assert cover_of(source) == [(name, art)]
    for number, out in enumerate((".mp4", ".mp4", ".m4v", ".mkv", ".mkv")):
        written = tmp_path / f"{number}{out}"
        transcode(VideoSource(source), written)
        assert cover_of(written) == [(name, art)]
        assert len(list(VideoSource(written).frames())) == 8
        source = written
    for out in (".mov", ".avi"):
        with pytest.warns(
            ChromacordWarning, match=rf"{out} cannot hold the source's cover picture {name}; it is dropped"
        ):
            transcode(VideoSource(source), tmp_path / f"lost{out}", encoding=Encoding())
        assert cover_of(tmp_path / f"lost{out}") == []


def test_sound_that_does_not_fit_is_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mov", audio="pcm_s16le")
    with pytest.raises(
        CodecError, match=r"out\.webm: \.webm cannot hold the source's pcm_s16le .* sound; write .*\.mkv"
    ):
        VideoSink(tmp_path / "out.webm", VideoSource(path).info, encoding=Encoding(codec="vp9"))
    assert not (tmp_path / "out.webm").exists()


def test_mxf_takes_uncompressed_sound(tmp_path: Path) -> None:
    """It packs the samples anew, one packet for each picture."""
    path = make_clip(tmp_path / "in.mov", codec="prores_ks", pix_fmt="yuv422p10le", audio="pcm_s16le")
    transcode(VideoSource(path), tmp_path / "out.mxf")
    before, after = (
        b"".join(payload for _, payload in packets(clip, "audio")) for clip in (path, tmp_path / "out.mxf")
    )
    assert before == after != b""


def test_streams_can_be_left_out(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mov", audio="pcm_s16le")
    copy = transcode(VideoSource(path), tmp_path / "out.webm", encoding=Encoding(codec="vp9"), copy_streams=False)
    assert copy.info.audio == ()


def with_chapters(path: Path, out: Path) -> Path:
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        copies = {stream.index: target.add_stream_from_template(stream, opaque=True) for stream in source.streams}
        base = Fraction(1, 1000)
        target.set_chapters(
            [
                {"id": 1, "start": 0, "end": 1000, "time_base": base, "metadata": {"title": "Dawn"}},
                {"id": 2, "start": 1000, "end": 2000, "time_base": base, "metadata": {"title": "Noon"}},
            ]
        )
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                target.mux(packet)
    return out


def chapters(path: Path) -> list[tuple[Fraction, Fraction, str]]:
    with av.open(str(path)) as container:
        return [
            (
                chapter["start"] * chapter["time_base"],
                chapter["end"] * chapter["time_base"],
                chapter["metadata"]["title"],
            )
            for chapter in container.chapters()
        ]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_chapters_and_tags_are_copied(tmp_path: Path, suffix: str) -> None:
    clip = make_clip(tmp_path / f"clip{suffix}", num_frames=50, metadata={"title": "The day", "artist": "A. Nobody"})
    path = with_chapters(clip, tmp_path / f"in{suffix}")
    assert chapters(path) == [(0, 1, "Dawn"), (1, 2, "Noon")]
    with av.open(str(clip)) as container:
        tags = container.metadata
    copy = transcode(VideoSource(clip), tmp_path / f"tags{suffix}")
    with av.open(str(copy.info.path)) as container:
        assert {name.lower(): value for name, value in container.metadata.items()}.items() >= {
            (name.lower(), value) for name, value in tags.items() if name.lower() in ("title", "artist")
        }
    transcode(VideoSource(path), tmp_path / f"out{suffix}")
    assert chapters(tmp_path / f"out{suffix}") == [(0, 1, "Dawn"), (1, 2, "Noon")]
    assert VideoSource(tmp_path / f"out{suffix}").info.audio == ()


def test_languages_and_dispositions_are_copied(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", audio="flac")
    path = tmp_path / "in.mkv"
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        copies = {stream.index: target.add_stream_from_template(stream, opaque=True) for stream in source.streams}
        copies[1].metadata["language"] = "deu"
        copies[1].disposition = av.stream.Disposition.forced
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                target.mux(packet)
    copy = transcode(VideoSource(path), tmp_path / "out.mkv")
    assert copy.info.audio == ("flac 48000 Hz stereo (deu)",)
    with av.open(str(copy.info.path)) as container:
        assert container.streams.audio[0].disposition & av.stream.Disposition.forced


def test_a_part_starts_at_zero_with_its_own_sound(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mov", num_frames=100, audio="pcm_s16le", timecode="01:00:00:00")
    copy = transcode(VideoSource(path), tmp_path / "out.mov", start=25, stop=75)
    frames = list(copy.frames())
    assert len(frames) == 50
    assert frames[0].pts == 0
    whole, part = packets(path, "audio"), packets(copy.info.path, "audio")
    expected = [(time - 1, payload) for time, payload in whole if 1 <= time < 3]
    assert len(expected) > 50
    assert [payload for _, payload in part] == [payload for _, payload in expected]
    # The first packet of the part starts where it did, some samples after the picture.
    assert [time for time, _ in part] == [time for time, _ in expected]
    assert copy.info.timecode == "01:00:01:00"


def test_a_part_has_its_own_chapters(tmp_path: Path) -> None:
    path = with_chapters(make_clip(tmp_path / "clip.mkv", num_frames=50), tmp_path / "in.mkv")
    transcode(VideoSource(path), tmp_path / "out.mkv", start=20)
    assert chapters(tmp_path / "out.mkv") == [(0, Fraction(1, 5), "Dawn"), (Fraction(1, 5), Fraction(6, 5), "Noon")]


def test_the_whole_has_all_the_sound_even_where_it_is_longer_than_the_picture(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mov", num_frames=50, audio="pcm_s16le")
    source = VideoSource(path)
    with VideoSink(tmp_path / "out.mov", source.info, encoding=QUICK) as sink:
        for frame in source.frames(0, 10):
            sink.write(frame)
        sink.finish()
        sink.commit()
    assert packets(tmp_path / "out.mov", "audio") == packets(path, "audio")


def test_the_timecode_of_a_source_without_a_file_is_written(tmp_path: Path) -> None:
    source = VideoSource(make_clip(tmp_path / "in.mov"))
    like = replace(source.info, container="sequence", timecode="02:00:00:00")
    assert transcode(source, tmp_path / "out.mov", like=like).info.timecode == "02:00:00:00"


@pytest.mark.parametrize(
    ("timecode", "num_frames", "rate", "expected"),
    [
        ("00:00:00:00", 0, Fraction(25), "00:00:00:00"),
        ("00:00:59:24", 1, Fraction(25), "00:01:00:00"),
        ("23:59:59:23", 1, Fraction(24), "00:00:00:00"),
        ("01:00:00:00", 90000, Fraction(25), "02:00:00:00"),
        ("01:00:00:00", 24, Fraction(24000, 1001), "01:00:01:00"),
        # SMPTE ST 12-1: numbers 0 and 1 of a minute are skipped, but not in every tenth.
        ("00:00:59;29", 1, Fraction(30000, 1001), "00:01:00;02"),
        ("00:09:59;29", 1, Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:00;00", 17982, Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:00;00", 107892, Fraction(30000, 1001), "01:00:00;00"),
        ("00:00:59;59", 1, Fraction(60000, 1001), "00:01:00;04"),
        ("take 3", 5, Fraction(25), "take 3"),
    ],
)
def test_timecode_counts_as_smpte_says(timecode: str, num_frames: int, rate: Fraction, expected: str) -> None:
    assert advance(timecode, num_frames, rate=rate) == expected


def test_drop_frame_timecode_counts_every_frame_once() -> None:
    rate = Fraction(30000, 1001)
    names = [advance("00:00:00;00", count, rate=rate) for count in range(1, 20000)]
    assert len(set(names)) == len(names)
    assert names == sorted(names)
    assert not any(name.endswith(("00;00", "00;01")) and name[4] != "0" for name in names)
