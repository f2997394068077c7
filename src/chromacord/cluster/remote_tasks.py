"""Tasks on a connected cluster: lost ones run again, and what is unfinished at the end is cancelled."""

import os
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from chromacord.errors import ChromacordError, ChromacordWarning, ProcessDiedError
from chromacord.types import Progress

RETRIES = 3
"""How many times a task is retried after its node died."""

REPORT_SECONDS = 0.5
"""Minimum time between two reports of a task, and between two looks at them."""

_SECONDS_TO_STOP = 5.0
_SECONDS_TO_REPORT = 10.0

Owner = TypeVar("Owner")
Tell = Callable[[Progress], object]


@dataclass(frozen=True)
class Outcome:
    """What a task gives: a value, or the error that prevented it."""

    value: Any = None
    error: Exception | None = None
    trace: str | None = None
    """Traceback, for a bug."""

    messages: tuple[str, ...] = ()
    """Warnings."""

    cpu_seconds: float = 0.0


class Reports:
    """An actor that holds the latest progress of each running task until the command takes it."""

    def __init__(self) -> None:
        self._latest: dict[int, Progress] = {}

    def put(self, number: int, progress: Progress) -> None:
        """Keep a task's progress."""
        self._latest[number] = progress

    def take(self) -> dict[int, Progress]:
        """Return what is new, by number of the task."""
        latest, self._latest = self._latest, {}
        return latest


class _Reporter:
    """Sends a task's progress to the actor, a few times a second."""

    def __init__(self, reports: Any, number: int) -> None:
        self._reports, self._number, self._last = reports, number, -REPORT_SECONDS

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last >= REPORT_SECONDS:
            self._last = now
            self._reports.put.options(num_returns=0).remote(self._number, progress)


def _say_nothing(progress: Progress) -> None:
    """Discard progress."""


def guarded(function: Callable[..., Any], tell: Tell, folder: str | None, *arguments: Any) -> Outcome:
    """Run a task with one thread, and return its errors instead of raising them, so that ray retries only lost tasks.

    Args:
        function: what to call.
        tell: its last argument, which reports progress.
        folder: working folder, to which paths are relative; None: that of the process.
        arguments: its other arguments.
    """
    import cv2

    from chromacord.io.cores import share_cores
    from chromacord.io.memory import share_freed_memory
    from chromacord.job.threads import single_threaded

    cv2.setNumThreads(1)
    share_cores(1)
    share_freed_memory()
    before = time.process_time()
    value: Any = None
    error: Exception | None = None
    trace: str | None = None
    with warnings.catch_warnings(record=True) as caught, single_threaded():
        warnings.simplefilter("default", ChromacordWarning)
        try:
            if folder is not None:
                os.chdir(folder)
            value = function(*arguments, tell)
        except ChromacordError as problem:
            error = problem.with_traceback(None)
            error.__cause__ = error.__context__ = None  # they may hold open files, which cannot be sent
        except Exception as problem:
            # Other exceptions, such as libav's, may hold objects that cannot be pickled.
            error = RuntimeError(f"{type(problem).__name__}: {problem}")
            trace = traceback.format_exc()
    messages = tuple(str(each.message) for each in caught if issubclass(each.category, ChromacordWarning))
    return Outcome(value, error, trace, messages, time.process_time() - before)


class Tasks(Generic[Owner]):
    """Submits tasks, and yields their progress and outcomes. Leaving the context cancels what is unfinished."""

    def __init__(self, ray: Any, *, retries: int = RETRIES, folder: Path | None = None, reports: bool = True) -> None:
        """Prepare the tasks.

        Args:
            ray: the connected module, see `chromacord.cluster.connection.connected`.
            retries: how many times a task is retried after its node died.
            folder: working folder of the tasks; None: any.
            reports: yield progress; this takes one more process on this machine.
        """
        self._ray, self._retries, self._folder = ray, retries, None if folder is None else str(folder)
        self._remote = ray.remote(num_cpus=1, max_retries=retries)(guarded)
        self._reports = self._start_reports() if reports else None
        self._looked = time.monotonic()
        self._running: dict[Any, tuple[int, Owner]] = {}
        self._submitted = 0

    def submit(self, owner: Owner, function: Callable[..., Any], *arguments: Any, on_gpu: bool = False) -> None:
        """Start a task somewhere.

        Args:
            owner: returned with the task's results.
            function: called with the arguments, and with a function that reports progress.
            arguments: small values; put large ones into the object store first.
            on_gpu: the task needs a GPU.
        """
        tell = _say_nothing if self._reports is None else _Reporter(self._reports, self._submitted)
        remote = self._remote.options(name=getattr(function, "__name__", "task"), num_gpus=int(on_gpu))
        self._running[remote.remote(function, tell, self._folder, *arguments)] = self._submitted, owner
        self._submitted += 1

    def results(self) -> Iterator[tuple[Owner, Progress | Outcome]]:
        """Yield each task's progress, and its outcome at the end, until no task is left."""
        while self._running:
            ready, _ = self._ray.wait(list(self._running), timeout=REPORT_SECONDS)
            yield from self._told()
            for task in ready:
                # A failed clip cancels its other tasks, some of which may be ready in the same round.
                if task in self._running:
                    _, owner = self._running.pop(task)
                    yield owner, self._outcome(task)

    def cancel(self, is_unwanted: Callable[[Owner], bool]) -> None:
        """Stop tasks, and wait until they have removed their unfinished files."""
        tasks = [task for task, (_, owner) in self._running.items() if is_unwanted(owner)]
        for task in tasks:
            del self._running[task]
            self._ray.cancel(task)  # raises KeyboardInterrupt there
        if tasks:
            _, late = self._ray.wait(tasks, num_returns=len(tasks), timeout=_SECONDS_TO_STOP)
            for task in late:
                # By force: a task inside libav or OpenCV does not see Python's exception.
                self._ray.cancel(task, force=True)

    def _start_reports(self) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # On the command's own node, because others may die.
        here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=True)
        return self._ray.remote(num_cpus=0)(Reports).options(scheduling_strategy=here).remote()

    def _told(self) -> Iterator[tuple[Owner, Progress]]:
        if self._reports is None or time.monotonic() - self._looked < REPORT_SECONDS:
            return
        latest: dict[int, Progress] = {}
        with suppress(self._ray.exceptions.RayError):  # without it, there is less progress
            latest = self._ray.get(self._reports.take.remote(), timeout=_SECONDS_TO_REPORT)
        self._looked = time.monotonic()
        owners = dict(self._running.values())
        yield from ((owners[number], progress) for number, progress in latest.items() if number in owners)

    def _outcome(self, task: Any) -> Outcome:
        try:
            outcome: Outcome = self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None) or error
            return Outcome(error=RuntimeError(f"{type(cause).__name__}: {cause}"), trace=str(error))
        except self._ray.exceptions.RayError as error:
            reason = type(error).__name__
            lost = f"its node or process died {self._retries + 1} times ({reason}); run the same command again"
            return Outcome(error=ProcessDiedError(lost))
        return outcome

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.cancel(lambda _: True)
        if self._reports is not None:
            self._ray.kill(self._reports)
