"""Programs that tests start: what they said last is kept, and none of them outlives its time.

Not every wait for a browser that hangs has an end of its own: playwright runs a page's script for as long as it takes.
So tests are watched from outside, and what they wait for is ended: every wait then fails at once.
"""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PATIENCE = 100.0
"""Seconds that a test waits for one thing; much, because a busy machine is no fault of the page."""

LIMIT = 300.0
"""Seconds of a test after which all that it has started is killed."""

_DYING = 10.0
"""Seconds until what is left after a kill is killed, too."""

_DRIVER = "playwright/driver"
"""Playwright's own process, which tells what the browser said when it ended."""


class Program:
    """A program with its children, which end together."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path, **options: Any) -> None:
        """Start a program.

        Args:
            name: what it is called in messages.
            command: program and arguments.
            log: receives what it prints as errors.
            options: of `subprocess.Popen`.
        """
        self.name, self._log = name, log
        # Where tests are killed themselves, the system ends what they have started.
        together = [] if (setpriv := shutil.which("setpriv")) is None else [setpriv, "--pdeathsig", "KILL"]
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [*together, *command], **{"stderr": errors, "start_new_session": True, **options}
            )

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def last_words(self) -> str:
        """Return how it ended and the last lines that it printed as errors."""
        with suppress(subprocess.TimeoutExpired):  # one that has closed its files is about to end
            self.process.wait(0.5)
        code = self.process.poll()
        state = "runs" if code is None else f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()[-20:]
        return "\n".join([f"{self.name} {state} and said:", *(lines or ["(nothing)"])])

    def end(self, first: signal.Signals = signal.SIGTERM, seconds: float = 5) -> int:
        """Ask it to end, kill it if it does not within some seconds, and return its code."""
        with suppress(ProcessLookupError):
            # A program that is stopped would obey only when it goes on.
            for number in (first, signal.SIGCONT):
                self.process.send_signal(number)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait(PATIENCE)


def descendants(process: int) -> list[int]:
    """Return the children of a process, and theirs."""
    found = []
    with suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found


@contextmanager
def killing_after(seconds: float, told: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Kill all that this process has started if the context takes longer.

    Args:
        seconds: the limit.
        told: called first.
    """
    is_over = threading.Event()

    def watch() -> None:
        if is_over.wait(seconds):
            return
        told()
        kill_descendants(but=_DRIVER)
        while not is_over.wait(_DYING):
            kill_descendants()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        is_over.set()
        watching.join()


def kill_descendants(but: str | None = None) -> None:
    """Kill what this process has started.

    Args:
        but: leaves processes alone whose command holds this.
    """
    for child in descendants(os.getpid()):
        with suppress(OSError):
            if but is None or but not in Path(f"/proc/{child}/cmdline").read_text():
                os.kill(child, signal.SIGKILL)
