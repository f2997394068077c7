"""Measure one clip in one process: read it, harmonize it with every method, and score the results."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from chromacord.errors import ChromacordError, InputError
from chromacord.lab.data import FileDataset, open_dataset
from chromacord.lab.data.adjusted import adjust_clips
from chromacord.lab.data.item import Clip
from chromacord.lab.data.tensors import WORKING_SIZE
from chromacord.lab.evaluation.passes import Passes, harmonize_at_own_size, harmonize_at_working_size, run_passes
from chromacord.lab.evaluation.predictions import Predictions
from chromacord.lab.evaluation.records import Record, Series
from chromacord.lab.metrics.motion import Motion, NextFrames, find_motion
from chromacord.lab.metrics.protocols import PROTOCOLS
from chromacord.lab.metrics.temporal import FLOW_SOURCES
from chromacord.lab.reporting.report import Strip
from chromacord.methods import load_method
from chromacord.methods.base import Method
from chromacord.types import Size

COMPOSITE = "composite"
"""Name of the row for the methods' input, before any method."""

INPUTS = ("composite", "real")
"""Possible inputs of methods: composites, or real frames, which already match."""

_DIGITS = 9
"""Significant digits of a recorded figure: more than float32 pictures justify."""


@dataclass(frozen=True)
class Plan:
    """What to measure, and how. Kept small because it is sent to every process."""

    data: Path
    methods: tuple[str, ...]
    """Names with options, as accepted by `chromacord.methods.load_method`."""

    predictions: tuple[Predictions, ...] = ()
    split: str = "test"
    use: str | None = None
    """In a folder of clips, take only those with this `use` in the manifest; None: all."""

    stills: bool = False
    """Treat each picture of a folder of clips as a clip."""

    num_frames: int | None = None
    """Number of evenly spaced frames per clip; None: all."""

    adjustments: tuple[str, ...] = ()
    """Keys of `chromacord.lab.color.adjustments.ADJUSTMENTS`, applied to real clips to make composites."""

    size: Size | None = WORKING_SIZE
    """Size to resize clips to; None with `full`."""

    full: bool = False
    """Run clips through the whole pipeline at their own size."""

    protocols: tuple[str, ...] = ("hyoutube", "clean")
    flow: str = "dis"
    """A key of `chromacord.lab.metrics.temporal.FLOW_SOURCES`."""

    next_frames: Path | None = None
    """Folder with the frames that follow those of HYouTube's test set, for its temporal metrics."""

    input: str = INPUTS[0]
    """Input of the methods, one of `INPUTS`."""

    passes: int = 1
    """How often to run each method, each time on its own result."""

    def open(self, *, size: Size | None) -> FileDataset:
        """Open the data set with clips of a given size; None: their own.

        Raises:
            InputError: it cannot be read, or does not support an option of the plan.
        """
        dataset = open_dataset(self.data, split=self.split, size=size, use=self.use, stills=self.stills)
        if self.num_frames is not None:
            dataset = dataset.spread(self.num_frames)
        if self.adjustments:
            name = f"adjust-{self.use or dataset.name}"
            dataset = adjust_clips(dataset, self.adjustments, name=name, size=size)
        return dataset

    def open_next_frames(self) -> NextFrames | None:
        """Open the set in `next_frames`.

        Raises:
            InputError: it cannot be read.
        """
        if self.next_frames is None:
            return None
        return NextFrames(self.next_frames, lists=self.data, size=self.size)

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of each row, in table order."""
        return (COMPOSITE, *self.methods, *(each.name for each in self.predictions))


class Task(NamedTuple):
    """One clip and the rows to measure on it."""

    plan: Plan
    fingerprint: str
    """Fingerprint of the data set at the start of the run."""

    clip: int
    """Index in the data set."""

    labels: tuple[str, ...]
    """Rows to measure."""


def measure(task: Task) -> list[Record]:
    """Harmonize and score one clip; methods stay loaded for later clips.

    Raises:
        ChromacordError: the clip or a prediction cannot be read or scored; names it.
    """
    return _measurer(task.plan, task.fingerprint).measure(task.clip, task.labels)


@lru_cache(maxsize=1)
def _measurer(plan: Plan, fingerprint: str) -> "Measurer":  # noqa: ARG001
    return Measurer(plan)


class Measurer:
    """Measures the clips of a plan, one at a time."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._dataset = plan.open(size=plan.size)
        self._predictions = {each.name: each for each in plan.predictions}
        self._next_frames = plan.open_next_frames()
        self._flow = FLOW_SOURCES[plan.flow]()
        self._method = cache(load_method)

    def measure(self, index: int, labels: Sequence[str]) -> list[Record]:
        """Harmonize and score one clip.

        Args:
            index: index of the clip.
            labels: rows to measure.

        Raises:
            ChromacordError: the clip or a prediction cannot be read or scored; names the clip.
        """
        clip, real = self._read(index)
        motion = find_motion(clip, real, self._flow, self._next_frames)
        return [self._record(clip, real, motion, label) for label in labels]

    def strip(self, index: int, captions: Mapping[str, str]) -> Strip:
        """Return pictures of the clip's frame with the largest foreground.

        Args:
            index: index of the clip.
            captions: a figure to show beside each label.
        """
        clip, real = self._read(index)
        frame = int(clip.mask.sum(dim=(1, 2, 3)).argmax())
        labels = self._plan.labels
        results = {label: self._run(clip, label).harmonized[frame] for label in labels if label != COMPOSITE}
        return Strip(
            clip.name,
            clip.frames[frame],
            clip.composite[frame],
            clip.mask[frame],
            real[frame],
            results,
            captions,
            given=self._plan.input,
        )

    def _read(self, index: int) -> tuple[Clip, Tensor]:
        clip = self._dataset[index]
        if clip.real is None:
            raise InputError(f"{clip.name}: has no real frames to compare with; leave such clips out of the data set")
        return self._given(clip), clip.real

    def _given(self, clip: Clip) -> Clip:
        """Return the methods' input: the clip, or its real frames in place of the composites."""
        return clip if self._plan.input == "composite" or clip.real is None else replace(clip, composite=clip.real)

    def _record(self, clip: Clip, real: Tensor, motion: Motion, label: str) -> Record:
        harmonized, change_by_pass, method_seconds = self._run(clip, label)
        started = time.process_time()
        try:
            scores = {
                name: {
                    key: _series(figures)
                    for key, figures in PROTOCOLS[name].score_frames(harmonized, real, clip.mask).items()
                }
                for name in self._plan.protocols
            }
            temporal = {key: _series(figures) for key, figures in self._score_motion(motion, harmonized, label).items()}
        except ChromacordError as error:
            raise InputError(f"{clip.name}, {label}: {error}") from error
        return Record(
            clip.name,
            label,
            num_frames=len(clip.frames),
            scores=scores,
            temporal=temporal,
            method_seconds=round(method_seconds, 4),
            score_seconds=round(time.process_time() - started, 4),
            predictions=str(self._predictions[label].folder.resolve()) if label in self._predictions else None,
            change_by_pass=tuple(_series(change) for change in change_by_pass),
        )

    def _score_motion(self, motion: Motion, harmonized: Tensor, label: str) -> Mapping[str, Tensor]:
        if motion.after is None:
            return motion.score(harmonized)
        if label in self._predictions and self._predictions[label].missing(motion.after.keys):
            return {}
        return motion.score(harmonized, self._run(self._given(motion.after), label).harmonized)

    def _own_size(self, name: str) -> Size:
        """Return the size of a clip's files."""
        dataset = self._plan.open(size=None)
        return Size(*dataset[dataset.names.index(name)].composite.shape[-2:])

    def _run(self, clip: Clip, label: str) -> Passes:
        """Return the frames of a row; `clip` is the methods' input."""
        if label == COMPOSITE:
            return Passes(clip.composite)
        if label in self._predictions:
            read = self._predictions[label].read
            return run_passes(clip, lambda clip: read(clip, lambda: self._own_size(clip.name)), 1)
        method: Method = self._method(label)
        harmonize = harmonize_at_own_size if self._plan.full else harmonize_at_working_size
        return run_passes(clip, lambda clip: harmonize(clip, method), self._plan.passes)


def _series(figures: Tensor) -> Series:
    """Round figures to their significant digits, and replace NaN, which JSON lacks, by None."""
    return tuple(None if value != value else float(f"{value:.{_DIGITS}g}") for value in figures.tolist())
