"""The committed speed table, and a check that changes have not slowed things down."""

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
"""Allowed factor over the committed ratio: machines and their load differ."""


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
    """Measure the overhead over a plain transcode again, like the first committed row, and compare.

    Args:
        committed: a report of `python -m benchmarks speed` or `python -m benchmarks video`.
        repeats: number of repeats; the minimum counts.
        tell: called with a progress line for each step.

    Returns:
        One line with both ratios.

    Raises:
        InputError: the file is not such a report.
        TooSlowError: the ratio is more than `SLACK` times the committed one.
    """
    try:
        content = json.loads(committed.read_text(encoding="utf-8"))
        report = next(iter(content.get("rows", {"": content}).values()))
        setting, wanted = Setting(**report["setting"]), _ratio(report["cpu_ms_per_frame"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        remedy = "make one with --output"
        raise InputError(f"{committed}: is not a report of `python -m benchmarks speed`; {remedy}") from error
    runs = measure_jobs(setting._replace(repeats=repeats), ("plain", "job"), tell=tell)
    least = {job: {"min": min(run["cpu_seconds"] / run["frames"] for run in each)} for job, each in runs.items()}
    line = f"overhead by plain transcode: {_ratio(least):.2f}, committed {wanted:.2f}, limit {SLACK * wanted:.2f}"
    if _ratio(least) > SLACK * wanted:
        raise TooSlowError(f"{committed}: {line}; find what has become slower, or commit new figures with the reason")
    return line


def _ratio(cpu: dict[str, Any]) -> float:
    """Return the overhead as a multiple of a plain transcode, which cancels the machine's speed."""
    return float((cpu["job"]["min"] - cpu["plain"]["min"]) / cpu["plain"]["min"])
