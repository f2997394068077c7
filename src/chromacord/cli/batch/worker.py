"""Worker process: harmonize one clip after another and report each result."""

import _thread
import signal
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from chromacord.cli.batch.clips import Clip
from chromacord.cli.batch.one_clip import harmonize_clip
from chromacord.cli.batch.preflight import Findings, inspect
from chromacord.cli.screen.display import Values
from chromacord.cli.screen.exits import as_user_error, terminate
from chromacord.cli.screen.summary_text import summary_line, summary_values
from chromacord.errors import ChromacordWarning
from chromacord.types import Progress

if TYPE_CHECKING:
    from chromacord.job.options import Options


class Done(NamedTuple):
    """Successful result of a clip: a line for people, values for programs, and warnings."""

    line: str
    values: Values
    messages: tuple[str, ...]


class Failed(NamedTuple):
    """Failed result of a clip."""

    error: Exception
    trace: str | None = None
    """Traceback, for a bug."""


class Inspection(NamedTuple):
    """Clips to check before any of them starts."""

    clips: list[Clip]
    skip_existing: bool


Answer = Findings | Done | Failed
Request = Clip | Inspection


def serve(connection: Connection, options: "Options", cores: int | None) -> None:
    """Process requests until the connection closes, which abandons any work in progress.

    Args:
        connection: receives clips or an inspection; `Progress` and an `Answer` are sent back.
        options: options common to all clips.
        cores: maximum number of cores; None: all.
    """
    signal.signal(signal.SIGTERM, end_once)
    requests: SimpleQueue[Request | None] = SimpleQueue()
    stopped = threading.Event()
    threading.Thread(target=_receive, args=(connection, requests, stopped), daemon=True).start()
    _limit(cores)

    def tell(progress: Progress) -> None:
        if stopped.is_set():
            end_once(signal.SIGTERM, None)
        _send(connection, progress)

    while (request := requests.get()) is not None:
        _send(connection, _answer(request, options, tell))


def end_once(number: int, frame: FrameType | None) -> NoReturn:
    """Begin to end this process (a signal handler). Another SIGTERM would interrupt the removal of unfinished files."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    terminate(number, frame)


def _receive(connection: Connection, requests: "SimpleQueue[Request | None]", stopped: threading.Event) -> None:
    """Queue incoming requests. When the command ends for whatever reason, end this process as SIGTERM would."""
    with suppress(EOFError, OSError):
        while True:
            requests.put(connection.recv())
    # The signal alone is not reliable: it may arrive just before a wait, or where exceptions are swallowed.
    stopped.set()
    # Wake a worker that waits for a request, if the signal does not interrupt the wait.
    requests.put(None)
    main = threading.main_thread().ident
    assert main is not None
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signal.SIGTERM)
    else:  # on Windows, after the current call of the system
        _thread.interrupt_main(signal.SIGTERM)


def _send(connection: Connection, message: Progress | Answer) -> None:
    with suppress(OSError):  # the command has ended; the other thread notices too
        connection.send(message)


def _limit(cores: int | None) -> None:
    import cv2

    from chromacord.io.cores import share_cores

    # Parallel clips already use all cores; OpenCV's threads in each process would compete for them.
    cv2.setNumThreads(1)
    share_cores(cores)


def _answer(request: Request, options: "Options", tell: Callable[[Progress], object]) -> Answer:
    try:
        if isinstance(request, Clip):
            return _harmonize(request, options, tell)
        return inspect(request.clips, options, skip_existing=request.skip_existing)
    except Exception as error:
        known = as_user_error(error)
        if known is not None:
            return Failed(known)
        # The exception may hold objects that cannot be pickled.
        return Failed(RuntimeError(f"{type(error).__name__}: {error}"), traceback.format_exc())


def _harmonize(clip: Clip, options: "Options", tell: Callable[[Progress], object]) -> Done:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default", ChromacordWarning)
        summary = harmonize_clip(clip, options, progress=tell)
    messages = tuple(str(each.message) for each in caught if issubclass(each.category, ChromacordWarning))
    return Done(summary_line(summary), summary_values(summary), messages)
