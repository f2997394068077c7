"""Bounded threads for decoding and encoding, which overlap because libav and OpenColorIO release the GIL.

Libraries keep to one thread meanwhile.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, NamedTuple, TypeVar

import cv2

from chromacord.types import Progress

Item = TypeVar("Item")

DEPTH = 1
"""Queue length. Longer queues would only hold more 4K frames in memory, because the stages are evenly paced."""

REPORT_SECONDS = 0.2
"""Minimum seconds between two calls of a progress callback."""

_POLL_SECONDS = 0.1

_TORCH_READS = "OMP_NUM_THREADS"

_SPELLINGS = ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads")
"""Function names in numpy's wheels, and in distributions' packages."""


class Blas(NamedTuple):
    """A library's functions to get and set its number of threads."""

    get_threads: "ctypes._NamedFuncPointer"
    set_threads: "ctypes._NamedFuncPointer"


@cache
def open_blas() -> Blas | None:
    """Return numpy's BLAS library, whose threads numpy has no function to limit; None if it is not OpenBLAS."""
    file = getattr(sys.modules.get("numpy._core._multiarray_umath"), "__file__", None)
    if file is None:
        return None
    library = ctypes.CDLL(file)  # also finds symbols of the libraries it links to
    for spelling in _SPELLINGS:
        try:
            return Blas(getattr(library, spelling.format("get")), getattr(library, spelling.format("set")))
        except AttributeError:
            continue
    return None


@contextmanager
def single_threaded() -> Iterator[None]:
    """Restrict numpy, OpenCV and torch to one thread each in the whole process, and restore their settings afterwards.

    For programs that only harmonize clips, such as our commands; the package's functions never change thread counts.
    Decoding, rendering and encoding overlap already. With as many threads of numpy as cores, a job at 1080p took twice
    the CPU time and twice as long, because they spin while they wait for each other. On a shared machine, torch was
    measured up to 20 times slower with two threads than with one. If torch is imported inside, it keeps to one thread
    afterwards.
    """
    blas = open_blas()
    torch: Any = sys.modules.get("torch")  # not imported here: most runs do not need it
    with ExitStack() as stack:
        if torch is None:
            stack.enter_context(_one_thread_at_import())
        _hold(stack, cv2.getNumThreads, cv2.setNumThreads)
        if blas is not None:
            _hold(stack, blas.get_threads, blas.set_threads)
        if torch is not None:
            _hold(stack, torch.get_num_threads, torch.set_num_threads)
        yield


@contextmanager
def _one_thread_at_import() -> Iterator[None]:
    """Set the variable that torch reads on import, unless the user has set it."""
    if _TORCH_READS in os.environ:
        yield
        return
    os.environ[_TORCH_READS] = "1"
    try:
        yield
    finally:
        os.environ.pop(_TORCH_READS, None)


def _hold(stack: ExitStack, get: Callable[[], int], set_to: Callable[[int], object]) -> None:
    stack.callback(set_to, get())
    set_to(1)


class _End:
    """Marks the end of a queue, and carries the error that ended it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextmanager
def prefetch(items: Iterable[Item], *, depth: int = DEPTH) -> Iterator[Iterator[Item]]:
    """Read items ahead in a thread; its errors are raised here, in order.

    Leaving the context stops the thread, and closes `items` if it is a generator.

    Args:
        items: read only by the thread.
        depth: maximum number of items to read ahead.
    """
    queue: Queue[Item | _End] = Queue(maxsize=depth)
    stop = Event()
    thread = Thread(target=_fill, args=(items, queue, stop), name="prefetch", daemon=True)
    thread.start()
    try:
        yield _Drain(queue)
    finally:
        stop.set()
        # The thread must end before its decoder is freed; otherwise libav crashes at interpreter exit.
        thread.join()


def _fill(items: Iterable[Item], queue: "Queue[Item | _End]", stop: Event) -> None:
    end = _End()
    source = iter(items)
    try:
        for item in source:
            # A put without a timeout could block forever if the reader has left.
            if not _put(queue, item, stop):
                break
            del item  # release the item before the next one is made
    except BaseException as error:
        end = _End(error)
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()
    _put(queue, end, stop)
    del end  # its traceback references this frame


def _put(queue: "Queue[Item | _End]", item: Item | _End, stop: Event) -> bool:
    """Put an item, unless told to stop while the queue is full."""
    while not stop.is_set():
        try:
            queue.put(item, timeout=_POLL_SECONDS)
        except Full:
            continue
        return True
    return False


class _Drain(Iterator[Item]):
    """Yields a queue's items. Not a generator, which would hold each item until the next one is requested."""

    def __init__(self, queue: "Queue[Item | _End]") -> None:
        self._queue: Queue[Item | _End] | None = queue

    def __next__(self) -> Item:
        if self._queue is None:
            raise StopIteration
        item = self._queue.get()
        if not isinstance(item, _End):
            return item
        self._queue = None
        error = item.error or StopIteration()
        try:
            raise error
        finally:
            # A traceback references its frames, and with them the decoders; none of them may reference the error.
            del item, error


@contextmanager
def write_behind(write: Callable[[Item], None], *, depth: int = DEPTH) -> Iterator[Callable[[Item], None]]:
    """Yield a function that passes items to `write` in a thread, in order.

    Leaving the context waits until all items are written. Errors of `write` are raised by the next call or on leaving;
    if the context is left by another error, queued items are dropped.

    Args:
        write: called only by the thread.
        depth: maximum number of queued items.
    """
    queue: Queue[Item | _End] = Queue(maxsize=depth)
    stop = Event()
    failures: list[BaseException] = []
    thread = Thread(target=_empty, args=(queue, write, stop, failures), name="write-behind", daemon=True)
    thread.start()

    def put(item: Item) -> None:
        if not _put(queue, item, stop):
            # The writer sets `stop` only after it has recorded why.
            raise failures[0]

    try:
        yield put
        _put(queue, _End(), stop)
    except BaseException:
        stop.set()
        raise
    finally:
        thread.join()
        failed = failures.copy()
        failures.clear()  # a traceback references its frames, and with them this list
    if failed:
        raise failed.pop()


def _empty(
    queue: "Queue[Item | _End]", write: Callable[[Item], None], stop: Event, failures: list[BaseException]
) -> None:
    while not stop.is_set():
        try:
            item = queue.get(timeout=_POLL_SECONDS)
        except Empty:
            continue
        if isinstance(item, _End):
            return
        try:
            write(item)
        except BaseException as error:
            failures.append(error)
            stop.set()
        del item  # release the item before waiting for the next one


def reported(
    stage: str, items: Iterator[Item], total: int | None, progress: Callable[[Progress], object] | None
) -> Iterator[Item]:
    """Pass items through, and call a progress callback before the first, after it, regularly, and at the last.

    Args:
        stage: name of the activity.
        items: the items in order.
        total: number of items; None: unknown.
        progress: the callback; None: no reports.
    """
    if progress is None:
        yield from items
        return
    progress(Progress(stage, 0, total, 0.0))
    started = last = time.perf_counter()
    done = 0
    while True:
        try:
            yield next(items)  # no variable, which would keep it alive while waiting for the next one
        except StopIteration:
            break
        done += 1
        now = time.perf_counter()
        if now - last >= REPORT_SECONDS or done == 1:
            last = now
            # A coarse clock may not have advanced yet.
            progress(Progress(stage, done, total, done / max(now - started, 1e-9)))
    progress(Progress(stage, done, done, done / max(time.perf_counter() - started, 1e-9)))
