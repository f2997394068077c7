"""Run measurements in fresh processes, so that peak memory, CPU time and thread counts are theirs alone."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from chromacord.errors import ChromacordError

Report = dict[str, object]
"""A measurement's result, ready for JSON."""


class MeasurementError(ChromacordError):
    """A measuring process failed."""


def run_fresh(
    module: str, job: str, work: Mapping[str, object], *, threads: int = 1, folder: Path | None = None
) -> Any:
    """Run a module in its own process and parse the last line of its output as JSON.

    Args:
        module: run as `python -m MODULE JOB JSON`.
        job: name of the measurement, also used in errors.
        work: the JSON argument.
        threads: number of OpenMP threads.
        folder: where the process runs; Python looks for modules there first.

    Raises:
        MeasurementError: the process failed; the message includes the last line of its output.
    """
    command = [sys.executable, "-m", module, job, json.dumps(work)]
    printed = run_command(command, f"the measured process {job!r}", threads=threads, folder=folder)
    return json.loads(printed.splitlines()[-1])


def run_command(
    command: Sequence[str],
    what: str,
    *,
    threads: int = 1,
    cores: Collection[int] | None = None,
    folder: Path | None = None,
) -> str:
    """Run a command and return its standard output.

    Args:
        command: program and arguments.
        what: name of the command in errors.
        threads: number of OpenMP threads.
        cores: CPU cores that it may use; None: those of this process.
        folder: where it runs; None: where this process does.

    Raises:
        MeasurementError: the command failed; the message includes the last line of its output.
    """
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MeasurementError(f"{what} failed: {last}")
    return done.stdout


def peak_megabytes() -> float:
    """Return the peak resident memory of this process in MB (Linux: VmHWM; 1 MB = 10**6 bytes).

    `getrusage` is unsuitable: on Linux its peak includes the parent's memory from before `exec`.
    """
    status = Path("/proc/self/status")
    for line in status.read_text(encoding="ascii").splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError("this system does not report the peak memory of a process")
