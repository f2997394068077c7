"""The frame source and frame sink interfaces. Every file type is read and written through them."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Self

from chromacord.io.writing.staging import Staging
from chromacord.types import Frame, VideoInfo


class FrameSource(ABC):
    """A clip that can be read from the start as often as needed.

    Implementations are tested together in `tests/io/test_sources.py`; add a new one there.
    """

    info: VideoInfo

    @abstractmethod
    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame, None, None]:
        """Decode the frames start..stop-1 in presentation order. `Frame.index` counts from the clip's first frame.

        Each call opens the file anew, so two loops do not disturb each other; closing the iterator closes the file.

        Raises:
            TruncatedFileError: the file breaks in the middle (names the frame), unless the source was opened to
                salvage: then the frames end there, with a `ChromacordWarning`.
        """

    @property
    def has_alpha(self) -> bool:
        """Whether the last plane of each frame is coverage."""
        return self.info.pixel_format.alpha.value != "none"


class FrameSink(ABC):
    """Writes a clip under a temporary name; `commit` gives it its real name.

    As a context manager it discards what it wrote when it is left before `commit`.
    """

    path: Path

    @abstractmethod
    def write(self, frame: Frame) -> None:
        """Append a frame with the planes, the format and the time of the source that the sink was opened for.

        Raises:
            OutputError: the disk is full, or the file cannot be written for another reason.
        """

    @abstractmethod
    def finish(self) -> None:
        """Write what is still buffered, and close. The file is complete then, but has its temporary name."""

    @property
    @abstractmethod
    def staged(self) -> Staging:
        """What was written, to be given its final name with the other outputs of a run (`commit_all`)."""

    def commit(self) -> None:
        """Move the finished file, or files, to `path`."""
        self.staged.commit()

    @abstractmethod
    def discard(self) -> None:
        """Remove everything that was written and not committed. May be called at any time, and twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()
