"""Edit decision lists (CMX 3600) that carry a shot's CDL, as conform and grading tools read it.

    001  AX       V     C        01:00:00:00 01:00:02:00 01:00:00:00 01:00:02:00
    * FROM CLIP NAME: shot.mov
    * ASC_SOP: (1.0500 0.9900 0.9700)(0.0100 -0.0020 0.0000)(1.0000 1.0100 0.9900)
    * ASC_SAT: 0.9500

The comments are those of "ASC Color Decision List (ASC CDL) Transfer Functions and Interchange Syntax", 1.2, 2009.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chromacord.color.cdl import Cdl
from chromacord.errors import InputError
from chromacord.io.timecode import advance, is_drop, is_timecode
from chromacord.types import VideoInfo

_MOST_EVENTS = 999
_MIDNIGHT = "00:00:00:00"


class Event(NamedTuple):
    """A shot, and what is done to it."""

    start: int
    """First frame, counted from the clip's."""

    stop: int
    """Half-open."""

    cdl: Cdl


def edl_text(events: Sequence[Event], info: VideoInfo, *, title: str) -> str:
    """Return a list with one cut for each shot, whose source and record times are the clip's own timecode.

    Args:
        events: in order.
        info: of the clip; without timecode it begins at midnight.
        title: of the list.

    Raises:
        InputError: there are more shots than a list of this kind can number.
    """
    if len(events) > _MOST_EVENTS:
        raise InputError(f"{title}: an EDL holds {_MOST_EVENTS} events, not {len(events)}; write a .ccc of all shots")
    first = info.timecode if info.timecode is not None and is_timecode(info.timecode) else _MIDNIGHT
    lines = [f"TITLE: {title}", f"FCM: {'DROP FRAME' if is_drop(first) else 'NON-DROP FRAME'}", ""]
    for number, event in enumerate(events, start=1):
        begin, end = (advance(first, frame, rate=info.rate) for frame in (event.start, event.stop))
        lines += [
            f"{number:03d}  AX       V     C        {begin} {end} {begin} {end}",
            f"* FROM CLIP NAME: {info.path.name}",
            f"* ASC_SOP: {''.join(map(_numbers, (event.cdl.slope, event.cdl.offset, event.cdl.power)))}",
            f"* ASC_SAT: {event.cdl.saturation:.6f}",
            "",
        ]
    return "\n".join(lines)


def _numbers(values: Iterable[float]) -> str:
    return f"({' '.join(f'{value:.6f}' for value in values)})"
