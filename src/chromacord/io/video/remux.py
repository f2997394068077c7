"""Copy everything but the picture: sound, subtitles, data, attachments, chapters, tags and timecode."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream
from av.video.stream import VideoStream

from chromacord.errors import ChromacordWarning, CodecError
from chromacord.io.timecode import advance
from chromacord.io.video import file_url
from chromacord.io.video.covers import attach_cover, is_cover

_OF_THE_FILE = ("MAJOR_BRAND", "MINOR_VERSION", "COMPATIBLE_BRANDS", "ENCODER", "DURATION", "ALPHA_MODE", "VENDOR_ID")
_STATISTICS = ("BPS", "NUMBER_OF_", "_STATISTICS", "ROTATE")
"""Tags that describe the old file rather than its content; the muxer writes its own."""

NO_PROBE = {"skip_frame": "all"}
"""Options for opening a file without decoding pictures. For H.264, libav otherwise decodes the first one, which took 40
ms of CPU time at 1080p and 150 ms at 4K."""


def find_picture(container: InputContainer) -> VideoStream | None:
    """Return the stream that players show: libav's choice, which excludes cover art."""
    pictures = [stream for stream in container.streams.video if not is_cover(stream)]
    best = container.streams.best("video")
    chosen = next((stream for stream in pictures if best is not None and stream.index == best.index), None)
    return chosen or next(iter(pictures), None)


def describe_streams(container: InputContainer, *, picture: Stream) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return one line per audio stream, and one per other stream that is not the picture."""
    audio: list[str] = []
    others: list[str] = []
    for stream in container.streams:
        if stream.index == picture.index:
            continue
        (audio if stream.type == "audio" else others).append(_describe(stream))
    return tuple(audio), tuple(others)


def _describe(stream: Stream) -> str:
    words = ["cover picture" if is_cover(stream) else stream.type, _codec_name(stream)]
    if stream.type == "audio" and stream.codec_context is not None:
        context: Any = stream.codec_context
        words = [_codec_name(stream), f"{context.sample_rate} Hz", context.layout.name]
    if stream.language and stream.language != "und":
        words.append(f"({stream.language})")
    return " ".join(words)


def _codec_name(stream: Stream) -> str:
    context = stream.codec_context
    return str(context.codec.canonical_name if context is not None else getattr(stream, "name", None) or "unknown")


def audio_rates(path: Path) -> set[int]:
    """Return the sample rates of a file's sound in hertz."""
    with av.open(file_url(path), options=NO_PROBE, metadata_errors="replace") as container:
        contexts = [stream.codec_context for stream in container.streams.audio]
        return {context.sample_rate for context in contexts if context is not None and context.sample_rate}


def find_timecode(container: InputContainer, *, picture: Stream) -> str | None:
    """Return the timecode of the first frame, from the picture, otherwise the container, otherwise another stream."""
    for metadata in (picture.metadata, container.metadata, *(stream.metadata for stream in container.streams)):
        for name, value in metadata.items():
            if name.lower() == "timecode":
                return str(value)
    return None


