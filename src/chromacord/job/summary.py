"""The result of a job."""

from dataclasses import dataclass
from pathlib import Path

from chromacord.analysis.cuts import Cut, CutSource
from chromacord.color.management.clip_space import SpaceOfClip
from chromacord.grade.exports import Residual


@dataclass
class Counts:
    """Numbers of rendered frames."""

    frames: int = 0
    empty: int = 0
    full: int = 0


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
