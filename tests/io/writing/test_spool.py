"""Pipes as files."""

import os
import threading
from pathlib import Path

import pytest

from chromacord.errors import InputError
from chromacord.io.writing import spool
from chromacord.io.writing.spool import is_pipe, spooled

LONG = bytes(range(256)) * 4096
"""Sixteen times what a pipe holds, so that a writer waits for its reader."""


@pytest.fixture
def pipes(tmp_path: Path) -> tuple[Path, Path]:
    """Return two named pipes."""
    for name in ("a", "b"):
        os.mkfifo(tmp_path / name)
    return tmp_path / "a", tmp_path / "b"


def feed(*turns: tuple[Path, bytes]) -> threading.Thread:
    """Open all pipes, the last one first, then write to them in turn."""

    def write() -> None:
        files = {path: path.open("wb") for path, _ in reversed(turns)}
        for path, data in turns:
            files[path].write(data)
            files[path].flush()
        for file in files.values():
            file.close()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


def test_pipes_are_read_together_and_removed(pipes: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = pipes
    writer = feed((first, LONG), (second, LONG[::-1]), (first, b"end"))
    with spooled({"composite": str(first), "mask": str(second), "alpha": "kept.mov"}) as files:
        assert Path(files["composite"]).read_bytes() == LONG + b"end"
        assert Path(files["mask"]).read_bytes() == LONG[::-1]
        assert files["alpha"] == "kept.mov"
    writer.join(timeout=10)
    assert not any(Path(files[name]).parent.exists() for name in ("composite", "mask"))


def test_only_pipes_are_copied(pipes: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert is_pipe("-")
    assert is_pipe(str(pipes[0]))
    assert not any(map(is_pipe, (str(tmp_path / "file"), str(tmp_path), str(tmp_path / "none"), "a\0b")))


def test_a_pipe_for_two_inputs_is_refused(pipes: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(pipes[0])
    said = "link: is the composite and the mask, but a pipe is read once; use a pipe for each$"
    with pytest.raises(InputError, match=said), spooled({"composite": str(pipes[0]), "mask": str(tmp_path / "link")}):
        pass


def test_an_empty_pipe_is_refused(pipes: tuple[Path, Path]) -> None:
    writer = feed((pipes[0], b""))
    with pytest.raises(InputError, match="a: gave no data; check the program"), spooled({"mask": str(pipes[0])}):
        pass
    writer.join(timeout=10)


def test_a_full_disk_is_refused_before_it_is_full(
    pipes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spool, "RESERVE", 1 << 60)
    monkeypatch.setattr(spool.tempfile, "tempdir", str(tmp_path))
    feed((pipes[0], b"data"))
    with pytest.raises(InputError, match=r"a: holds more than fits into .*; set TMPDIR to a larger folder$"):
        spooled({"mask": str(pipes[0])}).__enter__()
    assert not list(tmp_path.glob("chromacord-*"))
