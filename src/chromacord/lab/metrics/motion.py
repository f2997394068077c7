"""Frame pairs for temporal metrics: each frame of a clip with the next one of its video.

Clips that hold every frame have both. HYouTube's hold every fifth: the frames after them come in a set of their own,
and `tl_task.txt` lists which pairs count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from chromacord.errors import InputError, MissingFileError
from chromacord.lab.data.hyoutube import TEMPORAL_LIST, TemporalTask, find_list, open_hyoutube, read_temporal_tasks
from chromacord.lab.data.item import Clip
from chromacord.lab.metrics.temporal import TEMPORAL_METRICS, FlowSource, estimate_flow, score_pairs
from chromacord.types import Size

_SPLIT = "future"


@dataclass(frozen=True, eq=False)
class Stretch:
    """Frames that follow each other in the video, and their flow."""

    here: list[int]
    """Places in the clip that is measured."""

    there: list[int]
    """Places in `Motion.after`; these frames come after those."""

    real: Tensor
    """Shape (T, 3, H, W)."""

    mask: Tensor
    """Shape (T, 1, H, W)."""

    flow: Tensor
    """From each frame but the first to the one before. Shape (T-1, 2, H, W)."""


@dataclass(frozen=True, eq=False)
class Motion:
    """What temporal figures of one clip are taken from. Every method shares it."""

    stretches: tuple[Stretch, ...]
    after: Clip | None = None
    """The clip that holds further frames; None: the measured clip holds all."""

    def score(self, harmonized: Tensor, after: Tensor | None = None) -> Mapping[str, Tensor]:
        """Return each temporal figure of each pair of frames; none where nothing follows.

        Args:
            harmonized: the clip. Shape (T, 3, H, W).
            after: `Motion.after`, harmonized like the clip. Shape (T', 3, H, W).
        """
        parts = []
        for stretch in self.stretches:
            frames = [harmonized[stretch.here], *([] if after is None else [after[stretch.there]])]
            parts.append(score_pairs(torch.cat(frames), stretch.real, stretch.mask, flow=stretch.flow))
        return {key: torch.cat([part[key] for part in parts]) for key in TEMPORAL_METRICS} if parts else {}


class NextFrames:
    """HYouTube's set for the temporal loss: the frames after those of the test set."""

    def __init__(self, folder: Path, *, lists: Path, size: Size | None) -> None:
        """Open it.

        Args:
            folder: with the same three folders as the data set.
            lists: the data set's folder. `tl_task.txt` lies there or in `folder`, `future_list.txt` in either too.
            size: what pictures are resized to.

        Raises:
            MissingFileError: a list, or a file that it names, does not exist.
            InputError: a line of a list cannot be read.
        """
        self._tasks = read_temporal_tasks(lists if (lists / TEMPORAL_LIST).is_file() else folder)
        self._dataset = open_hyoutube(folder, split=_SPLIT, size=size, lists=_place_of_list(folder, lists))

    @property
    def fingerprint(self) -> str:
        """Of the set. See `ClipDataset.fingerprint`."""
        return self._dataset.fingerprint

    def of(self, name: str) -> tuple[Clip, Sequence[TemporalTask]] | None:
        """Return the clip of the same name and which of its frames count; None where none does."""
        tasks = [task for task in self._tasks if task.clip == name]
        return (self._dataset[self._dataset.names.index(name)], tasks) if tasks else None


def find_motion(clip: Clip, real: Tensor, source: FlowSource, next_frames: NextFrames | None) -> Motion:
    """Return the pairs of a clip. There are none where its frames lie apart and nothing holds the ones between.

    Args:
        clip: that is measured.
        real: its real frames. Shape (T, 3, H, W).
        source: estimates the flow.
        next_frames: the frames after the clip's.
    """
    if next_frames is not None:
        found = next_frames.of(clip.name)
        return _listed_motion(clip, real, source, *found) if found is not None else Motion(())
    if clip.spacing != 1 or len(real) < 2:
        return Motion(())
    return Motion((Stretch(list(range(len(real))), [], real, clip.mask, estimate_flow(real, source)),))


def _listed_motion(clip: Clip, real: Tensor, source: FlowSource, after: Clip, tasks: Sequence[TemporalTask]) -> Motion:
    if after.real is None:
        raise InputError(f"{clip.name}: the set of next frames has no real frames; temporal figures need them")
    stretches = []
    for task in tasks:
        here, there = _places(clip, task.frame), _places(after, task.next_frame)
        truth = torch.cat([real[here], after.real[there]])
        mask = torch.cat([clip.mask[here], after.mask[there]])
        stretches.append(Stretch(here, there, truth, mask, estimate_flow(truth, source)))
    return Motion(tuple(stretches), after)


def _places(clip: Clip, frame: str) -> list[int]:
    if frame not in clip.frames:
        raise InputError(f"{TEMPORAL_LIST}: names frame {frame} of {clip.name}, which the data set does not hold")
    return [clip.frames.index(frame)]


def _place_of_list(folder: Path, lists: Path) -> Path:
    try:
        find_list(folder, _SPLIT)
    except MissingFileError:
        return lists
    return folder
