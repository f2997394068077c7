"""Worker processes of `python -m benchmarks video`, run as `python -m ...speed_worker JOB JSON`.

In a fresh process, peak memory is the job's own and CPU time includes all its threads, the codecs' too.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from chromacord.analysis.observe import observe
from chromacord.analysis.timeline import Timeline
from chromacord.api import harmonize_video
from chromacord.io import Encoding, open_sink, open_source
from chromacord.io.memory import share_freed_memory
from chromacord.job.clip import CompositeClip
from chromacord.job.threads import single_threaded
from chromacord.lab.bench.fresh_process import peak_megabytes
from chromacord.masks.masks import MaskedFrame
from chromacord.methods import load_method
from chromacord.render.cpu import Renderer
from chromacord.types import Frame, Progress

HELD_BYTES = 300 << 20
"""Memory for the decoded frames on which stages are measured, so that no decoder runs at the same time."""


class Work(NamedTuple):
    """What to run."""

    composite: str
    mask: str
    output: str
    method: str
    crf: float
    preset: str


def run_job(work: Work) -> dict[str, float]:
    """Harmonize the clip as the command does."""
    summary = harmonize_video(
        work.composite,
        output=work.output,
        mask=work.mask,
        method=work.method,
        encoding=_encoding(work),
        force=True,
    )
    return {"frames": summary.num_frames}


def run_plain(work: Work) -> dict[str, float]:
    """Decode and re-encode the clip with the same settings."""
    source = open_source(work.composite, keep=True)
    frames = 0
    with open_sink(work.output, source.info, encoding=_encoding(work), force=True) as sink:
        for frame in source.frames():
            sink.write(frame)
            frames += 1
        sink.finish()
        sink.commit()
    return {"frames": frames}


def run_nothing(work: Work) -> dict[str, float]:  # noqa: ARG001
    """Only import what the job imports, as the baseline of its memory."""
    return {"frames": 1}


class _FirstFrame(Exception):
    """Stops a job after its first frame."""


def run_start(work: Work) -> dict[str, float]:
    """Harmonize the clip until the first frame reaches the encoder, which requires analysing some later ones.

    Returns:
        Wall seconds since this process started, including imports.
    """

    def stop(progress: Progress) -> None:
        if progress.stage == "render" and progress.done:
            raise _FirstFrame

    with suppress(_FirstFrame):
        harmonize_video(
            work.composite,
            output=work.output,
            mask=work.mask,
            method=work.method,
            encoding=_encoding(work),
            force=True,
            progress=stop,
        )
    return {"frames": 1, "since_start": seconds_since_start()}


def run_stages(work: Work) -> dict[str, float]:
    """Measure each stage alone: decoding on the whole clip, other stages on decoded frames in memory.

    Returns:
        CPU ms per frame and stage, and the number of frames in memory.
    """
    composite, mask = open_source(work.composite), open_source(work.mask)
    clip = CompositeClip(composite, mask)
    times = {
        "decode_composite": _cpu_per_item(composite.frames(), lambda _: None),
        "decode_mask": _cpu_per_item(mask.frames(), lambda _: None),
    }
    held = list(islice(clip.frames(), max(8, HELD_BYTES // _bytes(next(clip.frames())))))
    method = load_method(work.method)
    started = time.process_time()
    timeline = Timeline(method, rate=clip.info.rate)
    for _ in timeline.decide(observe(iter(held), clip.info, method, consistency="smooth")):
        pass
    grade = timeline.grade
    times["analyse"] = 1000 * (time.process_time() - started) / len(held)
    renderer = Renderer(clip.info)
    graded: list[Frame] = []

    def render(masked: MaskedFrame) -> None:
        shot = grade.shot_at(masked.frame.index)
        graded.append(renderer.render(masked, shot.at(masked.frame.index) if shot is not None else None))

    times["render"] = _cpu_per_item(held, render)
    started = time.process_time()
    with open_sink(work.output, clip.info, encoding=_encoding(work), force=True, copy_streams=False) as sink:
        for frame in graded:
            sink.write(frame)
        sink.finish()
    times["encode"] = 1000 * (time.process_time() - started) / len(graded)
    return {**times, "frames": len(held)}


def _cpu_per_item(items: Iterable[Any], use: Callable[[Any], object]) -> float:
    """Return CPU ms per item over all threads."""
    count, started = 0, time.process_time()
    for item in items:
        use(item)
        count += 1
    return 1000 * (time.process_time() - started) / max(count, 1)


def _bytes(masked: MaskedFrame) -> int:
    # Each frame is held three times: composite, mask and result.
    return 3 * sum(plane.nbytes for plane in masked.frame.planes)


def _encoding(work: Work) -> Encoding:
    return Encoding(codec="h264", crf=work.crf, preset=work.preset)


def seconds_since_start() -> float:
    """Return the age of this process (Linux: field 22 of /proc/self/stat, after the command's name)."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


JOBS: dict[str, Callable[[Work], dict[str, float]]] = {
    "job": run_job,
    "plain": run_plain,
    "nothing": run_nothing,
    "start": run_start,
    "stages": run_stages,
}


def main() -> None:
    """Run a job and print its figures as JSON."""
    share_freed_memory()  # as the command does
    work = Work(**json.loads(sys.argv[2]))
    wall, cpu = time.perf_counter(), time.process_time()
    with single_threaded():
        result = JOBS[sys.argv[1]](work)
    result |= {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps({**result, "peak_mb": peak_megabytes()}))


if __name__ == "__main__":
    main()
