"""Static HDR metadata: the mastering display and the content light level (SMPTE ST 2086, CTA-861.3).

libav provides it with decoded frames, but PyAV cannot set it on an encoder, so it is passed as the encoders' own
options, which write it into the stream.
"""

import struct
from typing import Any

from av.sidedata.sidedata import Type as SideDataType

from chromacord.types import ContentLight, HdrMetadata, MasteringDisplay

_MASTERING_BYTES, _LIGHT_BYTES = 88, 8
_CHROMATICITY, _LUMINANCE = 50_000, 10_000
"""Units in an ST 2086 stream: 0.00002 of a chromaticity, 0.0001 cd/m2."""

ENCODERS = ("h264", "hevc", "av1")
"""Keys of `CODECS` whose streams can contain it."""


def read_hdr(side_data: Any) -> HdrMetadata:
    """Extract static metadata from a frame's side data.

    Args:
        side_data: PyAV's side data container.
    """
    mastering = side_data.get(SideDataType.MASTERING_DISPLAY_METADATA)
    light = side_data.get(SideDataType.CONTENT_LIGHT_LEVEL)
    return HdrMetadata(
        None if mastering is None else _mastering(bytes(mastering)), None if light is None else _light(bytes(light))
    )


def _mastering(packed: bytes) -> MasteringDisplay | None:
    """Parse AVMasteringDisplayMetadata: ten fractions, then flags for primaries and luminance."""
    if len(packed) < _MASTERING_BYTES:
        return None
    numbers = struct.unpack_from("=22i", packed)
    # An unset flag means that half of the metadata is missing; a denominator of 0 means that a number is missing.
    if not all(numbers[20:]) or not all(numbers[1:20:2]):
        return None
    red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y, darkest, brightest = (
        above / below for above, below in zip(numbers[:20:2], numbers[1:20:2], strict=True)
    )
    return MasteringDisplay(
        (red_x, red_y), (green_x, green_y), (blue_x, blue_y), (white_x, white_y), darkest, brightest
    )


def _light(packed: bytes) -> ContentLight | None:
    return ContentLight(*struct.unpack_from("=2I", packed)) if len(packed) >= _LIGHT_BYTES else None


def hdr_options(codec: str, hdr: HdrMetadata) -> dict[str, str]:
    """Return an encoder's private parameters for the metadata, keyed by libav's option name.

    Args:
        codec: a key of `CODECS`; for codecs outside `ENCODERS` the result is empty.
        hdr: metadata to write.
    """
    writers = {"h264": _x264, "hevc": _x265, "av1": _svt}
    if codec not in writers or not hdr:
        return {}
    name, parameters = writers[codec](hdr)
    return {name: ":".join(parameters)}


def _x265(hdr: HdrMetadata) -> tuple[str, list[str]]:
    return "x265-params", _parameters(hdr, mastering="master-display", light="max-cll")


def _x264(hdr: HdrMetadata) -> tuple[str, list[str]]:
    return "x264-params", _parameters(hdr, mastering="mastering-display", light="cll")


def _parameters(hdr: HdrMetadata, *, mastering: str, light: str) -> list[str]:
    """Return the parameters of x264 or x265, which differ only in their names."""
    parameters = []
    if hdr.mastering is not None:
        parameters.append(f"{mastering}={_in_units(hdr.mastering)}")
    if hdr.light is not None:
        parameters.append(f"{light}={hdr.light.highest},{hdr.light.highest_mean}")
    return parameters


def _svt(hdr: HdrMetadata) -> tuple[str, list[str]]:
    parameters = []
    if hdr.mastering is not None:
        display = hdr.mastering
        points = (("G", display.green), ("B", display.blue), ("R", display.red), ("WP", display.white))
        places = "".join(f"{name}({x:.5f},{y:.5f})" for name, (x, y) in points)
        parameters.append(f"mastering-display={places}L({display.brightest:.4f},{display.darkest:.4f})")
    if hdr.light is not None:
        parameters.append(f"content-light={hdr.light.highest},{hdr.light.highest_mean}")
    return "svtav1-params", parameters


def _in_units(display: MasteringDisplay) -> str:
    points = (("G", display.green), ("B", display.blue), ("R", display.red), ("WP", display.white))
    # x264 and x265 take ST 2086's integer units, in the order green, blue, red of its bit stream.
    places = "".join(f"{name}({round(x * _CHROMATICITY)},{round(y * _CHROMATICITY)})" for name, (x, y) in points)
    return f"{places}L({round(display.brightest * _LUMINANCE)},{round(display.darkest * _LUMINANCE)})"
