"""Run one job: analyse and render a clip, then commit its outputs together.

Both passes run concurrently, with analysis a second or two ahead. If the whole grade must be known before the first
frame is rendered, or is read from a file, they run one after the other, with the same result.
"""

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from chromacord.analysis.cuts import CutSource, GivenCuts
from chromacord.analysis.given_cuts import named_cuts
from chromacord.analysis.observe import Seen, observe
from chromacord.analysis.reference import MatchedTo
from chromacord.analysis.timeline import Decided, Timeline
from chromacord.color.distribution import shared
from chromacord.color.management.clip_space import SpaceOfClip, working_space_of
from chromacord.color.transforms import ColorTransform
from chromacord.errors import ChromacordWarning, GradeFileError, InputError, NothingToDoError, counted
from chromacord.grade.keys import ANY_LENGTH, Consistency, Grade
from chromacord.grade.smoothing import locked
from chromacord.io import FrameSink, open_sink
from chromacord.io.writing.staging import commit_all
from chromacord.job.clip import MaskedClip
from chromacord.job.finishing.measurement import Measuring
from chromacord.job.finishing.stages import finish_of, measuring_for
from chromacord.job.mask_check import MaskCheck
from chromacord.job.options import Options
from chromacord.job.outputs import Outputs, StagedTexts
from chromacord.job.preview import Preview
from chromacord.job.summary import Counts, Summary, warn_of_doubts
from chromacord.job.threads import prefetch, reported, write_behind
from chromacord.masks.masks import MaskedFrame
from chromacord.methods import load_method
from chromacord.methods.base import Method
from chromacord.render.cpu import Renderer
from chromacord.render.finish.stage import Finish
from chromacord.render.foreground import ForegroundOut
from chromacord.types import FloatArray, Frame, Progress

DECIDED_AHEAD = 32
"""Maximum number of frames with a known grade that wait for the renderer, as packed masks: one window of ShotGrade, so
that the next one is decided meanwhile."""


