"""Frame pairs for temporal metrics: each frame of a clip with the next frame of its video.

Clips with every frame contain both. HYouTube's contain every fifth; the following frames are in a separate set, and
`tl_task.txt` lists the pairs to score.
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
    """Consecutive frames of the video with their flow."""

    here: list[int]
    """Indices into the measured clip."""

    there: list[int]
    """Indices into `Motion.after`; these frames follow those in `here`."""

    real: Tensor
    """Ground truth. Shape (T, 3, H, W)."""

    mask: Tensor
    """Foreground weight. Shape (T, 1, H, W)."""

    flow: Tensor
    """Flow from each frame but the first to the previous one. Shape (T-1, 2, H, W)."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Data for one clip's temporal metrics, shared by all methods."""

    stretches: tuple[Stretch, ...]
    after: Clip | None = None
    """The clip with the following frames; None: the measured clip contains them."""

    def score(self, harmonized: Tensor, after: Tensor | None = None) -> Mapping[str, Tensor]:
        """Score each pair of frames; empty if there are none.

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
    """HYouTube's set for the temporal loss: the frames that follow those of the test set."""

    def __init__(self, folder: Path, *, lists: Path, size: Size | None) -> None:
        """Open the set.

        Args:
            folder: folder with the same three folders as the data set.
            lists: the data set's folder. `tl_task.txt` and `future_list.txt` may be in it or in `folder`.
            size: size to resize to.

        Raises:
            MissingFileError: a list, or a file named in it, does not exist.
            InputError: a line of a list is invalid.
        """
        self._tasks = read_temporal_tasks(lists if (lists / TEMPORAL_LIST).is_file() else folder)
        self._dataset = open_hyoutube(folder, split=_SPLIT, size=size, lists=_place_of_list(folder, lists))

    @property
    def fingerprint(self) -> str:
        """The set's fingerprint. See `ClipDataset.fingerprint`."""
        return self._dataset.fingerprint

    def of(self, name: str) -> tuple[Clip, Sequence[TemporalTask]] | None:
        """Return the clip of that name with its frames to score; None if it has none."""
        tasks = [task for task in self._tasks if task.clip == name]
        return (self._dataset[self._dataset.names.index(name)], tasks) if tasks else None


def find_motion(clip: Clip, real: Tensor, source: FlowSource, next_frames: NextFrames | None) -> Motion:
    """Return the frame pairs of a clip; none if frames are missing in between and nothing provides them.

    Args:
        clip: the clip to measure.
        real: its ground truth. Shape (T, 3, H, W).
        source: estimates the flow.
        next_frames: the set of following frames, if any.
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
