"""Schedule clips and their chunks on a cluster: analyse once, render chunks anywhere, join."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

from chromacord.cluster.node_tasks import Files, Plan, begin_clip, end_clip, render_chunk, without_changes
from chromacord.cluster.remote_tasks import RETRIES, Outcome, Tasks
from chromacord.io.stills.patterns import is_image_output
from chromacord.io.writing.temporary import hidden_path, remove
from chromacord.job.options import Options
from chromacord.job.summary import Summary
from chromacord.types import Progress

CHUNK_FRAMES = 240
"""Default length of a chunk: ten seconds of film, so that starting a task costs less than a percent."""

ANALYSIS, JOIN = 0, -1
"""Places of the tasks that are not chunks, which are counted from 1."""


class Asked(NamedTuple):
    """A clip to harmonize."""

    name: str
    files: Files
    options: Options


class Finished(NamedTuple):
    """The result of a clip: the summary, or the error."""

    summary: Summary | None
    error: Exception | None
    trace: str | None
    messages: tuple[str, ...]
    cpu_seconds: float


@dataclass
class _Running:
    """A clip in progress."""

    asked: Asked
    started: float = field(default_factory=time.perf_counter)
    plan: Plan | None = None
    parts: tuple[str, ...] = ()
    folder: Path | None = None
    """Folder of the parts."""

    grade: Any = None
    """Reference to the grade in the object store."""

    summaries: dict[int, Summary] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0

    rendered: dict[int, int] = field(default_factory=dict)
    """Rendered frames by chunk. A lost chunk keeps its count, so that progress does not go back."""

    @property
    def done(self) -> int:
        return sum(self.rendered.values())


class Engine:
    """Runs clips on a connected cluster. Leaving the context cancels what is unfinished and removes its parts."""

    def __init__(
        self, ray: Any, *, chunk_frames: int = CHUNK_FRAMES, retries: int = RETRIES, reports: bool = True
    ) -> None:
        """Prepare the tasks.

        Args:
            ray: the connected module, see `chromacord.cluster.connection.connected`.
            chunk_frames: number of frames in a chunk; shorter clips are rendered whole.
            retries: how many times a task is retried after its node died.
            reports: yield progress while a task runs, and not only at its end.
        """
        self._ray, self._chunk_frames = ray, chunk_frames
        self._tasks = Tasks[tuple[_Running, int]](ray, retries=retries, reports=reports)
        self._clips: list[_Running] = []

    def run(self, asked: Sequence[Asked]) -> Iterator[tuple[Asked, Progress | Finished]]:
        """Harmonize clips, and yield each one's progress; its result comes last.

        Args:
            asked: the clips. Each name is unique.
        """
        for each in asked:
            clip = _Running(each)
            self._clips.append(clip)
            self._tasks.submit((clip, ANALYSIS), begin_clip, dict(each.files), each.options, self._chunk_frames)
        for (clip, place), told in self._tasks.results():
            answers = self._follow(clip, place, told) if isinstance(told, Progress) else self._take(clip, place, told)
            yield from ((clip.asked, answer) for answer in answers)

    def _follow(self, clip: _Running, place: int, told: Progress) -> Iterator[Progress]:
        """Pass on a running task's progress, as the clip's."""
        if clip.plan is None:
            yield told
        elif place > 0 and told.stage == "render" and told.done > clip.rendered.get(place, 0):
            clip.rendered[place] = told.done
            yield self._progress(clip)

    def _take(self, clip: _Running, place: int, outcome: Outcome) -> Iterator[Progress | Finished]:
        """Handle a finished task, and start the tasks that depend on it."""
        clip.messages += [message for message in outcome.messages if message not in clip.messages]
        clip.cpu_seconds += outcome.cpu_seconds
        if outcome.error is not None:
            yield self._finish(clip, None, outcome)
        elif isinstance(outcome.value, Plan):
            self._start_chunks(clip, outcome.value)
            yield self._progress(clip)
        elif place in (ANALYSIS, JOIN):
            whole = outcome.value if isinstance(outcome.value, Summary) else self._summary(clip)
            yield Progress("render", whole.num_frames, whole.num_frames, whole.num_frames / max(whole.seconds, 1e-9))
            yield self._finish(clip, whole, outcome)
        else:
            assert clip.plan is not None
            clip.summaries[place], clip.rendered[place] = outcome.value, outcome.value.num_frames
            yield self._progress(clip)
            if len(clip.summaries) == clip.plan.num_chunks:
                files, how = dict(clip.asked.files), clip.asked.options
                self._tasks.submit((clip, JOIN), end_clip, files, how, clip.parts, clip.grade)

    def _start_chunks(self, clip: _Running, plan: Plan) -> None:
        files, options = dict(clip.asked.files), without_changes(clip.asked.options)
        output = Path(files["output"])
        clip.plan = plan
        if is_image_output(files["output"]):
            targets = [files["output"]] * plan.num_chunks
        else:
            # Beside the output, so that the join reads shared storage, and hidden, so that later runs remove
            # what a lost command leaves.
            clip.folder = hidden_path(output.parent, output.name)
            clip.folder.mkdir()
            targets = [str(clip.folder / f"{place:06}{output.suffix}") for place in range(1, plan.num_chunks + 1)]
            clip.parts = tuple(targets)
        # Stored once in the object store, not in each chunk's arguments.
        clip.grade = self._ray.put(plan.grade)
        for place, target in enumerate(targets, start=1):
            # A chunk that is rendered again replaces what a lost node may have left.
            how = replace(options, chunk=f"{place}/{plan.num_chunks}", force=True)
            self._tasks.submit((clip, place), render_chunk, files, how, target, clip.grade)

    def _progress(self, clip: _Running) -> Progress:
        assert clip.plan is not None
        seconds = max(time.perf_counter() - clip.started, 1e-9)
        return Progress("render", clip.done, clip.plan.num_frames, clip.done / seconds)

    def _summary(self, clip: _Running) -> Summary:
        """Sum up a clip that was rendered in chunks."""
        assert clip.plan is not None
        parts, files = [clip.summaries[place] for place in sorted(clip.summaries)], clip.asked.files
        shots = clip.plan.grade.shots
        return replace(
            parts[0],
            outputs=tuple(Path(files[name]) for name in ("output", "grade_out") if name in files),
            num_frames=sum(part.num_frames for part in parts),
            num_empty=sum(part.num_empty for part in parts),
            num_full=sum(part.num_full for part in parts),
            num_shots=len(shots),
            num_analysed=0 if "grade_in" in files else clip.plan.num_analysed,
            confidence=min((shot.confidence for shot in shots if shot.confidence is not None), default=None),
            seconds=time.perf_counter() - clip.started,
            cpu_seconds=clip.cpu_seconds,
        )

    def _finish(self, clip: _Running, summary: Summary | None, outcome: Outcome) -> Finished:
        """End a clip, and cancel the chunks of one that failed."""
        self._tasks.cancel(lambda owner: owner[0] is clip)
        if clip.folder is not None:
            remove(clip.folder)
        return Finished(summary, outcome.error, outcome.trace, tuple(clip.messages), clip.cpu_seconds)

    def __enter__(self) -> Self:
        self._tasks.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            self._tasks.__exit__(*raised)
        finally:
            for clip in self._clips:
                if clip.folder is not None:
                    remove(clip.folder)
