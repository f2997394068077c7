"""Check that long runs, and many short ones, do not leak memory, files or threads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from benchmarks.soak_worker import CLIPS, Held, Record, Work
from benchmarks.speed_clips import describe, synthetic_frames, write_clip
from chromacord.errors import ChromacordError, InputError
from chromacord.lab.bench.fresh_process import Report, run_fresh
from chromacord.lab.bench.provenance import provenance
from chromacord.types import Frame, Size

SIZE = Size(180, 320)

_PERIOD = 100
"""Number of distinct frames, played forth and back so that nothing jumps."""

_SHOT = 1000
"""Frames between cuts."""

_SHORT = 12
"""Length of a short clip in frames."""

SLACK_BYTES = 8_000_000
"""Allowed memory growth between the first and last quarter of a stage, or between clips."""

REST_BYTES = 16_000_000
"""Allowed memory growth from before a run to after it, because libraries allocate on first use."""

KEPT_BYTES = 12_000
"""Memory that a grade may intentionally keep for each analysed frame until the clip is rendered."""


class SoakSetting(NamedTuple):
    """What to run."""

    num_frames: int = 10_000
    num_clips: int = 50
    method: str = "shotgrade"


class LeakError(ChromacordError):
    """Memory, open files or threads grew over time."""


def measure_soak(setting: SoakSetting, *, tell: Callable[[str], object] | None = None) -> Report:
    """Harmonize one long clip in one process and many short ones in another, and record their resources.

    Args:
        setting: what to run.
        tell: called with a progress line for each step.

    Returns:
        The output of `python -m benchmarks soak`; "leaks" has a line for each resource that grew.

    Raises:
        InputError: a setting is invalid.
        MeasurementError: a process failed; the message includes the last line of its output.
    """
    if setting.num_frames < 200 or setting.num_clips < 8:
        raise InputError("a soak needs at least 200 frames and 8 clips: it compares the quarters of a run")
    tell = tell or (lambda _: None)
    found: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory(prefix="chromacord-bench-") as name:
        for job, num_frames in (("long", setting.num_frames), ("short", _SHORT)):
            folder = Path(name) / job
            folder.mkdir()
            tell(f"{job}: making {num_frames} frames of {SIZE.width}x{SIZE.height}")
            make_loop(folder, num_frames)
            files = {kind: str(folder / f"{kind}.mp4") for kind in ("composite", "mask", "long_mask")}
            work = Work(**files, folder=str(folder), method=setting.method, num_clips=setting.num_clips)
            tell(f"{job}: harmonizing {num_frames if job == 'long' else f'{setting.num_clips} clips of {num_frames}'}")
            found[job] = judge(read_record(run_fresh("benchmarks.soak_worker", job, work._asdict())))
    leaks = [f"{job}: {leak}" for job, each in found.items() for leak in each["leaks"]]
    return {"setting": setting._asdict(), **found, "leaks": leaks, **provenance()}


def make_loop(folder: Path, num_frames: int) -> None:
    """Write composite.mp4, mask.mp4 and, one frame longer, long_mask.mp4, holding only a few frames in memory."""
    pictures = list(synthetic_frames(SIZE, min(_PERIOD, num_frames), 0.25))
    for name, part, count, crf in (("composite", 0, 0, 23), ("mask", 1, 0, 18), ("long_mask", 1, 1, 18)):
        length = num_frames + count
        shown = [pair[part] for pair in pictures]
        write_clip(folder / f"{name}.mp4", _looped(shown, length), describe(SIZE, length), crf=crf)


def _looped(pictures: Sequence[Frame], count: int) -> Iterator[Frame]:
    """Play frames forth and back, flipped upside down after every other cut."""
    around = max(1, 2 * len(pictures) - 2)
    for index in range(count):
        position = index % around
        picture = pictures[min(position, around - position)]
        planes = picture.planes
        if index // _SHOT % 2:
            planes = tuple(np.ascontiguousarray(plane[::-1]) for plane in planes)
        yield replace(picture, planes=planes, index=index, pts=index)


def read_record(content: Sequence[Any]) -> Record:
    """Convert a record from JSON."""
    record = Record(*content)
    return record._replace(
        before=Held(*record.before), held=[Held(*each) for each in record.held], after=Held(*record.after)
    )


def judge(record: Record) -> dict[str, Any]:
    """Return the figures of a run, and its leaks.

    Memory may grow by `SLACK_BYTES` from the first to the last quarter of a stage; in a clip's first stage by another
    `KEPT_BYTES` per analysed frame; and by `REST_BYTES` from before the run to after it. Files and threads must not
    grow.
    """
    stages = list(dict.fromkeys(each.stage for each in record.held))
    leaks: list[str] = []
    figures: dict[str, Mapping[str, object]] = {}
    for stage in stages:
        held = [each for each in record.held if each.stage == stage]
        analyses = stage == stages[0] and stage != CLIPS
        limit = SLACK_BYTES + (KEPT_BYTES * record.analysed if analyses else 0)
        figures[stage] = _judge_stage(stage, held, limit, leaks)
    left = record.after.memory - record.before.memory
    if left > REST_BYTES:
        leaks.append(
            f"{_mb(left)} MB more are held after the run than before it, when all is freed ({_mb(REST_BYTES)})"
        )
    for what in ("files", "threads"):
        before, after = getattr(record.before, what), getattr(record.after, what)
        if after > before:
            leaks.append(f"{after - before} {what} more are open after the run than before it ({before})")
    return {
        "frames": record.frames,
        "frames_analysed": record.analysed,
        "seconds": round(record.seconds, 2),
        "stages": figures,
        "memory_mb": {"before": _mb(record.before.memory), "after": _mb(record.after.memory)},
        "files": {"before": record.before.files, "after": record.after.files},
        "threads": {"before": record.before.threads, "after": record.after.threads},
        "leaks": leaks,
    }


def _judge_stage(stage: str, held: Sequence[Held], limit: int, leaks: list[str]) -> Mapping[str, object]:
    quarter = max(1, len(held) // 4)
    first, last = held[:quarter], held[-quarter:]
    memory = [median(each.memory for each in part) for part in (first, last)]
    growth = memory[1] - memory[0]
    if growth > limit:
        leaks.append(f"memory grew by {_mb(growth)} MB from the first to the last quarter of {stage!r} ({_mb(limit)})")
    for what in ("files", "threads"):
        most = [max(getattr(each, what) for each in part) for part in (first, last)]
        if most[1] > most[0]:
            leaks.append(f"{what} grew from {most[0]} to {most[1]} from the first to the last quarter of {stage!r}")
    tenths = [held[len(held) * number // 10] for number in range(10)]
    return {
        "samples": len(held),
        "first_quarter_mb": _mb(memory[0]),
        "last_quarter_mb": _mb(memory[1]),
        "growth_mb": _mb(growth),
        "limit_mb": _mb(limit),
        "tenths_mb": [_mb(each.memory) for each in tenths],
        "files": max(each.files for each in held),
        "threads": max(each.threads for each in held),
    }


def _mb(count: float) -> float:
    return round(count / 1e6, 1)
