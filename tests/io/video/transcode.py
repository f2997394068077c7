"""Write a source's frames unchanged, like a whole run with strength 0."""

from pathlib import Path

from chromacord.io.video.encoder import VideoSink
from chromacord.io.video.video_source import VideoSource
from chromacord.types import Encoding, VideoInfo

QUICK = Encoding(crf=12, preset="ultrafast")


def transcode(
    source: VideoSource,
    out: Path,
    *,
    encoding: Encoding = QUICK,
    start: int = 0,
    stop: int | None = None,
    like: VideoInfo | None = None,
    copy_streams: bool = True,
) -> VideoSource:
    """Copy frames start..stop-1 into a new file and open it; `like`: info to pass on instead of the source's."""
    with VideoSink(
        out,
        like or source.info,
        encoding=encoding,
        trimmed=start > 0 or stop is not None,
        copy_streams=copy_streams,
    ) as sink:
        for frame in source.frames(start, stop):
            sink.write(frame)
        sink.finish()
        sink.commit()
    return VideoSource(out)
