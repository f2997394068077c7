"""Video sinks for image sources: convert pictures to integer, straight, display-referred planes first."""

import warnings
from dataclasses import replace
from pathlib import Path

from chromacord.color.management.stated import DISPLAY_P3, DISPLAY_P3_SPACE, SRGB, space_of_tags
from chromacord.errors import CodecError
from chromacord.io.convert import PlaneConverter, stored_colorimetry
from chromacord.io.interfaces import FrameSink
from chromacord.io.pixels import describe
from chromacord.io.stills.icc import warn_of_lost_profile
from chromacord.io.video.codecs import choose
from chromacord.io.video.encoder import VideoSink
from chromacord.io.writing.staging import Staging
from chromacord.types import Alpha, Encoding, Frame, PixelFormat, Size, VideoInfo

_DEPTHS = (16, 12, 10, 8)


class ConvertingSink(FrameSink):
    """Converts frames and passes them to another sink."""

    def __init__(self, sink: FrameSink, convert: PlaneConverter) -> None:
        """Wrap a sink.

        Args:
            sink: receives the converted frames.
            convert: converts the source's planes.
        """
        self.path = sink.path
        self._sink, self._convert = sink, convert

    def write(self, frame: Frame) -> None:
        """Convert a frame and write it. See `FrameSink.write`."""
        self._sink.write(replace(frame, planes=self._convert(frame.planes), attributes=None))

    def finish(self) -> None:
        """See `FrameSink.finish`."""
        self._sink.finish()

    @property
    def staged(self) -> Staging:
        """See `FrameSink.staged`."""
        return self._sink.staged

    def discard(self) -> None:
        """See `FrameSink.discard`."""
        self._sink.discard()


def open_video_sink(
    path: Path,
    like: VideoInfo,
    *,
    encoding: Encoding,
    force: bool = False,
    copy_streams: bool = True,
    size: Size | None = None,
    trimmed: bool = False,
) -> FrameSink:
    """Open a video output, and convert frames first if videos cannot store the source's planes.

    Float images, scene-linear or not, become integers of the codec's largest depth; scene-linear ones get the sRGB
    curve. Premultiplied colours become straight.

    Args:
        path, like, encoding, force, copy_streams, size, trimmed: see `VideoSink`.

    Raises:
        OutputExistsError, OutputError, CodecError: see `VideoSink`.
    """
    like = _tagged(like)
    warn_of_lost_profile(like.icc_profile, out=path, why="video holds no ICC profile")
    stored = _stored(like, path, encoding)
    sink = VideoSink(
        path, stored, encoding=encoding, force=force, copy_streams=copy_streams, size=size, trimmed=trimmed
    )
    if stored.pixel_format == like.pixel_format:
        return sink
    return ConvertingSink(sink, PlaneConverter(like, stored.pixel_format, scene_linear=False))


def _tagged(like: VideoInfo) -> VideoInfo:
    """Replace an ICC profile, which a video cannot hold, by colour tags, if tags can say the same."""
    colors = like.colorimetry
    if like.icc_profile is None or like.stated_spaces != (DISPLAY_P3_SPACE,) or space_of_tags(colors):
        return like
    return replace(like, icc_profile=None, colorimetry=replace(colors, primaries=DISPLAY_P3, transfer=SRGB))


def _stored(like: VideoInfo, path: Path, encoding: Encoding) -> VideoInfo:
    """Return the properties of the frames that the video sink receives."""
    source = like.pixel_format
    if like.container not in ("sequence", "still") or (not source.is_float and source.alpha is not Alpha.PREMULTIPLIED):
        return like
    alpha = Alpha.NONE if source.alpha is Alpha.NONE else Alpha.STRAIGHT
    colorimetry = stored_colorimetry(like.colorimetry, scene_linear=False)
    # Floats have no integer depth, so the deepest that the codec stores without loss is used.
    depths = _DEPTHS if source.is_float else (source.depth,)
    stored = [
        replace(like, pixel_format=PixelFormat(source.model, depth, alpha=alpha), colorimetry=colorimetry)
        for depth in depths
    ]
    return next((info for info in stored if _is_held(info, path, encoding)), stored[-1])


def _is_held(info: VideoInfo, path: Path, encoding: Encoding) -> bool:
    """Whether a codec stores a format without loss of depth or alpha; loss of chroma is handled elsewhere."""
    try:
        with warnings.catch_warnings():
            # This only tests the codec; the sink opened afterwards issues the warnings.
            warnings.simplefilter("ignore")
            held = describe(choose(info, path, encoding.codec).pix_fmt)
    except CodecError:
        return False
    wanted = info.pixel_format
    return held.depth >= wanted.depth and (wanted.alpha is Alpha.NONE or held.alpha is not Alpha.NONE)
