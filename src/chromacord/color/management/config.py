"""Colour spaces by name, from OpenColorIO configurations, and conversions between them.

The common reference is display light: linear, BT.709 primaries, 1 is the white of an SDR display. Every space converts
to it:

* scene-referred spaces (ACEScg, a camera's log) through the built-in configuration's default view transform, which only
  changes primaries and adapts white to D65, so that nothing is clipped and the inverse is exact;
* HDR displays (PQ, HLG) with their reference white of 203 cd/m2 at 1 (ITU-R BT.2408-7, clause 3.1);
* spaces of other configurations through the interchange roles shared with the built-in one.
"""

import difflib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from chromacord.errors import InputError, MissingFileError
from chromacord.parsing import reason_of
from chromacord.types import ColorSpace, FloatArray

BUILT_IN = "ocio://studio-config-latest"
"""The built-in configuration, which includes camera makers' spaces."""

REC709 = "Rec.1886 Rec.709 - Display"
"""Colour space that methods see: SDR video (ITU-R BT.709 primaries, BT.1886 curve)."""

WORKING_LOG = "ACEScct"
"""The default working space of scene-linear pictures."""

REFERENCE_WHITE = 203.0
"""Reference white of HDR displays in cd/m2 (ITU-R BT.2408-7)."""

SHORT_NAMES = {
    "rec709": REC709,
    "bt709": REC709,
    "srgb": "sRGB - Display",
    "displayp3": "Display P3 - Display",
    "p3": "Display P3 - Display",
    "pq": "Rec.2100-PQ - Display",
    "rec2100pq": "Rec.2100-PQ - Display",
    "hdr10": "Rec.2100-PQ - Display",
    "hlg": "Rec.2100-HLG - Display",
    "rec2100hlg": "Rec.2100-HLG - Display",
    "aces": "ACES2065-1",
    "logc": "ARRI LogC3 (EI800)",
    "logc3": "ARRI LogC3 (EI800)",
    "arrilogc3": "ARRI LogC3 (EI800)",
    "logc4": "ARRI LogC4",
    "slog3": "S-Log3 S-Gamut3.Cine",
    "vlog": "V-Log V-Gamut",
    "canonlog2": "CanonLog2 CinemaGamut D55",
    "clog2": "CanonLog2 CinemaGamut D55",
    "canonlog3": "CanonLog3 CinemaGamut D55",
    "clog3": "CanonLog3 CinemaGamut D55",
    "log3g10": "Log3G10 REDWideGamutRGB",
    "applelog": "Apple Log",
    "dlog": "D-Log D-Gamut",
    "davinciintermediate": "DaVinci Intermediate WideGamut",
    "bmdfilm": "BMDFilm WideGamut Gen5",
    "linear": "Linear Rec.709 (sRGB)",
    "linearrec709": "Linear Rec.709 (sRGB)",
}
"""Common short names, without spaces, dots and dashes. The configuration's own names take precedence."""

_XYZ = "CIE XYZ-D65 - Display-referred"
_XYZ_TO_REC709 = (
    (3.2409699419045226, -1.5373831775700939, -0.4986107602930034),
    (-0.9692436362808796, 1.8759675015077202, 0.0415550574071756),
    (0.0556300796969936, -0.2039769588889765, 1.0569715142428786),
)
"""Inverse of the matrix of BT.709 primaries and D65 (SMPTE RP 177)."""

_MOST_NEAREST = 4


def choose_config(asked: str | os.PathLike[str] | None) -> str:
    """Return the configuration to use: the requested one, otherwise that of $OCIO, otherwise the built-in one."""
    return os.fspath(asked) if asked is not None else os.environ.get("OCIO") or BUILT_IN


@lru_cache(maxsize=8)
def open_config(config: str) -> Any:
    """Open an OpenColorIO configuration.

    Args:
        config: a file, or the name of a built-in one ("ocio://...").

    Raises:
        MissingFileError: there is no such file.
        InputError: it is not a valid configuration.
    """
    # Loaded on first use: it takes 10 MB and 30 ms.
    import PyOpenColorIO as ocio

    ocio.SetLoggingLevel(ocio.LOGGING_LEVEL_NONE)  # problems are raised as errors
    if not config.startswith("ocio://") and not Path(config).is_file():
        raise MissingFileError(
            f"{config}: no such OpenColorIO configuration; give --config (or $OCIO) a file or {BUILT_IN}"
        )
    try:
        return ocio.Config.CreateFromFile(config)
    except ocio.Exception as error:
        raise InputError(
            f"{config}: cannot be read by OpenColorIO ({reason_of(error)}); give --config (or $OCIO) "
            f"another file or {BUILT_IN}"
        ) from error