class Remuxer:
    """Copies the packets of all streams but the picture from a source to an output, in step with the picture.

    Nothing is decoded, and at most one packet is held: the source is read as far as the output has progressed.
    """

    def __init__(self, source: Path, output: OutputContainer, *, muxer: str, path: Path) -> None:
        """Open the source and add its streams to the output.

        Args:
            source: the file to copy from.
            output: the file to copy to, before its header is written.
            muxer: libav's name of the output's format.
            path: final path of the output, for messages.

        Raises:
            CodecError: the container does not support the source's sound.

        Warns:
            ChromacordWarning: it does not support another stream, which is dropped.
        """
        self._source, self._output, self._muxer, self._path = source, output, muxer, path
        self._targets: dict[int, Stream] = {}
        self._start = Fraction(0)
        self._container = av.open(file_url(source), options=NO_PROBE, metadata_errors="replace")
        self._picture = find_picture(self._container)
        for stream in self._container.streams:
            if self._picture is not None and stream.index == self._picture.index:
                # The demuxer then skips the picture's packets, most of the file, without copying them.
                stream.discard = Discard.all
            elif not self._is_remade(stream):
                self._add(stream)
        self._next: Packet[Any] | None = None
        self._packets = self._read()

    def begin(self, picture: Stream, *, start: Fraction, first_frame: int, rate: Fraction) -> None:
        """Copy tags, chapters and timecode, once the output's start in the source is known.

        Args:
            picture: the output's picture stream.
            start: time in the source, in seconds, that becomes 0 in the output.
            first_frame: index in the source of the first frame to write; the timecode advances by it.
            rate: frames per second.
        """
        self._start = start
        self._output.metadata.update(_lasting(self._container.metadata))
        if self._picture is not None:
            picture.metadata.update(_lasting(self._picture.metadata))
            timecode = find_timecode(self._container, picture=self._picture)
            # Remove other copies of the timecode: they would name the source's first frame.
            for metadata in (self._output.metadata, picture.metadata):
                for name in [name for name in metadata if name.lower() == "timecode"]:
                    del metadata[name]
            if timecode is not None:
                picture.metadata["timecode"] = advance(timecode, first_frame, rate=rate)
        self._output.set_chapters(list(self._chapters()))

    def copy_until(self, time: Fraction | None) -> None:
        """Copy packets up to a time in the output, in seconds; None: all that remain."""
        while True:
            packet = self._next or next(self._packets, None)
            self._next = None
            if packet is None:
                return
            # Muxers write packets in the order of time; a player that seeks would stall if sound lay far from
            # its picture.
            if time is not None and self._seconds(packet) >= time:
                self._next = packet
                return
            self._write(packet)

    def close(self) -> None:
        """Close the source."""
        self._container.close()

    def _is_remade(self, stream: Stream) -> bool:
        """Whether the muxer creates this stream itself: a timecode track, or QuickTime chapter titles."""
        if stream.type != "data":
            return False
        is_timecode = any(name.lower() == "timecode" for name in stream.metadata)
        is_titles = bool(self._container.chapters()) and getattr(stream, "name", None) == "bin_data"
        return is_timecode or is_titles

    def _add(self, stream: Stream) -> None:
        if is_cover(stream) and self._muxer == "matroska":
            if not attach_cover(self._output, stream, source=self._source):
                self._refuse(stream)
            stream.discard = Discard.all
            return
        # WebM's muxer accepts attachments, but does not write them.
        is_left_out = self._muxer == "webm" and stream.type == "attachment"
        if (is_cover(stream) and self._muxer != "mp4") or is_left_out or not _can_hold(self._muxer, stream):
            self._refuse(stream)
            stream.discard = Discard.all
            return
        target: Stream = self._output.add_stream_from_template(stream, opaque=True)
        target.metadata.update(_lasting(stream.metadata))
        target.disposition = stream.disposition
        self._targets[stream.index] = target

    def _refuse(self, stream: Stream) -> None:
        what = f"{self._path}: {self._path.suffix} cannot hold the source's {_describe(stream)}"
        if stream.type != "audio":
            warnings.warn(f"{what}; it is dropped", ChromacordWarning, stacklevel=2)
            return
        able = [suffix for suffix, muxer in _AUDIO_CONTAINERS.items() if _can_hold(muxer, stream)]
        remedy = f"write {' or '.join(able)}" if able else "convert the sound first"
        raise CodecError(f"{what} sound; {remedy}")

    def _read(self) -> "Iterator[Packet[Any]]":
        wanted = [stream for stream in self._container.streams if stream.index in self._targets]
        if not wanted:
            return
        for packet in self._container.demux(wanted):
            if packet.size and is_cover(packet.stream):
                packet.pts = packet.dts = 0  # MP4 covers have no timestamp, and muxers require one
            is_timed = packet.dts is not None or packet.pts is not None
            if packet.size and is_timed and not _is_gap(packet):
                yield packet

    def _seconds(self, packet: "Packet[Any]") -> Fraction:
        """Return the packet's time in the output, before rounding to ticks."""
        tick = packet.dts if packet.dts is not None else packet.pts or 0
        return tick * packet.time_base - self._start

    def _write(self, packet: "Packet[Any]") -> None:
        has_no_time = is_cover(packet.stream)
        # Sound from before the first written frame is dropped; without trimming, negative times are the
        # encoder's delay and are kept.
        if not has_no_time and self._start and self._seconds(packet) < 0:
            return
        shift = 0 if has_no_time else round(self._start / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift
        packet.stream = self._targets[packet.stream_index]
        self._output.mux_one(packet)

    def _chapters(self) -> Iterator[Any]:
        for chapter in self._container.chapters():
            shift = round(self._start / (chapter["time_base"] or Fraction(1)))
            if chapter["end"] > shift:
                yield {**chapter, "start": max(0, chapter["start"] - shift), "end": chapter["end"] - shift}


_AUDIO_CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""Suggestions for sound that the output's container does not support."""


def _can_hold(muxer: str, stream: Stream) -> bool:
    """Whether a muxer supports a stream, tested on a file in memory: libav only reports it when writing the header."""
    try:
        scratch = av.open(io.BytesIO(), "w", format=muxer)
        if muxer == "mxf":
            scratch.add_stream("mpeg2video", rate=25)  # MXF requires a picture first
        scratch.add_stream_from_template(stream, opaque=True)
        scratch.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    with contextlib.suppress(av.error.FFmpegError):
        scratch.close()  # MXF fails without packets
    return True


def _is_gap(packet: "Packet[Any]") -> bool:
    """Whether this is the empty text with which QuickTime represents a pause; the muxer writes its own."""
    return packet.stream.type == "subtitle" and _codec_name(packet.stream) == "mov_text" and bytes(packet) == b"\0\0"


def _lasting(metadata: dict[str, str]) -> dict[str, str]:
    """Return the tags that describe the content, without those that describe the old file."""
    return {
        name: value
        for name, value in metadata.items()
        if name.upper() not in _OF_THE_FILE and not name.upper().startswith(_STATISTICS)
    }
