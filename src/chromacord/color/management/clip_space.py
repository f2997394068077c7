"""Determine a clip's colour space: as given by the user, otherwise as stated in the file, otherwise by default."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from chromacord.color.management.config import BUILT_IN, REC709, choose_config, find_space, working_space
from chromacord.color.management.stated import BT2020, space_of_tags
from chromacord.errors import InputError
from chromacord.types import UNSPECIFIED, ColorSpace, VideoInfo

LINEAR_REC709 = "Linear Rec.709 (sRGB)"
"""Default for float images that state nothing."""

_PLAIN = (REC709, LINEAR_REC709)
"""Spaces whose codes are graded directly, like those of files that state nothing."""


@dataclass(frozen=True)
class Spaces:
    """The user's colour space options: names in a configuration."""

    composite: str | None = None
    foreground: str | None = None
    background: str | None = None
    working: str | None = None
    config: str | Path | None = None
    """A file, or "ocio://..."; None: that of $OCIO, otherwise OpenColorIO's built-in one."""

    def of(self, layer: str) -> str | None:
        """Return the name for "composite", "foreground" or "background"; layers default to the composite's."""
        return {"foreground": self.foreground, "background": self.background}.get(layer) or self.composite


@dataclass(frozen=True)
class SpaceOfClip:
    """The colour space of a clip, and its origin."""

    name: str
    known_by: Literal["option", "file", "assumed"]
    note: str = ""
    """What was assumed, and why; "" if nothing was."""

    space: ColorSpace | None = None
    """Space in which the clip is viewed and graded; None: its codes are graded directly."""


def space_of_clip(info: VideoInfo, asked: str | None = None, config: str | Path | None = None) -> SpaceOfClip:
    """Return the colour space of a clip.

    Args:
        info: properties of the file.
        asked: name given by the user.
        config: a file, or "ocio://..."; None: that of $OCIO, otherwise OpenColorIO's built-in one.

    Raises:
        InputError: the space or the configuration is invalid, or the file contradicts itself.
    """
    if asked is not None:
        space = find_space(asked, choose_config(config))
        # The fast path takes integer codes for video and floats for light. Floats that are named Rec.709 are no
        # light, so they take the managed path.
        is_plain = space == find_space(REC709) and not info.colorimetry.scene_linear
        return SpaceOfClip(space.name, "option", space=None if is_plain else space)
    stated = _stated(info, config)
    if stated is None:
        return _assumed(info)
    if stated.name in _PLAIN and (stated.name == LINEAR_REC709) == info.colorimetry.scene_linear:
        return SpaceOfClip(stated.name, "file")
    return SpaceOfClip(stated.name, "file", space=stated)


def _stated(info: VideoInfo, config: str | Path | None) -> ColorSpace | None:
    """Return the space that a file states; None if it states no known one."""
    found: list[ColorSpace] = []
    if not info.colorimetry.scene_linear:
        try:
            tagged = space_of_tags(info.colorimetry)
        except InputError as error:
            raise InputError(f"{info.path}: {error}") from None
        found += [find_space(tagged)] if tagged else []
    for name in info.stated_spaces if not found else ():  # tags of PNG and video take precedence over a profile
        space = _known(name, config)
        found += [space] if space is not None and space not in found else []
    if len(found) > 1:
        raise InputError(
            f"{info.path}: names several colour spaces ({' and '.join(each.name for each in found)}); choose one "
            "with --input-space"
        )
    return found[0] if found else None


def _known(name: str, config: str | Path | None) -> ColorSpace | None:
    # A file's own words (an interop ID, a profile) often mean nothing to a studio's configuration, but
    # something to the built-in one.
    for place in dict.fromkeys((choose_config(config), BUILT_IN)):
        try:
            return find_space(name, place)
        except InputError:
            continue
    return None


def _assumed(info: VideoInfo) -> SpaceOfClip:
    colors = info.colorimetry
    if colors.scene_linear:
        unknown = [name for name in info.stated_spaces if name]
        why = f"{unknown[0]} is not known" if unknown else "the file names no colour space"
        return SpaceOfClip(LINEAR_REC709, "assumed", f"treated as {LINEAR_REC709}: {why}")
    # Wide-gamut SDR video is rare, and its codes look plausible as Rec.709; the summary names the assumption.
    if colors.primaries == BT2020:
        return SpaceOfClip("Rec.2020", "assumed", "BT.2020 video with an SDR curve is graded as if it were Rec.709")
    if info.icc_profile is not None:
        return SpaceOfClip("Rec.709", "assumed", "graded as if it were Rec.709 or sRGB: its ICC profile is another")
    if (colors.primaries, colors.transfer) == (UNSPECIFIED, UNSPECIFIED):
        return SpaceOfClip("Rec.709", "assumed", "treated as Rec.709: the file has no colour tags")
    return SpaceOfClip("Rec.709", "file")


def settle(info: VideoInfo, spaces: Spaces, layer: str = "composite") -> tuple[VideoInfo, SpaceOfClip]:
    """Add the colour space to a source's properties.

    Args:
        info: properties of the source.
        spaces: the user's options.
        layer: "composite", "foreground" or "background".
    """
    found = space_of_clip(info, spaces.of(layer), spaces.config)
    return replace(info, space=found.space), found


def explicit(info: VideoInfo) -> VideoInfo:
    """Name a source's colour space explicitly if its codes would be graded directly.

    If one of several layers has another space, all layers are converted through light.
    """
    if info.space is not None:
        return info
    return replace(info, space=find_space(LINEAR_REC709 if info.colorimetry.scene_linear else REC709))


def working_space_of(info: VideoInfo, asked: str | None, config: str | Path | None) -> ColorSpace | None:
    """Return the colour space of a clip's exported grades; None: the picture's own, display-referred.

    Args:
        info: properties of the clip, with its colour space.
        asked: name given by the user.
        config: configuration that defines the name.
    """
    if asked is not None:
        return find_space(asked, choose_config(config) if info.space is None else info.space.config)
    return None if info.space is None else working_space(info.space)
