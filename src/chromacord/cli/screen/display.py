"""Report progress and results: bars on a terminal, one line elsewhere, JSON lines for programs."""

import json
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from chromacord.cli.screen.streams import report
from chromacord.errors import one_line

if TYPE_CHECKING:  # loads numpy, which would delay the help
    from chromacord.types import Progress

Values = Mapping[str, object]


class Display:
    """Shows a job. The base class shows only warnings and errors, on stderr."""

    shows_progress = False
    """Whether progress is shown at all; on a cluster, collecting it takes an additional process."""

    def progress(self, progress: "Progress") -> None:
        """Show the job's progress."""

    def warning(self, message: str) -> None:
        """Show a warning."""
        print(f"warning: {one_line(message)}", file=sys.stderr)

    def error(self, error: BaseException, message: str) -> None:  # noqa: ARG002
        """Show why the job ended early."""
        print(f"error: {one_line(message)}", file=sys.stderr)

    def bug(self, error: Exception) -> None:
        """Handle an internal error, whose traceback Python prints."""

    def summary(self, line: str, values: Values) -> None:
        """Show the result: `line` to people, `values` to programs."""

    def clips(self, done: float, total: int, rate: float) -> None:
        """Show the number of finished clips, including fractions, and the overall frames per second."""

    def of_clip(self, source: str) -> "Display":  # noqa: ARG002
        """Return a display for one of many clips, identified by its file."""
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None


class QuietDisplay(Display):
    """Shows only warnings and errors."""


class LineDisplay(Display):
    """Prints one line when the job is done."""

    def __init__(self, *, to_stderr: bool = False) -> None:
        """Print on stdout, or on stderr because stdout is the result."""
        self._to_stderr = to_stderr

    def summary(self, line: str, values: Values) -> None:  # noqa: ARG002
        """Print the line."""
        if self._to_stderr:
            print(line, file=sys.stderr)
        else:
            report(line)


class JsonDisplay(Display):
    """Prints JSON lines on stdout, each with an `event`: progress, warning, error, summary."""

    shows_progress = True
    INTERVAL = 0.5
    """Minimum seconds between two progress lines of a stage, except its last one."""

    def __init__(self, clip: str | None = None) -> None:
        """Set the clip that lines belong to, if there are many."""
        self._label = {} if clip is None else {"clip": clip}
        self._shown: dict[str, float] = {}

    def of_clip(self, source: str) -> Display:
        """Return a display whose lines name the clip."""
        return JsonDisplay(source)

    def progress(self, progress: "Progress") -> None:
        """Print the progress, at most a few times per second."""
        now = time.monotonic()
        if progress.done == progress.total or now - self._shown.get(progress.stage, 0.0) >= self.INTERVAL:
            self._shown[progress.stage] = now
            self._print("progress", {**progress._asdict(), "rate": round(progress.rate, 3)})

    def warning(self, message: str) -> None:
        """Print a warning."""
        self._print("warning", {"message": message})

    def error(self, error: BaseException, message: str) -> None:
        """Print why the job ended early, with the class of the error."""
        self._print("error", {"class": type(error).__name__, "message": message})

    def bug(self, error: Exception) -> None:
        """Print an internal error."""
        self.error(error, str(error))

    def summary(self, line: str, values: Values) -> None:  # noqa: ARG002
        """Print the result."""
        self._print("summary", values)

    def _print(self, event: str, values: Values) -> None:
        report(json.dumps({"event": event, **self._label, **values}, default=str))
