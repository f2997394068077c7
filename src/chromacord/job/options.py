"""Harmonization options, independent of files: one object for the command, Python and batch workers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from chromacord.color.management.clip_space import Spaces
from chromacord.color.management.config import choose_config, open_config
from chromacord.errors import InputError
from chromacord.grade.by_hand import Hand, Hands, Strength
from chromacord.grade.keys import Consistency
from chromacord.grade.smoothing import Scenes
from chromacord.masks.edge import Edge
from chromacord.methods import DEFAULT_METHOD, weights_files, with_absolute_paths
from chromacord.methods.base import Method
from chromacord.render.finish.layer import Despill
from chromacord.render.finish.shadow import parse_shadow
from chromacord.render.finish.wrap import parse_wrap
from chromacord.render.fitted_edge import check_pixels
from chromacord.typed_tables import check_fields
from chromacord.types import Device, Encoding

Missing = Literal["error", "hold"]
"""How to handle a gap in an image sequence: fail, or repeat the previous frame."""

FrameRange = tuple[int | None, int | None]
"""First frame, and end (half-open), counted from 0; None leaves a side open."""


_CHUNK = re.compile(r"([1-9]\d{0,6})/([1-9]\d{0,6})", re.ASCII)

CONTROLS = ("strength", "exposure", "temperature", "tint", "contrast", "saturation", "black", "protect")
"""Manual controls, which are the arguments of `Hand.of`."""


@dataclass(frozen=True)
class Options:
    """How to harmonize a clip; every field is also an argument of `chromacord.harmonize_video`.

    Raises:
        InputError: a value is invalid; names it.
    """

    method: str | Method = DEFAULT_METHOD
    """A name from `list_methods()`, optionally with options ("mkl:max_gain=2"), or a loaded method."""

    strength: float | str | Strength = 1.0
    """0 returns the source, 1 is the full grade; tone and colour may differ. Weakens a grade read from a file
    further."""

    exposure: float = 0.0
    """Exposure change of the graded foreground in stops; applied after the grade, like all that follow."""

    temperature: float | str = 0.0
    """Shift in mired, as by a filter: warmer above 0, cooler below; or what white becomes, as "5600K"."""

    tint: float = 0.0
    """Shift in CC, as by a filter: towards magenta above 0, towards green below."""

    contrast: float = 1.0
    """Exponent of contrast around mid-grey."""

    saturation: float = 1.0
    """Saturation factor."""

    black: float = 0.0
    """New value of black; white stays."""

    protect: str | None = None
    """Hues to change less: "skin", or a range in degrees such as "20-60"."""

    by_shot: str | Sequence[str] | None = None
    """Manual changes to some shots in place of those above, counted from 1: "2:exposure=0.3,tint=-4", or a list."""

    lock: bool = False
    """Use one grade for all shots, their mean."""

    match: str | Sequence[str] | None = None
    """Shots that share one grade, counted from 1: "1,3-5"; or a list of such texts, one per scene."""

    foreground_alpha: Literal["straight", "premultiplied"] | None = None
    """How to store the colours of `foreground_out`; None: the format's convention."""

    edge: str | None = None
    """The mask's edge, "SHRINK,SOFTEN" in pixels."""

    fit_edge: int | None = None
    """Of a composite: fit the mask's edge to the picture where it is off by up to so many pixels."""

    decontaminate: bool = False
    """Of a foreground layer: estimate the colours of soft pixels, which hold some of the background that it was filmed
    in front of."""

    despill: Despill | None = None
    """Of a foreground layer: limit the light of a screen, "green" or "blue"; "auto" detects it in the first frame."""

    contact_shadow: str | None = None
    """Shadow of a foreground layer on its background, "AMOUNT,ANGLE,LENGTH,BLUR": 0 to 1, degrees clockwise from right,
    and pixels."""

    wrap: str | None = None
    """Light of the background over the foreground's edge, "AMOUNT" or "AMOUNT,RADIUS": 0 to 1, and pixels."""

    match_sharpness: bool = False
    """Soften a foreground whose edges are sharper than its background's. Both are measured first, as for
    `match_grain`."""

    sharpen: bool = False
    """With `match_sharpness`: also sharpen a foreground whose edges are softer than its background's."""

    match_grain: bool = False
    """Add noise where the graded foreground has less than its background, and average it over time where it has more.
    Both are measured first, so that analysis and
    render run one after the other."""

    input_space: str | None = None
    """Colour space of the clip by name; None: as stated in the file, otherwise SDR video with BT.709 primaries, or
    scene-linear light with these."""

    foreground_space: str | None = None
    """Colour space of a foreground layer, if different."""

    background_space: str | None = None
    """Colour space of a background layer, if different."""

    working_space: str | None = None
    """Colour space of LUTs and CDLs; None: the clip's own, or a log space for scene-linear clips."""

    config: str | Path | None = None
    """OpenColorIO configuration that defines the names, a file or "ocio://..."; None: that of $OCIO, otherwise the
    built-in one."""

    consistency: Consistency | None = None
    """"shot": one grade per shot; "smooth": a slowly changing grade; "frame": one grade per frame. None: "smooth", or
    "shot" when LUTs are written, because a LUT is constant."""

    frames: FrameRange | None = None
    """Process only frames first..stop-1, counted from 0; None on either side leaves it open."""

    chunk: str | None = None
    """"K/N": render the Kth of N chunks of these frames with a given grade, pictures alone. The files of all chunks are
    joined by `chromacord.io.writing.joining.join_parts`; images are complete as they are."""

    encoding: Encoding | None = None
    """Codec, quality and speed; None: the source's codec, visually lossless."""

    mask_fit: bool = False
    """Scale masks of another size to the composite's."""

    missing: Missing = "error"
    """For gaps in an image sequence: "error" fails, "hold" repeats the previous frame."""

    salvage: bool = False
    """Use the decodable part of a truncated file."""

    layer: str | None = None
    """Layer of the composite's or foreground's EXR files; None: the one most likely to be the picture."""

    force: bool = False
    """Overwrite existing outputs."""

    device: Device = "cpu"
    """"cuda" to run the method, and decode if possible, on a GPU; a loaded method is moved there."""

    def __post_init__(self) -> None:
        """Check values that are invalid for every clip."""
        check_fields(Options, vars(self))
        # Both raise for values that they cannot parse.
        _ = self.hand, self.scenes
        if self.edge is not None:
            Edge.parse(self.edge)
        if self.fit_edge is not None:
            check_pixels(self.fit_edge)
        if self.wrap is not None:
            parse_wrap(self.wrap)
        if self.contact_shadow is not None:
            parse_shadow(self.contact_shadow)
        if self.config is not None:
            # Opened even if no name is looked up in it, so that an unreadable file is not ignored. It is
            # cached.
            open_config(choose_config(self.config))
        _check_range(self.frames)
        if self.chunk is not None:
            parse_chunk(self.chunk)

    @property
    def hand(self) -> Hand | Hands:
        """All manual changes to the grade.

        Raises:
            InputError: a value is invalid; names it.
        """
        if not self.by_shot:
            return Hand.of(**self._controls)
        return Hands.parse([self.by_shot] if isinstance(self.by_shot, str) else self.by_shot, self._controls)

    @property
    def _controls(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in CONTROLS}

    @property
    def scenes(self) -> Scenes:
        """Groups of shots that share one grade.

        Raises:
            InputError: they cannot be parsed, or contradict each other.
        """
        return Scenes.parse(lock=self.lock, match=self.match or ())

    @property
    def spaces(self) -> Spaces:
        """The colour space options."""
        return Spaces(self.input_space, self.foreground_space, self.background_space, self.working_space, self.config)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read for every clip: weights, and an OpenColorIO configuration."""
        weights = weights_files(self.method) if isinstance(self.method, str) else ()
        config = choose_config(self.config)
        return (*weights, *(() if "://" in config else (Path(config),)))

    def with_absolute_paths(self) -> "Options":
        """Return the options for a process in another folder, and with another $OCIO.

        Raises:
            InputError: an absolute path cannot be written as an option of the method.
        """
        method = with_absolute_paths(self.method) if isinstance(self.method, str) else self.method
        config = choose_config(self.config)
        return replace(self, method=method, config=config if "://" in config else str(Path(config).absolute()))

    @property
    def range(self) -> tuple[int, int | None]:
        """The frames to read, first..stop-1; None as stop means to the end."""
        first, stop = self.frames or (None, None)
        return first or 0, stop


def parse_chunk(text: str) -> tuple[int, int]:
    """Parse "K/N", the Kth of N chunks, counted from 1.

    Raises:
        InputError: the text is something else, or K is greater than N.
    """
    found = _CHUNK.fullmatch(text)
    if found is None or int(found[1]) > int(found[2]):
        raise InputError(f"chunk {text}: is not K/N; write 3/8 for the third of eight chunks")
    return int(found[1]), int(found[2])


def _check_range(frames: FrameRange | None) -> None:
    if frames is None:
        return
    start, stop = frames[0] or 0, frames[1]
    if start < 0 or (stop is not None and stop <= start):
        raise InputError(
            f"frames {start}:{'' if stop is None else stop} is not a range; give first:stop, counted from 0"
        )
