"""The committed speed table, and a check that changes have not slowed things down."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from benchmarks.speed import Setting, measure_jobs, measure_video
from chromacord.errors import ChromacordError, InputError
from chromacord.lab.bench.fresh_process import MeasurementError, Report, run_command
from chromacord.render.compiled import renderer_name

ROWS = {
    "1080p ultrafast": Setting("1080p", "ultrafast"),
    "1080p veryfast": Setting("1080p", "veryfast"),
    "4k ultrafast": Setting("4k", "ultrafast", num_frames=50),
}

ROOT = Path(__file__).parents[1]

LIMIT = 1.25
"""Allowed overhead, as a multiple of the other code's; equal code gave 0.95 to 1.08 on a busy machine."""


class TooSlowError(ChromacordError):
    """Harmonizing has become slower than the committed figures allow."""


def measure_rows(method: str, *, repeats: int, tell: Callable[[str], object] | None = None) -> Report:
    """Measure all rows of the table.

    Args:
        method: name of the method.
        repeats: number of repeats.
        tell: called with a progress line for each step.
    """
    rows = {
        name: measure_video(setting._replace(method=method, repeats=repeats), tell=tell)
        for name, setting in ROWS.items()
    }
    return {"rows": rows}


def check_speed(committed: Path, *, repeats: int, tell: Callable[[str], object] | None = None) -> str:
    """Measure this code against that of the first committed row, alternately on this machine, by that row's setting.

    Args:
        committed: a report of `python -m benchmarks speed` or `python -m benchmarks video`.
        repeats: number of repeats; the minimum counts.
        tell: called with a progress line for each step.

    Returns:
        One line with the figures of both, or why the other code cannot be had.

    Raises:
        InputError: the file is not such a report.
        MeasurementError: the other code cannot be installed, or a measuring process failed.
        TooSlowError: the overhead over a plain transcode is more than `LIMIT` times the other code's.
    """
    try:
        content = json.loads(committed.read_text(encoding="utf-8"))
        row = next(iter(content.get("rows", {"": content}).values()))
        setting, commit = Setting(**row["setting"]), str(row["commit"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        remedy = "make one with --output"
        raise InputError(f"{committed}: is not a report of `python -m benchmarks speed`; {remedy}") from error
    with TemporaryDirectory(prefix="chromacord-commit-") as name:
        before = Path(name)
        if not install(commit, before):
            return f"speed is not checked: commit {commit} cannot be had here; a whole clone and git have it"
        jobs = {"plain": ("plain", before), f"job of {commit}": ("job", before), "job": ("job", None)}
        runs = measure_jobs(setting._replace(repeats=repeats), jobs, tell=tell)
    # One transcode for both: what slows ours down must not make the overhead smaller.
    plain, then, now = (1000 * min(run["cpu_seconds"] / run["frames"] for run in each) for each in runs.values())
    ratio = (now - plain) / (then - plain)
    line = (
        f"CPU ms a frame: {now:.1f}, with commit {commit} {then:.1f}; over a plain transcode's {plain:.1f}, "
        f"{ratio:.2f} times as much, limit {LIMIT:.2f}"
    )
    if ratio > LIMIT:
        raise TooSlowError(f"{line}; find what has become slower, or commit new figures with the reason")
    return line


def install(commit: str, folder: Path) -> bool:
    """Install the package of a commit of this project into an empty folder, and copy its benchmarks beside it.

    Returns:
        False where git or the commit is missing, as in a shallow clone or an unpacked sdist.

    Raises:
        MeasurementError: it cannot be installed, or has another renderer than this code.
    """
    archive = ["git", "-C", str(ROOT), "archive", "--format=zip", commit]
    with TemporaryDirectory(prefix="chromacord-source-") as source:
        try:
            done = subprocess.run(archive, capture_output=True, check=False)
        except FileNotFoundError:
            return False
        if done.returncode:
            return False
        with ZipFile(BytesIO(done.stdout)) as files:
            files.extractall(source)
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--no-deps"]
        run_command([*pip, "--target", str(folder), source], f"installing commit {commit}")
        shutil.copytree(Path(source, "benchmarks"), folder / "benchmarks")
    if any(folder.glob("chromacord/render/_native*")) != (renderer_name() == "compiled"):
        raise MeasurementError(f"one of this code and commit {commit} has no compiled renderer; install both alike")
    return True
