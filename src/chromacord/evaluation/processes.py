"""Many clips at once: processes of one thread each. More threads in one would only wait for each other."""

import multiprocessing
import multiprocessing.connection
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from threading import Thread
from typing import NamedTuple

from chromacord.errors import ChromacordError
from chromacord.evaluation.measuring import Measurer, Plan
from chromacord.evaluation.records import Record
from chromacord.pipeline.prefetch import single_threaded


class Task(NamedTuple):
    """A clip, by its place in the data set, and the rows that are wanted of it."""

    clip: int
    labels: tuple[str, ...]


class ProcessDiedError(ChromacordError):
    """A process of a pool ended without a word."""


def measure_all(plan: Plan, tasks: Sequence[Task], *, jobs: int) -> Iterator[list[Record]]:
    """Measure clips, in this process or in several.

    Args:
        plan: what is measured.
        tasks: the clips.
        jobs: number of processes; 1 stays in this one.

    Yields:
        The records of each clip, as they are done.

    Raises:
        ChromacordError: of the first clip that fails; no further ones are started then.
    """
    jobs = min(jobs, len(tasks))
    if jobs > 1:
        yield from _measure_in_processes(plan, tasks, jobs)
        return
    measurer = Measurer(plan)
    for task in tasks:
        with single_threaded():
            records = measurer.measure(*task)
        yield records


def _measure_in_processes(plan: Plan, tasks: Sequence[Task], jobs: int) -> Iterator[list[Record]]:
    # Fresh interpreters: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(plan,))
    try:
        for future in as_completed([pool.submit(_measure, task) for task in tasks]):
            yield future.result()
    except BrokenProcessPool as error:
        raise ProcessDiedError(
            "a measuring process was ended from outside, perhaps for want of memory; run the command again to go on, "
            "with fewer --jobs"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_measurers: list[Measurer] = []
"""The one of this process, once it has been started as one of a pool."""


def _start(plan: Plan) -> None:
    # Ctrl-C reaches all processes of a terminal; only the first is to say something about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    _measurers.append(Measurer(plan))


def _measure(task: Task) -> list[Record]:
    with single_threaded():
        return _measurers[0].measure(*task)


def _end_with_parent() -> None:
    """End this process when the one that started it was killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
