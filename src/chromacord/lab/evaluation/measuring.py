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
"""The row of the clips as methods are given them, before any of them."""

INPUTS = ("composite", "real")
"""What methods may be given: the composites, or the real frames, which are in harmony already."""

_DIGITS = 9
"""Significant digits of a figure in a record: more than float32 pictures can back."""


@dataclass(frozen=True)
class Plan:
    """What is to be measured, and how. Small, since every process gets it."""

    data: Path
    methods: tuple[str, ...]
    """What `chromacord.methods.load_method` takes: names, with options behind them if wanted."""

    predictions: tuple[Predictions, ...] = ()
    split: str = "test"
    use: str | None = None
    """Of a folder of clips, only those whose `use` in its manifest this is."""

    stills: bool = False
    """Treat each picture of a folder of clips as a clip."""

    num_frames: int | None = None
    """So many frames of each clip, evenly spaced; None: all."""

    adjustments: tuple[str, ...] = ()
    """Keys of `chromacord.lab.color.adjustments.ADJUSTMENTS`: real clips are adjusted so, and the results measured."""

    size: Size | None = WORKING_SIZE
    """What clips are resized to; None with `full`."""

    full: bool = False
    """Send clips through the whole pipeline, at their own size."""

    protocols: tuple[str, ...] = ("hyoutube", "clean")
    flow: str = "dis"
    """A key of `chromacord.lab.metrics.temporal.FLOW_SOURCES`."""

    next_frames: Path | None = None
    """Folder with the frames after those of HYouTube's test set, for its temporal figures."""

    input: str = INPUTS[0]
    """What methods are given, one of `INPUTS`."""

    passes: int = 1
    """How often each method is run, each time on its own result."""

    def open(self, *, size: Size | None) -> FileDataset:
        """Open the data set, with clips of a size; None: of their own.

        Raises:
            InputError: it cannot be read, or not in this way.
        """
        dataset = open_dataset(self.data, split=self.split, size=size, use=self.use, stills=self.stills)
        if self.num_frames is not None:
            dataset = dataset.spread(self.num_frames)
        if self.adjustments:
            name = f"adjust-{self.use or dataset.name}"
            dataset = adjust_clips(dataset, self.adjustments, name=name, size=size)
        return dataset

    def open_next_frames(self) -> NextFrames | None:
        """Open the set that `next_frames` names.

        Raises:
            InputError: it cannot be read.
        """
        if self.next_frames is None:
            return None
        return NextFrames(self.next_frames, lists=self.data, size=self.size)

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of each row, in the order of a table."""
        return (COMPOSITE, *self.methods, *(each.name for each in self.predictions))


class Task(NamedTuple):
    """One clip, and what is wanted of it."""

    plan: Plan
    fingerprint: str
    """Of the data set as it is now."""

    clip: int
    """Its place in the data set."""

    labels: tuple[str, ...]
    """Rows."""


def measure(task: Task) -> list[Record]:
    """Harmonize and score one clip; methods stay loaded for the next one.

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
            index: of the clip.
            labels: rows that are wanted.

        Raises:
            ChromacordError: the clip or a prediction cannot be read or scored; names the clip.
        """
        clip, real = self._read(index)
        motion = find_motion(clip, real, self._flow, self._next_frames)
        return [self._record(clip, real, motion, label) for label in labels]

    def strip(self, index: int, captions: Mapping[str, str]) -> Strip:
        """Return the pictures of the frame with the largest foreground of a clip.

        Args:
            index: of the clip.
            captions: the figure that stands beside a label.
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
        """Return what methods are given of a clip: itself, or its real frames in place of the composites."""
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
        """Return the frames of a row; `clip` is what methods are given."""
        if label == COMPOSITE:
            return Passes(clip.composite)
        if label in self._predictions:
            read = self._predictions[label].read
            return run_passes(clip, lambda clip: read(clip, lambda: self._own_size(clip.name)), 1)
        method: Method = self._method(label)
        harmonize = harmonize_at_own_size if self._plan.full else harmonize_at_working_size
        return run_passes(clip, lambda clip: harmonize(clip, method), self._plan.passes)


def _series(figures: Tensor) -> Series:
    """Round figures to what they are worth; JSON has no NaN."""
    return tuple(None if value != value else float(f"{value:.{_DIGITS}g}") for value in figures.tolist())
