"""Browsers that do not start, hang or die fail their tests soon, and say what they printed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ui.browsers.firefox import PROGRAMS, running_firefox
from tests.ui.browsers.processes import PATIENCE, Program, descendants, killing_after
from tests.ui.conftest import CHROMIUM

SLEEPS = "echo last words >&2; exec sleep 1000"
NUMBERED = "echo 7 >/proc/self/fd/$2; exec sleep 1000"
"""A virtual screen that says its number."""

DEAF = "trap '' TERM; echo deaf >&2; while true; do sleep 1; done"


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that makes a program of lines for the shell."""

    def made(lines: str) -> str:
        path = tmp_path / f"program{len([*tmp_path.iterdir()])}"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        return str(path)

    return made


def left_over(folder: Path) -> list[str]:
    """Return the commands of our processes that work in a folder."""
    commands = [Path(f"/proc/{child}/cmdline") for child in descendants(os.getpid())]
    return [text for each in commands if each.exists() and str(folder) in (text := each.read_text())]


@pytest.mark.parametrize(
    ("firefox", "screen", "said"),
    [
        (
            "echo no display >&2; exit 3",
            NUMBERED,
            "Firefox ended with code 3 and said:\nno display",
        ),
        (SLEEPS, NUMBERED, "Firefox runs and said:\nlast words"),
        ("kill -9 $$", NUMBERED, "Firefox was killed by signal 9 and said:\n(nothing)"),
        (SLEEPS, "echo in use >&2; exit 1", "Xvfb ended with code 1 and said:\nin use"),
        (SLEEPS, SLEEPS, "Xvfb runs and said:\nlast words"),
        (SLEEPS, DEAF, "Xvfb runs and said:\ndeaf"),
    ],
)
def test_a_firefox_that_does_not_start_is_told_and_ended(
    tmp_path: Path, script: Callable[[str], str], firefox: str, screen: str, said: str
) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    programs = (script(firefox), script(screen))
    with (
        pytest.raises(AssertionError, match=r"does not listen|no virtual screen") as failed,
        running_firefox(profile, programs=programs, patience=1),
    ):
        pass
    assert said in str(failed.value)
    assert left_over(tmp_path) == []


def test_a_firefox_that_dies_or_hangs_fails_all_that_follows_at_once(tmp_path: Path) -> None:
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}: apt-get install firefox-esr xvfb")
    for name, kill in (("dies", signal.SIGKILL), ("hangs", signal.SIGSTOP)):
        profile = tmp_path / name
        profile.mkdir()
        with running_firefox(profile) as firefox, killing_after(60):
            assert firefox.evaluate("1 + 1") == 2
            started = {child: command(child) for child in descendants(os.getpid())}
            (process,) = (child for child, text in started.items() if text.endswith(f"-profile\0{profile}\0"))
            os.kill(process, kill)
            with killing_after(2), pytest.raises(AssertionError, match="gives no answer"):
                firefox.evaluate("1 + 1")
            began = time.monotonic()
            with pytest.raises(AssertionError, match="killed by signal 9"):
                firefox.evaluate("1 + 1")
            assert time.monotonic() - began < 5
        assert left_over(profile) == []


HANGS = """
import sys, time
from playwright.sync_api import Error, sync_playwright
from tests.ui.browsers.processes import killing_after
from tests.ui.conftest import CHROMIUM, FLAGS

with sync_playwright() as driver:
    chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
    page = chromium.new_page()
    for number in range(2):
        began = time.monotonic()
        try:
            with killing_after(3):
                page.evaluate("new Promise(() => {})" if sys.argv[1] == "waits" else "() => { while (true) {} }")
        except Error as error:
            print(number, error.message.splitlines()[0], time.monotonic() - began < 100)
    chromium.close()
"""


@pytest.mark.parametrize("how", ["waits", "computes"])
def test_a_page_that_hangs_is_ended(how: str) -> None:
    pytest.importorskip("playwright.sync_api", reason="needs the extra: pip install '.[dev-ui]'")
    if not CHROMIUM.exists():
        pytest.skip("needs chromium: apt-get install chromium")
    # A process of its own, because all that it has started is killed.
    done = subprocess.run(
        [sys.executable, "-c", HANGS, how], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    closed = "Page.evaluate: Target page, context or browser has been closed True"
    assert done.stdout.splitlines() == [f"0 {closed}", f"1 {closed}"], done.stderr


def command(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text()


def test_what_does_not_obey_is_killed_with_its_children(tmp_path: Path) -> None:
    program = Program("deaf", ["sh", "-c", DEAF], tmp_path / "log")
    while "deaf" not in program.last_words():
        time.sleep(0.01)
    children = descendants(program.process.pid)
    assert program.end() == -signal.SIGKILL
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_what_a_killed_process_has_started_ends_too(tmp_path: Path) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv, of util-linux")
    code = (
        "import sys, time; from pathlib import Path; from tests.ui.browsers.processes import Program\n"
        "print(Program('x', ['sleep', '1000'], Path(sys.argv[1])).process.pid, flush=True); time.sleep(1000)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = Path("/proc", parent.stdout.readline().decode().strip(), "cmdline")
        while not child.read_text().startswith("sleep"):
            time.sleep(0.01)
        parent.kill()
    end = time.monotonic() + 60
    while child.exists() and child.read_text():  # one that nobody has waited for has no command any more
        assert time.monotonic() < end
        time.sleep(0.01)
