"""Parse edit decision lists (CMX 3600) for the shot boundaries of a clip.

    TITLE: REEL 1
    FCM: NON-DROP FRAME
    001  A001  V  C        00:00:10:00 00:00:12:00 01:00:00:00 01:00:02:00
    002  A001  V  C        00:00:12:00 00:00:12:00 01:00:02:00 01:00:02:00
    002  B007  V  D    024 00:01:00:00 00:01:04:00 01:00:02:00 01:00:06:00

An event's last two times are record times, which refer to the clip; its source times are ignored.
"""

import re
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from chromacord.errors import InputError, UnreadableFileError
from chromacord.io.timecode import can_drop, frame_of, is_drop
from chromacord.parsing import parse_errors, read_file, shown

_MAX_BYTES = 16 << 20
_REMEDY = "export it again as CMX 3600"
MISSING = "name an edit decision list that exists, or give the first frames of shots, as 24,48, or none"

_TIME = r"\d{2}:\d{2}:\d{2}[:;.,]\d{2}"
_EVENT = re.compile(rf"\s*(\d\S*)\s+(\S.*?)\s+({_TIME})\s+({_TIME})\s+({_TIME})\s+({_TIME})(?:\s.*)?")
_TIMES = re.compile(rf"(?<!\S){_TIME}(?!\S)")
# M2 (motion effects), SPLIT and AUD lines follow an event and change only its source or sound, so they say
# nothing about where shots begin in the record.
_COMMENT = re.compile(r"\s*(?:\*|>|M2\b|TITLE\b|FCM\b|SPLIT\b|AUD\b|FINAL\b|$)", re.IGNORECASE)
_FCM = re.compile(r"\s*FCM\s*:\s*(NON[\s-]*)?DROP[\s-]*FRAME\s*", re.IGNORECASE)
_TRANSITION = re.compile(r"(?P<kind>C|D|W\d{1,3}|K\s*[BO]?)(?:\s+(?P<length>\d{1,6}))?", re.IGNORECASE)
_CHANNELS = re.compile(r"(?:A\d*|AA|B|V\d?|NONE)(?:/(?:A\d*|AA|V\d?))*", re.IGNORECASE)
_PICTURE = ("B", "V", "V1")
"""Channel names that include the picture; "B" is sound and picture."""


class Edl(NamedTuple):
    """Video events of a list."""

    shots: tuple[tuple[int, int], ...]
    """First frame of each shot, counted from midnight of the record timecode, with its line, from 1; ascending."""

    start: int
    """First frame of the first event."""

    stop: int
    """End of the last event, half-open."""


class _Event(NamedTuple):
    line: int
    start: int
    begin: int
    """First frame of the shot: the middle of a dissolve or wipe that begins at `start`."""

    stop: int


def read_edl(path: Path, *, rate: Fraction) -> Edl:
    """Parse the shot boundaries in record time.

    A cut begins a shot at its record time, a dissolve or wipe in its middle. Events with only sound, on other video
    tracks (V2), and keys (overlays) are ignored.

    Args:
        path: path of the list.
        rate: the clip's frames per second, to which the timecode must refer. Timecode is drop-frame after "FCM: DROP
            FRAME", or if the separator before the frames is not a colon.

    Raises:
        MissingFileError: there is no such file.
        UnreadableFileError: it is not a readable list; names the line.
        InputError: its timecode does not fit the clip's rate, or record times do not increase; names the line.
    """
    content = read_file(path, limit=_MAX_BYTES, remedy=_REMEDY, missing=MISSING)
    with parse_errors(path, remedy=_REMEDY):
        text = content.decode("utf-8-sig", errors="replace")  # names of clips may be in any encoding
    events: list[_Event] = []
    drop = False
    # FCM lines hold for all events after them, and may change within a list.
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{path} line {number}"
        if fcm := _FCM.fullmatch(line):
            drop = fcm[1] is None
            if drop:
                _check_drop(rate, where)
        elif not _COMMENT.match(line) and (event := _read_event(line, number, where, rate, drop=drop)) is not None:
            if events and event.begin <= events[-1].begin:
                raise InputError(
                    f"{where}: its shot does not begin after that of line {events[-1].line}; sort the list by record "
                    "time, with one video track (A-mode)"
                )
            events.append(event)
    if not events:
        raise UnreadableFileError(f"{path}: contains no video events; {_REMEDY}")
    shots = tuple((event.begin, event.line) for event in events)
    return Edl(shots, events[0].start, max(event.stop for event in events))


def _read_event(line: str, number: int, where: str, rate: Fraction, *, drop: bool) -> _Event | None:
    """Parse an event of the video track; None for other events and for text lines."""
    found = _EVENT.fullmatch(line)
    if found is None:
        # A line that begins like an event but is none must not be skipped: a missed event is a missed cut.
        # Other text is what editors write between events.
        if line.lstrip()[0].isdigit() or len(_TIMES.findall(line)) > 1:
            raise UnreadableFileError(f"{where}: is not an event: {shown(line.strip())}; {_REMEDY}")
        return None
    channels, kind, length = _read_edit(found[2], where)
    if kind == "K" or not {part.upper() for part in channels.split("/")} & set(_PICTURE):
        return None
    # Record times; those of the source (groups 3 and 4) refer to the reel.
    start, stop = (_frame(found[group], where, rate, drop=drop) for group in (5, 6))
    if stop < start:
        raise InputError(f"{where}: the record ends at {found[6]}, before it begins at {found[5]}; {_REMEDY}")
    if stop == start:
        return None  # the outgoing clip of a dissolve; the next line has the dissolve
    if length > stop - start:
        raise InputError(f"{where}: the transition takes {length} frames, its event only {stop - start}; {_REMEDY}")
    return _Event(number, start, start + length // 2, stop)


def _read_edit(text: str, where: str) -> tuple[str, str, int]:
    """Return the channels, the first letter of the edit type, and the length of the transition in frames.

    Args:
        text: the part from the reel, which may contain spaces, to the edit.
        where: name of the line in errors.
    """
    words = text.split()
    # Reel names may hold spaces and edits one or two words more ("K B 024"), so the words are read from the
    # end.
    for count in (1, 2, 3):
        if len(words) <= count:
            break
        channels, edit = words[-count - 1], _TRANSITION.fullmatch(" ".join(words[-count:]))
        if edit is None or not _CHANNELS.fullmatch(channels):
            continue
        kind = edit["kind"][0].upper()
        if (kind in "DW") != (edit["length"] is not None) and kind != "K":
            raise UnreadableFileError(f"{where}: a dissolve or wipe has a number of frames, a cut has none; {_REMEDY}")
        return channels, kind, int(edit["length"] or 0)
    raise UnreadableFileError(f"{where}: has no track and edit such as 'V C' or 'V D 024' before its times; {_REMEDY}")


def _frame(timecode: str, where: str, rate: Fraction, *, drop: bool) -> int:
    if is_drop(timecode):
        _check_drop(rate, where)
    try:
        return frame_of(timecode, rate=rate, drop=drop or is_drop(timecode))
    except ValueError as error:
        raise InputError(
            f"{where}: {error}; export the list at the clip's rate, {_told(rate)} frames a second"
        ) from None


def _check_drop(rate: Fraction, where: str) -> None:
    if not can_drop(rate):
        raise InputError(
            f"{where}: is drop-frame, which requires 29.97 or 59.94 frames a second; the clip has {_told(rate)}; "
            "export the list at the clip's rate"
        )


def _told(rate: Fraction) -> str:
    return f"{float(rate):.5g}"
