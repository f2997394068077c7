"""Run independent tasks on a cluster, such as those of evaluations and of data sets."""

import warnings
from collections.abc import Callable, Generator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from chromacord.cluster.remote_tasks import RETRIES, Tasks, Tell
from chromacord.errors import ChromacordWarning, InputError
from chromacord.types import Progress

Task = TypeVar("Task")
Result = TypeVar("Result")

_TASKS_PER_CORE = 2
"""Tasks submitted at a time, per core: few, because their arguments and results take space in the object store."""


class Spread:
    """Calls functions with tasks on the nodes of a connected cluster."""

    def __init__(self, ray: Any, *, folder: Path, retries: int = RETRIES) -> None:
        """Set where to run.

        Args:
            ray: the connected module, see `chromacord.cluster.connection.connected`.
            folder: working folder of the tasks, to which paths are relative. All nodes must have it.
            retries: how many times a task is retried after its node died.
        """
        self._ray, self._folder, self._retries = ray, folder, retries

    def run(
        self,
        function: Callable[[Task, Tell], Result],
        tasks: Sequence[Task],
        *,
        progress: Callable[[int, Progress], object] | None = None,
        on_gpu: bool = False,
    ) -> Generator[Result, None, None]:
        """Call a function with each task. See `chromacord.lab.data.pool.Engine.run`.

        Raises:
            ProcessDiedError: the nodes of a task died more often than it is retried.
            InputError: tasks need a GPU, and no node has one.
            Exception: the first one raised by the function.
        """
        found = self._ray.cluster_resources()
        if on_gpu and found.get("GPU", 0) < 1:
            raise InputError("--device cuda: no node of the cluster has a GPU; start Ray with --num-gpus, or omit it")
        waiting = enumerate(tasks)
        with Tasks[int](self._ray, retries=self._retries, folder=self._folder, reports=progress is not None) as running:
            for index, task in islice(waiting, max(2, int(_TASKS_PER_CORE * found.get("CPU", 1)))):
                running.submit(index, function, task, on_gpu=on_gpu)
            for index, told in running.results():
                if isinstance(told, Progress):
                    if progress is not None:
                        progress(index, told)
                    continue
                for message in told.messages:
                    warnings.warn(ChromacordWarning(message), stacklevel=2)
                if told.error is not None:
                    if told.trace is not None:
                        told.error.add_note(told.trace)
                    raise told.error
                for following, task in islice(waiting, 1):
                    running.submit(following, function, task, on_gpu=on_gpu)
                yield told.value
