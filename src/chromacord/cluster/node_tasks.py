"""What runs on the nodes: plain functions of paths and options, which return small values.

Pictures never pass through the object store: each task reads its clip and writes its part in shared storage.
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from chromacord.cluster.remote_tasks import Tell
from chromacord.grade.keys import Grade
from chromacord.job.options import Options
from chromacord.job.summary import Summary
from chromacord.types import VideoInfo

Files = Mapping[str, str]
"""Paths of one clip by arguments of `chromacord.harmonize_video`."""

LIBRARIES = ("av", "numpy", "opencolorio", "opencv-python-headless")
"""Packages whose versions change results."""


class Node(NamedTuple):
    """What must be the same on all nodes."""

    versions: Mapping[str, str | None]
    """Versions by name; None: not installed."""

    has_folder: bool = True
    """Whether the command's working folder exists."""


class Plan(NamedTuple):
    """How a clip is rendered in chunks."""

    grade: Grade
    num_frames: int
    num_chunks: int
    num_analysed: int


def describe_node(folder: str | None = None, libraries: Sequence[str] = ()) -> Node:
    """Return this node's versions.

    Args:
        folder: working folder of the command, if tasks run in it.
        libraries: more packages whose versions matter.
    """
    from chromacord import __version__
    from chromacord.render.compiled import renderer_name

    versions: dict[str, str | None]
    versions = {"chromacord": __version__, "python": platform.python_version(), "renderer": renderer_name()}
    versions |= {name: _version(name) for name in (*LIBRARIES, *libraries)}
    return Node(versions, folder is None or Path(folder).is_dir())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def begin_clip(files: Files, options: Options, chunk_frames: int, tell: Tell) -> Summary | Plan:
    """Analyse a clip that is worth splitting; harmonize any other completely.

    Args:
        files: the clip's files.
        options: how to harmonize it.
        chunk_frames: number of frames in a chunk.
        tell: reports progress.

    Returns:
        A `Plan`, or the `Summary` of the complete clip.
    """
    from chromacord.api import analyse, harmonize_video
    from chromacord.grade.imports import read_any_grade
    from chromacord.job.chunking.chunks import chunks_of, why_whole

    others = [name for name in ("grade_out", "lut_out", "preview", "foreground_out") if name in files]
    if why_whole(files.get("output"), others, options) is None:
        start, stop = options.range
        known = _info(files, options).num_frames
        length = None if known is None else (known if stop is None else min(stop, known)) - start
        if length is not None and length > chunk_frames:
            if "grade_in" in files:
                grade = read_any_grade(Path(files["grade_in"])).by_hand(options.hand)
            else:
                read = {name: path for name, path in files.items() if name in (*_LAYERS, "reference", "cuts")}
                grade = analyse(**read, options=options, progress=tell)  # type: ignore[arg-type]
            number = -(-length // chunk_frames)
            chunks = chunks_of(_info(files, options), options, grade, number)
            return Plan(grade, length, len(chunks), sum(len(shot.keys) for shot in grade.shots))
    return _sendable(harmonize_video(**files, options=options, progress=tell))  # type: ignore[arg-type]


_LAYERS = ("composite", "mask", "foreground", "alpha", "background")


def render_chunk(files: Files, options: Options, part: str, grade: Grade, tell: Tell) -> Summary:
    """Render one chunk to a file of its own, or its images to their final names.

    Args:
        files: the clip's files.
        options: with a `chunk`, and without the manual changes that the grade has.
        part: path to write.
        grade: the whole clip's.
        tell: reports progress.
    """
    from chromacord.api import render

    layers = {name: path for name, path in files.items() if name in _LAYERS}
    return _sendable(render(grade, output=part, options=options, progress=tell, **layers))  # type: ignore[arg-type]


def end_clip(files: Files, options: Options, parts: tuple[str, ...], grade: Grade, tell: Tell) -> int:  # noqa: ARG001
    """Join a clip's parts, and write its grade if requested; return the number of frames joined.

    Args:
        files: the clip's files.
        options: how it was harmonized.
        parts: the files to join; empty for images, which are complete.
        grade: the grade.
        tell: not needed: packets are copied.
    """
    from chromacord.grade.file import grade_text
    from chromacord.io.writing.joining import join_parts
    from chromacord.io.writing.staging import write_text

    count = 0
    if parts:
        first = None if options.frames is None else options.range[0]
        paths, output = [Path(part) for part in parts], Path(files["output"])
        count = join_parts(paths, output, _info(files, options), force=options.force, first=first)
    if "grade_out" in files:
        write_text(Path(files["grade_out"]), grade_text(grade), force=options.force)
    return count


def _info(files: Files, options: Options) -> VideoInfo:
    from chromacord.job.clip import open_clip

    layers = {name: files.get(name) for name in _LAYERS}
    clip, _ = open_clip({name: None if path is None else Path(path) for name, path in layers.items()}, options)
    return clip.info


def _sendable(summary: Summary) -> Summary:
    return replace(summary, look=None)  # it holds the open clip, which cannot be sent


def without_changes(options: Options) -> Options:
    """Return the options for rendering a grade that has the manual changes already."""
    neutral = Options()
    names = ("strength", "exposure", "temperature", "tint", "contrast", "saturation", "black", "protect")
    return replace(options, **{name: getattr(neutral, name) for name in (*names, "by_shot", "lock", "match")})
