"""Decode a file's pictures once, up to its end or the first damage, by software or hardware."""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import av
import av.error
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from chromacord.io.video import file_url
from chromacord.io.video.damage import Damage, DamageCheck
from chromacord.io.video.remux import NO_PROBE, find_picture
from chromacord.types import Alpha, VideoInfo

_INDEXED = {"mov", "mp4", "matroska"}
"""Containers, by libav's names, that list which frames can be decoded on their own."""

_LISTED = "mov"
"""The one of them, by the first of libav's names, whose index lists every frame: no packets need to be read."""

_REORDERED = 64
"""Upper bound of reordering in packets, for all codecs."""

_EXACT_CODECS = frozenset({"h264", "hevc", "vp9"})
"""Codecs for which hardware and software decoders agree bit for bit. AV1 leaves film grain to the decoder; other codecs
leave more unspecified."""

_EXACT_DEPTHS = (8, 10)


class Reading:
    """One pass over the pictures of a file. It is free of reference cycles, so its resources are freed at once."""

    def __init__(self, container: InputContainer, stream: VideoStream, decoder: VideoCodecContext) -> None:
        """Prepare without decoding.

        Args:
            container: a container not shared with other readers; closed with this object.
            stream: the video stream.
            decoder: the stream's decoder.
        """
        self.container = container
        self._decoder = decoder
        self._packets = _Packets(container, stream)
        self._pictures: Iterator[av.VideoFrame] = _decoded(self._packets, decoder)

    def __del__(self) -> None:
        self._packets.check.close()
        self._decoder.flush_buffers()  # see `damage`: no decoder thread may log while it is freed
        # PyAV's containers and streams form reference cycles with their decoders until closed.
        self.container.close()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        return self._pictures

    @property
    def broken(self) -> bool:
        """Whether damage was found so far."""
        return self._packets.broken

    @property
    def damage(self) -> Damage | None:
        """The first error that libav has logged, unless it certainly means damage."""
        return self._packets.damage

    def skip(self) -> None:
        """Drop the picture that `first` returned."""
        next(self._pictures, None)

    def first(self) -> av.VideoFrame | None:
        """Return the first picture, which iteration returns again; None if there is none."""
        first = next(self._pictures, None)
        if first is not None:
            self._pictures = chain([first], self._pictures)
        return first


class Entry(NamedTuple):
    """A place from which a file can be decoded."""

    number: int
    """Frame number of the key frame."""

    dts: int
    """Its decoding time, to seek to, in ticks of the stream."""

    numbers: dict[int, int]
    """Frame numbers by presentation time, for the part of the file that was scanned."""


class _Listed(NamedTuple):
    """A packet, as the container lists it."""

    dts: int
    is_keyframe: bool


def key_frames(info: VideoInfo) -> tuple[int, ...]:
    """Return the numbers of frames from which a file can be decoded; empty if its container does not list them.

    A number may be a few too low if pictures of an open GOP are shown before their key frame.
    """
    if not info.container.startswith(_LISTED):
        return ()
    with av.open(file_url(info.path), options=NO_PROBE, metadata_errors="replace") as container:
        stream = find_picture(container)
        listed = [] if stream is None else _listed(container, stream)
    return tuple(number for number, packet in enumerate(listed) if packet.is_keyframe)


def _listed(container: InputContainer, stream: VideoStream) -> list[_Listed]:
    if not container.format.name.startswith(_LISTED):
        return []
    # Frames that an edit list hides have no number.
    return [_Listed(each.timestamp, each.is_keyframe) for each in stream.index_entries if not each.is_discard]


def reach(reading: Reading, entry: Entry) -> bool:
    """Decode up to an entry after a seek, and return whether it was reached.

    Pictures shown before it are dropped, because they refer to pictures that were not decoded.
    """
    while (picture := reading.first()) is not None:
        number = None if picture.pts is None else entry.numbers.get(picture.pts)
        # Leading pictures of an open GOP refer to frames before the key frame. They are decoded with errors or not at
        # all, and are shown before it.
        if number is None or number >= entry.number:
            return number == entry.number
        reading.skip()
    return False