def find_space(name: str, config: str = BUILT_IN) -> ColorSpace:
    """Return a colour space by its name, an alias, a role or a name of `SHORT_NAMES`.

    Args:
        name: case-insensitive.
        config: configuration to search.

    Raises:
        InputError: the name is unknown (lists the nearest), or the space cannot be converted to a display.
    """
    opened = open_config(config)
    found = opened.getColorSpace(name) or opened.getColorSpace(SHORT_NAMES.get(_plain(name), ""))
    if found is None:
        raise InputError(f"colour space {name!r} is not in {config}; {_nearest(name, opened)}")
    space = ColorSpace(found.getName(), config, found.getEncoding())
    if found.isData():
        raise InputError(
            f"colour space {space.name!r} of {config} holds data, not colours; name the one of the picture"
        )
    # Builds the conversion now, so that a space without a path to a display is refused with the options, not at
    # the first frame. The result is cached.
    to_light(space)
    return space


def space_names(config: str = BUILT_IN) -> tuple[str, ...]:
    """Return the names of a configuration's colour spaces in its order."""
    return tuple(open_config(config).getColorSpaceNames())


def _plain(name: str) -> str:
    return "".join(each for each in name.lower() if each.isalnum())


def _nearest(name: str, opened: Any) -> str:
    spoken = {_plain(each): each for each in opened.getColorSpaceNames()}
    spoken |= {_plain(alias): each for each in spoken.values() for alias in opened.getColorSpace(each).getAliases()}
    if opened.getColorSpace(REC709) is not None:
        spoken |= SHORT_NAMES
    wanted = _plain(name)
    holding = [key for key in spoken if wanted and (wanted in key or key in wanted)]
    close = difflib.get_close_matches(wanted, spoken, n=2 * _MOST_NEAREST, cutoff=0.4)
    found = list(dict.fromkeys(spoken[key] for key in (*close, *holding)))[:_MOST_NEAREST]
    if not found:
        return f"it has {', '.join(list(opened.getColorSpaceNames())[:_MOST_NEAREST])} and more"
    return f"the nearest are {', '.join(found)}"


@dataclass(frozen=True)
class ColorMap:
    """A conversion by OpenColorIO, ready to run on pixels."""

    _processor: Any

    def __call__(self, rgba: FloatArray) -> FloatArray:
        """Map pixels.

        Args:
            rgba: RGB and a padding channel. Not modified. Shape (..., 4).

        Returns:
            Shape (..., 4), C-contiguous.
        """
        # applyRGBA works in place and needs packed memory.
        mapped = np.array(rgba, np.float32, order="C")
        self._processor.applyRGBA(mapped)
        return mapped


def to_light(space: ColorSpace) -> ColorMap:
    """Return the conversion from a space's codes to display light.

    Raises:
        InputError: the configuration cannot convert the space to a display.
    """
    return _map(space, is_inverse=False)


def from_light(space: ColorSpace) -> ColorMap:
    """Return the conversion from display light to a space's codes, the inverse of `to_light`."""
    return _map(space, is_inverse=True)


@lru_cache(maxsize=32)
def _map(space: ColorSpace, *, is_inverse: bool) -> ColorMap:
    import PyOpenColorIO as ocio

    opened, built_in = open_config(space.config), open_config(BUILT_IN)
    try:
        if is_inverse:
            first = ocio.Config.GetProcessorFromConfigs(built_in, _XYZ, opened, space.name)
        else:
            first = ocio.Config.GetProcessorFromConfigs(opened, space.name, built_in, _XYZ)
        group = first.createGroupTransform()
    except ocio.Exception as error:
        raise InputError(
            f"colour space {space.name!r} of {space.config} has no path to a display ({reason_of(error)}); a "
            "configuration needs the roles aces_interchange or cie_xyz_d65_interchange for that"
        ) from error
    # OpenColorIO's display-referred XYZ has 1 at 100 cd/m2 for HDR displays, but at white for SDR displays.
    scale = 100 / REFERENCE_WHITE if space.encoding == "hdr-video" else 1.0
    matrix = np.eye(4)
    matrix[:3, :3] = scale * np.array(_XYZ_TO_REC709)
    if is_inverse:
        group.prependTransform(ocio.MatrixTransform(np.linalg.inv(matrix).ravel().tolist()))
    else:
        group.appendTransform(ocio.MatrixTransform(matrix.ravel().tolist()))
    processor = built_in.getProcessor(group)
    # Exact powers cost ten times as much, and differ by no more than a twentieth of a 16-bit code.
    return ColorMap(
        processor.getOptimizedCPUProcessor(ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_VERY_GOOD)
    )


def working_space(space: ColorSpace, asked: str | None = None) -> ColorSpace:
    """Return the working space of a grade: the requested one, otherwise the picture's own unless that is linear.

    Args:
        space: colour space of the picture.
        asked: a name in the same configuration.
    """
    if asked is not None:
        return find_space(asked, space.config)
    if space.encoding != "scene-linear":
        return space
    opened = open_config(space.config)
    # A studio's own log space is what its grading tools expect; roles are the portable way to find it.
    for role in ("color_timing", "compositing_log"):
        if opened.hasRole(role):
            return find_space(role, space.config)
    return find_space(WORKING_LOG)
