"""Join separately encoded parts of a clip by copying packets; pictures are not re-encoded."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import av
import av.error
from av.container import InputContainer, OutputContainer

from chromacord.errors import InputError, MismatchError, UnreadableFileError, counted
from chromacord.io.orientation import Orientation
from chromacord.io.video import file_url
from chromacord.io.video.codecs import CONTAINERS
from chromacord.io.video.encoder import muxer_options
from chromacord.io.video.remux import NO_PROBE, Remuxer, audio_rates, find_picture
from chromacord.io.writing.staging import StagedFile, output_errors
from chromacord.types import VideoInfo

JOINABLE = (".mp4", ".m4v", ".mov", ".mkv")
"""Suffixes of containers whose parts can be joined."""


class _Part(NamedTuple):
    """Order of a part's pictures."""

    path: Path
    ranks: tuple[int, ...]
    """Position in presentation order of each packet, in coded order."""


def join_parts(
    parts: Sequence[Path], path: Path, like: VideoInfo, *, force: bool = False, first: int | None = None
) -> int:
    """Join the parts of a clip, and add sound, subtitles, data and tags of its source.

    Every picture gets the time of its frame in the source, so that the rounding of a part's container does not
    accumulate.

    Args:
        parts: files in order, each begun by a key frame and all encoded with the same settings.
        path: the output; its suffix must be in `JOINABLE`.
        like: properties of the source.
        force: overwrite an existing file.
        first: frame of the source that the first part begins with, if only a range of the clip was rendered; it gets
            time 0. None: the whole clip.

    Returns:
        The number of frames.

    Raises:
        InputError: no parts are given, or the suffix is not in `JOINABLE`.
        UnreadableFileError: a part cannot be read.
        MismatchError: parts have different settings, or more frames than the source.
        OutputError: the output cannot be written.
    """
    if not parts:
        raise InputError(f"{path}: there are no parts to join; name at least one")
    if path.suffix.lower() not in JOINABLE:
        raise InputError(
            f"{path}: parts of {path.suffix or 'such files'} cannot be joined; write {', '.join(JOINABLE)}"
        )
    orders = [_order(part) for part in parts]
    _check_settings(parts)
    count = sum(len(order.ranks) for order in orders)
    ticks = _ticks(like, first or 0, count)
    if len(ticks) < count:
        raise MismatchError(
            f"{path}: the parts have {counted(count, 'frame')}, the source {like.path} has {len(ticks)} from frame "
            f"{first or 0}; render the parts again"
        )
    with StagedFile(path, force=force) as staged:
        with output_errors(path):
            _write(orders, staged.temporary, path, like, ticks=ticks, first=first)
        staged.commit()
    return count


def _write(
    orders: Sequence[_Part], temporary: Path, path: Path, like: VideoInfo, *, ticks: Sequence[int], first: int | None
) -> None:
    muxer = CONTAINERS[path.suffix.lower()].muxer
    copies = like.container not in ("sequence", "still")
    options = muxer_options(like, audio_rates(like.path) if copies else ())
    with ExitStack() as stack:
        output = stack.enter_context(av.open(file_url(temporary), "w", format=muxer, container_options=options))
        begun = stack.enter_context(_opened(orders[0].path))
        template: Any = find_picture(begun)
        target = _picture_stream(output, template, like, muxer)
        remuxer: Remuxer | None = None
        origin = 0 if first is None else ticks[0]
        if copies:
            remuxer = Remuxer(like.path, output, muxer=muxer, path=path)
            stack.callback(remuxer.close)
            start = origin * like.time_base
            remuxer.begin(target, start=start, first_frame=first or 0, rate=like.rate)
        elif like.timecode is not None:
            target.metadata["timecode"] = like.timecode
        output.start_encoding()
        for packet in _retimed(orders, ticks, origin, like):
            time = packet.dts * like.time_base
            packet.stream = target
            output.mux_one(packet)
            if remuxer is not None:
                remuxer.copy_until(time)
        if remuxer is not None:
            # The sound of a range ends with its last frame; a whole clip keeps sound that is longer than the picture.
            end = (ticks[-1] - origin) * like.time_base + 1 / like.rate
            remuxer.copy_until(None if first is None else end)


