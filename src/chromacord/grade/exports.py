"""Export grades as LUTs and CDLs; OpenColorIO writes all formats but .cube.

A LUT samples a shot's grade on the renderer's lattice. A CDL has ten numbers, fitted to the grade over the foreground's
colours; the remaining error is measured over the same colours.
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
from chromacord.grade.naming import clip_name, printable
from chromacord.grade.shot_lists import Event, edl_text, otio_text
from chromacord.io.stills.patterns import Pattern, is_folder, still_pattern
from chromacord.io.timecode import advance, is_timecode
from chromacord.types import ColorSpace, VideoInfo

_EVEN = 9
"""Nodes per side of the uniform grid of colours to which a CDL is fitted if the foreground's colours are unknown."""


@dataclass(frozen=True)
class ExportFormat:
    """A file format that can represent a shot's grade."""

    name: str
    """OpenColorIO's name of the format; "" for .cube, which `color.cube` writes."""

    is_baked: bool = False
    """Whether OpenColorIO must resample ("bake") the LUT, because it cannot write this format directly."""

    is_cdl: bool = False
    lowest_peak: float | None = None
    """Minimum of the LUT's largest value; None: no minimum."""

    holds_all_shots: bool = False
    """Whether one file holds all shots by id. A .cc holds one by definition."""

    is_list: bool = False
    """Whether it is a list of shots with times, which `shot_lists` writes."""

    @property
    def kind(self) -> str:
        """Kind of content, for messages."""
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
"""Formats by suffix."""

LOOK_FORMATS = {suffix: kind for suffix, kind in EXPORT_FORMATS.items() if not kind.is_list}
"""Formats that hold only a look; these can also be imported."""

_WHERE = r"(_f\d+-\d+(_tc[\d-]+)?)?"
"""Regular expression for results of `where`; also matches "", the names of earlier versions."""

_FOLDER_SUFFIX = ".cube"
"""Suffix of the files in an export folder."""


class ExportNames(NamedTuple):
    """File names of an export."""

    suffix: str
    file: Path | None
    """The file, if one suffices; None: numbered files in a folder."""

    numbered: Pattern | None
    """Pattern of the files, one per shot; None: one file holds all shots."""

    @classmethod
    def of(cls, path: Path, clip: Path | str) -> "ExportNames":
        """Return the names for a requested path: a file if it has a known suffix, otherwise a folder.

        Args:
            path: path of the export.
            clip: clip after which files in a folder are named.
        """
        suffix = path.suffix.lower()
        if suffix not in EXPORT_FORMATS or is_folder(path):
            return cls(_FOLDER_SUFFIX, None, _of_shots(path, clip_name(clip), _FOLDER_SUFFIX))
        if EXPORT_FORMATS[suffix].holds_all_shots:
            return cls(suffix, path, None)
        return cls(suffix, path, _of_shots(path.parent, path.stem, path.suffix))

    @property
    def format(self) -> ExportFormat:
        """Format of the files."""
        return EXPORT_FORMATS[self.suffix]

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """Patterns of all names that may be written."""
        files = [] if self.file is None else [still_pattern(self.file)]
        return (*files, *([] if self.numbered is None else [self.numbered]))


def _of_shots(folder: Path, stem: str, suffix: str) -> Pattern:
    return Pattern(folder, f"{stem}_shot", 3, suffix, tail=_WHERE)


def where(start: int, stop: int, info: VideoInfo) -> str:
    """Return the part of a file name that locates one of several shots: "_f1001-1024_tc01-00-00-00".

    Args:
        start: the shot's first frame, counted from the clip's first.
        stop: end of the shot, half-open.
        info: properties of the clip; sequences use file numbers, and clips without timecode omit it.
    """
    frames = f"_f{info.first_number + start:04d}-{info.first_number + stop - 1:04d}"
    if info.timecode is None or not is_timecode(info.timecode):
        return frames
    return f"{frames}_tc{re.sub(r'[:;.,]', '-', advance(info.timecode, start, rate=info.rate))}"


