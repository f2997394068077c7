import multiprocessing
import os
import time
import warnings
from pathlib import Path

import pytest

from chromacord.errors import ChromacordWarning, MissingFileError, ProcessDiedError
from chromacord.io.stills.single import read_matte
from chromacord.lab.data.pool import Processes, Tell, run_all
from chromacord.types import Progress


def triple(number: int) -> tuple[int, int]:
    if number == 2:
        warnings.warn(ChromacordWarning("two is even"), stacklevel=1)
    return 3 * number, os.getpid()


def test_every_task_is_done_in_another_process_and_its_warnings_are_heard_here() -> None:
    with pytest.warns(ChromacordWarning, match="two is even"):
        results = list(run_all(triple, [1, 2, 3], engine=Processes(2)))
    assert sorted(result for result, _ in results) == [3, 6, 9]
    assert os.getpid() not in {process for _, process in results}


@pytest.mark.parametrize(("jobs", "count"), [(1, 3), (4, 1)])
def test_one_job_or_one_task_stays_in_this_process(jobs: int, count: int) -> None:
    assert list(run_all(triple, [5] * count, engine=Processes(jobs))) == [(15, os.getpid())] * count


def test_an_error_arrives_as_it_was_raised(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"[ab].png: no such file$"):
        list(run_all(read_matte, [tmp_path / "a.png", tmp_path / "b.png"], engine=Processes(2)))


def test_a_process_that_dies_is_one_line() -> None:
    with pytest.raises(ProcessDiedError, match="a process was killed"):
        list(run_all(os._exit, [3, 3], engine=Processes(2)))


def count_to(task: int, tell: Tell) -> int:
    for number in range(1, task + 1):
        tell(Progress("count", number, task, 1.0))
        time.sleep(0.3)
    return task


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_of_running_tasks_comes_from_other_processes_too(jobs: int) -> None:
    seen: list[tuple[int, int]] = []
    results = Processes(jobs).run(count_to, [6, 7], progress=lambda index, told: seen.append((index, told.done)))
    assert sorted(results) == [6, 7]
    for index in range(2):
        dones = [done for each, done in seen if each == index]
        assert dones == sorted(set(dones))
        assert len(dones) > 1


def test_tasks_on_a_gpu_run_one_after_the_other_in_this_process() -> None:
    results = Processes(4).run(process_of, [1, 2], on_gpu=True)
    assert list(results) == [os.getpid()] * 2


def process_of(task: int, tell: Tell) -> int:
    return os.getpid()


def write_late(task: tuple[float, Path]) -> None:
    seconds, path = task
    time.sleep(seconds)
    path.write_text("done")


def test_a_run_that_is_stopped_ends_its_processes_in_the_middle_of_their_tasks(tmp_path: Path) -> None:
    soon, late = tmp_path / "soon", tmp_path / "late"
    results = run_all(write_late, [(0.0, soon), (20.0, late)], engine=Processes(2))
    next(results)
    results.close()
    assert soon.exists()
    assert not late.exists()
    assert multiprocessing.active_children() == []
