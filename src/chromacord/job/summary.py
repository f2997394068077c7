"""The result of a job."""

from dataclasses import dataclass
from pathlib import Path

from chromacord.analysis.cuts import Cut, CutSource
from chromacord.color.management.clip_space import SpaceOfClip
from chromacord.grade.exports import Residual


@dataclass
class Counts:
    """Frames that went through the render."""

    frames: int = 0
    empty: int = 0
    full: int = 0


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    outputs: tuple[Path, ...]
    """The clip first, if one was written."""

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

    cuts: tuple[Cut, ...] = ()
    """Where shots begin, but for the first."""

    cuts_are: CutSource = "found"
    """Who says so."""

    cdl_residual: Residual | None = None
    """What a CDL leaves, of the shot of which it leaves most; None: no CDL was written."""

    color_space: SpaceOfClip | None = None
    """What the picture's colours were taken for."""
