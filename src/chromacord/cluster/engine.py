"""Schedule clips and their chunks on a cluster: analyse once, render chunks anywhere, join."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from chromacord.cluster.node_tasks import Files, Outcome, Plan, begin_clip, end_clip, render_chunk, without_changes
from chromacord.errors import ProcessDiedError
from chromacord.io.stills.patterns import is_image_output
from chromacord.io.writing.temporary import hidden_path, remove
from chromacord.job.options import Options
from chromacord.job.summary import Summary
from chromacord.types import Progress

CHUNK_FRAMES = 240
"""Default length of a chunk: ten seconds of film, so that starting a task costs less than a percent."""

RETRIES = 3
"""How often a task is run again after its node died."""

_WAIT_SECONDS = 1.0


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

    summaries: dict[int, Summary] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0

    @property
    def done(self) -> int:
        return sum(summary.num_frames for summary in self.summaries.values())


class Engine:
    """Runs clips on a connected cluster. Leaving the context cancels what is unfinished and removes its parts."""

    def __init__(self, ray: Any, *, chunk_frames: int = CHUNK_FRAMES, retries: int = RETRIES) -> None:
        """Prepare the tasks.

        Args:
            ray: the connected module, see `chromacord.cluster.connection.connected`.
            chunk_frames: number of frames in a chunk; shorter clips are rendered whole.
            retries: how often a task is run again after its node died.
        """
        self._ray, self._chunk_frames, self._retries = ray, chunk_frames, retries
        limits = {"num_cpus": 1, "max_retries": retries}
        self._begin, self._render, self._end = (
            ray.remote(**limits)(function) for function in (begin_clip, render_chunk, end_clip)
        )
        self._tasks: dict[Any, tuple[_Running, int | None]] = {}
        """Task to its clip, and the number of its chunk from 1; 0 for the analysis, None for the join."""

    def run(self, asked: Sequence[Asked]) -> Iterator[tuple[Asked, Progress | Finished]]:
        """Harmonize clips, and yield each one's progress; its result comes last.

        Args:
            asked: the clips. Each name is unique.
        """
        for each in asked:
            self._add(_Running(each), 0, self._begin.remote(dict(each.files), each.options, self._chunk_frames))
        while self._tasks:
            ready, _ = self._ray.wait(list(self._tasks), timeout=_WAIT_SECONDS)
            for task in ready:
                # A clip that failed takes its other tasks along, which may have been ready in the same round.
                found = self._tasks.pop(task, None)
                if found is not None:
                    clip, place = found
                    yield from ((clip.asked, told) for told in self._take(clip, place, self._outcome(task)))

    def _take(self, clip: _Running, place: int | None, outcome: Outcome) -> Iterator[Progress | Finished]:
        """Handle a finished task, and start what it makes possible."""
        clip.messages += [message for message in outcome.messages if message not in clip.messages]
        clip.cpu_seconds += outcome.cpu_seconds
        if outcome.error is not None:
            yield self._finish(clip, None, outcome)
        elif isinstance(outcome.value, Plan):
            self._start_chunks(clip, outcome.value)
            yield self._progress(clip)
        elif place == 0 or place is None:
            whole = outcome.value if isinstance(outcome.value, Summary) else self._summary(clip)
            yield Progress("render", whole.num_frames, whole.num_frames, whole.num_frames / max(whole.seconds, 1e-9))
            yield self._finish(clip, whole, outcome)
        else:
            assert isinstance(outcome.value, Summary)
            assert clip.plan is not None
            clip.summaries[place] = outcome.value
            yield self._progress(clip)
            if len(clip.summaries) == clip.plan.num_chunks:
                files, how = dict(clip.asked.files), clip.asked.options
                self._add(clip, None, self._end.remote(files, how, clip.plan.grade, clip.parts))

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
        # Once in the object store, not once in each chunk's arguments.
        grade = self._ray.put(plan.grade)
        for place, target in enumerate(targets, start=1):
            # A chunk that is rendered again replaces what a lost node may have left.
            how = replace(options, chunk=f"{place}/{plan.num_chunks}", force=True)
            self._add(clip, place, self._render.remote(files, how, grade, target))

    def _add(self, clip: _Running, place: int | None, task: Any) -> None:
        self._tasks[task] = clip, place

    def _outcome(self, task: Any) -> Outcome:
        try:
            outcome: Outcome = self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None) or error
            return Outcome(error=RuntimeError(f"{type(cause).__name__}: {cause}"), trace=str(error))
        except self._ray.exceptions.RayError as error:
            reason = type(error).__name__
            lost = f"its node or process died {self._retries + 1} times ({reason}); run the same command again"
            return Outcome(error=ProcessDiedError(lost))
        return outcome

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
            num_frames=clip.done,
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
        others = [task for task, (owner, _) in self._tasks.items() if owner is clip]
        for task in others:
            del self._tasks[task]
            # By force: a task inside libav or OpenCV does not see Python's exception.
            self._ray.cancel(task, force=True)
        if clip.folder is not None:
            remove(clip.folder)
        return Finished(summary, outcome.error, outcome.trace, tuple(clip.messages), clip.cpu_seconds)

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *raised: object) -> None:
        for task in self._tasks:
            self._ray.cancel(task, force=True)
        for folder in {clip.folder for clip, _ in self._tasks.values() if clip.folder is not None}:
            remove(folder)
        self._tasks.clear()
