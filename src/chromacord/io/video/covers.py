"""Cover pictures in video files: detect them, and store them in Matroska.

MP4 stores a cover as a stream without timestamps, Matroska as an attachment. QuickTime's muxer drops it silently, and
others would turn it into a second video stream.
"""

from pathlib import Path

import av
from av.container import OutputContainer
from av.stream import Disposition, Stream

from chromacord.io.video import file_url

_TYPES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}


def is_cover(stream: Stream) -> bool:
    """Whether a stream is a cover picture."""
    return bool(stream.disposition & Disposition.attached_pic)


def attach_cover(output: OutputContainer, cover: Stream, *, source: Path) -> bool:
    """Add a cover to a Matroska file as an attachment.

    Args:
        output: the output, before its header is written.
        cover: the cover in the source.
        source: the source file.

    Returns:
        Whether players recognize a cover of this type.
    """
    if cover.codec_context is None or cover.codec_context.codec.canonical_name not in _TYPES:
        return False
    name, kind = _TYPES[cover.codec_context.codec.canonical_name]
    output.add_attachment(
        cover.metadata.get("filename", name), cover.metadata.get("mimetype", kind), _read(cover, source)
    )
    return True


def _read(cover: Stream, source: Path) -> bytes:
    # Opened anew: the remuxer's own container must not be read ahead of the picture.
    with av.open(file_url(source), options={"skip_frame": "all"}, metadata_errors="replace") as container:
        stream = container.streams[cover.index]
        return next((bytes(packet) for packet in container.demux(stream) if packet.size), b"")
