"""How clips are harmonized, whatever their files: one object for the command, Python and the processes of a batch."""

from dataclasses import dataclass
from numbers import Real
from typing import Literal, get_args

from chromacord.errors import InputError
from chromacord.grade.keys import Consistency, check_consistency
from chromacord.methods import DEFAULT_METHOD
from chromacord.methods.base import Method
from chromacord.parsing import shown
from chromacord.types import Device, Encoding

Missing = Literal["error", "hold"]
"""What a gap in an image sequence does: end the run, or repeat the frame before it."""

FrameRange = tuple[int | None, int | None]
"""The first frame, and the frame after the last, counted from 0; None leaves a side open."""


@dataclass(frozen=True)
class Options:
    """What is done with a clip; every field is also an argument of `chromacord.harmonize_video`.

    Raises:
        InputError: a value cannot be used; says which.
    """

    method: str | Method = DEFAULT_METHOD
    """A name of `list_methods()`, with options if wanted ("mkl:max_gain=2"), or a loaded method."""

    strength: float = 1.0
    """0 returns the source, 1 is the full grade. Of a grade that is read, it weakens further."""

    consistency: Consistency | None = None
    """"shot" for one grade a shot, "smooth" for a slowly moving one, "frame" for one a frame. None: "smooth", or "shot"
    when LUTs are written, since a LUT cannot move."""

    frames: FrameRange | None = None
    """Only the frames first..stop-1, counted from 0; None on either side leaves it open."""

    encoding: Encoding | None = None
    """Codec, quality and speed; None keeps the source's codec, visually lossless."""

    mask_fit: bool = False
    """Scale a mask of another size to the composite's."""

    missing: Missing = "error"
    """For a gap in an image sequence: refuse it ("error"), or repeat the frame before it ("hold")."""

    salvage: bool = False
    """Of a file cut off in the middle, use what can be decoded."""

    layer: str | None = None
    """Of the composite's, or the foreground's, EXR files; None: the likeliest to be the picture."""

    force: bool = False
    """Replace existing outputs."""

    device: Device = "cpu"
    """"cuda" to run the method on a GPU, and decode there where it can; a loaded method is moved there."""

    def __post_init__(self) -> None:
        """Refuse what no clip can make right."""
        if isinstance(self.strength, bool) or not isinstance(self.strength, Real) or not 0 <= self.strength <= 1:
            raise InputError(f"strength must lie in 0..1, got {shown(self.strength)}")
        if self.consistency is not None:
            check_consistency(self.consistency)
        if self.missing not in get_args(Missing):
            raise InputError(f"missing must be 'error' or 'hold', got {self.missing!r}")
        if self.device not in get_args(Device):
            raise InputError(f"there is no device {self.device!r}; choose one of {', '.join(get_args(Device))}")
        _check_range(self.frames)

    @property
    def range(self) -> tuple[int, int | None]:
        """The frames first..stop-1 that are read; to the end where stop is None."""
        first, stop = self.frames or (None, None)
        return first or 0, stop


def _check_range(frames: FrameRange | None) -> None:
    if frames is None:
        return
    start, stop = frames[0] or 0, frames[1]
    if start < 0 or (stop is not None and stop <= start):
        raise InputError(
            f"frames {start}:{'' if stop is None else stop} is not a range; give first:stop, counted from 0"
        )
