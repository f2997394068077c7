"""Process many clips in parallel, in single-threaded processes."""

import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import TypeVar

import cv2
import torch

from chromacord.errors import ChromacordWarning, ProcessDiedError

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_all(function: Callable[[Task], Result], tasks: Sequence[Task], *, jobs: int | None = None) -> Iterator[Result]:
    """Call a function with each task, in several processes.

    Args:
        function: a module-level function, so that it can be pickled, as must tasks and results.
        tasks: arguments, one per call.
        jobs: number of processes; None: one per core; 1 runs in this process.

    Yields:
        Results in order of completion.

    Raises:
        ProcessDiedError: a process was killed.
        Exception: the first one raised by the function; no further tasks are started.

    Warns:
        ChromacordWarning: warnings issued by the function.
    """
    jobs = min(jobs or os.cpu_count() or 1, len(tasks))
    if jobs <= 1:
        yield from map(function, tasks)
        return
    # Spawn fresh interpreters: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    # The processes end when `alive` is closed: by us, or by the system if we are killed.
    watched, alive = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(watched,))
    try:
        for future in as_completed([pool.submit(_call, function, task) for task in tasks]):
            result, messages = future.result()
            for message in messages:
                warnings.warn(ChromacordWarning(message), stacklevel=2)
            yield result
    except BrokenProcessPool as error:
        raise ProcessDiedError(
            "a process was killed, probably out of memory; run the command again to go on, with fewer --jobs"
        ) from error
    except BaseException:
        # Otherwise a stopped run would wait for running and queued tasks.
        alive.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        alive.close()
        watched.close()


def _call(function: Callable[[Task], Result], task: Task) -> tuple[Result, list[str]]:
    """Call the function and return its warnings too: the parent process shows them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(task)
    return result, [str(each.message) for each in caught if issubclass(each.category, ChromacordWarning)]


def _start(watched: Connection) -> None:
    # Ctrl-C reaches all processes of a terminal; only the parent reports it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    Thread(target=_end_when_closed, args=(watched,), daemon=True).start()


def _end_when_closed(watched: Connection) -> None:
    """End this process when its parent closes the connection or dies."""
    wait([watched])
    os._exit(1)
