"""Progress bars for a terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from chromacord.cli.screen.display import Display, LineDisplay, Values
from chromacord.errors import one_line
from chromacord.types import Progress


class BarDisplay(LineDisplay):
    """One bar per stage on stderr while the job runs, then one line."""

    shows_progress = True

    def __init__(self, *, to_stderr: bool = False) -> None:
        super().__init__(to_stderr=to_stderr)
        self._bars = Bars(
            TextColumn("{task.description:<8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:6.1f} {task.fields[unit]}/s"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            # Rich would otherwise redirect stdout to the bars' stream, stderr.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._stages: dict[str, TaskID] = {}

    def progress(self, progress: Progress) -> None:
        """Update the bar of the stage."""
        self._move(progress.stage, progress.done, progress.total, progress.rate, progress.unit)

    def clips(self, done: float, total: int, rate: float) -> None:
        """Update the bar of all clips."""
        self._move("clips", done, total, rate, "frames")

    def of_clip(self, source: str) -> Display:  # noqa: ARG002
        """Return a display for one of many clips, which shows only warnings and errors."""
        return _OneOfMany(self)

    def warning(self, message: str) -> None:
        """Show a warning above the bars."""
        line = f"[yellow]warning:[/yellow] {escape(one_line(message))}"
        self._bars.console.print(line, soft_wrap=True, highlight=False)

    def error(self, error: BaseException, message: str) -> None:
        """Remove the bars, and show why the job ended early."""
        self._bars.stop()
        super().error(error, message)

    def summary(self, line: str, values: Values) -> None:
        """Remove the bars, and print the line."""
        self._bars.stop()
        super().summary(line, values)

    def _move(self, name: str, done: float, total: int | None, rate: float, unit: str) -> None:
        if name not in self._stages:
            self._stages[name] = self._bars.add_task(name, total=total, rate=0.0, unit=unit)
        self._bars.update(self._stages[name], completed=done, total=total, rate=rate)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()


class _OneOfMany(Display):
    """A clip without its own bar or line."""

    def __init__(self, whole: BarDisplay) -> None:
        self._whole = whole

    def warning(self, message: str) -> None:
        self._whole.warning(message)

    def error(self, error: BaseException, message: str) -> None:
        self._whole.error(error, message)
