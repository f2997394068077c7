"""Run tasks in separate processes: analyses and proxies start at once, renders run one after the other."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["waiting", "running", "paused", "done", "failed", "cancelled"]

_ENDED = ("done", "failed", "cancelled")
_MAX_KEPT = 200
_PATIENCE = 5.0
"""Seconds for a stopped task to remove its unfinished outputs."""

_numbers = itertools.count(1)


@dataclass
class Task:
    """One task and its state."""

    kind: str
    title: str
    request: Mapping[str, Any]
    clip: str = ""
    """Identifier of the clip it belongs to."""

    waits: bool = False
    """Whether it is queued."""

    number: int = field(default_factory=lambda: next(_numbers))
    state: State = "waiting"
    progress: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    result: dict[str, Any] | None = None
    on_done: Callable[[dict[str, Any]], object] | None = None
    on_end: Callable[[], object] | None = None
    """Called when it has ended, with or without success."""

    process: "subprocess.Popen[str] | None" = None

    @property
    def has_ended(self) -> bool:
        """Whether the task has ended, with or without success."""
        return self.state in _ENDED

    def to_json(self) -> dict[str, Any]:
        """Return the task's state for the page."""
        names = ("number", "kind", "title", "clip", "state", "progress", "warnings", "error", "result")
        return {name: getattr(self, name) for name in names}


class Tasks:
    """All tasks of a server."""

    def __init__(self) -> None:
        """Start without tasks."""
        self._tasks: dict[int, Task] = {}
        self._lock = threading.RLock()
        self._closed = False

    def add(self, task: Task) -> Task:
        """Start a task, or queue it."""
        with self._lock:
            self._tasks[task.number] = task
            for number in [each.number for each in self._tasks.values() if each.has_ended][:-_MAX_KEPT]:
                del self._tasks[number]
            if not task.waits:
                self._start(task)
        self._start_next()
        return task

    def get(self, number: int) -> Task | None:
        """Return a task by its number."""
        return self._tasks.get(number)

    def all(self, clip: str | None = None) -> list[Task]:
        """Return all tasks, or those of a clip, in the order they were added."""
        with self._lock:
            return [each for each in self._tasks.values() if clip in (None, each.clip)]

    def cancel(self, task: Task) -> None:
        """End a task; it removes its unfinished outputs."""
        with self._lock:
            if task.has_ended:
                return
            task.state, process = "cancelled", task.process
        if process is not None:
            _end(process)
        self._start_next()

    def pause(self, task: Task) -> None:
        """Pause a running task."""
        with self._lock:
            if task.state == "running" and task.process is not None:
                task.process.send_signal(signal.SIGSTOP)
                task.state = "paused"

    def resume(self, task: Task) -> None:
        """Continue a paused task, or restart one that failed or was cancelled."""
        with self._lock:
            if task.state == "paused" and task.process is not None:
                task.state = "running"
                task.process.send_signal(signal.SIGCONT)
            elif task.state in ("failed", "cancelled"):
                task.state, task.progress, task.error, task.process = "waiting", None, None, None
                task.warnings.clear()
                if not task.waits:
                    self._start(task)
        self._start_next()

    def close(self) -> None:
        """End all tasks."""
        self._closed = True
        for task in self.all():
            self.cancel(task)

    def _start_next(self) -> None:
        with self._lock:
            queue = [each for each in self._tasks.values() if each.waits]
            if self._closed or any(each.state in ("running", "paused") for each in queue):
                return
            following = next((each for each in queue if each.state == "waiting"), None)
            if following is not None:
                self._start(following)

    def _start(self, task: Task) -> None:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "chromacord.ui.task_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Libraries print to stderr. An unread pipe would fill up and block the task.
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            # Ctrl-C on the terminal then reaches only the server, which ends its tasks in order.
            start_new_session=True,
        )
        task.process, task.state = process, "running"
        threading.Thread(target=self._follow, args=(task, process), daemon=True).start()

    def _follow(self, task: Task, process: "subprocess.Popen[str]") -> None:
        """Read a process's reports until it ends."""
        assert process.stdin is not None
        assert process.stdout is not None
        said: dict[str, Any] = {}
        with suppress(OSError):
            process.stdin.write(json.dumps({**task.request, "kind": task.kind}) + "\n")
            process.stdin.flush()
        for line in process.stdout:
            with suppress(ValueError):
                said |= self._heard(task, json.loads(line))
        code = process.wait()
        process.stdout.close()
        with suppress(OSError):
            process.stdin.close()
        with self._lock:
            # Ignore the old process of a task that was restarted meanwhile.
            if task.process is process and not task.has_ended:
                self._conclude(task, said, code)
        if task.on_end is not None:
            task.on_end()
        self._start_next()

    @staticmethod
    def _heard(task: Task, message: dict[str, Any]) -> dict[str, Any]:
        task.progress = message.get("progress", task.progress)
        if "warning" in message:
            task.warnings.append(message["warning"])
        return {name: message[name] for name in ("done", "error") if name in message}

    @staticmethod
    def _conclude(task: Task, said: dict[str, Any], code: int) -> None:
        if "done" in said:
            task.result = said["done"]
            if task.on_done is not None:
                task.on_done(task.result or {})
            task.state = "done"
            return
        why = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        task.error = said.get("error") or f"the process {why}; nothing was kept; start it again"
        task.state = "failed"


def _end(process: "subprocess.Popen[str]") -> None:
    with suppress(OSError):
        process.send_signal(signal.SIGTERM)
        # A paused process would keep the signal pending until it is continued.
        process.send_signal(signal.SIGCONT)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
