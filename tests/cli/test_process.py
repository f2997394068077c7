"""Behaviour that needs a separate process: start, signals, terminal."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chromacord.types import Size
from tests.footage import disc, make_composite, make_mask, recoloured

COMMAND = [sys.executable, "-c", "from chromacord.cli import main; main()"]


def test_help_loads_neither_torch_nor_a_codec() -> None:
    script = """
import sys
from chromacord.cli import main
try:
    main(["--help"])
except SystemExit as left:
    heavy = {"torch", "av", "cv2", "numpy.testing", "OpenImageIO", "PyOpenColorIO"} & set(sys.modules)
    sys.exit(f"loaded {heavy}, left with {left.code}" if heavy or left.code else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "harmonize" in done.stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("har", ["harmonize"]),
        ("harmonize --stre", ["--strength"]),
        ("harmonize --method shotg", ["shotgrade"]),
        ("harmonize --codec pro", ["prores", "prores4444"]),
        ("harmonize --input-space ACEScg", ["ACEScg"]),
    ],
)
def test_a_shell_completes_commands_options_and_values(words: str, completed: list[str]) -> None:
    asked = {"_CHROMACORD_COMPLETE": "complete_bash", "COMP_WORDS": f"chromacord {words}"}
    asked["COMP_CWORD"] = str(len(words.split()))
    done = subprocess.run(COMMAND, env=os.environ | asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, completed), done.stderr


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a clip that takes some seconds to render: the disc goes there and back, without a cut."""
    folder, size = tmp_path_factory.mktemp("long"), Size(360, 640)
    order = [*range(10), *range(8, 0, -1)] * 34
    composites = [recoloured("yuv420p", index, size) for index in range(10)]
    masks = [[disc(index, size)] for index in range(10)]
    frames = [composites[index] for index in order]
    make_composite(folder / "comp.mkv", frames=frames, size=size, options={"preset": "ultrafast"})
    make_mask(folder / "mask.mkv", frames=[masks[index] for index in order], size=size)
    return folder


def wait_for_frames(folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a file that is being written holds frames, and not just a header."""
    deadline = time.monotonic() + 120
    while not any(size_of(path) > 100_000 for path in folder.glob(".*.partial")):
        assert process.poll() is None, "ended before it was stopped"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def size_of(path: Path) -> int:
    """Return the bytes of a file; 0 where it has just got its final name."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing_behind_and_its_own_code(
    long_clip: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    options = ["harmonize", "comp.mkv", "--mask", "mask.mkv", "-o", str(tmp_path / "out.mkv"), "--log-json"]
    process = subprocess.Popen(
        [*COMMAND, *options, "--codec", "ffv1"],
        cwd=long_clip,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_frames(tmp_path, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "stopped with" in out
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_a_bug_shows_its_traceback_and_leaves_with_1(tmp_path: Path) -> None:
    script = """
import chromacord.api as video
from chromacord.cli import main
def broken(*arguments, **options):
    raise ZeroDivisionError("ours")
video.harmonize_video = broken
main(["harmonize", "a.mp4", "-o", "b.mp4", "--log-json"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert '"class": "ZeroDivisionError"' in done.stdout
    assert "Traceback" in done.stderr


def test_a_terminal_gets_bars_with_rate_on_stderr(footage: Path, tmp_path: Path) -> None:
    reader, writer = pty.openpty()
    options = ["harmonize", "comp.mp4", "--mask", "mask.mkv", "-o", str(tmp_path / "out.mp4")]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    done = subprocess.run(
        [*COMMAND, *options],
        cwd=footage,
        stdout=subprocess.PIPE,
        stderr=writer,
        env=environment,
        text=True,
        check=False,
    )
    os.close(writer)
    shown = os.read(reader, 1 << 20).decode()
    os.close(reader)
    assert done.returncode == 0, shown
    assert "render" in shown
    assert "frames/s" in shown
    assert done.stdout.count("\n") == 1


def processes_of(group: int) -> set[int]:
    """Return the processes of a group that have not ended."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
            if int(of) == group and state != "Z":
                found.add(int(stat.parent.name))
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_the_end_of_a_command_is_the_end_of_its_processes_and_of_what_they_wrote(
    long_clip: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    for name in ("a.mkv", "b.mkv"):
        (tmp_path / name).symlink_to(long_clip / "comp.mkv")
    (tmp_path / "out").mkdir()
    options = ["harmonize", "a.mkv", "b.mkv", "--mask", str(long_clip / "mask.mkv"), "-o", "out/{name}.mkv"]
    process = subprocess.Popen(
        [*COMMAND, *options, "--jobs", "2", "--log-json", "--codec", "ffv1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    seen: set[str] = set()
    while len(seen) < 2:
        event = json.loads(process.stdout.readline())
        # Analysis runs concurrently with the render, which is reported before its first frame.
        seen |= {event["clip"]} if event.get("stage") == "render" and event["done"] else set()
    wait_for_frames(tmp_path / "out", process)
    assert len(processes_of(process.pid)) >= 3
    # Ctrl-C reaches all processes of a terminal; the others come to the first.
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (code, "")
    assert ("stopped with" in out) == (number != signal.SIGKILL)
    started = time.monotonic()
    while processes_of(process.pid) and time.monotonic() < started + 60:
        time.sleep(0.05)
    assert not processes_of(process.pid)
    # On a busy machine one of the clips may have been complete: it is kept.
    assert not list((tmp_path / "out").glob(".*"))
