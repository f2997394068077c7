"""Paths as libav takes them: it reads "shot:1.mp4" as a file of the protocol "shot"."""

from pathlib import Path


def file_url(path: Path) -> str:
    """Return what makes libav open exactly this file, whatever its name (ffmpeg-protocols(1), "file")."""
    return f"file:{path}"
