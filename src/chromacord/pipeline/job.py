"""One run: both passes over a clip, and its outputs, which appear together or not at all."""

import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch

from chromacord.color.cube import cube_text
from chromacord.errors import ChromacordWarning, GradeFileError, InputError, NothingToDoError, OutputExistsError
from chromacord.io import Encoding, FrameSink, open_sink
from chromacord.io.staging import StagedFile, StagedFolder, check_output, output_errors
from chromacord.methods import load_method
from chromacord.methods.base import Method
from chromacord.pipeline.analyse import Tally, analyse
from chromacord.pipeline.clip import MaskedClip
from chromacord.pipeline.device import CPU, open_renderer
from chromacord.pipeline.grade import Consistency, Grade
from chromacord.pipeline.grade_file import grade_text, read_grade
from chromacord.pipeline.grading import LUT_SIZE
from chromacord.pipeline.masks import MaskedFrame
from chromacord.pipeline.prefetch import prefetch, single_threaded, write_behind
from chromacord.pipeline.preview import Preview
from chromacord.types import Frame, Progress

Item = TypeVar("Item")

REPORT_SECONDS = 0.2
"""Between two calls of a progress callback."""

DOUBTFUL = 0.4
"""Confidence below which a shot's grade deserves a look by its user."""


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    outputs: tuple[Path, ...]
    """The clip first."""

    method: str
    num_frames: int
    num_empty: int
    """Frames that passed through because the mask had no foreground."""

    num_full: int
    """Frames that passed through because the mask left no background."""

    num_shots: int
    num_analysed: int
    """Frames that decided the grade."""

    confidence: float | None
    """How far the method trusts its grade of the shot that it trusts least, in [0, 1]; None: it cannot tell."""

    seconds: float
    cpu_seconds: float
    """Of all threads of the process, during the run."""


@dataclass(frozen=True)
class Outputs:
    """What to write, and how."""

    clip: str
    """A trailing "/" makes it a folder, so this is no `Path`."""

    grade: Path | None = None
    luts: Path | None = None
    """A folder."""

    preview: Path | None = None
    encoding: Encoding = field(default_factory=Encoding)
    force: bool = False

    def check(self, inputs: tuple[Path, ...]) -> None:
        """Refuse outputs that are inputs or each other, before any work is done.

        Raises:
            OutputExistsError, OutputError: says which; also where one exists, or cannot be written.
        """
        files = [path for path in (Path(self.clip), self.grade, self.preview) if path is not None]
        places = [path.absolute() for path in files]
        for number, (path, place) in enumerate(zip(files, places, strict=True)):
            if place in places[:number]:
                raise OutputExistsError(f"{path}: is asked for twice; give each output a name of its own")
        # The clip's sink is opened before the analysis and checks for itself; these two come after it.
        for later in (self.grade, self.preview):
            if later is not None:
                check_output(later, force=self.force, inputs=inputs)


@dataclass
class Counts:
    """Frames that went through the render."""

    frames: int = 0
    empty: int = 0
    full: int = 0
    ungraded: int = 0
    """With a usable mask, but without a grade."""


