"""Export grades as LUTs and CDLs; OpenColorIO writes all formats but .cube.

A LUT holds a shot's grade on one lattice, the render's own. A CDL holds ten numbers, fitted to the grade over the
foreground's colours; how much of the change it leaves is measured over the same colours.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chromacord.color.cdl import Cdl, fit_cdl
from chromacord.color.cube import cube_text
from chromacord.color.distribution import ColorDistribution
from chromacord.color.transforms import ColorTransform, Lut3d, lattice
from chromacord.errors import InputError
from chromacord.grade.in_space import brought, graded_in, lut_in, shown
from chromacord.grade.lattice import LUT_SIZE, lut_step, raw_config
from chromacord.grade.naming import clip_name, readable
from chromacord.grade.shot_lists import Event, edl_text, otio_text
from chromacord.io.stills.patterns import Pattern, is_folder, still_pattern
from chromacord.io.timecode import advance, is_timecode
from chromacord.types import ColorSpace, VideoInfo

_EVEN = 9
"""Nodes a side of the even colours that a CDL is fitted over where the foreground's are not known."""


@dataclass(frozen=True)
class ExportFormat:
    """A kind of file that can hold the grade of a shot."""

    name: str
    """What OpenColorIO calls it; "" for .cube, which `color.cube` writes."""

    is_baked: bool = False
    """Whether OpenColorIO samples it anew ("bakes" it), since it cannot write a given LUT."""

    is_cdl: bool = False
    lowest_peak: float | None = None
    """What the brightest value must exceed; None: nothing."""

    holds_all_shots: bool = False
    """Whether one file holds all shots, each with its id. A .cc holds one by its definition."""

    is_list: bool = False
    """Whether it is a list of shots with their times, which `shot_lists` writes."""

    @property
    def kind(self) -> str:
        """For messages."""
        return "CDL" if self.is_cdl else "LUT"


EXPORT_FORMATS = {
    ".cube": ExportFormat(""),
    ".clf": ExportFormat("Academy/ASC Common LUT Format"),
    ".ctf": ExportFormat("Color Transform Format"),
    # 12-bit integers without a header: readers guess fewer bits if all values are below half.
    ".3dl": ExportFormat("flame", is_baked=True, lowest_peak=2048 / 4095),
    ".csp": ExportFormat("cinespace", is_baked=True),
    ".cc": ExportFormat("ColorCorrection", is_cdl=True),
    ".ccc": ExportFormat("ColorCorrectionCollection", is_cdl=True, holds_all_shots=True),
    ".cdl": ExportFormat("ColorDecisionList", is_cdl=True, holds_all_shots=True),
    ".edl": ExportFormat("", is_cdl=True, holds_all_shots=True, is_list=True),
    ".otio": ExportFormat("", is_cdl=True, holds_all_shots=True, is_list=True),
}
"""By suffix."""

LOOK_FORMATS = {suffix: kind for suffix, kind in EXPORT_FORMATS.items() if not kind.is_list}
"""Those that hold a look and nothing else, which are read too."""

_WHERE = r"(_f\d+-\d+(_tc[\d-]+)?)?"
"""What `where` returns, as a regular expression; "" too, as earlier versions had it."""

_FOLDER_SUFFIX = ".cube"
"""Of the files in a folder that was named in place of a file."""


class ExportNames(NamedTuple):
    """What the files of an export are called."""

    suffix: str
    file: Path | None
    """The file where one is enough; None: all are numbered, in a folder that was named."""

    numbered: Pattern | None
    """Where each of several shots has a file; None: one file holds them all."""

    @classmethod
    def of(cls, path: Path, clip: Path | str) -> "ExportNames":
        """Return the names for a path that was asked for: a file by its suffix, otherwise a folder.

        Args:
            path: of the export.
            clip: names the files in a folder.
        """
        suffix = path.suffix.lower()
        if suffix not in EXPORT_FORMATS or is_folder(path):
            return cls(_FOLDER_SUFFIX, None, _of_shots(path, clip_name(clip), _FOLDER_SUFFIX))
        if EXPORT_FORMATS[suffix].holds_all_shots:
            return cls(suffix, path, None)
        return cls(suffix, path, _of_shots(path.parent, path.stem, path.suffix))

    @property
    def format(self) -> ExportFormat:
        """Of the files."""
        return EXPORT_FORMATS[self.suffix]

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """All names that may be written."""
        files = [] if self.file is None else [still_pattern(self.file)]
        return (*files, *([] if self.numbered is None else [self.numbered]))


def _of_shots(folder: Path, stem: str, suffix: str) -> Pattern:
    return Pattern(folder, f"{stem}_shot", 3, suffix, tail=_WHERE)


def where(start: int, stop: int, info: VideoInfo) -> str:
    """Return what a file of one of several shots is called after, beside its number: "_f1001-1024_tc01-00-00-00".

    Args:
        start: the shot's first frame, counted from the clip's.
        stop: half-open.
        info: of the clip; numbers are those of a sequence's files, and timecode is left out where it has none.
    """
    frames = f"_f{info.first_number + start:04d}-{info.first_number + stop - 1:04d}"
    if info.timecode is None or not is_timecode(info.timecode):
        return frames
    return f"{frames}_tc{re.sub(r'[:;.,]', '-', advance(info.timecode, start, rate=info.rate))}"


