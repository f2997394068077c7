"""Colour spaces stated by an image file besides its colour tags."""

import numpy as np
import OpenImageIO as oiio

from chromacord.color.management.stated import space_of_chromaticities, space_of_profile
from chromacord.io.stills.icc import is_sound, profile_name
from chromacord.io.stills.image_text import any_attribute, text_attribute

_NAMED_BY = ("colorInteropID", "colorspace")
"""Attributes of float images: OpenEXR's own since version 3.4, and a common convention."""

_SAY_NOTHING = ("", "unknown", "data", "linear", "scene_linear")
"""Placeholders that writers use for an unknown colour space."""


def stated_spaces(spec: oiio.ImageSpec, *, is_float: bool) -> tuple[str, ...]:
    """Return the names of an image's colour space, from an attribute, its primaries and its ICC profile.

    Args:
        spec: the image's header.
        is_float: whether it holds light, like EXR and float TIFF.
    """
    if not is_float:
        profile = any_attribute(spec, "ICCProfile")
        if not isinstance(profile, np.ndarray) or not is_sound(profile.tobytes()):
            return ()
        named = space_of_profile(profile_name(profile.tobytes()))
        return (named,) if named else ()
    found = [text_attribute(spec, name) for name in _NAMED_BY]
    chromaticities = any_attribute(spec, "chromaticities")
    if isinstance(chromaticities, tuple):
        found.append(space_of_chromaticities([float(each) for each in chromaticities]))
    return tuple(dict.fromkeys(name for name in found if name.lower() not in _SAY_NOTHING))
