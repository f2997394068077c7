"""How a job shows what it does: bars on a terminal, one line elsewhere, JSON lines for other programs."""

import json
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from chromacord.types import Progress

Values = Mapping[str, object]


class Display:
    """Shows a job: nothing but warnings and errors, on stderr, unless a subclass shows more."""

    def progress(self, progress: Progress) -> None:
        """Take note of how far the job is."""

    def warning(self, message: str) -> None:
        """Show a warning."""
        print(f"warning: {message}", file=sys.stderr)

    def error(self, error: BaseException, message: str) -> None:  # noqa: ARG002
        """Show why the job ended early."""
        print(f"error: {message}", file=sys.stderr)

    def bug(self, error: Exception) -> None:
        """Take note of an error that is ours; Python prints its traceback."""

    def summary(self, line: str, values: Values) -> None:
        """Show the result: `line` to people, `values` to programs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None


class QuietDisplay(Display):
    """Only warnings and errors."""


class LineDisplay(Display):
    """One line on stdout when the job is done."""

    def summary(self, line: str, values: Values) -> None:  # noqa: ARG002
        """Print the line."""
        print(line)


class BarDisplay(LineDisplay):
    """A bar for each stage on stderr while the job runs, then one line on stdout."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.description:<8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:6.1f} {task.fields[unit]}/s"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            # Else what belongs on stdout would go where the bars are.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._stages: dict[str, TaskID] = {}

    def progress(self, progress: Progress) -> None:
        """Move the bar of the stage."""
        if progress.stage not in self._stages:
            self._stages[progress.stage] = self._bars.add_task(
                progress.stage, total=progress.total, rate=0.0, unit=progress.unit
            )
        self._bars.update(
            self._stages[progress.stage], completed=progress.done, total=progress.total, rate=progress.rate
        )

    def warning(self, message: str) -> None:
        """Show a warning above the bars."""
        self._bars.console.print(f"[yellow]warning:[/yellow] {escape(message)}", soft_wrap=True, highlight=False)

    def error(self, error: BaseException, message: str) -> None:
        """Take the bars away and show why the job ended early."""
        self._bars.stop()
        super().error(error, message)

    def summary(self, line: str, values: Values) -> None:
        """Take the bars away and print the line."""
        self._bars.stop()
        super().summary(line, values)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()


class JsonDisplay(Display):
    """JSON lines on stdout, each with an `event`: progress, warning, error, summary."""

    INTERVAL = 0.5
    """Least number of seconds between two progress lines of one stage; its last one is always shown."""

    def __init__(self) -> None:
        self._shown: dict[str, float] = {}

    def progress(self, progress: Progress) -> None:
        """Print where the job is, a few times a second at the most."""
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
        """Print an error that is ours."""
        self.error(error, str(error))

    def summary(self, line: str, values: Values) -> None:  # noqa: ARG002
        """Print the result."""
        self._print("summary", values)

    def _print(self, event: str, values: Values) -> None:
        print(json.dumps({"event": event, **values}, default=str), flush=True)


def choose_display(*, log_json: bool = False, quiet: bool = False) -> Display:
    """Return the display for the options, and for where the output goes."""
    if log_json:
        return JsonDisplay()
    if quiet:
        return QuietDisplay()
    return BarDisplay() if sys.stderr.isatty() else LineDisplay()