class ExportedShot(NamedTuple):
    """What is exported of a shot."""

    title: str
    id: str
    transform: ColorTransform
    colors: ColorDistribution | None
    """Of the foreground, display-referred; None: not known."""

    frames: tuple[int, int] = (0, 1)
    """The shot's frames, start..stop-1."""

    working: ColorSpace | None = None
    """Where the export lives; None: in the picture's own numbers, display-referred."""

    where: str = ""
    """What stands behind its number in a file's name."""

    @property
    def lut(self) -> Lut3d:
        """The grade where the export lives, on the lattice of the render, or a finer one."""
        return self.transform.to_lut(LUT_SIZE) if self.working is None else lut_in(self.transform, self.working)


class Residual(NamedTuple):
    """How much of a shot's change a CDL holds: means over the colours that it was fitted over, in 8-bit codes."""

    change: float
    """What the grade changes."""

    left: float
    """What the CDL's result is off the grade's."""


class FittedCdl(NamedTuple):
    """A CDL, and what it leaves."""

    cdl: Cdl
    residual: Residual


def cdl_of(shot: ExportedShot) -> FittedCdl:
    """Fit a CDL to the grade of a shot, which must be global."""
    if shot.colors is not None:
        colors, weights = shot.colors.colors()
    else:
        colors = lattice(_EVEN).reshape(3, -1).T
        weights = np.ones(len(colors), np.float32)
    space = shot.working
    if space is None:
        pixels = np.ascontiguousarray(colors.T)[None, :, None]  # a picture of one row
        wanted = shot.transform(pixels).clip(0, 1)[0, :, 0].T
    else:
        colors = brought(colors, space)
        wanted = graded_in(shot.transform, space, colors)
    cdl = fit_cdl(colors, wanted.clip(0, 1), weights)
    seen = [each if space is None else shown(each, space) for each in (wanted, colors, cdl(colors))]
    left = [np.abs(one - seen[0]).mean(axis=1) for one in seen[1:]]
    return FittedCdl(cdl, Residual(*(float(np.average(each, weights=weights)) * 255 for each in left)))


def lut_text(shot: ExportedShot, path: Path) -> str:
    """Return the text of a LUT file for the grade of a shot, which must be global.

    Args:
        shot: the grade.
        path: of the file; its suffix decides.

    Raises:
        InputError: the format cannot hold a grade that is so dark.
    """
    kind, lut = EXPORT_FORMATS[path.suffix.lower()], shot.lut
    if kind.lowest_peak is not None and lut.parameters.max() <= kind.lowest_peak:
        raise InputError(
            f"{path}: the grade makes white darker than half, which readers of {path.suffix} files take for another "
            "bit depth; write a .cube or .clf"
        )
    if not kind.name:
        return cube_text(lut, title=shot.title)
    return _baked(lut, kind.name) if kind.is_baked else _written([lut_step(lut)], kind.name, shot)


def cdl_text(shots: Sequence[tuple[ExportedShot, Cdl]], path: Path) -> str:
    """Return the text of a file of CDLs, each with its id; of one where the format holds one.

    Args:
        shots: the CDLs.
        path: of the file; its suffix decides.
    """
    return _written([_cdl_step(*each) for each in shots], EXPORT_FORMATS[path.suffix.lower()].name)


def list_text(shots: Sequence[tuple[ExportedShot, Cdl]], info: VideoInfo, path: Path) -> str:
    """Return the text of a list of shots with the CDL of each.

    Args:
        shots: the CDLs.
        info: of the clip.
        path: of the file; its suffix decides.
    """
    events = [Event(*shot.frames, cdl, _plain(shot.id)) for shot, cdl in shots]
    text = edl_text if path.suffix.lower() == ".edl" else otio_text
    return text(events, info, title=_plain(readable(clip_name(info.path))))


def _cdl_step(shot: ExportedShot, cdl: Cdl) -> Any:
    import PyOpenColorIO as ocio

    step = ocio.CDLTransform()
    step.setSlope(cdl.slope)
    step.setOffset(cdl.offset)
    step.setPower(cdl.power)
    step.setSat(cdl.saturation)
    step.setID(_plain(shot.id))
    step.setFirstSOPDescription(_plain(shot.title))
    return step


def _written(steps: Sequence[Any], name: str, shot: ExportedShot | None = None) -> str:
    import PyOpenColorIO as ocio

    group = ocio.GroupTransform()
    if shot is not None:
        told = group.getFormatMetadata()
        told.setName(_plain(shot.title))
        if shot.working is not None:
            for end in ("InputDescriptor", "OutputDescriptor"):
                told.addChildElement(end, shot.working.name)
    for step in steps:
        group.appendTransform(step)
    return str(group.write(name, raw_config()))


def _baked(lut: Lut3d, name: str) -> str:
    import PyOpenColorIO as ocio

    graded = ocio.ColorSpace(name="graded")
    graded.setTransform(lut_step(lut), ocio.COLORSPACE_DIR_FROM_REFERENCE)
    config = ocio.Config()
    for space in (ocio.ColorSpace(name="source"), graded):
        config.addColorSpace(space)
    config.setRole(ocio.ROLE_DEFAULT, "source")
    baker = ocio.Baker()
    baker.setConfig(config)
    baker.setFormat(name)
    baker.setInputSpace("source")
    baker.setTargetSpace("graded")
    baker.setCubeSize(max(lut.size, LUT_SIZE))
    return str(baker.bake())


def _plain(text: str) -> str:
    """Return text without what XML cannot hold, such as control characters of a file's name."""
    return "".join(each if each.isprintable() else "?" for each in text)