def _picture_stream(output: OutputContainer, template: Any, like: VideoInfo, muxer: str) -> Any:
    """Add the picture's stream, with the properties of a part that a template does not carry."""
    target: Any = output.add_stream_from_template(template, opaque=True)
    target.time_base, target.codec_context.framerate = like.time_base, like.rate
    if template.codec_context.name == "hevc" and muxer in ("mp4", "mov"):
        target.codec_context.codec_tag = "hvc1"
    if like.rotation or like.mirrored or any(like.display_shift):
        target.set_display_matrix(Orientation.of(like).matrix(like.display_shift))
    return target


def _retimed(orders: Sequence[_Part], ticks: Sequence[int], origin: int, like: VideoInfo) -> Iterator[Any]:
    """Yield all packets with the source's times.

    A packet's decoding time is the presentation time of the frame that is `delay` earlier in presentation order, as
    encoders set it, with the same delay for all parts.
    """
    # The largest delay of any part: decoding times must increase across the seam between parts with and without
    # B-frames.
    delay = max(place - rank for order in orders for place, rank in enumerate(order.ranks))
    usual = max(1, round(1 / (like.rate * like.time_base)))
    begin = 0
    for order in orders:
        with _opened(order.path) as container:
            for place, packet in enumerate(_packets(container)):
                index, coded = begin + order.ranks[place], begin + place - delay
                packet.pts = ticks[index] - origin
                # Decoding times before the first frame are extrapolated at the usual rate.
                packet.dts = ticks[coded] - origin if coded >= 0 else ticks[0] - origin + coded * usual
                packet.duration = ticks[index + 1] - ticks[index] if index + 1 < len(ticks) else usual
                packet.time_base = like.time_base
                yield packet
        begin += len(order.ranks)


def _order(path: Path) -> _Part:
    with _opened(path) as container:
        times = [packet.pts for packet in _packets(container)]
    # Ranks are found by sorting times, so times must be known and distinct.
    if not times or None in times or len(set(times)) < len(times):
        raise UnreadableFileError(f"{path}: is not a part of a clip: its pictures have no times; render it again")
    ranked = {time: rank for rank, time in enumerate(sorted(times))}
    return _Part(path, tuple(ranked[time] for time in times))


def _packets(container: InputContainer) -> Iterator[Any]:
    return (packet for packet in container.demux(find_picture(container)) if packet.size)


def _check_settings(parts: Sequence[Path]) -> None:
    known = []
    for part in parts:
        with _opened(part) as container:
            stream: Any = find_picture(container)
            context = stream.codec_context
            # Extradata holds the parameter sets: all parts are decoded with those of the first one.
            known.append((context.name, context.width, context.height, context.pix_fmt, context.extradata))
    other = next((part for part, each in zip(parts, known, strict=True) if each != known[0]), None)
    if other is not None:
        raise MismatchError(f"{other}: was not encoded with the settings of {parts[0]}; render both in the same way")


def _ticks(like: VideoInfo, first: int, count: int) -> list[int]:
    """Return the times of the source's frames from `first` on, and of one more frame where there is one."""
    found: list[int] | None = None
    if like.container not in ("sequence", "still"):
        with _opened(like.path) as container:
            # Packets that an edit list hides are decoded but not shown, so they are no frames.
            times = [packet.pts for packet in _packets(container) if not packet.is_discard]
        found = None if None in times or len(set(times)) < len(times) else sorted(times)
    if found is None:  # raw streams and images: a constant rate
        step = like.rate * like.time_base
        return [round(index / step) for index in range(first, first + count)]
    return found[first : first + count + 1]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    try:
        container = av.open(file_url(path), options=NO_PROBE, metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise UnreadableFileError(f"{path}: cannot be read as a video: {error.strerror or error}") from error
    with container:
        if find_picture(container) is None:
            raise UnreadableFileError(f"{path}: has no picture; name a rendered part")
        yield container
