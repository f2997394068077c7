"""Process many clips in parallel, in single-threaded processes; defines the interface that clusters implement too."""

import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.queues import SimpleQueue
from threading import Thread
from typing import Protocol, TypeVar

import cv2
import torch

from chromacord.errors import ChromacordWarning, ProcessDiedError
from chromacord.types import Progress

Task = TypeVar("Task")
Result = TypeVar("Result")
Tell = Callable[[Progress], object]

_REPORT_SECONDS = 0.5
"""Minimum time between two reports of one task, and maximum time until they are read."""


class Engine(Protocol):
    """Calls functions with tasks somewhere: in processes of this machine (`Processes`), or on a cluster."""

    def run(
        self,
        function: Callable[[Task, Tell], Result],
        tasks: Sequence[Task],
        *,
        progress: Callable[[int, Progress], object] | None = None,
        on_gpu: bool = False,
    ) -> Generator[Result, None, None]:
        """Call a function with each task.

        Args:
            function: a module-level function, so that it can be pickled, as must tasks and results. Its second argument
                reports progress.
            tasks: arguments, one per call.
            progress: called with the task's index and its progress, about twice a second.
            on_gpu: each task uses a GPU, so that those on one GPU run one after the other.

        Yields:
            Results in order of completion.

        Raises:
            ProcessDiedError: a process was killed.
            Exception: the first one raised by the function; no further tasks are started.

        Warns:
            ChromacordWarning: warnings issued by the function.
        """


def run_all(
    function: Callable[[Task], Result], tasks: Sequence[Task], *, engine: Engine | None = None
) -> Generator[Result, None, None]:
    """Call a function that reports no progress with each task. See `Engine.run`.

    Args:
        function: a module-level function.
        tasks: arguments, one per call.
        engine: where to call it; None: in this process.
    """
    return (engine or HERE).run(partial(_call_silently, function), tasks)


def _call_silently(function: Callable[[Task], Result], task: Task, tell: Tell) -> Result:  # noqa: ARG001
    return function(task)


@dataclass(frozen=True)
class Processes:
    """The engine of this machine: several processes."""

    jobs: int = 1
    """Number of processes; 1 runs in this process."""

    def run(
        self,
        function: Callable[[Task, Tell], Result],
        tasks: Sequence[Task],
        *,
        progress: Callable[[int, Progress], object] | None = None,
        on_gpu: bool = False,
    ) -> Generator[Result, None, None]:
        """Call a function with each task. See `Engine.run`."""
        jobs = 1 if on_gpu else min(self.jobs, len(tasks))
        if jobs > 1:
            yield from _in_processes(function, tasks, progress=progress, jobs=jobs)
            return
        for index, task in enumerate(tasks):
            yield function(task, _say_nothing if progress is None else partial(progress, index))


def _say_nothing(progress: Progress) -> None:
    """Do nothing with progress."""


HERE = Processes()
"""The engine that runs everything in this process."""


def _in_processes(
    function: Callable[[Task, Tell], Result],
    tasks: Sequence[Task],
    *,
    progress: Callable[[int, Progress], object] | None,
    jobs: int,
) -> Generator[Result, None, None]:
    # Spawn fresh interpreters: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    # The processes end when `alive` is closed: by us, or by the system if we are killed.
    watched, alive = context.Pipe(duplex=False)
    reports: SimpleQueue[tuple[int, Progress]] = context.SimpleQueue()
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(watched, reports))
    try:
        waiting = {pool.submit(_call, function, index, task) for index, task in enumerate(tasks)}
        while waiting:
            finished, waiting = wait_for(waiting, timeout=_REPORT_SECONDS, return_when=FIRST_COMPLETED)
            while not reports.empty():
                told = reports.get()
                if progress is not None:
                    progress(*told)
            for future in finished:
                result, messages = future.result()
                for message in messages:
                    warnings.warn(ChromacordWarning(message), stacklevel=2)
                yield result
    except BrokenProcessPool as error:
        raise ProcessDiedError(
            "a process was killed, probably out of memory; run the command again to continue, with fewer --jobs"
        ) from error
    except BaseException:
        # Otherwise a stopped run would wait for running and queued tasks.
        alive.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        alive.close()
        watched.close()
        reports.close()


def _call(function: Callable[[Task, Tell], Result], index: int, task: Task) -> tuple[Result, list[str]]:
    """Call the function and return its warnings too: the parent process shows them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(task, _Reporter(index))
    return result, [str(each.message) for each in caught if issubclass(each.category, ChromacordWarning)]


class _Reporter:
    """Sends a task's progress to the parent process, a few times a second."""

    def __init__(self, index: int) -> None:
        self._index, self._last = index, -_REPORT_SECONDS

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last >= _REPORT_SECONDS and _reports is not None:
            self._last = now
            _reports.put((self._index, progress))


_reports: "SimpleQueue[tuple[int, Progress]] | None" = None
"""In a process of the pool, the queue to its parent. A pipe, which limits the number of unread reports."""


def _start(watched: Connection, reports: "SimpleQueue[tuple[int, Progress]]") -> None:
    global _reports
    _reports = reports
    # Ctrl-C reaches all processes of a terminal; only the parent reports it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    Thread(target=_end_when_closed, args=(watched,), daemon=True).start()


def _end_when_closed(watched: Connection) -> None:
    """End this process when its parent closes the connection or dies."""
    wait([watched])
    os._exit(1)
