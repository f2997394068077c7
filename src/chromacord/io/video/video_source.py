"""Read the coded frames of a video file through PyAV."""

import warnings
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import av.error
from av.codec.context import CodecContext
from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from chromacord.errors import ChromacordWarning, TruncatedFileError, UnreadableFileError, counted
from chromacord.io.colorimetry import read_tags
from chromacord.io.cores import num_cores
from chromacord.io.hdr import read_hdr
from chromacord.io.interfaces import FrameSource, check_wanted
from chromacord.io.orientation import Orientation
from chromacord.io.pixels import describe, frame_bytes, planar_name, planes_of, to_planar
from chromacord.io.side_data import display_matrix, icc_profile, side_data
from chromacord.io.stills.icc import sound_profile
from chromacord.io.video import file_url
from chromacord.io.video.damage import Damage
from chromacord.io.video.decoding import Entry, Reading, accelerator, find_entry, reach
from chromacord.io.video.integrity import is_animated_webp, is_cut_off, stated_end, stated_num_frames
from chromacord.io.video.palettes import has_palette_alpha, is_opaque
from chromacord.io.video.remux import NO_PROBE, describe_streams, find_picture, find_timecode
from chromacord.parsing import missing_file
from chromacord.types import Alpha, Frame, PixelFormat, Size, VideoInfo

_STILL_FORMATS = frozenset({"image2", "gif", "apng", "webp", "ico"})
"""libav's demuxers for pictures (BMP, TGA, GIF) besides those whose names end with "_pipe"."""

_STILL_BRANDS = frozenset({"avif", "mif1", "heic", "heix"})
"""Brands of ISO media files that contain a picture (HEIF, ISO/IEC 23008-12)."""

_NEAR = 8
"""Frames before this number are reached faster by decoding than by looking for a key frame."""

_MAX_THREADS = 8
_THREADS_BYTES = 100_000_000
"""Memory limit of threaded decoding, in which each thread holds a picture: at 4K, 8 threads for 8 bits, 4 for more."""