@dataclass(frozen=True)
class Job:
    """What is to be done with a clip. See `chromacord.harmonize_video` for the options."""

    clip: MaskedClip
    outputs: Outputs
    method: str | Method
    strength: float = 1.0
    consistency: Consistency = "smooth"
    grade_in: Path | None = None
    frames: tuple[int, int | None] | None = None
    progress: Callable[[Progress], object] | None = None
    device: torch.device = CPU

    def run(self) -> Summary:
        """Do it.

        Raises:
            ChromacordError: nothing was written then.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        self.outputs.check(self._inputs())
        with single_threaded(), ExitStack() as stack:
            # Opened before the analysis, so that what the output cannot hold is said at once.
            sink = stack.enter_context(self._open_sink())
            grade, num_analysed = self._grade()
            grade = grade.scaled(self.strength)
            preview = self._open_preview(grade, stack)
            staged, names = self._stage_texts(grade, stack)
            counts = self._render(grade, sink, preview)
            written: list[FrameSink] = [sink, *([preview.sink] if preview else [])]
            for each in written:
                each.finish()
            for complete in (*written, *staged):
                complete.commit()
        return Summary(
            outputs=(*(each.path for each in written), *names),
            method=grade.method,
            num_frames=counts.frames,
            num_empty=counts.empty,
            num_full=counts.full,
            num_shots=len(grade.shots),
            num_analysed=num_analysed,
            confidence=min((shot.confidence for shot in grade.shots if shot.confidence is not None), default=None),
            seconds=time.perf_counter() - wall,
            cpu_seconds=time.process_time() - cpu,
        )

    def _inputs(self) -> tuple[Path, ...]:
        return (*self.clip.paths, *(() if self.grade_in is None else (self.grade_in,)))

    def _masked_frames(self) -> Iterator[MaskedFrame]:
        start, stop = self.frames or (0, None)
        return self.clip.frames(start, stop)

    def _open_sink(self) -> FrameSink:
        return open_sink(
            self.outputs.clip,
            self.clip.info,
            encoding=self.outputs.encoding,
            force=self.outputs.force,
            trimmed=self.frames is not None,
            inputs=self._inputs(),
        )

    def _open_preview(self, grade: Grade, stack: ExitStack) -> Preview | None:
        if self.outputs.preview is None:
            return None
        start, stop = self.frames or (0, None)
        keys = [key for key in grade.keys if start <= key.index < (grade.num_frames if stop is None else stop)]
        shown = max(keys, key=lambda key: key.weight).index if keys else start
        preview = Preview(
            self.outputs.preview,
            self.clip.info,
            picture_of=shown,
            trimmed=self.frames is not None,
            force=self.outputs.force,
            inputs=self._inputs(),
        )
        stack.enter_context(preview.sink)
        return preview

    def _grade(self) -> tuple[Grade, int]:
        """Return the grade, and the number of frames that it was decided from."""
        if self.grade_in is not None:
            return read_grade(self.grade_in), 0
        method = load_method(self.method) if isinstance(self.method, str) else self.method
        name = self.method if isinstance(self.method, str) else type(method).__name__.lower()
        with prefetch(self._masked_frames()) as frames:
            grade, tally = analyse(
                self._reported("analyse", frames, self._num_frames()),
                self.clip.info,
                method,
                name=name,
                consistency=self.consistency,
                exportable=self.outputs.luts is not None,
                device=self.device,
            )
        self._check_tally(tally)
        for number, shot in enumerate(grade.shots, start=1):
            if shot.confidence is not None and shot.confidence < DOUBTFUL:
                _warn(
                    f"{self.clip.info.path}: shot {number} (frames {shot.start} to {shot.stop - 1}): {name} doubts "
                    f"that its grade helps (confidence {shot.confidence:.2f}) and keeps it weak: the foreground may "
                    "fit, or there is little to judge it by; look at it"
                )
        return grade, tally.num_analysed

    def _check_tally(self, tally: Tally) -> None:
        where = self.clip.paths[-1]
        self._check_any(tally.num_frames)
        if tally.num_empty + tally.num_full == tally.num_frames:
            what = {tally.num_empty: "empty", tally.num_full: "full"}.get(tally.num_frames, "empty or full")
            raise NothingToDoError(
                f"{where}: the mask is {what} in all {tally.num_frames} frames, so there is nothing to harmonize; "
                "it should be white where the foreground is and black elsewhere"
            )

    def _check_any(self, num_frames: int) -> None:
        if not num_frames:
            start, stop = self.frames or (0, None)
            raise InputError(
                f"{self.clip.info.path}: has no frames in {start}:{'' if stop is None else stop}; "
                f"it has {self.clip.info.num_frames or 'fewer'} frames"
            )

    def _num_frames(self) -> int | None:
        """Return how many frames will be read; None where the clip does not state its length."""
        stated = self.clip.info.num_frames
        start, stop = self.frames or (0, None)
        if stated is None:
            return None
        return max(0, (stated if stop is None else min(stop, stated)) - start)

    def _stage_texts(self, grade: Grade, stack: ExitStack) -> tuple[list[StagedFile | StagedFolder], list[Path]]:
        """Write grade and LUTs under temporary names; return what is to be committed, and the names."""
        staged: list[StagedFile | StagedFolder] = []
        paths = []
        if self.outputs.grade is not None:
            file = stack.enter_context(StagedFile(self.outputs.grade, force=self.outputs.force))
            with output_errors(self.outputs.grade):
                file.temporary.write_text(grade_text(grade), encoding="utf-8")
            staged.append(file)
            paths.append(self.outputs.grade)
        if self.outputs.luts is not None:
            stem = clip_name(self.clip.info.path)
            cubes = self._cubes(grade, stem, self.outputs.luts)
            folder = stack.enter_context(StagedFolder(self.outputs.luts, name=f"{stem}.cube", force=self.outputs.force))
            for name, text in cubes.items():
                with output_errors(self.outputs.luts / name):
                    folder.add(name).write_text(text, encoding="utf-8")
                paths.append(self.outputs.luts / name)
            staged.append(folder)
        return staged, paths

    def _cubes(self, grade: Grade, stem: str, folder: Path) -> dict[str, str]:
        """Return the text of each shot's LUT by its file name."""
        if any(len(shot.keys) > 1 for shot in grade.shots):
            _warn(
                f"{folder}: the grade moves inside a shot and a LUT cannot, so each LUT is its shot's mean; "
                "use --consistency shot for a clip that equals its LUT"
            )
        if self.clip.info.colorimetry.scene_linear:
            _warn(
                f"{folder}: the LUTs are for sRGB-encoded pictures; encode the scene-linear clip before applying them"
            )
        try:
            luts = list(grade.luts(LUT_SIZE))
        except ValueError as error:
            raise GradeFileError(f"{self.grade_in}: {error}; leave out --lut-out") from error
        return {
            f"{stem}_shot{number:03d}.cube": cube_text(
                lut, title=f"{stem} shot {number} frames {shot.start}-{shot.stop - 1} {grade.method}"
            )
            for number, (shot, lut) in enumerate(luts, start=1)
        }

    def _render(self, grade: Grade, sink: FrameSink, preview: Preview | None) -> Counts:
        renderer = open_renderer(self.clip.info, self.clip.foreground, device=self.device)
        counts = Counts()

        def write(pair: tuple[Frame, Frame]) -> None:
            before, after = pair
            sink.write(after)
            if preview is not None:
                preview.write(before, after)

        total = self._num_frames() if self.grade_in is not None else grade.num_frames - grade.shots[0].start
        with prefetch(self._masked_frames()) as frames, write_behind(write) as put:
            for masked in self._reported("render", frames, total):
                index = masked.frame.index
                self._check_coverage(grade, index)
                shot = grade.shot_at(index)
                put((masked.frame, renderer.render(masked, shot.at(index) if shot is not None else None)))
                counts.frames += 1
                counts.ungraded += masked.mask.is_usable and (shot is None or not shot.keys)
                counts.empty += masked.mask.box is None
                counts.full += masked.mask.is_full
        self._check_any(counts.frames)
        if counts.ungraded:
            _warn(
                f"{self.grade_in}: has no shot or key for {counts.ungraded} frames of foreground; they passed through"
            )
        if self.grade_in is not None and self.frames is None and counts.frames < grade.num_frames:
            raise GradeFileError(
                f"{self.grade_in}: was made for {grade.num_frames} frames, the clip has {counts.frames}; "
                'set "frames" in it to that number if this is meant'
            )
        return counts

    def _check_coverage(self, grade: Grade, index: int) -> None:
        if index >= grade.num_frames:
            raise GradeFileError(
                f"{self.grade_in}: was made for {grade.num_frames} frames, the clip has more; "
                'raise "frames" and the last shot\'s "stop" in it if this is meant'
            )

    def _reported(self, stage: str, items: Iterator[Item], total: int | None) -> Iterator[Item]:
        """Pass items on, and call the progress callback now and then, at the first and at the last."""
        if self.progress is None:
            yield from items
            return
        started = last = time.perf_counter()
        done = 0
        for done, item in enumerate(items, start=1):
            yield item
            now = time.perf_counter()
            if now - last >= REPORT_SECONDS or done == 1:
                last = now
                self.progress(Progress(stage, done, total, done / max(now - started, 1e-9)))
        self.progress(Progress(stage, done, done, done / max(time.perf_counter() - started, 1e-9)))


def clip_name(path: Path) -> str:
    """Return a clip's name without suffix and frame number: "shot" for "shot.%04d.exr", "shot/%04d.exr", "shot.mp4"."""
    return re.sub(r"([._-]?(%0?\d*d|#+|@+))?(\.\w+)?$", "", path.name, count=1) or path.absolute().parent.name


def _warn(message: str) -> None:
    warnings.warn(ChromacordWarning(message), stacklevel=3)
