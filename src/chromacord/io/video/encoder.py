"""Encode frames to a video file through PyAV, and copy the source's other streams."""

import contextlib
import math
import warnings
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.video.stream import VideoStream

from chromacord.errors import ChromacordWarning, CodecError, InputError, OutputError
from chromacord.io import hdr
from chromacord.io.colorimetry import Converter, output_tags, write_tags
from chromacord.io.interfaces import FrameSink
from chromacord.io.orientation import Orientation
from chromacord.io.pixels import describe, picture_of, planar_name
from chromacord.io.video import file_url
from chromacord.io.video.codecs import choose
from chromacord.io.video.remux import Remuxer, audio_rates
from chromacord.io.video.settings import encoder_options, silence
from chromacord.io.writing.staging import StagedFile, Staging, StandardOutput, output_errors
from chromacord.types import STDOUT, UNSPECIFIED, Encoding, Frame, Size, VideoInfo

_X265_DELAY = 2
"""Number of frames after which x265 knows decoding timestamps; in clips no longer than that they are uninitialized
memory. So few frames are not reordered."""


class VideoSink(FrameSink):
    """A video file being written, with the frame format and timestamps of a source clip."""

    def __init__(
        self,
        path: Path | str,
        like: VideoInfo,
        *,
        encoding: Encoding,
        force: bool = False,
        copy_streams: bool = True,
        size: Size | None = None,
        trimmed: bool = False,
    ) -> None:
        """Choose the codec, and set up the encoder and the streams to copy. The file is created with the first frame.

        Args:
            path: the output; its suffix selects the container.
            like: properties of the source: format and time base of the frames, tags, rotation and pixel aspect.
            encoding: codec and quality.
            force: overwrite an existing file.
            copy_streams: copy sound, subtitles, data, chapters and tags from the file `like.path`.
            size: size of the frames, if different from the source's.
            trimmed: the frames are a part of the clip: the first one gets time 0, and the other streams are cut
                accordingly.

        Raises:
            OutputExistsError: the file exists and `force` is not set.
            OutputError: the folder is missing or cannot be written to.
            CodecError: the container or the codec does not support the source's properties.
        """
        self.path = Path(path)
        self._like, self._trimmed = like, trimmed
        self._size = size or like.size
        self._staged = StandardOutput() if str(path) == STDOUT else StagedFile(self.path, force=force)
        self._choice = choose(replace(like, size=self._size), self.path, encoding.codec)
        copies = copy_streams and like.container not in ("sequence", "still")
        self._warn_of_drops(copies=copies)
        if like.hdr_metadata and self._choice.name not in hdr.ENCODERS:
            lost = " and ".join(like.hdr_metadata.described)
            warnings.warn(
                f"{self.path}: {self._choice.name} does not keep the source's HDR metadata ({lost}), only its colour "
                f"tags; {' and '.join(hdr.ENCODERS)} do",
                ChromacordWarning,
                stacklevel=2,
            )
        self._count, self._origin, self._end = 0, 0, Fraction(0)
        self._last_tick = 0
        self._durations: dict[int, int] = {}
        # y4m holds one picture stream and nothing else; what is lost was reported above.
        copies = copies and self._choice.muxer != "yuv4mpegpipe"
        options = muxer_options(like, audio_rates(like.path) if copies else ())
        self._container = av.open(
            file_url(self._staged.temporary), "w", format=self._choice.muxer, container_options=options
        )
        self._stream = self._add_picture(encoding)
        self._remuxer: Remuxer | None = None
        if copies:
            self._remuxer = Remuxer(like.path, self._container, muxer=self._choice.muxer, path=self.path)

    def write(self, frame: Frame) -> None:
        """Encode a frame.

        Raises:
            OutputError: the file cannot be written, for example because the disk is full.
            InputError: timestamps do not increase, and the container requires that.
        """
        tick = frame.pts if frame.pts is not None else round(self._count / (self._like.rate * self._like.time_base))
        picture = picture_of(frame, self._like.pixel_format)
        if self._converter is not None:
            picture = self._converter(picture)
        write_tags(picture, self._tags)
        with output_errors(self.path):
            if self._count == 0:
                self._begin(frame.index, tick)
            # Ticks of the source's own time base: seconds as floats would drift from the sound within minutes.
            tick -= self._origin
            self._check_order(frame.index, tick)
            picture.pts, picture.time_base = tick, self._like.time_base
            duration = frame.duration or round(1 / (self._like.rate * self._like.time_base))
            picture.duration = self._durations[tick] = duration
            # Where a trimmed clip ends; its sound is cut there.
            self._end = (tick + duration) * self._like.time_base
            self._mux(picture)
        self._count += 1

    def finish(self) -> None:
        """Flush the encoder and the other streams, and close the file.

        Raises:
            OutputError: the disk is full, or no frame was written.
        """
        if self._count == 0:
            raise OutputError(f"{self.path}: no frame was written")
        with output_errors(self.path):
            self._mux(None)
            if self._remuxer is not None:
                self._remuxer.copy_until(self._end if self._trimmed else None)
            self._container.close()
        # The source's streams are copied until the picture's end, so it is closed last.
        self._close_source()

    @property
    def staged(self) -> Staging:
        """See `FrameSink.staged`."""
        return self._staged

    def discard(self) -> None:
        """Remove everything that was not committed."""
        self._close_source()
        # A full disk fails again while flushing; the file will be removed.
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._container.close()
        self._staged.discard()

    def _close_source(self) -> None:
        if self._remuxer is not None:
            self._remuxer.close()

    def _add_picture(self, encoding: Encoding) -> VideoStream:
        like, choice = self._like, self._choice
        stored = describe(choice.pix_fmt)
        self._tags = output_tags(
            like.colorimetry,
            like.pixel_format,
            stored,
            matrix=choice.codec.matrix,
            full_range=choice.codec.full_range,
        )
        self._converter: Converter | None = None
        if planar_name(like.pixel_format) != choice.pix_fmt.replace("yuvj", "yuv") or self._changes_code():
            self._converter = Converter(
                (like.colorimetry, like.pixel_format), (self._tags, stored), name=choice.pix_fmt, size=self._size
            )
        options = encoder_options(choice, encoding, size=self._size, pixel_format=stored, metadata=like.hdr_metadata)
        stream: Any = self._container.add_stream(choice.codec.encoder, rate=like.rate, options=options)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = self._size.width, self._size.height, choice.pix_fmt
        # y4m has a rate instead of timestamps; its muxer writes the inverse of the time base as the rate.
        context.time_base = 1 / like.rate if choice.name == "raw" else like.time_base
        context.sample_aspect_ratio = like.pixel_aspect
        write_tags(context, self._tags)
        if choice.name == "hevc" and choice.muxer in ("mp4", "mov"):
            # QuickTime and Apple's players reject HEVC tagged hev1, libav's default.
            context.codec_tag = "hvc1"
        if like.rotation or like.mirrored or any(like.display_shift):
            stream.set_display_matrix(Orientation.of(like).matrix(like.display_shift))
        self._open_encoder(stream)
        assert isinstance(stream, VideoStream)
        return stream

    def _check_order(self, index: int, tick: int) -> None:
        """Refuse timestamps that MP4 and QuickTime cannot store, before their muxer reports an invalid argument."""
        if self._choice.muxer in ("mp4", "mov") and self._count and tick <= self._last_tick:
            raise InputError(
                f"{self._like.path}: frame {index} is not later than the frame before it, "
                f"which {self.path.suffix} cannot hold; write .mkv, or repair the times first"
            )
        self._last_tick = tick

    def _warn_of_drops(self, *, copies: bool) -> None:
        like = self._like
        present = {
            "rotation": like.rotation != 0 or like.mirrored,
            "pixel aspect": like.pixel_aspect != 1,
            "timecode": like.timecode is not None,
            "colour tags": (like.colorimetry.primaries, like.colorimetry.transfer) != (UNSPECIFIED, UNSPECIFIED),
            "sound": copies and bool(like.audio),
        }
        lost = [what for what, is_there in present.items() if is_there and what in self._choice.drops]
        if lost:
            what = f"the source's {' and '.join(lost)} with {self._choice.name}"
            message = f"{self.path.suffix} does not keep {what}; .mov and .mp4 do"
            if str(self.path) == STDOUT:
                message = f"the pipe does not keep {what}; with --codec ffv1 it keeps more"
            warnings.warn(
                f"{self.path}: {message}",
                ChromacordWarning,
                stacklevel=3,
            )

    def _changes_code(self) -> bool:
        """Whether the codec requires another matrix or range than the source's."""
        before, after = self._like.colorimetry, self._tags
        return (before.matrix, bool(before.full_range)) != (after.matrix, bool(after.full_range))

    def _open_encoder(self, stream: VideoStream) -> None:
        silence(self._choice.name)
        try:
            stream.codec_context.open()
        except av.error.FFmpegError as error:
            raise CodecError(
                f"{self.path}: {self._choice.name} cannot encode {self._size.width}x{self._size.height} "
                f"{self._choice.pix_fmt} with these settings ({error.strerror}); choose another codec"
            ) from error

    def _begin(self, index: int, tick: int) -> None:
        # An untrimmed clip keeps its start time: it may begin later than its sound.
        self._origin = tick if self._trimmed else 0
        if self._remuxer is not None:
            start = self._origin * self._like.time_base
            skipped = index if self._trimmed else 0
            # The header holds tags, chapters and timecode, so they are set with the first frame, when the start
            # is known.
            self._remuxer.begin(self._stream, start=start, first_frame=skipped, rate=self._like.rate)
        elif self._like.timecode is not None:
            self._stream.metadata["timecode"] = self._like.timecode
        self._container.start_encoding()

    def _mux(self, picture: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(picture):
            # Not every encoder sets durations, and for the last packet no next timestamp implies one.
            if packet.pts is not None and packet.pts in self._durations:
                packet.duration = self._durations.pop(packet.pts)
            if picture is None and self._choice.name == "hevc" and self._count <= _X265_DELAY:
                # See `_X265_DELAY`.
                packet.dts = packet.pts
            time = None if packet.dts is None else packet.dts * packet.time_base
            self._container.mux_one(packet)
            if self._remuxer is not None and time is not None:
                self._remuxer.copy_until(time)


def muxer_options(like: VideoInfo, rates: Iterable[int]) -> dict[str, str]:
    """Keep the source's time base, which MP4 and QuickTime would otherwise replace.

    The movie time base, in which they store where tracks start, must represent every track's ticks too.
    """
    clock = like.time_base.denominator
    common = math.lcm(clock, *rates)
    return {
        "strict": "unofficial",  # y4m of more than 8 bits
        "video_track_timescale": str(clock),
        # libav stores it in an int; a time base of the picture alone only rounds where sound starts.
        "movie_timescale": str(common if common < 1 << 31 else clock),
    }
