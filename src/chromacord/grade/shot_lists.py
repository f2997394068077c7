"""Lists of a clip's shots with CDLs, for conform and grading tools.

Edit decision lists (CMX 3600):

    001  AX       V     C        01:00:00:00 01:00:02:00 01:00:00:00 01:00:02:00
    * FROM CLIP NAME: shot.mov
    *ASC_SOP (1.0500 0.9900 0.9700)(0.0100 -0.0020 0.0000)(1.0000 1.0100 0.9900)
    *ASC_SAT 0.9500

The comments are those of "ASC Color Decision List (ASC CDL) Transfer Functions and Interchange Syntax", 1.2, 2009.

OpenTimelineIO (.otio): JSON with the schemas Timeline.1, Clip.2 and ImageSequenceReference.1 of its documentation. A
clip's CDL is in its metadata under "cdl", like that of OpenTimelineIO's own EDL reader.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from chromacord.color.cdl import Cdl
from chromacord.errors import InputError
from chromacord.grade.keys import ANY_LENGTH
from chromacord.grade.naming import printable
from chromacord.io.stills.patterns import parse_pattern
from chromacord.io.timecode import advance, frame_of, is_drop, is_timecode
from chromacord.types import VideoInfo

_MOST_EVENTS = 999
_MIDNIGHT = "00:00:00:00"


class Event(NamedTuple):
    """A shot with its CDL."""

    start: int
    """First frame, counted from the clip's first."""

    stop: int
    """End of the shot, half-open."""

    cdl: Cdl
    name: str = ""


def edl_text(events: Sequence[Event], info: VideoInfo, *, title: str) -> str:
    """Return an EDL with one cut per shot, whose source and record times are the clip's timecode.

    Args:
        events: shots in order.
        info: properties of the clip; without timecode it starts at midnight.
        title: title of the list.

    Raises:
        InputError: there are more shots than EDLs can number, or their length is unknown.
    """
    if len(events) > _MOST_EVENTS:
        raise InputError(
            f"{title}: an EDL holds at most {_MOST_EVENTS} events, not {len(events)}; write a .ccc of all shots"
        )
    _check_length(events, title)
    first = _first_timecode(info)
    lines = [f"TITLE: {title}", f"FCM: {'DROP FRAME' if is_drop(first) else 'NON-DROP FRAME'}", ""]
    for number, event in enumerate(events, start=1):
        begin, end = (advance(first, frame, rate=info.rate) for frame in (event.start, event.stop))
        lines += [
            # AX is CMX's name for a source that is not a tape reel; tools then match by the clip name below.
            f"{number:03d}  AX       V     C        {begin} {end} {begin} {end}",
            f"* FROM CLIP NAME: {printable(info.path.name)}",
            f"*ASC_SOP {''.join(map(_numbers, (event.cdl.slope, event.cdl.offset, event.cdl.power)))}",
            f"*ASC_SAT {event.cdl.saturation:.6f}",
            "",
        ]
    return "\n".join(lines)


def otio_text(events: Sequence[Event], info: VideoInfo, *, title: str) -> str:
    """Return an OpenTimelineIO timeline with one track: a clip per shot, and gaps between shots without a grade.

    Args:
        events: shots in order.
        info: properties of the clip; without timecode it starts at midnight.
        title: title of the timeline.

    Raises:
        InputError: the length of the shots is unknown.
    """
    _check_length(events, title)
    first = _first_timecode(info)
    try:
        zero = frame_of(first, rate=info.rate, drop=is_drop(first))
    except ValueError:  # the timecode is invalid at this rate
        zero = 0
    items, end = [], 0
    for event in events:
        if event.start > end:
            items.append(_item("Gap.1", "", _range(0, event.start - end, info)))
        items.append(_clip(event, info, zero))
        end = event.stop
    timeline = {
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": {},
        "name": title,
        "global_start_time": _time(zero, info),
        "tracks": _item("Stack.1", "tracks", None)
        | {"children": [_item("Track.1", "V1", None) | {"kind": "Video", "children": items}]},
    }
    return json.dumps(timeline, indent=4) + "\n"


def _clip(event: Event, info: VideoInfo, zero: int) -> dict[str, Any]:
    cdl = event.cdl
    sop = {"slope": cdl.slope, "offset": cdl.offset, "power": cdl.power}
    return _item("Clip.2", event.name, _range(zero + event.start, event.stop - event.start, info)) | {
        "metadata": {"cdl": {"asc_sop": sop, "asc_sat": cdl.saturation}},
        "media_references": {"DEFAULT_MEDIA": _media(info, zero)},
        "active_media_reference_key": "DEFAULT_MEDIA",
    }


def _media(info: VideoInfo, zero: int) -> dict[str, Any]:
    """Return the media reference; a grade file alone has none."""
    known = {
        "metadata": {},
        "name": printable(info.path.name),
        "available_range": None if info.num_frames is None else _range(zero, info.num_frames, info),
        "available_image_bounds": None,
    }
    pattern = parse_pattern(info.path) if info.container == "sequence" else None
    if info.container == "grade":
        return {"OTIO_SCHEMA": "MissingReference.1"} | known
    if pattern is None:
        return {"OTIO_SCHEMA": "ExternalReference.1"} | known | {"target_url": info.path.absolute().as_uri()}
    return (
        {"OTIO_SCHEMA": "ImageSequenceReference.1"}
        | known
        | {
            "target_url_base": f"{pattern.folder.absolute().as_uri()}/",
            "name_prefix": pattern.prefix,
            "name_suffix": pattern.suffix,
            "start_frame": info.first_number,
            "frame_step": 1,
            "rate": float(info.rate),
            "frame_zero_padding": pattern.digits,
            "missing_frame_policy": "error",
        }
    )


def _item(schema: str, name: str, source_range: dict[str, Any] | None) -> dict[str, Any]:
    """Return the fields common to all timeline items."""
    return {
        "OTIO_SCHEMA": schema,
        "metadata": {},
        "name": name,
        "source_range": source_range,
        "effects": [],
        "markers": [],
        "enabled": True,
    }


def _range(start: int, length: int, info: VideoInfo) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "TimeRange.1", "start_time": _time(start, info), "duration": _time(length, info)}


def _time(frames: int, info: VideoInfo) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(info.rate), "value": float(frames)}


def _first_timecode(info: VideoInfo) -> str:
    return info.timecode if info.timecode is not None and is_timecode(info.timecode) else _MIDNIGHT


def _check_length(events: Sequence[Event], title: str) -> None:
    """Refuse the single shot of a LUT or a CDL, which fits clips of any length."""
    if any(event.stop >= ANY_LENGTH for event in events):
        raise InputError(f"{title}: a LUT or a CDL has no shots to list; write a .cc, .ccc or .cdl")


def _numbers(values: Iterable[float]) -> str:
    return f"({' '.join(f'{value:.6f}' for value in values)})"
