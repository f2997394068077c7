"""Worker processes of `python -m benchmarks soak`, run as `python -m ...soak_worker JOB JSON`."""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from chromacord.api import harmonize_video
from chromacord.errors import MismatchError
from chromacord.io import Encoding
from chromacord.io.memory import return_freed_memory, share_freed_memory
from chromacord.job.summary import Summary
from chromacord.job.threads import single_threaded
from chromacord.types import Progress

WARM_FRAMES, WARM_CLIPS = 50, 2
"""Frames and clips rendered before counting, because libraries keep files, threads and memory from first use."""

_LOOKS, _BETWEEN_LOOKS = 5, 0.02
"""Number of samples of an idle process, and seconds in between."""

CLIPS = "clips"
"""Name of the only stage in a run of short clips."""


class Work(NamedTuple):
    """What to run."""

    composite: str
    mask: str
    long_mask: str
    """Path of a mask with more frames than the composite, so that the clip fails after analysis."""

    folder: str
    method: str
    num_clips: int


class Held(NamedTuple):
    """Resources of this process at one moment."""

    stage: str
    done: int
    """Finished frames of the stage, or clips."""

    memory: int
    """Resident bytes."""

    files: int
    threads: int


class Record(NamedTuple):
    """Resources over a run."""

    frames: int
    analysed: int
    seconds: float
    before: Held
    held: list[Held]
    after: Held


def run_long(work: Work) -> Record:
    """Harmonize one long clip."""
    output = str(Path(work.folder) / "out.mp4")
    encoding = Encoding(codec="h264", crf=23, preset="ultrafast")
    held: list[Held] = []

    def note(progress: Progress) -> None:
        held.append(look(progress.stage, progress.done))

    for frames, progress in (((0, WARM_FRAMES), None), (None, note)):
        before = rest("before", 0)
        summary = harmonize_video(
            work.composite,
            output=output,
            mask=work.mask,
            method=work.method,
            encoding=encoding,
            frames=frames,
            force=True,
            progress=progress,
        )
    return Record(summary.num_frames, summary.num_analysed, summary.seconds, before, held, rest("after", 0))


def run_short(work: Work) -> Record:
    """Harmonize a short clip many times with all kinds of outputs, each time followed by a failing run.

    Every second run also writes LUTs and a picture, which require the whole clip to be analysed before rendering.
    """
    for number in range(WARM_CLIPS):
        _succeed_and_fail(work, whole=number % 2 == 0)
    held: list[Held] = []
    frames = analysed = 0
    started = time.perf_counter()
    for number in range(work.num_clips):
        summary = _succeed_and_fail(work, whole=number % 2 == 0)
        frames, analysed = frames + summary.num_frames, analysed + summary.num_analysed
        held.append(rest(CLIPS, number + 1))
    return Record(frames, analysed, time.perf_counter() - started, held[0], held, held[-1])


def _succeed_and_fail(work: Work, *, whole: bool) -> Summary:
    folder = Path(work.folder)

    def harmonize(mask: str) -> Summary:
        return harmonize_video(
            work.composite,
            output=folder / "out.mp4",
            mask=mask,
            method=work.method,
            encoding=Encoding(codec="h264", crf=23, preset="ultrafast"),
            grade_out=folder / "grade.json",
            lut_out=folder / "luts" if whole else None,
            preview=folder / ("both.png" if whole else "both.mp4"),
            force=True,
        )

    summary = harmonize(work.mask)
    with suppress(MismatchError):
        harmonize(work.long_mask)
    return summary


def rest(stage: str, done: int) -> Held:
    """Return this process's resources between two clips, after returning freed memory to the system."""
    return_freed_memory()
    looks = [look(stage, done)]
    for _ in range(_LOOKS - 1):  # a codec's finished thread is listed for a moment longer
        time.sleep(_BETWEEN_LOOKS)
        looks.append(look(stage, done))
    return looks[-1]._replace(threads=min(each.threads for each in looks))


def look(stage: str, done: int) -> Held:
    """Return this process's current resources (Linux: /proc/self)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    # The folder of open files is itself open while it is read.
    files = len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    return Held(stage, done, pages * os.sysconf("SC_PAGE_SIZE"), files, threads)


JOBS: dict[str, Callable[[Work], Record]] = {"long": run_long, "short": run_short}


def main() -> None:
    """Run a job and print the record as JSON."""
    share_freed_memory()  # as the command does: gaps in per-thread arenas would look like leaks
    with single_threaded():
        record = JOBS[sys.argv[1]](Work(**json.loads(sys.argv[2])))
    print(json.dumps(record))


if __name__ == "__main__":
    main()