def find_entry(container: InputContainer, stream: VideoStream, start: int) -> Entry | None:
    """Find the last key frame before a frame, reading packets without decoding them.

    Args:
        container: an open file, at its start.
        stream: its picture.
        start: number of the frame to reach.

    Returns:
        None if it is unknown: the container has no index of key frames, or frames lack timestamps.
    """
    # MPEG-TS and AVI do not say reliably which packets are key frames, or have no times; decoding from the
    # start is slower but right.
    if not set(container.format.name.split(",")) & _INDEXED:
        return None
    places = _skip(container, stream, start)
    first = 0
    seen: list[tuple[int, int | None, bool]] = []
    for packet in container.demux(stream):
        if packet.size and not packet.is_discard:
            if packet.pts is None:
                return None
            if not seen and places:
                if packet.dts not in places:
                    return None
                first = places[packet.dts]
            seen.append((packet.pts, packet.dts, packet.is_keyframe))
            # Packets come in decoding order. Only after this many more is it certain that no frame shown before
            # `start` is still to come.
            if first + len(seen) > start + _REORDERED:
                break
    # Packets that precede a key frame in decoding order are also shown before it.
    times = sorted(pts for pts, _, _ in seen)
    numbers = {time: first + index for index, time in enumerate(times)}
    keys = [(numbers[pts], dts) for pts, dts, is_key in seen if is_key and numbers[pts] <= start]
    index, dts = max(keys, default=(0, None), key=lambda key: key[0])
    # Equal times would make two frames one, so numbers could be wrong. The first key frame is the start, which
    # needs no seeking.
    if len(numbers) < len(seen) or dts is None or index == 0:
        return None
    return Entry(index, dts, numbers)


def _skip(container: InputContainer, stream: VideoStream, start: int) -> dict[int, int]:
    """Seek to a key frame that is certainly before a frame, to avoid reading the packets up to there.

    Returns:
        Positions of packets in the container's index by decoding time; empty: the file is still at its start.
    """
    listed = _listed(container, stream)
    keys = [place for place, packet in enumerate(listed) if packet.is_keyframe and 0 < place <= start - _REORDERED]
    if not keys:
        return {}
    container.seek(listed[keys[-1]].dts, stream=stream)
    return {packet.dts: place for place, packet in enumerate(listed)}


def _decoded(packets: "_Packets", decoder: VideoCodecContext) -> Iterator[av.VideoFrame]:
    """Yield the pictures in packets, up to the first damage, which is recorded on the packets."""
    count = 0
    stop: int | None = None  # with threads, libav logs about pictures that it returns later
    for packet in packets:
        pictures, broken = _decode(decoder, packet)
        damage = packets.check.look(packets.count, at_end=packet is None)
        # libav often logs harmless errors (streams that violate the standard), so only a failed checksum ends the
        # clip; other errors become a warning.
        if damage is not None and damage.is_certain:
            stop = damage.frame
        elif damage is not None:
            packets.damage = packets.damage or damage
        if stop is not None and count + len(pictures) > stop:
            pictures, broken = pictures[: max(stop - count, 0)], True
        yield from pictures
        count += len(pictures)
        if broken:
            packets.broken = True
            return


class _Packets:
    """The packets of one stream; afterwards `broken` says whether there was damage."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.broken = False
        self.damage: Damage | None = None
        self.count = 0
        self.check = DamageCheck(container, stream)
        self._packets = container.demux(stream)

    def __iter__(self) -> "Iterator[Packet[VideoStream] | None]":
        try:
            # A failing demuxer is treated as the end of the file: the pictures decoded so far are intact.
            for packet in self._packets:
                if packet.is_corrupt:
                    self.broken = True
                    break
                if packet.size:
                    self.count += 1
                    yield packet
        except av.error.FFmpegError:
            self.broken = True
        # At the end, None flushes the decoder.
        yield None


def _decode(decoder: VideoCodecContext, packet: "Packet[VideoStream] | None") -> tuple[list[av.VideoFrame], bool]:
    """Return the pictures that a packet completes, up to a damaged one, and whether there was damage."""
    try:
        pictures = decoder.decode(packet)
    except av.error.EOFError:
        return [], False
    except av.error.FFmpegError:
        return [], True
    sound: list[av.VideoFrame] = []
    for picture in pictures:
        # libav marks what it has concealed; frames before it in the same packet are sound.
        if picture.is_corrupt:
            return sound, True
        sound.append(picture)
    return sound, False


def accelerator(info: VideoInfo, device: str) -> HWAccel | None:
    """Return the acceleration for opening a file on a device; None if it has none.

    Frames are returned in host memory, where the encoder needs them. If the device rejects the stream, libav decodes it
    in software.

    Args:
        info: properties of the file, read without the device.
        device: device name; only "cuda" can decode.
    """
    layout = info.pixel_format
    is_common = layout.subsampling == (1, 1) and layout.depth in _EXACT_DEPTHS and layout.alpha is Alpha.NONE
    if device not in hwdevices_available() or info.codec not in _EXACT_CODECS or not is_common:
        return None
    return HWAccel(device, allow_software_fallback=True)
