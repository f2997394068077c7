import errno
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chromacord.errors import OutputError, OutputExistsError
from chromacord.io.writing.staging import StagedFile, StagedFolder, check_output, output_errors, write_text

MACHINE = re.sub(r"\W", "_", platform.node())


def dead_process() -> int:
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return int(child.stdout)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_has_its_name_only_after_commit(tmp_path: Path) -> None:
    with StagedFile(tmp_path / "out.mp4") as staged:
        staged.temporary.write_bytes(b"whole")
        assert names(tmp_path) == [staged.temporary.name]
        assert staged.temporary.name.startswith(f".out.mp4.{MACHINE}-{os.getpid()}.")
        staged.commit()
    assert names(tmp_path) == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"whole"


def test_what_is_not_committed_is_removed(tmp_path: Path) -> None:
    with StagedFile(tmp_path / "out.mp4") as staged:
        staged.temporary.write_bytes(b"half")
    staged.discard()
    assert names(tmp_path) == []


def test_leftovers_of_dead_processes_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    dead = tmp_path / f".out.mp4.{MACHINE}-{dead_process()}.0.partial"
    alive = tmp_path / f".out.mp4.{MACHINE}-{os.getppid()}.0.partial"
    another = tmp_path / f".other.json.{MACHINE}-{dead_process()}.2.partial"
    elsewhere = tmp_path / f".out.mp4.another_{MACHINE}-{dead_process()}.0.partial"
    for path in (dead, alive, another, elsewhere):
        path.write_bytes(b"half")
    StagedFile(tmp_path / "out.mp4")
    assert names(tmp_path) == sorted([alive.name, elsewhere.name])


def test_two_writers_of_one_process_do_not_meet(tmp_path: Path) -> None:
    first, second = StagedFile(tmp_path / "out.mp4"), StagedFile(tmp_path / "out.mp4")
    assert first.temporary != second.temporary


def test_a_file_that_exists_is_kept_without_force(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    with pytest.raises(OutputExistsError, match=r"out\.mp4: exists already; use --force"):
        StagedFile(path)
    with StagedFile(path, force=True) as staged:
        staged.temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        staged.commit()
    assert path.read_bytes() == b"new"


def test_an_input_is_never_written_over(tmp_path: Path) -> None:
    source, link = tmp_path / "in.mp4", tmp_path / "link.mp4"
    source.write_bytes(b"source")
    link.symlink_to(source)
    with pytest.raises(OutputExistsError, match="is also an input"):
        check_output(link, force=True, inputs=[source])
    check_output(tmp_path / "out.mp4", inputs=[source])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"the folder .*missing does not exist"):
        StagedFile(tmp_path / "missing" / "out.mp4")
    with pytest.raises(OutputError, match=r"the folder .*missing does not exist"):
        StagedFolder(tmp_path / "missing" / "shots")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder; name a file"):
        StagedFile(tmp_path, force=True)


def test_a_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere, so the permission is played
    with pytest.raises(OutputError, match="cannot be written to; check its permissions"):
        StagedFile(tmp_path / "out.mp4")


def test_a_new_folder_appears_at_once(tmp_path: Path) -> None:
    target = tmp_path / "shots"
    with StagedFolder(target) as staged:
        staged.add("a.0001.png").write_bytes(b"1")
        staged.add("a.0002.png").write_bytes(b"2")
        assert not target.exists()
        staged.commit()
    assert names(target) == ["a.0001.png", "a.0002.png"]
    assert names(tmp_path) == ["shots"]


def test_an_existing_folder_keeps_its_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"mine")
    with StagedFolder(tmp_path, name="a.%04d.png") as staged:
        staged.add("a.0001.png").write_bytes(b"1")
        staged.commit()
    assert names(tmp_path) == ["a.0001.png", "notes.txt"]


def test_files_of_a_folder_are_replaced_only_with_force(tmp_path: Path) -> None:
    (tmp_path / "a.0001.png").write_bytes(b"old")
    with StagedFolder(tmp_path) as staged, pytest.raises(OutputExistsError, match=r"a\.0001\.png: exists already"):
        staged.add("a.0001.png")
    with StagedFolder(tmp_path, force=True) as staged:
        staged.add("a.0001.png").write_bytes(b"new")
        staged.commit()
    assert (tmp_path / "a.0001.png").read_bytes() == b"new"
    assert names(tmp_path) == ["a.0001.png"]


def test_leftover_folders_are_removed_inside_and_beside(tmp_path: Path) -> None:
    target = tmp_path / "shots"
    target.mkdir()
    for place in (target, tmp_path):
        leftover = place / f".shots.{MACHINE}-{dead_process()}.3.partial"
        leftover.mkdir()
        (leftover / "a.png").write_bytes(b"half")
    with StagedFolder(target):
        pass
    assert names(target) == []
    assert names(tmp_path) == ["shots"]


def test_a_full_disk_is_named_with_the_output(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"out\.mp4: cannot be written: No space left on device"),
        output_errors(tmp_path / "out.mp4"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_text_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    write_text(tmp_path / "grade.json", "{}\n")
    assert (tmp_path / "grade.json").read_text() == "{}\n"
    with pytest.raises(OutputExistsError):
        write_text(tmp_path / "grade.json", "")
    # A lone surrogate has no UTF-8 form: the write breaks after the file was made.
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "grade.json", "\ud800", force=True)
    assert (tmp_path / "grade.json").read_text() == "{}\n"
    assert names(tmp_path) == ["grade.json"]


def test_a_name_of_the_longest_kind_can_be_written(tmp_path: Path) -> None:
    name = "n" * 251 + ".txt"
    write_text(tmp_path / name, "whole")
    assert names(tmp_path) == [name]
    with pytest.raises(OutputError, match="File name too long"):
        write_text(tmp_path / f"n{name}", "whole")