class VideoSource(FrameSource):
    """A video file in any container and codec that libav supports."""

    def __init__(self, path: Path | str, *, salvage: bool = False, device: str = "cpu", keep: bool = False) -> None:
        """Open the file and decode its first frame, which may have tags that the header lacks.

        Args:
            path: the file.
            salvage: if the file is damaged in the middle, end there with a warning instead of an error.
            device: "cuda" to decode on a GPU if it supports the codec.
            keep: keep the file open for a first pass over its frames, which continues from here.

        Raises:
            MissingFileError: the file does not exist.
            TruncatedFileError: the file is truncated so early that nothing can be read.
            UnreadableFileError: it is a folder, an empty file, not a video, or has no video stream.
        """
        self._path = Path(path)
        self._salvage = salvage
        with ExitStack() as stack:
            container = stack.enter_context(_open(self._path))
            stream = _picture_stream(container, self._path)
            _refuse_tiles(container, stream, self._path)
            self._probed_depth = stream.codec_context.reorder_depth
            self._has_coded_alpha = _has_coded_alpha(stream)
            if keep:
                _use_threads(stream.codec_context, _stated_bytes(stream))
            reading = Reading(container, stream, stream.codec_context)
            first = _first(reading, self._path)
            self._stated_end = stated_end(stream)
            self.info = _read_info(self._path, container, stream, first, coded_alpha=self._has_coded_alpha)
            if self.info.pixel_format.is_float:
                raise UnreadableFileError(
                    f"{self._path}: is floating-point video, which is not supported; write its frames as .exr files"
                )
            if first.interlaced_frame:
                warnings.warn(
                    f"{self._path}: is interlaced; its fields are treated as one picture. Deinterlace it first",
                    ChromacordWarning,
                    stacklevel=2,
                )
            self._is_damage_told = False
            self._hardware = None if self._has_coded_alpha else accelerator(self.info, device)
            self._begun: list[Reading] = []
            if keep and not self._has_coded_alpha and self._hardware is None:
                self._begun.append(reading)
                stack.pop_all()
            may_be_still, num_streams = _may_be_still(container), len(container.streams.video)
        if may_be_still and self._has_one_picture():
            self.info = _as_still(self.info)
            if num_streams > 1:
                warnings.warn(
                    f"{self._path}: holds more pictures, such as its alpha, which are ignored; convert it to PNG",
                    ChromacordWarning,
                    stacklevel=2,
                )
        if has_palette_alpha(self.info.codec, first) and self._is_opaque():
            self.info = replace(self.info, pixel_format=replace(self.info.pixel_format, alpha=Alpha.NONE))
        self._native = planar_name(self.info.pixel_format)

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame, None, None]:
        """Decode the frames start..stop-1 in presentation order.

        Planes are read-only views of the decoder's memory if the codec is planar.

        Raises:
            TruncatedFileError: the file is damaged before `stop`.
            UnreadableFileError: the picture's size changes.
        """
        first, reading = self._reading_near(start)
        for index, picture in enumerate(self._pictures(reading, first), start=first):
            if stop is not None and index >= stop:
                return
            check_wanted()  # also for frames on the way from the key frame, which may be hundreds
            if index >= start:
                yield self._to_frame(picture, index)

    def _is_opaque(self) -> bool:
        reading = self._begin()
        with reading.container:
            return is_opaque(reading)

    def _has_one_picture(self) -> bool:
        reading = self._begin()
        with reading.container:
            return sum(1 for _ in islice(reading, 2)) == 1

    def _open_again(self) -> InputContainer:
        """Open the file without decoding its first pictures, if that gives the same properties as the first time."""
        container = _open(self._path, probe=self.info.codec != "h264")  # libav decodes only H.264 to probe
        if _picture_stream(container, self._path).codec_context.reorder_depth == self._probed_depth:
            return container
        # The reorder depth is not in the stream's header; it was found while decoding.
        container.close()
        return _open(self._path)

    def _to_frame(self, picture: av.VideoFrame, index: int) -> Frame:
        if (picture.height, picture.width) != self.info.size:
            raise UnreadableFileError(
                f"{self._path}: frame {index} is {picture.width}x{picture.height}, the frames before are "
                f"{self.info.size.width}x{self.info.size.height}; re-encode it to one size first"
            )
        planes = planes_of(to_planar(picture, self._native))
        return Frame(planes, index, pts=picture.pts, duration=picture.duration or None)

    def _reading_near(self, start: int) -> tuple[int, Reading]:
        """Open the file at the last key frame before a frame, or at its start; return the first frame's number too."""
        if start >= _NEAR and not self._salvage and not self._has_coded_alpha and self._hardware is None:
            with self._open_again() as container:
                entry = find_entry(container, _picture_stream(container, self._path), start)
            if entry is not None and (reading := self._begin_at(entry)) is not None:
                return entry.number, reading
        try:
            return 0, self._begun.pop()  # atomic, because analysis and rendering start concurrently
        except IndexError:
            return 0, self._begin()

    def _begin_at(self, entry: Entry) -> Reading | None:
        """Open the file at a key frame; None if it cannot be decoded from there."""
        container = self._open_to_decode()
        stream = _picture_stream(container, self._path)
        container.seek(entry.dts, stream=stream)
        reading = Reading(container, stream, self._decoder(stream))
        return reading if reach(reading, entry) else None

    def _pictures(self, reading: Reading, first: int) -> Iterator[av.VideoFrame]:
        """Decode all pictures; at damage, return the intact ones before it, then raise or (to salvage) warn."""
        count, end = first, Fraction(0)
        with reading.container:
            for picture in reading:
                self._give_time(picture, end)
                end = ((picture.pts or 0) + picture.duration) * self.info.time_base
                if reading.damage is not None:
                    self._report_damage(reading.damage)
                yield picture
                count += 1
        if reading.broken or self._lacks_frames(count, end):
            self._report_break(count)

    def _begin(self) -> "Reading":
        container = self._open_to_decode()
        stream = _picture_stream(container, self._path)
        return Reading(container, stream, self._decoder(stream))

    def _open_to_decode(self) -> InputContainer:
        if self._hardware is not None:
            try:
                return av.open(file_url(self._path), hwaccel=self._hardware, metadata_errors="replace")
            except (av.error.FFmpegError, OSError, RuntimeError):
                self._hardware = None  # a device without a driver or without this decoder
        return self._open_again()

    def _decoder(self, stream: VideoStream) -> VideoCodecContext:
        decoder = stream.codec_context
        if self._has_coded_alpha:
            # libav's own VP8 and VP9 decoders drop the second picture that carries the coverage.
            decoder = CodecContext.create("libvpx" if decoder.name == "vp8" else "libvpx-vp9", "r")
        _use_threads(decoder, frame_bytes(self.info.size, self.info.pixel_format))
        return decoder

    def _give_time(self, picture: av.VideoFrame, end: Fraction) -> None:
        """Fill in missing timestamps (raw streams, some AVI files): a picture starts where the previous one ended."""
        if not picture.duration:
            picture.duration = round(1 / (self.info.rate * self.info.time_base))
        if picture.pts is None:
            picture.pts = picture.dts if picture.dts is not None else round(end / self.info.time_base)

    def _lacks_frames(self, count: int, end: Fraction) -> bool:
        """Whether the file declares more than it contains: frames, its duration, or the stream's duration."""
        stated = self.info.num_frames
        if (stated is None or count < stated) and is_cut_off(self._path):
            return True
        # Half a second, because writers differ in counting from the first frame or from 0.
        return self._stated_end is not None and end + Fraction(1, 2) < self._stated_end

    def _report_damage(self, damage: Damage) -> None:
        """Warn once about possible damage."""
        if not self._is_damage_told:
            self._is_damage_told = True
            warnings.warn(
                f"{self._path}: may be damaged near frame {damage.frame} (decoder: {damage.message}); look at the "
                "result there",
                ChromacordWarning,
                stacklevel=2,
            )

    def _report_break(self, count: int) -> None:
        of = "" if self.info.num_frames is None else f" of {self.info.num_frames}"
        message, kept = f"{self._path}: breaks in the middle, at frame {count}{of}", counted(count, "frame")
        if not self._salvage:
            raise TruncatedFileError(f"{message}; use --salvage to keep the {kept} before it")
        warnings.warn(f"{message}; kept: {kept} before it", ChromacordWarning, stacklevel=2)


