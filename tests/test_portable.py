"""Features of Linux or POSIX are removed here, as on macOS and Windows: nothing may need them."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import chromacord
from chromacord.io import cores, memory
from chromacord.io.stills import image_encoding
from chromacord.io.writing import commit, locks, temporary
from tests.footage import make_composite, make_mask

# Runs before everything else in each Python process, those that a batch starts too.
ELSEWHERE = """
import ctypes, os, signal, sys

for module, names in (
    (os, ("sched_getaffinity", "sched_setaffinity", "memfd_create", "kill", "killpg", "posix_fadvise")),
    (signal, ("pthread_sigmask", "pthread_kill", "SIGHUP", "SIGQUIT")),
):
    for name in names:
        delattr(module, name)
for name in ("fcntl", "resource"):
    sys.modules[name] = None

class NoLibrary(ctypes.CDLL):
    def __init__(self, name, *arguments, **options):
        if name is None:
            raise TypeError("argument of type 'NoneType' is not iterable")
        super().__init__(name, *arguments, **options)

ctypes.CDLL = NoLibrary
"""

ALL_MODULES = """
import importlib, importlib.util, pkgutil, chromacord
has_torch = importlib.util.find_spec("torch") is not None
for found in pkgutil.walk_packages(chromacord.__path__, "chromacord."):
    if not found.name.endswith("._native") and (has_torch or not found.name.startswith("chromacord.lab")):
        importlib.import_module(found.name)
