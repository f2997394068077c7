"""The result of a job."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from chromacord.analysis.cuts import Cut, CutSource
from chromacord.analysis.timeline import Timeline
from chromacord.color.management.clip_space import SpaceOfClip
from chromacord.errors import ChromacordWarning
from chromacord.grade.exports import Residual
from chromacord.grade.keys import Grade

DOUBTFUL = 0.4
"""Confidence below which users are advised to look at a shot."""


@dataclass
class Counts:
    """Numbers of rendered frames."""

    frames: int = 0
    empty: int = 0
    full: int = 0

    @classmethod
    def of(cls, timeline: Timeline | None) -> Self:
        """Return the counts of a run that renders nothing."""
        return cls() if timeline is None else cls(timeline.num_frames, timeline.num_empty, timeline.num_full)


@dataclass(frozen=True)
class Summary:
    """Result of a run."""

    outputs: tuple[Path, ...]
    """Written paths, the clip first if there is one."""

    method: str
    num_frames: int
    num_empty: int
    """Frames that passed through because the mask had no foreground."""

    num_full: int
    """Frames that passed through because the mask left no background."""

    num_shots: int
    num_analysed: int
    """Number of frames analysed to decide the grade."""

    confidence: float | None
    """Estimated probability that the grade improves the match, of the shot with the lowest; None: not estimated."""

    seconds: float
    cpu_seconds: float
    """CPU time of all threads of the process during the run."""

    cuts: tuple[Cut, ...] = ()
    """First frames of all shots but the first."""

    cuts_are: CutSource = "found"
    """Origin of the cuts."""

    cdl_residual: Residual | None = None
    """Accuracy of the worst CDL; None: no CDL was written."""

    color_space: SpaceOfClip | None = None
    """Assumed colour space of the picture."""

    look: Callable[[], bytes | None] | None = field(default=None, repr=False, compare=False)
    """Reads before and after side by side as PNG; None: no clip was written to a file."""

    def _repr_png_(self) -> bytes | None:
        """Show before and after in a notebook, read from the files when the result is displayed."""
        return None if self.look is None else self.look()


def warn_of_doubts(grade: Grade, path: Path) -> None:
    """Warn of each shot of a clip whose grade may not help."""
    for number, shot in enumerate(grade.shots, start=1):
        if shot.confidence is not None and shot.confidence < DOUBTFUL:
            message = (
                f"{path}: shot {number} (frames {shot.start} to {shot.stop - 1}): {grade.method} is not confident that "
                f"its grade helps (confidence {shot.confidence:.2f}); look at the result; if the foreground does not "
                "match, try another --strength or --method (see `chromacord methods`)"
            )
            warnings.warn(ChromacordWarning(message), stacklevel=3)
