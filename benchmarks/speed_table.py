"""The table of speed that is kept with the code, and the check that a change has not made things slower."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.speed import Setting, measure_jobs, measure_video
from chromacord.errors import ChromacordError, InputError
from chromacord.lab.bench.fresh_process import Report

ROWS = {
    "1080p ultrafast": Setting("1080p", "ultrafast"),
    "1080p veryfast": Setting("1080p", "veryfast"),
    "4k ultrafast": Setting("4k", "ultrafast", num_frames=50),
}

SLACK = 1.5
"""How much larger than the committed ratio a measured one may be: machines and their other users differ."""


class TooSlowError(ChromacordError):
    """Harmonizing has become slower than what is committed."""


def measure_rows(method: str, *, repeats: int, tell: Callable[[str], object] | None = None) -> Report:
    """Measure all rows one after another.

    Args:
        method: its name.
        repeats: how often everything is run.
        tell: called with a line for each thing that is done.
    """
    rows = {
        name: measure_video(setting._replace(method=method, repeats=repeats), tell=tell)
        for name, setting in ROWS.items()
    }
    return {"rows": rows}


def check_speed(committed: Path, *, repeats: int, tell: Callable[[str], object] | None = None) -> str:
    """Measure overhead by plain transcode again, as the first committed row did, and compare.

    Args:
        committed: a file that `python -m benchmarks speed` or `python -m benchmarks video` wrote.
        repeats: how often everything is run; the least of each counts.
        tell: called with a line for each thing that is done.

    Returns:
        One line with both ratios.

    Raises:
        InputError: the file is none of these.
        TooSlowError: the ratio is more than `SLACK` times the committed one.
    """
    try:
        content = json.loads(committed.read_text(encoding="utf-8"))
        report = next(iter(content.get("rows", {"": content}).values()))
        setting, wanted = Setting(**report["setting"]), _ratio(report["cpu_ms_per_frame"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise InputError(f"{committed}: is no report of `python -m benchmarks speed` ({error}); make one") from error
    runs = measure_jobs(setting._replace(repeats=repeats), ("plain", "job"), tell=tell)
    least = {job: {"min": min(run["cpu_seconds"] / run["frames"] for run in each)} for job, each in runs.items()}
    line = f"overhead by plain transcode: {_ratio(least):.2f}, committed {wanted:.2f}, limit {SLACK * wanted:.2f}"
    if _ratio(least) > SLACK * wanted:
        raise TooSlowError(f"{committed}: {line}; find what has become slower, or commit new figures with the reason")
    return line


def _ratio(cpu: dict[str, Any]) -> float:
    """Return the overhead as a multiple of a plain transcode: both feel a slow machine alike."""
    return float((cpu["job"]["min"] - cpu["plain"]["min"]) / cpu["plain"]["min"])
