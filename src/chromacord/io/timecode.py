"""Convert and advance SMPTE timecode (ST 12-1), for trimmed clips and edit decision lists."""

import re
from fractions import Fraction

_PATTERN = re.compile(r"(\d{2}):(\d{2}):(\d{2})([:;.,])(\d{2})")


def base_of(rate: Fraction) -> int:
    """Return the number of frames that timecode counts per second: 30 at 30000/1001."""
    return max(1, round(rate))


def can_drop(rate: Fraction) -> bool:
    """Whether drop-frame timecode is defined for a rate: 30000/1001, 60000/1001 and the like."""
    return base_of(rate) % 30 == 0 and rate != base_of(rate)


def is_drop(timecode: str) -> bool:
    """Whether a timecode's last separator marks it as drop-frame."""
    found = _PATTERN.fullmatch(timecode)
    return found is not None and found[4] != ":"


def is_timecode(text: str) -> bool:
    """Whether a text has the form of a timecode."""
    return _PATTERN.fullmatch(text) is not None


def frame_of(timecode: str, *, rate: Fraction, drop: bool) -> int:
    """Return the number of frames from midnight to a timecode.

    Args:
        timecode: "hh:mm:ss:ff"; the last separator may also be a semicolon, a full stop or a comma.
        rate: frames per second; 30000/1001 counts 30 per second.
        drop: whether it is drop-frame, whatever its separator.

    Raises:
        ValueError: it is not a timecode, or invalid at this rate; says why.
    """
    found = _PATTERN.fullmatch(timecode)
    if found is None:
        raise ValueError(f"{timecode} is not a timecode hh:mm:ss:ff")
    hours, minutes, seconds, frames = (int(found[group]) for group in (1, 2, 3, 5))
    base = base_of(rate)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(f"{timecode} is not a time of day")
    if frames >= base:
        raise ValueError(f"{timecode} counts more than the {base} frames that a second of the clip has")
    dropped = _dropped(base) if drop else 0
    # Drop-frame skips numbers, not frames: 00:01:00;00 and ;01 do not exist, but each tenth minute has them.
    if seconds == 0 and minutes % 10 and frames < dropped:
        raise ValueError(f"{timecode} is a number that drop-frame timecode skips")
    minute = 60 * hours + minutes
    return (60 * minute + seconds) * base + frames - dropped * (minute - minute // 10)


def advance(timecode: str, num_frames: int, *, rate: Fraction) -> str:
    """Return the timecode `num_frames` frames after `timecode`.

    Args:
        timecode: "hh:mm:ss:ff"; "hh:mm:ss;ff" (or with a full stop or a comma) is drop-frame. Any other text is
            returned unchanged.
        num_frames: 0 or more.
        rate: frames per second; 30000/1001 counts 30 per second.
    """
    found = _PATTERN.fullmatch(timecode)
    if found is None or not num_frames:
        return timecode
    hours, minutes, seconds, frames = (int(found[group]) for group in (1, 2, 3, 5))
    base = base_of(rate)
    dropped = _dropped(base) if found[4] != ":" else 0
    minute = 60 * hours + minutes
    # Drop-frame numbers are irregular, so the timecode is converted to a frame count, advanced, and converted back.
    count = (60 * minute + seconds) * base + frames - dropped * (minute - minute // 10) + num_frames
    ten_minutes, rest = divmod(count, 600 * base - 9 * dropped)
    skipped = 9 * ten_minutes
    if rest >= 60 * base:
        # Of ten minutes, the first skips no numbers; each of the other nine skips them at its start.
        skipped += 1 + (rest - 60 * base) // (60 * base - dropped)
    count += dropped * skipped
    seconds, frames = divmod(count, base)
    hours, minutes, seconds = seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
    return f"{hours:02}:{minutes:02}:{seconds:02}{found[4]}{frames:02}"


def _dropped(base: int) -> int:
    """Return how many numbers drop-frame skips in each minute not divisible by ten: 2, or 4 at 60 frames per second."""
    return base // 15
