"""Outputs are all there or none, whatever file operation a run is stopped at, and the run that cleans up after it."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chromacord.io.writing import temporary
from chromacord.io.writing.commit import recover
from chromacord.io.writing.staging import StagedFile, StagedFolder, commit_all

FOLDERS = ("frames", "new", ".")
OLD = {"frames/f.0": "old", "frames/f.1": "old", "frames/g": "of another", "grade": "old"}
NEW = {"frames/f.0": "new", "frames/f.1": "new", "frames/f.2": "new", "new/a": "new", "grade": "new"}
STOPS = {"SIGKILL": -9, "SIGTERM": 143, "SIGINT": 130}

_EVENTS = ("os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "open")
"""Operations that Python audits beforehand; the rename that never replaces a file is counted by hand."""


def run(folder: Path, *, force: bool) -> None:
    """Write a sequence into a folder that exists, one into a new folder, and a file, as a run does."""
    with (
        StagedFolder(folder / "frames", name="f", force=force) as frames,
        StagedFolder(folder / "new", force=force) as new,
        StagedFile(folder / "grade", force=force) as grade,
    ):
        paths = [*(frames.add(f"f.{number}") for number in range(3)), new.add("a"), grade.temporary]
        for path in paths:
            path.write_text("new")
        commit_all([frames, new, grade])


def clean_up(folder: Path) -> None:
    """Look into the folders, as the next run does."""
    for name in FOLDERS:
        if (folder / name).is_dir():
            recover(folder / name)


def found(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def prepared(folder: Path, *, force: bool) -> dict[str, str]:
    """Recreate the folder, with files to replace if that is allowed; return its contents."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "frames").mkdir(parents=True)
    before = OLD if force else {"frames/g": "of another"}
    for name, text in before.items():
        (folder / name).write_text(text)
    return before


def stopped_at(count: int, number: int, work: Callable[[], None]) -> int | None:
    """Do something in a process that gets a signal before its file operation `count`; None: it has fewer."""
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return None if code == 77 else code
    left, signals = iter(range(count)), [number]
    rename = temporary._rename_without_replacing

    def step(event: str) -> None:
        if event in _EVENTS and next(left, None) is None and signals:
            os.kill(os.getpid(), signals.pop())

    def renamed(source: Path, target: Path) -> int:
        step("os.rename")
        return rename(source, target)

    def leave(code: int) -> Callable[..., None]:
        def raised(*_: object) -> None:
            raise SystemExit(code)

        return raised

    signal.signal(signal.SIGTERM, leave(143))
    signal.signal(signal.SIGINT, leave(130))
    temporary._rename_without_replacing = renamed
    sys.addaudithook(lambda event, _: step(event))
    try:
        work()
    except SystemExit as error:
        os._exit(int(str(error.code)))
    except BaseException:
        os._exit(1)
    os._exit(77 if signals else 0)


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize("name", STOPS)
def test_all_or_nothing_is_there_after_a_signal_at_any_file_operation(tmp_path: Path, name: str, force: bool) -> None:
    folder, number = tmp_path / "run", getattr(signal, name)
    ends = set()
    for count in range(1000):
        before = prepared(folder, force=force)
        code = stopped_at(count, number, lambda: run(folder, force=force))
        if code is None:
            break
        assert code == STOPS[name]
        if number == signal.SIGKILL:
            clean_up(folder)
        after = found(folder)
        assert after in (before, {**before, **NEW}), count
        ends.add(after == before)
    assert count > 20
    assert ends == {True, False}


@pytest.mark.parametrize("count", range(12, 36, 3))
def test_all_or_nothing_is_there_after_a_kill_while_another_is_cleaned_up(tmp_path: Path, count: int) -> None:
    folder = tmp_path / "run"
    for second in range(1000):
        before = prepared(folder, force=True)
        assert stopped_at(count, signal.SIGKILL, lambda: run(folder, force=True)) == -9
        if stopped_at(second, signal.SIGKILL, lambda: clean_up(folder)) is None:
            break
        clean_up(folder)
        assert found(folder) in (before, {**before, **NEW}), second
    assert second
