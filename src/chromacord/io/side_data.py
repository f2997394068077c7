"""Side data that libav attaches to a decoded picture: its display matrix, ICC profile and HDR metadata.

PyAV's list of types is shorter than libav's: it fails on all side data of a picture that also has EXIF (WebP, HEIC), or
a view of a stereo stream (MV-HEVC). This module gives unknown types a number as their name.
"""

import struct
from typing import Any

import av
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType


def side_data(picture: av.VideoFrame) -> Any:
    """Return PyAV's container of a picture's side data, by type.

    `picture.side_data` is bypassed because its reference cycle keeps 12 MB at 4K until garbage collection.
    """
    container: Any = SideDataContainer  # PyAV's stub lacks the argument, and types numeric keys as names
    return container(picture)


def display_matrix(picture: av.VideoFrame) -> tuple[int, ...] | None:
    """Return the nine numbers of a picture's display matrix; None: it is displayed as stored."""
    matrix = side_data(picture).get(SideDataType.DISPLAYMATRIX)
    return None if matrix is None else struct.unpack("=9i", bytes(matrix))


def icc_profile(picture: av.VideoFrame) -> bytes | None:
    """Return a picture's ICC profile; None if it has none."""
    profile = side_data(picture).get(SideDataType.ICC_PROFILE)
    return None if profile is None else bytes(profile)


def _of_number(kinds: type[SideDataType], number: object) -> Any:
    kind: Any = object.__new__(kinds)
    kind._name_, kind._value_ = f"kind {number}", number
    return kind


SideDataType._missing_ = classmethod(_of_number)  # type: ignore[assignment,method-assign]
