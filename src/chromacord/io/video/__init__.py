"""Video files, read and written with libav."""

from pathlib import Path

from chromacord.types import STDOUT


def file_url(path: Path) -> str:
    """Return a URL that makes libav open exactly this file: "shot:1.mp4" would mean the protocol "shot".

    "-" is standard output.

    Source: ffmpeg-protocols(1), "file".
    """
    return "pipe:1" if str(path) == STDOUT else f"file:{path}"
