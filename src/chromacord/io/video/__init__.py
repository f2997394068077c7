"""Video files, read and written with libav."""

from pathlib import Path


def file_url(path: Path) -> str:
    """Return a URL that makes libav open exactly this file: "shot:1.mp4" would mean the protocol "shot".

    Source: ffmpeg-protocols(1), "file".
    """
    return f"file:{path}"
