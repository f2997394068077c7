"""Run one or many clips on a Ray cluster, with the same messages as on one machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chromacord.analysis.cuts import edl_file
from chromacord.cli.batch.batch import Tally, show_failure
from chromacord.cli.batch.clips import Clip
from chromacord.cli.batch.preflight import inspect
from chromacord.cli.batch.resuming import allowed, write_record
from chromacord.cli.batch.worker import Done, Failed
from chromacord.cli.clip_lists.found import make_folders
from chromacord.cli.screen.display import Display
from chromacord.cli.screen.exits import BAD_INPUT
from chromacord.cli.screen.summary_text import summary_line, summary_values
from chromacord.errors import InputError
from chromacord.types import ALPHA_WORDS, STDOUT, Progress

if TYPE_CHECKING:
    from chromacord.cluster.engine import Asked, Finished
    from chromacord.job.options import Options


class Cluster(NamedTuple):
    """Where and how to run."""

    address: str | None
    chunk_frames: int
    retries: int


def harmonize_on_cluster(
    clips: Sequence[Clip], options: "Options", cluster: Cluster, *, skip_existing: bool, display: Display
) -> None:
    """Harmonize clips on a cluster, after reporting all foreseeable failures.

    Args:
        clips: clips to harmonize.
        options: options common to all clips.
        cluster: where to run.
        skip_existing: skip clips whose outputs all exist.
        display: shows progress and results.

    Raises:
        SystemExit: clips cannot be processed, and none was started; or some failed, and the others are complete.
        InputError: no cluster answers, its nodes differ, or an output is standard output.
    """
    if any(clip.output == STDOUT for clip in clips):
        raise InputError("-: machines of a cluster cannot write to standard output; name a file")
    found = inspect(clips, options, skip_existing=skip_existing)
    for clip, error in found.problems:
        show_failure(display, clip, Failed(error))
    if found.problems:
        raise SystemExit(BAD_INPUT)
    wanted = [clip for clip in clips if clip not in found.done]
    verb = "harmonized" if clips[0].output is not None else "graded"
    tally = Tally(len(wanted), len(found.done), verb, display, clips[0].resume)
    if wanted:
        make_folders([path for clip in wanted for path in clip.outputs.values()])
        _run(wanted, options, cluster, tally, display)
    tally.finish(0)


def _run(wanted: Sequence[Clip], options: "Options", cluster: Cluster, tally: Tally, display: Display) -> None:
    from chromacord.cluster.connection import connected
    from chromacord.cluster.engine import Engine

    views = {clip: display.of_clip(clip.source) for clip in wanted}
    by_name = dict(zip(map(str, range(len(wanted))), wanted, strict=True))
    asked = [_asked(name, clip, allowed(clip, clip.options or options)) for name, clip in by_name.items()]
    with (
        connected(cluster.address) as ray,
        Engine(
            ray, chunk_frames=cluster.chunk_frames, retries=cluster.retries, reports=display.shows_progress
        ) as engine,
    ):
        for each, answer in engine.run(asked):
            clip = by_name[each.name]
            if clip.resume and not isinstance(answer, Progress) and answer.summary is not None:
                write_record(clip, clip.options or options)
            tally.take(clip, answer if isinstance(answer, Progress) else _answer(answer), views[clip])


def _asked(name: str, clip: Clip, options: "Options") -> "Asked":
    """Make paths absolute, because nodes have another working folder."""
    from chromacord.cluster.engine import Asked

    words = {"mask": ("alpha",), "alpha": ALPHA_WORDS}
    files = {
        field: path if field == "cuts" or path in words.get(field, ()) else _absolute(path)
        for field, path in clip.files.items()
    }
    if (cuts := edl_file(clip.cuts)) is not None:
        files["cuts"] = _absolute(str(cuts))
    return Asked(name, files, options.with_absolute_paths())


def _absolute(path: str) -> str:
    """Return an absolute path; a slash at the end, which makes an output a folder, stays."""
    return str(Path(path).absolute()) + ("/" if path.endswith("/") else "")


def _answer(finished: "Finished") -> Done | Failed:
    if finished.summary is None:
        assert finished.error is not None
        return Failed(finished.error, finished.trace)
    return Done(summary_line(finished.summary), summary_values(finished.summary), finished.messages)
