"""Text from OpenImageIO headers, which in old or damaged files is not UTF-8.

The Python bindings then raise for an error's reason, and give half surrogates for what a header states, which no
terminal and no file takes. All text of OpenImageIO therefore comes through here, with U+FFFD for such bytes.
"""

from collections.abc import Callable

import OpenImageIO as oiio

NO_REASON = "no reason given"


def error_reason(place: oiio.ImageInput | oiio.ImageOutput | None = None) -> str:
    """Return, in one line, why the last call failed, and forget it.

    Args:
        place: what was called; None: the library itself, where nothing could be opened.
    """
    text: Callable[[], str] = oiio.geterror if place is None else place.geterror
    try:
        reason = text()
    except UnicodeDecodeError as error:
        reason = error.object.decode("utf-8", "replace")
    lines = _clean(reason).replace("\0", "").strip().splitlines()
    return lines[0] if lines else NO_REASON


def text_attribute(spec: oiio.ImageSpec, name: str) -> str:
    """Return a text that a header states, "" where there is none."""
    return _clean(spec.get_string_attribute(name, ""))


def any_attribute(spec: oiio.ImageSpec, name: str) -> object:
    """Return what a header states, of whatever type; None where it states nothing."""
    value: object = spec.getattribute(name)
    return _clean(value) if isinstance(value, str) else value


def channel_names(spec: oiio.ImageSpec) -> list[str]:
    """Return the names of all channels of a part."""
    return [_clean(name) for name in spec.channelnames]


def _clean(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
