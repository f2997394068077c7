"""Run the command in a separate process with little memory and time, and judge the outcome in one word."""

import gc
import importlib
import io
import os
import pkgutil
import re
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import NamedTuple

import chromacord
from chromacord.cli import main

CPU_SECONDS = 60
WALL_SECONDS = 600
MORE_ADDRESSES = 4 << 30
"""Bytes that a child may map beyond what this process has."""

MORE_MEMORY_MB = 1024
"""What a small file may make the command take beyond what this process has."""

_OWN = {90: "unreadable output", 91: "changed background"}
_LIMITS = (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL)

FINE = ("refused in one line", "accepted")
OUTCOMES = (
    *FINE,
    "traceback",
    "native crash",
    "hang",
    "memory",
    "partial output",
    "unreadable output",
    "changed background",
)


class Child(NamedTuple):
    """What a child process left."""

    outcome: str
    told: str
    """The end of its stderr."""

    seconds: float
    """CPU time."""

    more_mb: int
    """Peak memory beyond what this process has."""


def load_all() -> None:
    """Import what the command imports late, once for all children, which is most of what a run would take."""
    for module in pkgutil.walk_packages(chromacord.__path__, "chromacord."):
        if not module.name.endswith(("_worker", "._native")):
            importlib.import_module(module.name)
    # Typer imports more once it has options to parse.
    with redirect_stderr(io.StringIO()):
        _call(["harmonize", "no file", "-o", "no file.png", "--mask", "no file"])
    gc.collect()
    gc.freeze()  # else each child's first collection copies all pages


def run_child(
    arguments: Sequence[str], folder: Path, *, output: str | None, check: Callable[[], str | None] | None = None
) -> Child:
    """Run the command in a folder, as a fork of this process, and judge the outcome.

    Args:
        arguments: of the command.
        folder: with its inputs. What is there before does not count as output.
        output: the command's output, relative to the folder; None: it has none.
        check: called after exit code 0 in the child; returns another outcome, or None.
    """
    before = _files(folder)
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pid = os.fork()
    if pid == 0:
        _be_child(arguments, folder, check)
    started = time.monotonic()
    _, status, usage = os.wait4(pid, 0)
    told = (folder / ".stderr").read_text(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    left = sorted(_files(folder) - before - {".stderr", ".stdout"})
    seconds, more_mb = usage.ru_utime + usage.ru_stime, max(0, usage.ru_maxrss - base) // 1024
    outcome = _judge(code, told, left, output)
    if outcome in FINE and more_mb > MORE_MEMORY_MB:
        outcome = "memory"
    if outcome == "accepted" and time.monotonic() - started > WALL_SECONDS:
        outcome = "hang"
    return Child(outcome, f"{code}: {told[-2000:]} {left[:5]}", round(seconds, 2), more_mb)


def _judge(code: int, told: str, left: Sequence[str], output: str | None) -> str:
    if code < 0:
        return "hang" if -code in _LIMITS else "native crash"
    if code in _OWN:
        return _OWN[code]
    if code not in (0, 2) or "Traceback" in told:
        return "traceback"
    outputs = [name for name in left if output is None or not name.startswith(output)]
    if code == 2:
        lines = [line for line in told.splitlines() if re.match("error: ", line)]
        if left:
            return "partial output"
        return "refused in one line" if len(lines) == 1 and told.splitlines()[-1] == lines[0] else "traceback"
    return "partial output" if outputs else "accepted"


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def _be_child(arguments: Sequence[str], folder: Path, check: Callable[[], str | None] | None) -> None:
    """Become the command; never returns."""
    code = 1
    try:
        os.chdir(folder)
        for descriptor, name in ((1, ".stdout"), (2, ".stderr")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        # Those of a test are pytest's; the command prepares the real ones.
        sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = sys.__stderr__ = open(2, "w", closefd=False)  # noqa: SIM115
        _limit()
        code = _call(arguments)
        if code == 0 and check is not None:
            code = {word: number for number, word in _OWN.items()}.get(check() or "", 0)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _limit() -> None:
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MORE_ADDRESSES,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30,) * 2)
    for number in (signal.SIGALRM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)


def _call(arguments: Sequence[str]) -> int:
    try:
        main(list(arguments))
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0
    return 0
