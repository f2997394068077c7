"""Run measurements in fresh processes, whose peak memory, CPU time and threads are their own."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from chromacord.errors import ChromacordError

Report = dict[str, object]
"""What a measurement gives, ready for a JSON file."""


class MeasurementError(ChromacordError):
    """A measured process failed."""


def run_fresh(module: str, job: str, work: Mapping[str, object], *, threads: int = 1) -> Any:
    """Run a module in a process of its own, and return what the last line that it prints holds as JSON.

    Args:
        module: is run as `python -m MODULE JOB JSON`.
        job: what is measured; errors name it.
        work: the JSON.
        threads: of OpenMP.

    Raises:
        MeasurementError: the process failed; the message holds its last line.
    """
    command = [sys.executable, "-m", module, job, json.dumps(work)]
    printed = run_command(command, f"the measured process {job!r}", threads=threads)
    return json.loads(printed.splitlines()[-1])


def run_command(command: Sequence[str], what: str, *, threads: int = 1, cores: Collection[int] | None = None) -> str:
    """Run a command, and return what it prints.

    Args:
        command: its words.
        what: errors call it so.
        threads: of OpenMP.
        cores: that it may use; None: as this process.

    Raises:
        MeasurementError: the command failed; the message holds its last line.
    """
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MeasurementError(f"{what} failed: {last}")
    return done.stdout


def peak_megabytes() -> float:
    """Return the most memory that this process held (Linux: VmHWM, in units of 10**6 bytes).

    Not `getrusage`: on Linux that also counts what the process was before it became this program.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError("this system does not report the peak memory of a process")
