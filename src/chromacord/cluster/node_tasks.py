"""What runs on the nodes: plain functions of paths and options, which return small values.

Pictures never pass through the object store: each task reads its clip and writes its part in shared storage.
"""

import platform
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from chromacord.errors import ChromacordError, ChromacordWarning
from chromacord.grade.keys import Grade
from chromacord.job.options import Options
from chromacord.job.summary import Summary

Files = Mapping[str, str]
"""Paths of one clip by arguments of `chromacord.harmonize_video`."""


class Node(NamedTuple):
    """What must be the same on all nodes."""

    chromacord: str
    python: str
    renderer: str


class Plan(NamedTuple):
    """How a clip is rendered in chunks."""

    grade: Grade
    num_frames: int
    num_chunks: int
    num_analysed: int


@dataclass(frozen=True)
class Outcome:
    """What a task gives: a value, or the error that prevented it."""

    value: Summary | Plan | int | None = None
    error: Exception | None = None
    trace: str | None = None
    """Traceback, for a bug."""

    messages: tuple[str, ...] = ()
    """Warnings."""

    cpu_seconds: float = 0.0


def describe_node() -> Node:
    """Return this node's versions."""
    from chromacord import __version__
    from chromacord.render.compiled import renderer_name

    return Node(__version__, platform.python_version(), renderer_name())


def begin_clip(files: Files, options: Options, chunk_frames: int) -> Outcome:
    """Analyse a clip that is worth splitting; harmonize any other completely.

    Args:
        files: the clip's files.
        options: how to harmonize it.
        chunk_frames: number of frames in a chunk.

    Returns:
        An `Outcome` with a `Plan`, or with the `Summary` of the complete clip.
    """
    return _guarded(lambda: _begin(files, options, chunk_frames))


def render_chunk(files: Files, options: Options, grade: Grade, part: str) -> Outcome:
    """Render one chunk to a file of its own, or its images to their final names.

    Args:
        files: the clip's files.
        options: with a `chunk`, and without the manual changes that the grade has.
        grade: the whole clip's.
        part: path to write.
    """
    return _guarded(lambda: _render(files, options, grade, part))


def end_clip(files: Files, options: Options, grade: Grade, parts: tuple[str, ...]) -> Outcome:
    """Join a clip's parts, and write its grade if requested.

    Args:
        files: the clip's files.
        options: how it was harmonized.
        grade: the grade.
        parts: the files to join; empty for images, which are complete.
    """
    return _guarded(lambda: _end(files, options, grade, parts))


def _begin(files: Files, options: Options, chunk_frames: int) -> Summary | Plan:
    from chromacord.api import analyse, harmonize_video
    from chromacord.grade.imports import read_any_grade
    from chromacord.job.chunking.chunks import chunks_of, why_whole
    from chromacord.job.clip import open_clip

    others = [name for name in ("grade_out", "lut_out", "preview", "foreground_out") if name in files]
    if why_whole(files.get("output"), others, options) is None:
        layers = {name: files.get(name) for name in _LAYERS}
        clip, _ = open_clip({name: None if path is None else Path(path) for name, path in layers.items()}, options)
        start, stop = options.range
        known = clip.info.num_frames
        length = None if known is None else (known if stop is None else min(stop, known)) - start
        if length is not None and length > chunk_frames:
            # Closes the clip: the analysis opens it again, and two decoders would hold memory twice.
            del clip
            if "grade_in" in files:
                grade = read_any_grade(Path(files["grade_in"])).by_hand(options.hand)
            else:
                read = {name: path for name, path in files.items() if name in (*_LAYERS, "reference", "cuts")}
                grade = analyse(**read, options=options)  # type: ignore[arg-type]
            number = -(-length // chunk_frames)
            clip, _ = open_clip({name: None if path is None else Path(path) for name, path in layers.items()}, options)
            chunks = chunks_of(clip.info, options, grade, number)
            return Plan(grade, length, len(chunks), sum(len(shot.keys) for shot in grade.shots))
    return harmonize_video(**files, options=options)  # type: ignore[arg-type]


_LAYERS = ("composite", "mask", "foreground", "alpha", "background")


def _render(files: Files, options: Options, grade: Grade, part: str) -> Summary:
    from chromacord.api import render

    layers = {name: path for name, path in files.items() if name in _LAYERS}
    return render(grade, output=part, options=options, **layers)  # type: ignore[arg-type]


def _end(files: Files, options: Options, grade: Grade, parts: tuple[str, ...]) -> int:
    from chromacord.grade.file import grade_text
    from chromacord.io.writing.joining import join_parts
    from chromacord.io.writing.staging import write_text
    from chromacord.job.clip import open_clip

    count = 0
    if parts:
        layers = {name: files.get(name) for name in _LAYERS}
        clip, _ = open_clip({name: None if path is None else Path(path) for name, path in layers.items()}, options)
        first = None if options.frames is None else options.range[0]
        paths, output = [Path(part) for part in parts], Path(files["output"])
        count = join_parts(paths, output, clip.info, force=options.force, first=first)
    if "grade_out" in files:
        write_text(Path(files["grade_out"]), grade_text(grade), force=options.force)
    return count


def without_changes(options: Options) -> Options:
    """Return the options for rendering a grade that has the manual changes already."""
    neutral = Options()
    names = ("strength", "exposure", "temperature", "tint", "contrast", "saturation", "black", "protect")
    return replace(options, **{name: getattr(neutral, name) for name in (*names, "lock", "match")})


def _guarded(work: Callable[[], Summary | Plan | int]) -> Outcome:
    """Run a task with one thread, and return its errors instead of raising them: ray retries only lost nodes."""
    import time

    import cv2

    from chromacord.io.cores import share_cores
    from chromacord.io.memory import share_freed_memory
    from chromacord.job.threads import single_threaded

    cv2.setNumThreads(1)
    share_cores(1)
    share_freed_memory()
    before = time.process_time()
    with warnings.catch_warnings(record=True) as caught, single_threaded():
        warnings.simplefilter("default", ChromacordWarning)
        value: Summary | Plan | int | None = None
        error: Exception | None = None
        trace = None
        try:
            value = work()
            if isinstance(value, Summary):
                value = replace(value, look=None)  # it holds the open clip, which cannot be sent
        except ChromacordError as problem:
            error = problem.with_traceback(None)
            error.__cause__ = error.__context__ = None  # they may hold open files, which cannot be sent
        except Exception as problem:
            # Others may hold what cannot be pickled, as those of libav.
            error = RuntimeError(f"{type(problem).__name__}: {problem}")
            trace = traceback.format_exc()
    messages = tuple(str(each.message) for each in caught if issubclass(each.category, ChromacordWarning))
    return Outcome(value, error, trace, messages, time.process_time() - before)
