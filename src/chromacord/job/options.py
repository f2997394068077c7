"""How clips are harmonized, whatever their files: one object for the command, Python and the processes of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chromacord.color.management.clip_space import Spaces
from chromacord.color.management.config import choose_config, open_config
from chromacord.errors import InputError
from chromacord.grade.by_hand import Hand, Strength
from chromacord.grade.keys import Consistency
from chromacord.grade.smoothing import Scenes
from chromacord.methods import DEFAULT_METHOD, weights_file
from chromacord.methods.base import Method
from chromacord.render.finish.wrap import parse_wrap
from chromacord.typed_tables import check_fields
from chromacord.types import Device, Encoding

Missing = Literal["error", "hold"]
"""What a gap in an image sequence does: end the run, or repeat the frame before it."""

FrameRange = tuple[int | None, int | None]
"""The first frame, and the frame after the last, counted from 0; None leaves a side open."""


CONTROLS = ("strength", "exposure", "temperature", "tint", "contrast", "saturation", "black", "protect")
"""Options that change a grade by hand; arguments of `Hand.of`."""


@dataclass(frozen=True)
class Options:
    """What is done with a clip; every field is also an argument of `chromacord.harmonize_video`.

    Raises:
        InputError: a value cannot be used; says which.
    """

    method: str | Method = DEFAULT_METHOD
    """A name of `list_methods()`, with options if wanted ("mkl:max_gain=2"), or a loaded method."""

    strength: float | str | Strength = 1.0
    """0 returns the source, 1 is the full grade; tone and colour may differ. Of a grade that is read, it weakens
    further."""

    exposure: float = 0.0
    """Stops by which the graded foreground is brightened, after the grade as all that follows."""

    temperature: float = 0.0
    """Mired by which it is warmed, as by a filter; below 0 it is cooled."""

    tint: float = 0.0
    """CC by which it is shifted towards magenta, as by a filter; below 0 towards green."""

    contrast: float = 1.0
    """Ratio of its contrast around mid-grey."""

    saturation: float = 1.0
    """Ratio of its saturation."""

    black: float = 0.0
    """What black becomes; white stays."""

    protect: str | None = None
    """Hues that stay closer to where they were: "skin", or degrees as "20-60"."""

    lock: bool = False
    """One grade for all shots, the mean of theirs."""

    match: str | Sequence[str] | None = None
    """Shots that share one grade, counted from 1: "1,3-5"; or a list of such texts, one for each scene."""

    foreground_alpha: Literal["straight", "premultiplied"] | None = None
    """How the colours of `foreground_out` are stored; None: as its format has them."""

    wrap: str | None = None
    """Light of the background over the foreground's edge, "AMOUNT" or "AMOUNT,RADIUS": 0 to 1, and pixels."""

    input_space: str | None = None
    """Colour space of the clip, by name; None: what the file says, else SDR video with BT.709's primaries, or light
    with these."""

    foreground_space: str | None = None
    """Colour space of a foreground layer, if it is another."""

    background_space: str | None = None
    """Colour space of a background layer, if it is another."""

    working_space: str | None = None
    """Colour space that LUTs and CDLs are for; None: the clip's own, or a log one for light."""

    config: str | None = None
    """OpenColorIO configuration that names are looked up in, a file or "ocio://..."; None: that of $OCIO, else the
    built-in one."""

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
        check_fields(Options, vars(self))
        _ = self.hand, self.scenes
        if self.wrap is not None:
            parse_wrap(self.wrap)
        if self.config is not None:
            open_config(choose_config(self.config))
        _check_range(self.frames)

    @property
    def hand(self) -> Hand:
        """All that is changed of a grade by hand.

        Raises:
            InputError: something cannot be used; says which.
        """
        return Hand.of(**self._controls)

    @property
    def _controls(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in CONTROLS}

    @property
    def scenes(self) -> Scenes:
        """Which shots share one grade.

        Raises:
            InputError: they cannot be read, or contradict each other.
        """
        return Scenes.parse(lock=self.lock, match=self.match or ())

    @property
    def spaces(self) -> Spaces:
        """What is said of colour spaces."""
        return Spaces(self.input_space, self.foreground_space, self.background_space, self.working_space, self.config)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read for every clip: weights, and an OpenColorIO configuration."""
        weights = weights_file(self.method) if isinstance(self.method, str) else None
        config = choose_config(self.config)
        return tuple(Path(file) for file in (weights, None if "://" in config else config) if file is not None)

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
