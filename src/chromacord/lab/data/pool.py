"""Process many clips in parallel, in processes of one thread."""

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
    """Call a function with each of many tasks, in several processes.

    Args:
        function: of a module, so that another process can find it; tasks and results must be picklable.
        tasks: what it is called with.
        jobs: number of processes; None: one for each core; 1 stays in this process.

    Yields:
        Results, as they come.

    Raises:
        ProcessDiedError: a process was killed.
        Exception: what the function raised first; no further tasks are begun then.

    Warns:
        ChromacordWarning: what the function warned of.
    """
    jobs = min(jobs or os.cpu_count() or 1, len(tasks))
    if jobs <= 1:
        yield from map(function, tasks)
        return
    # Fresh interpreters: the threads of torch do not survive a fork.
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
    """Call the function; what it warns of goes to the process that asked, which knows how to show it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(task)
    return result, [str(each.message) for each in caught if issubclass(each.category, ChromacordWarning)]


def _start(watched: Connection) -> None:
    # Ctrl-C reaches all processes of a terminal; only the first one reports it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    Thread(target=_end_when_closed, args=(watched,), daemon=True).start()


def _end_when_closed(watched: Connection) -> None:
    """End this process, whatever it does, when the one that started it needs no more of it or was killed."""
    wait([watched])
    os._exit(1)
