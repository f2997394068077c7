"""Worker processes for a batch. All end with the command; a crash loses only the worker's clip."""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import TYPE_CHECKING, Self

from chromacord.cli.batch.clips import Clip
from chromacord.cli.batch.preflight import Findings
from chromacord.cli.batch.worker import Answer, Failed, Inspection, Request, serve
from chromacord.errors import ProcessDiedError
from chromacord.types import Progress

if TYPE_CHECKING:
    from chromacord.job.options import Options


class _Worker:
    """A worker process with our end of its connection."""

    def __init__(self, options: "Options", cores: int | None) -> None:
        # Spawn fresh interpreters: the threads of torch and libav do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, options, cores))
        with _quiet_start():
            self.process.start()
        # If this process kept the worker's end open, the connection would not end when the worker dies.
        theirs.close()

    def receive(self) -> Progress | Answer:
        """Return its next message."""
        try:
            answer: Progress | Answer = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return Failed(
                ProcessDiedError(
                    f"its process was killed (exit code {self.process.exitcode}), probably out of "
                    "memory; run it again with fewer --jobs"
                )
            )
        return answer


class Workers:
    """Worker processes with common options. Leaving the context ends them immediately."""

    def __init__(self, jobs: int, options: "Options") -> None:
        """Start the processes.

        Args:
            jobs: number of processes, which share the cores.
            options: options common to all clips.
        """
        from chromacord.io.cores import all_cores

        self._options = options
        self._cores = None if jobs == 1 else max(1, all_cores() // jobs)
        self._idle = [self._begin() for _ in range(jobs)]
        self._busy: dict[Connection, tuple[_Worker, Clip]] = {}

    def inspect(self, clips: Sequence[Clip], *, skip_existing: bool) -> Findings:
        """Check the files of clips. See `chromacord.cli.batch.preflight.inspect`."""
        worker = self._idle[0]
        _send(worker, Inspection(list(clips), skip_existing))
        answer = worker.receive()
        if isinstance(answer, Failed):
            if answer.trace is not None:
                answer.error.add_note(answer.trace)
            raise answer.error
        assert isinstance(answer, Findings)
        return answer

    def run(self, clips: Sequence[Clip]) -> Iterator[tuple[Clip, Progress | Answer]]:
        """Harmonize clips in order, several at a time, and yield each clip's messages; its result comes last."""
        # Reversed, because pop() takes from the end: the clips start in the given order.
        waiting = list(reversed(clips))
        while waiting or self._busy:
            while waiting and self._idle:
                worker, clip = self._idle.pop(), waiting.pop()
                self._busy[worker.connection] = worker, clip
                _send(worker, clip)
            for connection in wait(list(self._busy)):
                assert isinstance(connection, Connection)
                worker, clip = self._busy[connection]
                answer = worker.receive()
                if not isinstance(answer, Progress):
                    del self._busy[connection]
                    is_alive = not isinstance(answer, Failed) or not isinstance(answer.error, ProcessDiedError)
                    if is_alive or waiting:
                        self._idle.append(worker if is_alive else self._begin())
                yield clip, answer

    def _begin(self) -> _Worker:
        return _Worker(self._options, self._cores)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        workers = [*self._idle, *(worker for worker, _ in self._busy.values())]
        for worker in workers:
            # All connections first, so that the workers stop at the same time, then wait for them.
            worker.connection.close()
        try:
            for worker in workers:
                worker.process.join()
        except BaseException:
            # Stopped a second time: unfinished files stay until the next run removes them.
            for worker in workers:
                worker.process.kill()
            raise


def _send(worker: _Worker, request: Request) -> None:
    try:
        worker.connection.send(request)
    except OSError:
        return  # the worker died; the receiver will notice


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Start processes that ignore Ctrl-C, which reaches a whole terminal, and use one thread for linear algebra."""
    has_masks = hasattr(signal, "pthread_sigmask")  # Windows lacks them
    if has_masks:
        # The first worker starts multiprocessing's resource tracker, which must not ignore Ctrl-C.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = threads
        if has_masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