"""


def elsewhere(folder: Path, code: str, *arguments: str | Path) -> str:
    """Run code where all that is taken away, and return its output."""
    (folder / "sitecustomize.py").write_text(ELSEWHERE)
    path = os.pathsep.join([str(folder), str(Path(chromacord.__file__).parents[1])])
    command = [sys.executable, "-c", "import os; assert not hasattr(os, 'kill')\n" + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


MAIN = "import sys\nfrom chromacord.cli import main\nmain(sys.argv[1:])"


def test_every_module_is_imported(tmp_path: Path) -> None:
    elsewhere(tmp_path, ALL_MODULES)


def test_clips_are_harmonized_as_on_linux(tmp_path: Path) -> None:
    clip, mask = make_composite(tmp_path / "comp.mp4", num_frames=6), make_mask(tmp_path / "mask.mkv", num_frames=6)
    here, there = tmp_path / "here", tmp_path / "there"
    # With the slower presets the bytes of x264 differ from run to run.
    for name, preset in {"out.mp4": "ultrafast", "png/%02d.png": None, "jpg/%02d.jpg": None}.items():
        for side in (here, there):
            (side / name).parent.mkdir(parents=True, exist_ok=True)
        options = ("--preset", preset) if preset else ()
        elsewhere(tmp_path, MAIN, "harmonize", clip, "--mask", mask, "--method", "mkl", "-o", there / name, *options)
        encoding = chromacord.Encoding(preset=preset) if preset else None
        chromacord.harmonize_video(clip, mask=mask, output=here / name, method="mkl", encoding=encoding)
    files = sorted(path.relative_to(here) for path in here.rglob("*.*"))
    assert len(files) == 13
    for file in files:
        assert (there / file).read_bytes() == (here / file).read_bytes(), file


def test_batches_run_in_processes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_composite(tmp_path / f"{name}.mp4", num_frames=4)
        make_mask(tmp_path / f"{name}.mkv", num_frames=4)
    clips = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    named = ("--mask", tmp_path / "{name}.mkv", "-o", tmp_path / "out_{name}.mp4", "--jobs", "2", "--method", "mkl")
    assert "2 of 2 clips harmonized" in elsewhere(tmp_path, MAIN, "harmonize", *clips, *named)


@pytest.mark.parametrize("count", [3, None])
def test_cores_are_those_of_the_machine(monkeypatch: pytest.MonkeyPatch, count: int | None) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert cores.all_cores() == cores.num_cores() == (count or 1)


@pytest.mark.parametrize("error", [OSError("no library"), TypeError("None"), AttributeError("malloc_trim")])
def test_memory_is_left_to_the_c_library(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def missing(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(memory.ctypes, "CDLL", missing)
    assert memory.c_function("malloc_trim") is None
    memory.return_freed_memory()
    memory.share_freed_memory()


def test_a_function_of_the_c_library_is_found_by_its_name() -> None:
    assert memory.c_function("no_function_has_this_name") is None
    strlen = memory.c_function("strlen")
    assert strlen is not None
    assert strlen(b"seven..") == 7


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_names_in_use_are_kept_without_an_atomic_rename(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    monkeypatch.setattr(temporary, "c_function", lambda name: None)
    source, target = tmp_path / "source", tmp_path / "target"
    for path in (source, target):
        path.mkdir() if kind == "folder" else path.write_text(path.name)
    with pytest.raises(FileExistsError):
        temporary.rename_new(source, target)
    assert source.exists()
    (target.rmdir if kind == "folder" else target.unlink)()
    temporary.rename_new(source, target)
    assert not source.exists()
    assert target.is_dir() if kind == "folder" else target.read_text() == "source"


def test_an_atomic_rename_sees_the_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError) as failure:  # noqa: PT011
        temporary.rename_new(tmp_path / "missing", tmp_path / "target")
    assert failure.value.errno == errno.ENOENT


def test_no_process_is_touched_where_asking_would_end_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    left = temporary.hidden_path(tmp_path, "out.mp4")
    dead = left.with_name(left.name.replace(f"-{os.getpid()}.", "-999999999."))
    assert temporary.is_abandoned(dead)

    def ended(*arguments: object) -> None:
        raise AssertionError("os.kill of Windows ends a process")

    with monkeypatch.context() as windows:
        windows.setattr(temporary.os, "kill", ended)
        windows.setattr(temporary.os, "name", "nt")
        found = temporary._is_running(1)
    assert found
    monkeypatch.delattr(os, "kill")
    assert not temporary.is_abandoned(dead)


def _without_locks(file: object, operation: int) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.mark.parametrize("missing", [None, SimpleNamespace(LOCK_EX=2, LOCK_NB=4, flock=_without_locks)])
def test_locks_are_left_out_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: object
) -> None:
    with (tmp_path / "file").open("w") as one, (tmp_path / "file").open("w") as two:
        locks.lock(one)
        with pytest.raises(BlockingIOError):
            locks.lock(two)
        with locks.locked_folder(tmp_path), pytest.raises(BlockingIOError), locks.locked_folder(tmp_path):
            pass
        monkeypatch.setitem(sys.modules, "fcntl", missing)
        locks.lock(two)
        with locks.locked_folder(tmp_path), locks.locked_folder(tmp_path):
            pass


def test_folders_are_not_locked_where_none_is_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def as_on_windows(path: Path | str, *arguments: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with pytest.raises(FileNotFoundError), locks.locked_folder(tmp_path / "missing"):
        pass
    monkeypatch.setattr(os, "open", as_on_windows)
    with locks.locked_folder(tmp_path), locks.locked_folder(tmp_path):
        pass


@pytest.mark.parametrize("missing", ["memory files", "names of open files"])
@pytest.mark.parametrize("format_name", ["png", "jpeg", "openexr", "tiff"])
def test_images_are_encoded_in_a_folder_with_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format_name: str, missing: str
) -> None:
    spec = image_encoding.oiio.ImageSpec(20, 10, 3, "half" if format_name == "openexr" else "uint8")
    pixels = np.random.default_rng(0).integers(0, 255, (10, 20, 3)).astype(np.uint8)
    usual, reason = image_encoding.encode_in_memory(format_name, [(spec, pixels)])
    assert reason == ""
    if missing == "memory files":
        monkeypatch.delattr(os, "memfd_create")
    else:
        monkeypatch.setattr(image_encoding, "OPEN_FILES", tmp_path / "none")
    monkeypatch.setattr(image_encoding.tempfile, "tempdir", str(tmp_path))
    other, reason = image_encoding.encode_in_memory(format_name, [(spec, pixels)])
    assert reason == ""
    with usual, other:
        assert other.read() == usual.read() != b""
    assert list(tmp_path.iterdir()) == []


def test_images_that_cannot_be_encoded_in_a_folder_have_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    spec = image_encoding.oiio.ImageSpec(20, 10, 7, "uint8")  # PNG has four channels at most
    encoded, reason = image_encoding.encode_in_memory("png", [(spec, np.zeros((10, 20, 7), np.uint8))])
    assert reason
    assert encoded.read() == b""


def test_only_signals_that_the_system_has_are_held_back() -> None:
    assert {signal.SIGINT, signal.SIGTERM} <= {*commit._STOPPING} <= {*signal.valid_signals()}


def test_a_worker_ends_with_its_command_without_signals_between_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from multiprocessing import Pipe
    from queue import SimpleQueue

    from chromacord.cli.batch import worker

    monkeypatch.delattr(signal, "pthread_kill")
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        ours, theirs = Pipe()
        ours.close()
        requests: SimpleQueue[worker.Request | None] = SimpleQueue()
        thread = threading.Thread(target=worker._receive, args=(theirs, requests, threading.Event()))
        thread.start()
        thread.join()
        time.sleep(0)  # handlers run between two steps of the main thread
        assert requests.get() is None
        assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
