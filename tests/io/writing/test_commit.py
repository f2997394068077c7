import errno
import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from chromacord.errors import OutputError, OutputExistsError
from chromacord.io.writing import commit, journal, temporary
from chromacord.io.writing.commit import recover, unfinished
from chromacord.io.writing.staging import StagedFile, StagedFolder, Staging, commit_all


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def stage(folder: Path) -> list[Staging]:
    frames, grade = StagedFolder(folder, name="f.%d.png", force=True), StagedFile(folder / "g.json", force=True)
    for number in range(3):
        frames.add(f"f.{number}.png").write_text("new")
    grade.temporary.write_text("new")
    return [frames, grade]


def kill_before(folder: Path, count: int) -> None:
    """Let a process die before its move number `count`."""
    child = os.fork()
    if not child:
        moves = iter(range(count))
        move = journal.Entry.move

        def counted(entry: journal.Entry) -> None:
            if next(moves, None) is None:
                os._exit(9)
            move(entry)

        with suppress(BaseException):
            journal.Entry.move = counted  # type: ignore[method-assign]
            commit_all(stage(folder))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_file_that_appears_meanwhile_is_not_replaced_and_all_moves_back(tmp_path: Path) -> None:
    with StagedFile(tmp_path / "a.mp4") as first, StagedFile(tmp_path / "b.json") as second:
        first.temporary.write_bytes(b"clip")
        second.temporary.write_bytes(b"grade")
        (tmp_path / "b.json").write_text("of another run")
        with pytest.raises(OutputExistsError, match="appeared while this run was under way"):
            commit_all([first, second])
    assert contents(tmp_path) == {"b.json": "of another run"}


@pytest.mark.parametrize("count", range(4))
def test_the_next_run_undoes_what_a_kill_between_two_moves_left(tmp_path: Path, count: int) -> None:
    (tmp_path / "f.0.png").write_text("old")
    kill_before(tmp_path, count)
    assert unfinished(tmp_path) == {"f.0.png", "f.1.png", "f.2.png", "g.json"}
    recover(tmp_path)
    assert contents(tmp_path) == {"f.0.png": "old"}


def test_what_somebody_wrote_after_a_kill_stays(tmp_path: Path) -> None:
    kill_before(tmp_path, 2)
    (tmp_path / "f.1.png").unlink()
    (tmp_path / "f.1.png").write_text("of somebody")
    recover(tmp_path)
    assert contents(tmp_path) == {"f.1.png": "of somebody"}


@pytest.mark.parametrize("count", range(4))
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_between_two_moves_moves_all_back_and_then_acts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, number: int
) -> None:
    move = journal.Entry.move
    (tmp_path / "f.0.png").write_text("old")

    def interrupted(entry: journal.Entry) -> None:
        if entry.target.name == ("f.0.png", "f.1.png", "f.2.png", "g.json")[count]:
            signal.raise_signal(number)
        move(entry)

    def act(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(journal.Entry, "move", interrupted)
    before, num_completed = signal.signal(number, act), len(commit.completed)
    staged = stage(tmp_path)
    try:
        with pytest.raises(KeyboardInterrupt):
            commit_all(staged)
        assert signal.getsignal(number) is act
    finally:
        signal.signal(number, before)
    for each in staged:
        each.discard()
    assert contents(tmp_path) == {"f.0.png": "old"}
    assert len(commit.completed) == num_completed


def test_a_file_that_a_kill_left_with_both_names_goes(tmp_path: Path) -> None:
    kill_before(tmp_path, 1)
    # As where renaming without replacing needs two steps: a link was made, and the old name is not yet gone.
    hidden = next(path for path in tmp_path.iterdir() if path.name.endswith(".partial") and path.is_dir())
    (hidden / "f.0.png").hardlink_to(tmp_path / "f.0.png")
    recover(tmp_path)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("reason", ["EINVAL", "ENOSYS"])
def test_nothing_is_replaced_where_the_file_system_cannot_rename_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr(temporary, "_rename_without_replacing", lambda *_: getattr(errno, reason))
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("old")
    with pytest.raises(FileExistsError):
        temporary.rename_new(tmp_path / "a", tmp_path / "b")
    temporary.rename_new(tmp_path / "a", tmp_path / "c")
    assert contents(tmp_path) == {"b": "old", "c": "new"}
    (tmp_path / "folder").mkdir()
    temporary.rename_new(tmp_path / "folder", tmp_path / "moved")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c", "moved"]
    with pytest.raises(FileExistsError):
        temporary.rename_new(tmp_path / "moved", tmp_path / "c")


@pytest.mark.parametrize("key", ["source", "backup", "names"])
def test_a_journal_of_somebody_else_moves_and_removes_nothing_elsewhere(tmp_path: Path, key: str) -> None:
    folder, precious = tmp_path / "folder", tmp_path / "precious"
    folder.mkdir()
    kill_before(folder, 1)
    precious.write_text("kept")
    (path,) = (path for path in folder.iterdir() if path.name.endswith(".moving"))
    data = json.loads(path.read_text())
    data["entries"][0][key] = ["../precious"] if key == "names" else str(precious)
    path.write_text(json.dumps(data))
    assert unfinished(folder) == set()
    recover(folder)
    assert precious.read_text() == "kept"
    assert contents(folder) == {"f.0.png": "new"}


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000, "null", '{"paths": [], "entries": []}', '{"paths": 1}'])
def test_a_journal_that_cannot_be_read_goes(tmp_path: Path, text: str) -> None:
    kill_before(tmp_path, 0)
    (path,) = (path for path in tmp_path.iterdir() if path.name.endswith(".moving"))
    path.write_text(text)
    recover(tmp_path)
    assert contents(tmp_path) == {}


def test_what_cannot_be_moved_back_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(entry: journal.Entry) -> None:
        raise PermissionError(13, "Permission denied", str(entry.target))

    monkeypatch.setattr(journal.Entry, "move", fail)
    monkeypatch.setattr(journal.Entry, "undo", fail)
    with pytest.raises(OutputError, match=r"cannot be moved back: Permission denied; the next run into .* tries again"):
        commit_all(stage(tmp_path))
