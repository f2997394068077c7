import errno
import os
from pathlib import Path

import pytest

from chromacord.cli.screen.display import QuietDisplay
from chromacord.cli.screen.exits import Terminated, as_user_error, job
from chromacord.errors import InputError, OutputError
from chromacord.io.writing import commit
from chromacord.io.writing.staging import write_text


@pytest.mark.parametrize("number", [errno.ENAMETOOLONG, errno.EACCES, errno.ELOOP])
def test_what_the_system_says_of_a_path_is_one_line(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, job(QuietDisplay()):
        raise OSError(number, os.strerror(number), "some/file")
    assert left.value.code == 2
    assert capsys.readouterr().err == f"error: some/file: {os.strerror(number)}; check the path and its permissions\n"


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "No such file", "ours"), OSError("odd"), ValueError("odd")])
def test_a_bug_is_no_error_of_the_user(error: Exception) -> None:
    assert as_user_error(error) is None
    with pytest.raises(type(error)), job(QuietDisplay()):
        raise error


def test_errors_of_ours_are_told_as_they_are() -> None:
    for error in (InputError("a: b"), OutputError("a: b")):
        assert as_user_error(error) is error


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Terminated(143)])
def test_a_signal_after_the_moves_says_what_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stop: BaseException
) -> None:
    monkeypatch.setattr(commit, "completed", [])
    with pytest.raises(SystemExit), job(QuietDisplay()):
        raise stop
    assert capsys.readouterr().err.endswith("; nothing was kept\n")
    with pytest.raises(SystemExit), job(QuietDisplay()):
        write_text(tmp_path / "a", "whole")
        raise stop
    assert capsys.readouterr().err.endswith(f"; complete, and kept: {tmp_path / 'a'}\n")
