"""Hold signals back while something must not be stopped half-way."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

KEPT = "the outputs are complete"
"""Note on what a signal raises that came while the last step of a run was being completed."""


@contextmanager
def signals_held() -> Iterator[list[int]]:
    """Hold back the signals that stop a process, and raise them at the end.

    Handlers are replaced, not masked: a masked signal reaches another thread, and Python's handler runs all the same.
    Python runs handlers in the main thread alone, so nothing needs to be held in others.

    Yields:
        The signals that came so far.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def hold(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        came.append(number)

    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in _STOPPING}
    held = {number: handler for number, handler in handlers.items() if handler not in (None, signal.SIG_IGN)}
    for number in held:
        signal.signal(number, hold)
    try:
        yield came
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for number in dict.fromkeys(came):
            signal.raise_signal(number)
