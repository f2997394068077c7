"""Decode text from OpenImageIO, which is not UTF-8 in old or damaged files.

For such text, the Python bindings raise when asked for an error's reason, and return lone surrogates from headers,
which neither terminals nor files accept. All text from OpenImageIO is therefore decoded here, with U+FFFD for invalid
bytes.
"""

from collections.abc import Callable

import OpenImageIO as oiio

NO_REASON = "no reason given"


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


def _clean(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