def _open(path: Path, *, probe: bool = True) -> InputContainer:
    if not path.exists():
        raise missing_file(path)
    if path.is_dir():
        raise UnreadableFileError(f"{path}: is a folder; name a video file")
    if path.stat().st_size == 0:
        raise UnreadableFileError(f"{path}: is empty (0 bytes); copy or render it again")
    try:
        # Metadata in an old encoding must not make a clip unreadable.
        container = av.open(file_url(path), options={} if probe else NO_PROBE, metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        if is_cut_off(path):
            raise TruncatedFileError(
                f"{path}: ends before its first frame: the file is truncated and has no index; copy it again"
            ) from error
        if isinstance(error, av.error.EOFError):
            raise UnreadableFileError(f"{path}: holds no frames; check the file with a player") from error
        raise UnreadableFileError(
            f"{path}: cannot be read as a video: {error.strerror or error}; check the file with a player"
        ) from error
    if container.format.name == "tty":
        container.close()
        raise UnreadableFileError(f"{path}: is a text file; name a video file")
    return container


def _picture_stream(container: InputContainer, path: Path) -> VideoStream:
    chosen = find_picture(container)
    if chosen is not None and chosen.codec_context is not None:
        return chosen
    kinds = ", ".join(sorted({stream.type for stream in container.streams}))
    container.close()
    if chosen is not None:
        raise UnreadableFileError(f"{path}: its video codec cannot be decoded; convert it first")
    held = f"only {kinds}" if kinds else "it is empty"
    raise UnreadableFileError(f"{path}: has no picture: {held}; name a file with video")


def _refuse_tiles(container: InputContainer, stream: VideoStream, path: Path) -> None:
    """Refuse HEIF and AVIF pictures with several tiles, which libav returns as separate streams without positions."""
    if _may_be_still(container) and stream.disposition & Disposition.dependent:
        raise UnreadableFileError(
            f"{path}: is one picture in {len(container.streams.video)} tiles, which are not supported; convert it "
            "to PNG or TIFF"
        )


def _first(reading: Reading, path: Path) -> av.VideoFrame:
    first = reading.first()
    if first is not None:
        return first
    if is_cut_off(path):
        raise TruncatedFileError(f"{path}: ends before its first frame; copy it again")
    if is_animated_webp(path):
        raise UnreadableFileError(
            f"{path}: is an animated WebP, which is not supported; convert it to a video or to PNGs"
        )
    raise UnreadableFileError(f"{path}: holds no picture that can be decoded: it has no frames, or is damaged")


def _stated_bytes(stream: VideoStream) -> int:
    """Return a picture's size in memory by the header; if unknown, a size for which one thread is used."""
    context = stream.codec_context
    if context.pix_fmt is None:
        return _THREADS_BYTES
    try:
        return frame_bytes(Size(context.height, context.width), describe(context.pix_fmt))
    except UnreadableFileError:
        return _THREADS_BYTES  # the decoder may still return another format


def _use_threads(decoder: VideoCodecContext, picture: int) -> None:
    """Enable threads in a decoder that has not started, as far as memory allows.

    Args:
        decoder: the stream's decoder.
        picture: memory that each thread holds, in bytes.
    """
    decoder.thread_type = "AUTO"
    # Composite and mask are decoded concurrently; more threads only add hand-overs.
    decoder.thread_count = max(1, min(_MAX_THREADS, num_cores() // 2, _THREADS_BYTES // max(picture, 1)))


def _may_be_still(container: InputContainer) -> bool:
    """Whether a file's format is for single pictures, though it may contain several."""
    name = container.format.name
    return (
        name.endswith("_pipe") or name in _STILL_FORMATS or container.metadata.get("major_brand", "") in _STILL_BRANDS
    )


def _as_still(info: VideoInfo) -> VideoInfo:
    colorimetry = info.colorimetry
    if info.pixel_format.model == "gray" and colorimetry.full_range is None:
        # Only video has footroom and headroom.
        colorimetry = replace(colorimetry, full_range=True)
    return replace(info, container="still", num_frames=1, colorimetry=colorimetry)


def _has_coded_alpha(stream: VideoStream) -> bool:
    """Whether a VP8 or VP9 stream in Matroska or WebM has a separately coded alpha."""
    return stream.codec_context.name in ("vp8", "vp9") and stream.metadata.get("alpha_mode") == "1"


def _read_info(
    path: Path, container: InputContainer, stream: VideoStream, first: av.VideoFrame, *, coded_alpha: bool
) -> VideoInfo:
    context = stream.codec_context
    pixel_format = _described(first, path)
    if coded_alpha:
        pixel_format = PixelFormat("yuv", pixel_format.depth, subsampling=(1, 1), alpha=Alpha.STRAIGHT)
    audio, others = describe_streams(container, picture=stream)
    orientation, shift = _read_orientation(path, first)
    return VideoInfo(
        path=path,
        size=Size(first.height, first.width),
        pixel_format=pixel_format,
        colorimetry=read_tags(first, context, pixel_format),
        rate=stream.average_rate or stream.guessed_rate or Fraction(25),  # libav's default for raw streams
        time_base=stream.time_base or Fraction(1, 25),
        num_frames=stated_num_frames(stream),
        codec=context.codec.canonical_name,
        container=container.format.name,
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        display_shift=shift,
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        profile=context.profile,
        audio=audio,
        other_streams=others,
        timecode=find_timecode(container, picture=stream),
        hdr_metadata=read_hdr(side_data(first)),
        icc_profile=sound_profile(icc_profile(first), path),
    )


def _described(picture: av.VideoFrame, path: Path) -> PixelFormat:
    try:
        return describe(picture.format.name)
    except UnreadableFileError as error:
        raise UnreadableFileError(f"{path}: {error}") from None


def _read_orientation(path: Path, picture: av.VideoFrame) -> tuple[Orientation, tuple[int, int]]:
    """Return a picture's orientation and the translation of its display matrix."""
    matrix = display_matrix(picture)
    if matrix is None:
        return Orientation(), (0, 0)
    orientation, is_exact = Orientation.from_matrix(matrix)
    if not is_exact:
        warnings.warn(
            f"{path}: is displayed with a rotation, scale or shear; only quarter turns and mirrors are kept",
            ChromacordWarning,
            stacklevel=2,
        )
    return orientation, (matrix[6], matrix[7]) if is_exact else (0, 0)
