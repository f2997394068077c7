"""Run many clips with one command: scheduling, progress and failures."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chromacord.cli.batch.clips import Clip
from chromacord.cli.batch.worker import Done, Failed
from chromacord.cli.batch.workers import Workers
from chromacord.cli.clip_lists.found import make_folders
from chromacord.cli.screen.display import Display
from chromacord.cli.screen.exits import BAD_INPUT, BUG
from chromacord.errors import counted, one_line
from chromacord.render.compiled import MISSING
from chromacord.types import Progress

if TYPE_CHECKING:
    from chromacord.job.options import Options


def harmonize_clips(
    clips: Sequence[Clip], options: "Options", *, skip_existing: bool, jobs: int, display: Display
) -> None:
    """Harmonize clips in worker processes, after reporting all foreseeable failures.

    Args:
        clips: clips to harmonize.
        options: options common to all clips.
        skip_existing: skip clips whose outputs all exist.
        jobs: number of processes; 0: one per core.
        display: shows progress and results.

    Raises:
        SystemExit: some clips cannot be processed, and none was started; or some failed, and the others are complete.
    """
    from chromacord.io.cores import all_cores

    jobs = min(jobs or all_cores(), len(clips))
    with Workers(jobs, options) as workers:
        found = workers.inspect(clips, skip_existing=skip_existing)
        for clip, error in found.problems:
            show_failure(display, clip, Failed(error))
        if found.problems:
            raise SystemExit(BAD_INPUT)
        wanted = [clip for clip in clips if clip not in found.done]
        make_folders([path for clip in wanted for path in clip.outputs.values()])
        tally = Tally(
            len(wanted),
            len(found.done),
            "harmonized" if clips[0].output is not None else "graded",
            display,
            clips[0].resume,
        )
        views = {clip: display.of_clip(clip.source) for clip in wanted}
        for clip, answer in workers.run(wanted):
            tally.take(clip, answer, views[clip])
    tally.finish(jobs)


@dataclass
class Tally:
    """Progress and results of a batch."""

    num_clips: int
    """Number of clips to process."""

    num_skipped: int
    verb: str
    """Past participle for messages, such as "harmonized"."""

    display: Display
    resumes: bool = False
    """Whether clips were skipped because they are up to date."""

    num_done: int = 0
    num_frames: int = 0
    """Number of frames in completed clips."""

    failures: dict[Clip, Failed] = field(default_factory=dict)
    rendering: dict[Clip, Progress] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    """Warnings about the installation that were shown; every worker reports them again."""

    started: float = field(default_factory=time.perf_counter)

    def take(self, clip: Clip, answer: object, view: Display) -> None:
        """Show a message about a clip, and the overall progress."""
        if isinstance(answer, Progress):
            view.progress(answer)
            if answer.stage == ("render" if clip.output is not None else "analyse"):
                self.rendering[clip] = answer
        else:
            # The number of frames is in a clip's last progress, not in its result.
            rendered = self.rendering.pop(clip, None)
        if isinstance(answer, Done):
            self.num_done += 1
            self.num_frames += rendered.done if rendered is not None else 0
            for message in answer.messages:
                if message not in self.told:
                    view.warning(message)
                self.told |= {message} & {MISSING}
            view.summary(answer.line, answer.values)
        elif isinstance(answer, Failed):
            self.failures[clip] = answer
        # A clip of unknown length counts as unfinished until its end.
        parts = sum(progress.done / progress.total for progress in self.rendering.values() if progress.total)
        frames = self.num_frames + sum(progress.done for progress in self.rendering.values())
        self.display.clips(self.num_done + len(self.failures) + parts, self.num_clips, frames / self._seconds())

    def finish(self, jobs: int) -> None:
        """Show the result, followed by the failures.

        Raises:
            SystemExit: a clip failed.
        """
        skipped = "they are up to date" if self.resumes else "their outputs exist"
        seconds, num_all = self._seconds(), self.num_clips + self.num_skipped
        line = f"{self.num_done} of {counted(num_all, 'clip')} {self.verb}, "
        line += f"{self.num_skipped} skipped because {skipped}, " if self.num_skipped else ""
        line += f"{len(self.failures)} failed, " if self.failures else ""
        line += (
            f"{counted(self.num_frames, 'frame')}, {seconds:.1f} s ({self.num_frames / seconds:.1f} frames a second)"
        )
        values = {
            "clips": num_all,
            "harmonized": self.num_done,
            "left_out": self.num_skipped,
            "failed": len(self.failures),
            "frames": self.num_frames,
            "seconds": round(seconds, 3),
            "jobs": jobs,
        }
        self.display.summary(line, values)
        for clip, failure in self.failures.items():
            show_failure(self.display, clip, failure)
        if self.failures:
            raise SystemExit(BUG if any(failure.trace for failure in self.failures.values()) else BAD_INPUT)

    def _seconds(self) -> float:
        return max(time.perf_counter() - self.started, 1e-9)


def show_failure(display: Display, clip: Clip, failure: Failed) -> None:
    """Show why a clip failed."""
    message = str(failure.error)
    # Most errors begin with the file, but a mask's name does not identify its clip.
    if not message.startswith(one_line(clip.source)):
        message = f"{clip.source}: {message}"
    if failure.trace is not None:
        print(failure.trace, file=sys.stderr)
    display.of_clip(clip.source).error(failure.error, message)
