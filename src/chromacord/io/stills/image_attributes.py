"""Read text and colour space names from image headers.

Text from OpenImageIO is not UTF-8 in old or damaged files. For such text, the Python bindings raise when asked for an
error's reason, and return lone surrogates from headers, which neither terminals nor files accept. All text from
OpenImageIO is therefore decoded here, with U+FFFD for invalid bytes.
"""

from collections.abc import Callable

import numpy as np
import OpenImageIO as oiio

from chromacord.color.management.stated import space_of_chromaticities, space_of_profile
from chromacord.io.stills.icc import is_sound, profile_name

NO_REASON = "no reason given"

_NAMED_BY = ("colorInteropID", "colorspace")
"""Attributes of float images: OpenEXR's own since version 3.4, and a common convention."""

_SAY_NOTHING = ("", "unknown", "data", "linear", "scene_linear")
"""Placeholders that writers use for an unknown colour space."""


def error_reason(place: oiio.ImageInput | oiio.ImageOutput | None = None) -> str:
    """Return the reason of the last failure as one line, and clear it.

    Args:
        place: the object that failed; None: the library itself, if nothing could be opened.
    """
    text: Callable[[], str] = oiio.geterror if place is None else place.geterror
    try:
        reason = text()
    except UnicodeDecodeError as error:
        reason = error.object.decode("utf-8", "replace")
    lines = _clean(reason).replace("\0", "").strip().splitlines()
    return lines[0] if lines else NO_REASON


def text_attribute(spec: oiio.ImageSpec, name: str) -> str:
    """Return a text attribute of a header; "" if it is missing."""
    return _clean(spec.get_string_attribute(name, ""))


def any_attribute(spec: oiio.ImageSpec, name: str) -> object:
    """Return a header attribute of any type; None if it is missing."""
    value: object = spec.getattribute(name)
    return _clean(value) if isinstance(value, str) else value


def channel_names(spec: oiio.ImageSpec) -> list[str]:
    """Return the names of all channels in a part."""
    return [_clean(name) for name in spec.channelnames]


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


def _clean(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