@dataclass(frozen=True)
class Job:
    """One clip to harmonize, and how."""

    clip: MaskedClip
    outputs: Outputs
    options: Options = field(default_factory=Options)
    grade: Grade | None = None
    """Grade to render; None: the method decides one."""

    grade_in: Path | None = None
    """File that `grade` was read from."""

    cuts: GivenCuts | None = None
    progress: Callable[[Progress], object] | None = None
    space: SpaceOfClip | None = None
    """Colour space of the output, for the summary."""

    files: tuple[Path, ...] = ()
    """What the run reads beside the clip and what its options name; no output may be one of them."""

    reference: FloatArray | None = None
    """Picture to match the foreground to instead of its background, as SDR video. Shape (H, W, 3)."""

    def run(self) -> Summary:
        """Analyse, render, then commit all outputs.

        Raises:
            ChromacordError: the job failed; no output was written.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        self.outputs.check(self.clip.info, self._inputs())
        # After the outputs were checked: loading weights takes longer than refusing a name.
        method = None if self.grade is not None else self._load_method()
        with ExitStack() as stack:
            # Open the output before the analysis, so that unsupported formats fail at once.
            sink = None if self.outputs.clip is None else stack.enter_context(self._open_sink(self.outputs.clip))
            foreground = self.outputs.open_foreground(self.clip, self.options, self._inputs(), stack)
            timeline = None if method is None else self._timeline(method)
            if timeline is None or sink is None or self._needs_whole_grade():
                grade = self._whole_grade(timeline)
                texts = self._stage_texts(grade, timeline, stack)
                preview = None if sink is None else self._open_preview(stack, picture_of=self._telling_frame(grade))
                counts = Counts.of(timeline) if sink is None else self._render_grade(grade, sink, preview, foreground)
            else:
                preview = self._open_preview(stack)
                counts = self._analyse_and_render(timeline, sink, preview, foreground)
                grade = timeline.grade.by_hand(self.options.hand)
                texts = self._stage_texts(grade, timeline, stack)
            others = [each.sink for each in (preview, foreground) if each is not None]
            written = [each for each in (sink, *others) if each is not None]
            # All files are complete before the first is renamed, so a failure up to here leaves no output.
            for each in written:
                each.finish()
            commit_all([*(each.staged for each in written), *texts.staged])
        return Summary(
            outputs=(*(each.path for each in written), *texts.paths),
            method=grade.method,
            num_frames=counts.frames,
            num_empty=counts.empty,
            num_full=counts.full,
            num_shots=len(grade.shots),
            cuts=named_cuts(self.clip.info, [shot.start for shot in grade.shots[1:]]),
            cuts_are=self._who_says_cuts(),
            num_analysed=0 if timeline is None else timeline.num_analysed,
            confidence=min((shot.confidence for shot in grade.shots if shot.confidence is not None), default=None),
            seconds=time.perf_counter() - wall,
            cpu_seconds=time.process_time() - cpu,
            cdl_residual=texts.residual,
            color_space=self.space,
        )

    def analyse(self) -> Grade:
        """Decide the grade without writing anything.

        Raises:
            ChromacordError: an input cannot be read, or there is nothing to harmonize.
        """
        return self._whole_grade(self._timeline(self._load_method()))

    def _inputs(self) -> tuple[Path, ...]:
        return (*self.clip.paths, *self.files, *self.options.files)

    def _needs_whole_grade(self) -> bool:
        """Whether all frames must be analysed before the first is rendered."""
        needed = bool(self.options.scenes) or self.outputs.need_whole_grade or self._measuring is not None
        return needed or self._consistency == "shot"

    @cached_property
    def _measuring(self) -> Measuring | None:
        return measuring_for(self.clip.info, self.options)

    def _who_says_cuts(self) -> CutSource:
        if self.cuts is not None:
            return self.cuts.source
        return "found" if self.grade is None else "grade"

    @property
    def _cuts(self) -> tuple[int, ...] | None:
        return None if self.cuts is None else self.cuts.between(*self.options.range)

    @property
    def _consistency(self) -> Consistency:
        """How the grade may change within a shot; a LUT requires it to be constant."""
        return self.options.consistency or ("smooth" if self.outputs.luts is None else "shot")

    def _checked_frames(self) -> Iterator[MaskedFrame]:
        """Yield frames for the first pass that reads masks, checking the masks.

        A chunk's masks were checked by the analysis of the whole clip, of which the chunk may hold an untypical part.
        """
        if self.options.chunk is not None:
            return self.clip.frames(*self.options.range)
        return MaskCheck(self.clip.mask_path, self.clip.info).watch(self.clip.frames(*self.options.range))

    def _open_sink(self, path: str) -> FrameSink:
        return open_sink(
            path,
            self.clip.info,
            encoding=self.outputs.encoding,
            force=self.outputs.force,
            copy_streams=self.options.chunk is None,
            trimmed=self.options.frames is not None,
            inputs=self._inputs(),
        )

    def _open_preview(self, stack: ExitStack, *, picture_of: int | None = None) -> Preview | None:
        if self.outputs.preview is None:
            return None
        preview = Preview(
            self.outputs.preview,
            self.clip.info,
            picture_of=picture_of,
            trimmed=self.options.frames is not None,
            force=self.outputs.force,
            inputs=self._inputs(),
        )
        stack.enter_context(preview.sink)
        return preview

    def _telling_frame(self, grade: Grade) -> int:
        """Return the rendered frame with the most evidence for the grade."""
        start, stop = self.options.range
        keys = [key for key in grade.keys if start <= key.index < (grade.num_frames if stop is None else stop)]
        return max(keys, key=lambda key: key.weight).index if keys else start

    def _stage_texts(self, grade: Grade, timeline: Timeline | None, stack: ExitStack) -> StagedTexts:
        info, options = self.clip.info, self.options
        colors = None if timeline is None else shared(timeline.colors, options.scenes.of(len(grade.shots)))
        working = working_space_of(info, options.working_space, options.config)
        return self.outputs.stage_texts(grade, info, stack, source=self.grade_in, colors=colors, working=working)

    def _load_method(self) -> Method:
        method = load_method(self.options.method) if isinstance(self.options.method, str) else self.options.method
        return method if self.reference is None else MatchedTo(method, self.reference)

    @property
    def _name(self) -> str:
        """Name of the method, stored in the grade."""
        return (
            self.options.method if isinstance(self.options.method, str) else type(self.options.method).__name__.lower()
        )

    def _timeline(self, method: Method) -> Timeline:
        """Build the timeline that decides the grade."""
        has_cdl = self.outputs.has_cdl(self.clip.info)
        return Timeline(
            method.on(self.options.device),
            rate=self.clip.info.rate,
            name=self._name,
            consistency=self._consistency,
            hand=self.options.hand,
            exportable=self.outputs.luts is not None and not has_cdl,
            keep_colors=has_cdl,
        )

    def _observed(self, method: Method) -> Iterator[Seen]:
        measure = None if self._measuring is None else self._measuring.push
        frames, info = self._checked_frames(), self.clip.info
        return observe(frames, info, method, consistency=self._consistency, cuts=self._cuts, measure=measure)

    def _decided(self, seen: Iterator[Seen], timeline: Timeline) -> Iterator[Decided]:
        """Yield frames with a known grade, starting only when it is certain that some frame has one."""
        # Rendering writes files. Without this wait, a clip whose masks are all empty would be encoded to its end before
        # it is refused.
        held: list[Decided] = []
        for each in seen:
            held += timeline.push(each)
            if timeline.has_keys:
                yield from held
                held.clear()
        held += timeline.finish()
        self._check_foreground(timeline)
        yield from held
        self._check_cuts(timeline)

    def _whole_grade(self, timeline: Timeline | None) -> Grade:
        """Return the given grade, or one decided completely before rendering, with manual changes."""
        if self.grade is not None and self._measuring is not None:
            frames, total = self.clip.frames(*self.options.range), self._num_frames()
            # A given grade needs no analysis, in whose pass a clip is otherwise measured.
            self._measuring.read(frames, self.grade, total=total, progress=self.progress)
        grade = self.grade or self._decided_grade(timeline)
        return locked(grade, self.options.scenes).by_hand(self.options.hand)

    def _decided_grade(self, timeline: Timeline | None) -> Grade:
        assert timeline is not None
        with prefetch(self._observed(timeline.method)) as seen:
            # Nothing is kept here: the timeline holds the grade.
            deque(self._decided(reported("analyse", seen, self._num_frames(), self.progress), timeline), maxlen=0)
        warn_of_doubts(timeline.grade, self.clip.info.path)
        return timeline.grade

    def _analyse_and_render(
        self, timeline: Timeline, sink: FrameSink, preview: Preview | None, foreground: ForegroundOut | None
    ) -> Counts:
        """Render each frame as soon as its grade is known, while another thread decides later ones."""
        with (
            prefetch(self._observed(timeline.method)) as seen,
            prefetch(self._decided(seen, timeline), depth=DECIDED_AHEAD) as decided,
            prefetch(self.clip.pictures(*self.options.range)) as pictures,
        ):
            # End with the shorter one: a salvaged clip may have more pictures than masks.
            frames, finish = map(_joined, decided, pictures), finish_of(self.clip.info, self.options)
            counts = self._render(frames, sink, preview, foreground, finish, self._num_frames())
            # Let the analysis end: its last checks, and frames for which there is no picture.
            deque(decided, maxlen=0)
        if counts.frames < timeline.num_frames:
            raise InputError(
                f"{self.clip.info.path}: had {counted(timeline.num_frames, 'frame')} on the first read, "
                f"{counts.frames} on the second; wait until nothing writes to it, and try again"
            )
        warn_of_doubts(timeline.grade, self.clip.info.path)
        return counts

    def _check_foreground(self, timeline: Timeline) -> None:
        """Refuse a clip in which no frame has both foreground and background."""
        where = self.clip.mask_path
        self._check_any(timeline.num_frames)
        if timeline.num_empty + timeline.num_full == timeline.num_frames:
            what = {timeline.num_empty: "empty", timeline.num_full: "full"}.get(timeline.num_frames, "empty or full")
            frames = "the only frame" if timeline.num_frames == 1 else f"all {timeline.num_frames} frames"
            raise NothingToDoError(
                f"{where}: the mask is {what} in {frames}, so there is nothing to harmonize; "
                "it should be white where the foreground is and black elsewhere"
            )

    def _check_cuts(self, timeline: Timeline) -> None:
        """Check cuts against the end of a clip whose length was unknown at the start."""
        if self.cuts is not None and self.clip.info.num_frames is None and self.options.range[1] is None:
            self.cuts.check_end(timeline.first + timeline.num_frames, self.clip.info.path)

    def _check_any(self, num_frames: int) -> None:
        if not num_frames:
            start, stop = self.options.range
            held = "fewer frames" if self.clip.info.num_frames is None else counted(self.clip.info.num_frames, "frame")
            raise InputError(
                f"{self.clip.info.path}: has no frames in {start}:{'' if stop is None else stop}; it has {held}"
            )

    def _num_frames(self) -> int | None:
        """Return the number of frames to read; None if the clip's length is unknown."""
        stated = self.clip.info.num_frames
        start, stop = self.options.range
        return None if stated is None else max(0, min(stop or stated, stated) - start)

    def _render_grade(
        self, grade: Grade, sink: FrameSink, preview: Preview | None, foreground: ForegroundOut | None
    ) -> Counts:
        """Render with a complete grade."""
        num_ungraded = 0

        def graded(frames: Iterator[MaskedFrame]) -> Iterator[tuple[MaskedFrame, ColorTransform | None]]:
            nonlocal num_ungraded
            for masked in frames:
                index = masked.frame.index
                self._check_coverage(grade, index)
                shot = grade.shot_at(index)
                num_ungraded += masked.mask.is_usable and (shot is None or not shot.keys)
                yield masked, None if shot is None else shot.at(index)

        # A decided grade knows the clip's true length, which its header may lack.
        total = self._num_frames() if self.grade is not None else grade.num_frames - grade.shots[0].start
        finish = finish_of(self.clip.info, self.options, grade, self._measuring)
        frames_again = self.clip.frames(*self.options.range) if self.grade is None else self._checked_frames()
        with prefetch(frames_again) as frames:
            counts = self._render(graded(frames), sink, preview, foreground, finish, total)
        self._check_any(counts.frames)
        if num_ungraded:
            _warn(
                f"{self.grade_in or 'the grade'}: has no shot or key for {counted(num_ungraded, 'frame')} of "
                "foreground, which passed through"
            )
        is_whole = self.options.frames is None and grade.num_frames != ANY_LENGTH
        if self.grade is not None and is_whole and counts.frames < grade.num_frames:
            raise GradeFileError(
                f"{self.grade_in or 'the grade'}: was made for {counted(grade.num_frames, 'frame')}, the clip has "
                f'{counts.frames}; set its "frames" (num_frames in Python) to that number if that is intended'
            )
        return counts

    def _render(
        self,
        graded: Iterator[tuple[MaskedFrame, ColorTransform | None]],
        sink: FrameSink,
        preview: Preview | None,
        foreground: ForegroundOut | None,
        finish: Finish,
        total: int | None,
    ) -> Counts:
        renderer = Renderer(self.clip.info, self.clip.foreground)
        counts = Counts()

        def write(pair: tuple[Frame | None, Frame]) -> None:
            before, after = pair
            sink.write(after)
            if preview is not None and before is not None:
                preview.write(before, after)

        with write_behind(write) as put:
            for masked, transform in reported("render", graded, total, self.progress):
                counts.frames += 1
                counts.empty += masked.mask.box is None
                counts.full += masked.mask.is_full
                before = None if preview is None else masked.frame
                after = finish(masked, renderer.render(masked, transform))
                if foreground is not None:
                    foreground.write(masked, transform)
                # Drop our reference so that the frame can be freed while encoding, and before the next frame is read.
                del masked
                put((before, after))
                del before, after
        return counts

    def _check_coverage(self, grade: Grade, index: int) -> None:
        if index >= grade.num_frames:
            raise GradeFileError(
                f"{self.grade_in or 'the grade'}: was made for {counted(grade.num_frames, 'frame')}, the clip has "
                'more; raise its "frames" (num_frames in Python) and the last shot\'s "stop" if that is intended'
            )


def _joined(decided: Decided, picture: tuple[Frame, Frame | None]) -> tuple[MaskedFrame, ColorTransform | None]:
    frame, foreground = picture
    return MaskedFrame(frame, decided.mask.unpack_box(), foreground), decided.transform


def _warn(message: str) -> None:
    warnings.warn(ChromacordWarning(message), stacklevel=3)
