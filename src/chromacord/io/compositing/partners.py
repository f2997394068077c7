"""Files that belong to a clip frame by frame: layers, mattes and masks. A still belongs to all frames."""

from collections.abc import Generator
from pathlib import Path

from chromacord.errors import MismatchError
from chromacord.io.interfaces import FrameSource
from chromacord.types import Frame, Size, VideoInfo


def is_held(source: FrameSource, clip: VideoInfo) -> bool:
    """Return whether a source is a still that applies to all frames of a clip."""
    return source.info.container == "still" and clip.container != "still"


def frames_beside(
    source: FrameSource, clip: VideoInfo, start: int = 0, stop: int | None = None
) -> Generator[Frame, None, None]:
    """Yield a source's frames for the frames start..stop-1 of a clip.

    Args:
        source: a clip, or a still, of which the same frame is returned without end.
        clip: properties of the clip that it belongs to.
        start, stop: range of frames.
    """
    if not is_held(source, clip):
        yield from source.frames(start, stop)
        return
    still = next(source.frames())
    while True:
        yield still


def check_size(path: Path, size: Size, other: VideoInfo, expected: Size, *, name: str) -> None:
    """Refuse a file of another size.

    Args:
        path: the file.
        size: its size, turned like the other's.
        other: properties of the clip that it belongs to.
        expected: the clip's size.
        name: what the clip is called in the message.

    Raises:
        MismatchError: the sizes differ.
    """
    if size != expected:
        raise MismatchError(
            f"{path}: is {size.width}x{size.height}, but the {name} {other.path} is {expected.width}x"
            f"{expected.height}; scale one of them"
        )
