import multiprocessing
import os
import time
import warnings
from pathlib import Path

import pytest

from chromacord.errors import ChromacordWarning, MissingFileError, ProcessDiedError
from chromacord.io.stills.single import read_matte
from chromacord.lab.data.pool import run_all


def triple(number: int) -> tuple[int, int]:
    if number == 2:
        warnings.warn(ChromacordWarning("two is even"), stacklevel=1)
    return 3 * number, os.getpid()


def test_every_task_is_done_in_another_process_and_its_warnings_are_heard_here() -> None:
    with pytest.warns(ChromacordWarning, match="two is even"):
        results = list(run_all(triple, [1, 2, 3], jobs=2))
    assert sorted(result for result, _ in results) == [3, 6, 9]
    assert os.getpid() not in {process for _, process in results}


@pytest.mark.parametrize(("jobs", "count"), [(1, 3), (4, 1)])
def test_one_job_or_one_task_stays_in_this_process(jobs: int, count: int) -> None:
    assert list(run_all(triple, [5] * count, jobs=jobs)) == [(15, os.getpid())] * count


def test_an_error_arrives_as_it_was_raised(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"[ab].png: no such file$"):
        list(run_all(read_matte, [tmp_path / "a.png", tmp_path / "b.png"], jobs=2))


def test_a_process_that_dies_is_one_line() -> None:
    with pytest.raises(ProcessDiedError, match="a process was killed"):
        list(run_all(os._exit, [3, 3], jobs=2))


def write_late(task: tuple[float, Path]) -> None:
    seconds, path = task
    time.sleep(seconds)
    path.write_text("done")


def test_a_run_that_is_stopped_ends_its_processes_in_the_middle_of_their_tasks(tmp_path: Path) -> None:
    soon, late = tmp_path / "soon", tmp_path / "late"
    results = run_all(write_late, [(0.0, soon), (20.0, late)], jobs=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert soon.exists()
    assert not late.exists()
    assert multiprocessing.active_children() == []
