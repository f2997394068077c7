"""The interfaces of frame sources and sinks, through which all file types are read and written."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Self

from chromacord.errors import ChromacordError
from chromacord.io.writing.staging import Staging
from chromacord.types import Frame, VideoInfo

_is_wanted: ContextVar[Callable[[], bool]] = ContextVar("is_wanted", default=lambda: True)


class SupersededError(ChromacordError):
    """Reading was cancelled because its result is no longer needed."""


@contextmanager
def reading_while(is_wanted: Callable[[], bool]) -> Iterator[None]:
    """Make sources in this thread stop decoding as soon as their frames are no longer needed.

    This sets a context variable rather than an argument of `frames`, so that sources that wrap others need not pass it
    on.

    Args:
        is_wanted: called for each decoded frame, including those between a key frame and the first frame to return.
    """
    token = _is_wanted.set(is_wanted)
    try:
        yield
    finally:
        _is_wanted.reset(token)


def check_wanted() -> None:
    """Stop reading if its result is no longer needed.

    Raises:
        SupersededError: it is no longer needed; see `reading_while`.
    """
    if not _is_wanted.get()():
        raise SupersededError("another frame was requested")


class FrameSource(ABC):
    """A clip that can be read from the start repeatedly.

    All implementations are tested in `tests/io/test_sources.py`; add new ones there.
    """

    info: VideoInfo

    @abstractmethod
    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame, None, None]:
        """Decode the frames start..stop-1 in presentation order. `Frame.index` counts from the clip's first frame.

        Each call opens the file again, so that concurrent loops are independent; closing the iterator closes the file.

        Raises:
            TruncatedFileError: the file is damaged in the middle (names the frame). If the source was opened to
                salvage, the frames end there instead, with a `ChromacordWarning`.
            SupersededError: see `reading_while`.
        """

    @property
    def has_alpha(self) -> bool:
        """Whether the last plane of each frame is alpha."""
        return self.info.pixel_format.alpha.value != "none"


class FrameSink(ABC):
    """Writes a clip under a temporary name; `commit` renames it.

    As a context manager it discards everything if it exits before `commit`.
    """

    path: Path

    @abstractmethod
    def write(self, frame: Frame) -> None:
        """Append a frame in the format and time base of the source that the sink was opened for.

        Raises:
            OutputError: the file cannot be written, for example because the disk is full.
        """

    @abstractmethod
    def finish(self) -> None:
        """Flush buffers and close the file, which is then complete under its temporary name."""

    @property
    @abstractmethod
    def staged(self) -> Staging:
        """The written files, to be committed with the run's other outputs (`commit_all`)."""

    def commit(self) -> None:
        """Rename the finished file or files to `path`."""
        self.staged.commit()

    @abstractmethod
    def discard(self) -> None:
        """Remove everything that was not committed. May be called at any time, and repeatedly."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()