class ExportedShot(NamedTuple):
    """A shot to export."""

    title: str
    id: str
    transform: ColorTransform
    colors: ColorDistribution | None
    """The foreground's display-referred colours; None: unknown."""

    frames: tuple[int, int] = (0, 1)
    """The shot's frames, start..stop-1."""

    working: ColorSpace | None = None
    """Colour space of the export; None: the picture's own, display-referred."""

    where: str = ""
    """Part of the file name after the shot's number."""

    number: int = 1
    """Number of the shot in the clip, from 1."""

    @property
    def lut(self) -> Lut3d:
        """The grade in the export's colour space, on the renderer's lattice or a finer one."""
        return self.transform.to_lut(LUT_SIZE) if self.working is None else lut_in(self.transform, self.working)


class Residual(NamedTuple):
    """Accuracy of a CDL: means over the colours that it was fitted to, in 8-bit codes."""

    change: float
    """Mean change by the grade."""

    left: float
    """Mean difference between the CDL's result and the grade's."""


class FittedCdl(NamedTuple):
    """A CDL with its accuracy."""

    cdl: Cdl
    residual: Residual


def cdl_of(shot: ExportedShot) -> FittedCdl:
    """Fit a CDL to a shot's grade, which must be global."""
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
    # The standard clamps a CDL's result to [0, 1], so targets beyond would only distort the fit.
    cdl = fit_cdl(colors, wanted.clip(0, 1), weights)
    # Errors are measured in codes of SDR video: codes of a log space say little about visibility.
    seen = [each if space is None else shown(each, space) for each in (wanted, colors, cdl(colors))]
    left = [np.abs(one - seen[0]).mean(axis=1) for one in seen[1:]]
    return FittedCdl(cdl, Residual(*(float(np.average(each, weights=weights)) * 255 for each in left)))


def lut_text(shot: ExportedShot, path: Path) -> str:
    """Return the text of a LUT file for a shot's grade, which must be global.

    Args:
        shot: the shot.
        path: path of the file; its suffix selects the format.

    Raises:
        InputError: the format cannot represent such a dark grade.
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
    """Return the text of a CDL file with all shots by id, or of one shot if the format holds only one.

    Args:
        shots: the CDLs.
        path: path of the file; its suffix selects the format.
    """
    return _written([_cdl_step(*each) for each in shots], EXPORT_FORMATS[path.suffix.lower()].name)


def list_text(shots: Sequence[tuple[ExportedShot, Cdl]], info: VideoInfo, path: Path) -> str:
    """Return the text of a shot list with a CDL for each shot.

    Args:
        shots: the CDLs.
        info: properties of the clip.
        path: path of the file; its suffix selects the format.
    """
    events = [Event(*shot.frames, cdl, printable(shot.id)) for shot, cdl in shots]
    text = edl_text if path.suffix.lower() == ".edl" else otio_text
    return text(events, info, title=printable(clip_name(info.path)))


def _cdl_step(shot: ExportedShot, cdl: Cdl) -> Any:
    import PyOpenColorIO as ocio

    step = ocio.CDLTransform()
    step.setSlope(cdl.slope)
    step.setOffset(cdl.offset)
    step.setPower(cdl.power)
    step.setSat(cdl.saturation)
    step.setID(printable(shot.id))
    step.setFirstSOPDescription(printable(shot.title))
    return step


def _written(steps: Sequence[Any], name: str, shot: ExportedShot | None = None) -> str:
    import PyOpenColorIO as ocio

    group = ocio.GroupTransform()
    if shot is not None:
        # CLF's descriptors tell readers which colour space the LUT expects.
        metadata = group.getFormatMetadata()
        metadata.setName(printable(shot.title))
        if shot.working is not None:
            for end in ("InputDescriptor", "OutputDescriptor"):
                metadata.addChildElement(end, shot.working.name)
    for step in steps:
        group.appendTransform(step)
    return str(group.write(name, raw_config()))


def _baked(lut: Lut3d, name: str) -> str:
    import PyOpenColorIO as ocio

    # OpenColorIO's Baker only samples conversions between colour spaces, so the LUT is wrapped in a colour space.
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
