"""SMPTE timecode, as far as a trimmed clip needs it."""

import re
from fractions import Fraction

_PATTERN = re.compile(r"(\d{2}):(\d{2}):(\d{2})([:;.])(\d{2})")


def advance(timecode: str, num_frames: int, *, rate: Fraction) -> str:
    """Return the timecode of the frame `num_frames` after the one that has `timecode` (SMPTE ST 12-1).

    Args:
        timecode: "hh:mm:ss:ff"; "hh:mm:ss;ff" (or with a full stop) counts drop-frame. Any other text comes back as
            it is.
        num_frames: 0 or more.
        rate: frames a second; 30000/1001 counts 30 to the second.
    """
    found = _PATTERN.fullmatch(timecode)
    if found is None or not num_frames:
        return timecode
    hours, minutes, seconds, frames = (int(found[group]) for group in (1, 2, 3, 5))
    base = round(rate)
    # Drop-frame skips the first 2 (of 60 a second: 4) numbers of each minute that is no multiple of ten.
    dropped = base // 15 if found[4] != ":" else 0
    minute = 60 * hours + minutes
    count = (60 * minute + seconds) * base + frames - dropped * (minute - minute // 10) + num_frames
    ten_minutes, rest = divmod(count, 600 * base - 9 * dropped)
    skipped = 9 * ten_minutes
    if rest >= 60 * base:
        skipped += 1 + (rest - 60 * base) // (60 * base - dropped)
    count += dropped * skipped
    seconds, frames = divmod(count, base)
    hours, minutes, seconds = seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
    return f"{hours:02}:{minutes:02}:{seconds:02}{found[4]}{frames:02}"
