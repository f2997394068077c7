"""CMX 3600 edit decision lists: where shots begin, and which lists are refused."""

from fractions import Fraction
from pathlib import Path

import pytest

from chromacord.errors import InputError, MissingFileError, UnreadableFileError
from chromacord.io.edl import read_edl
from chromacord.io.timecode import advance, frame_of

NTSC = Fraction(30000, 1001)

LIST = """TITLE: REEL 1
FCM: NON-DROP FRAME

001  A001     V     C        00:00:10:00 00:00:12:00 01:00:00:00 01:00:02:00
* FROM CLIP NAME: BEACH 00:00:00:00 00:00:00:00
002  A001     A     C        00:00:10:00 00:00:12:00 01:00:01:00 01:00:02:00
003  A001     V     C        00:00:12:00 00:00:12:00 01:00:02:00 01:00:02:00
003  B007     V     D    024 00:01:00:00 00:01:04:00 01:00:02:00 01:00:06:00
M2   B007       012.0                00:01:00:00
>>> SOURCE B007 01:00:00:00
004  C 9 A    AA/V  C        02:00:00:00 02:00:01:00 01:00:06:00 01:00:07:00
005  D        V2    C        02:00:00:00 02:00:00:10 01:00:06:10 01:00:06:20
006  D        V     K B      02:00:00:00 02:00:00:10 01:00:06:10 01:00:06:20
007  D        B     W001 012 02:00:00:00 02:00:01:00 01:00:07:00 01:00:08:00
008  BL       NONE  C        00:00:00:00 00:00:01:00 01:00:07:12 01:00:08:12
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "cut.edl"
    path.write_bytes(text.encode("utf-8-sig"))
    return path


def shots(folder: Path, *lines: str, rate: Fraction = Fraction(24)) -> list[int]:
    """Return the first frames of shots, counted from the first event's."""
    edl = read_edl(write(folder, "\n".join(lines)), rate=rate)
    return [begin - edl.start for begin, _ in edl.shots]


def event(begin: str, stop: str, edit: str = "V C", number: int = 1) -> str:
    return f"{number:03} AX {edit} 00:00:00:00 00:00:01:00 {begin} {stop}"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_shots_begin_at_cuts_of_the_picture_and_in_the_middle_of_dissolves_and_wipes(
    tmp_path: Path, newline: str
) -> None:
    edl = read_edl(write(tmp_path, LIST.replace("\n", newline)), rate=Fraction(24))
    hour = 24 * 3600
    expected = [(0, 4), (2 * 24 + 12, 8), (6 * 24, 11), (7 * 24 + 6, 14)]
    assert edl.shots == tuple((hour + frame, line) for frame, line in expected)
    assert (edl.start, edl.stop) == (hour, hour + 8 * 24)


@pytest.mark.parametrize(
    ("rate", "seconds_apart"), [(Fraction(25), 25), (Fraction(24000, 1001), 24), (NTSC, 30), (Fraction(60), 60)]
)
def test_timecode_counts_the_frames_of_the_clips_rate(tmp_path: Path, rate: Fraction, seconds_apart: int) -> None:
    lines = [
        event("10:00:00:00", "10:00:01:00"),
        event("10:00:01:00", "10:01:00:00"),
        event("10:01:00:00", "10:01:00:01"),
    ]
    assert shots(tmp_path, *lines, rate=rate) == [0, seconds_apart, 60 * seconds_apart]


@pytest.mark.parametrize(("mark", "fcm"), [(";", "FCM: NON-DROP FRAME"), (":", "fcm: drop frame"), (".", "")])
def test_drop_frame_leaves_out_two_numbers_a_minute(tmp_path: Path, mark: str, fcm: str) -> None:
    times = [f"{clock}{mark}{frames}" for clock, frames in (("00:00:59", "00"), ("00:01:00", "02"), ("00:10:00", "00"))]
    lines = [fcm, *(event(begin, f"00:11:00{mark}10") for begin in times)]
    # 60 * 30 - 2 numbers a minute, and none less in the tenth.
    assert shots(tmp_path, *lines, rate=NTSC) == [0, 30, 17982 - 59 * 30]


def test_drop_frame_ends_where_the_list_says_so(tmp_path: Path) -> None:
    lines = ["FCM: DROP FRAME", event("00:00:00:00", "00:01:00:02"), "FCM: NON-DROP FRAME"]
    assert shots(tmp_path, *lines, event("00:01:00:02", "00:02:00:00"), rate=NTSC) == [0, 1802]


@pytest.mark.parametrize("rate", [NTSC, Fraction(60000, 1001)])
def test_frames_from_midnight_are_what_advancing_counts(rate: Fraction) -> None:
    for frame in (0, 1799, 1800, 3599, 3600, 17981, 17982, 35964, 107892, 2_000_000):
        assert frame_of(advance("00:00:00;00", frame, rate=rate), rate=rate, drop=True) == frame


FIRST = event("01:00:00:00", "01:00:02:00")
BAD = {
    "text": (["no list at all"], "contains no video events"),
    "nothing": ([""], "contains no video events"),
    "sound alone": ([event("01:00:00:00", "01:00:02:00", "A2 C")], "contains no video events"),
    "a time too few": (["001 AX V C 00:00:00:00 00:00:01:00 01:00:00:00"], "line 1: is not an event: '001 AX V C"),
    "no number": ([FIRST, FIRST.replace("001", "x01")], "line 2: is not an event"),
    "no track": ([FIRST.replace("V C", "")], "line 1: has no track and edit"),
    "an unknown edit": ([event("01:00:00:00", "01:00:02:00", "V Q")], "line 1: has no track and edit"),
    "a dissolve without length": (
        [event("01:00:00:00", "01:00:02:00", "V D")],
        "line 1: a dissolve or wipe has a number",
    ),
    "a cut with one": ([event("01:00:00:00", "01:00:02:00", "V C 024")], "line 1: a dissolve or wipe has a number"),
    "a dissolve that is too long": (
        [event("01:00:00:00", "01:00:00:10", "V D 024")],
        "takes 24 frames, its event only 10",
    ),
    "backwards": ([event("01:00:02:00", "01:00:01:00")], "line 1: the record ends at 01:00:01:00"),
    "not sorted": (
        [FIRST, event("00:59:00:00", "00:59:10:00")],
        "line 2: its shot does not begin after that of line 1",
    ),
    "twice": ([FIRST, "", FIRST], "line 3: its shot does not begin after that of line 1"),
    "another rate": ([event("01:00:00:24", "01:00:02:00")], "line 1: 01:00:00:24 counts more than the 24 frames"),
    "no time": ([event("01:60:00:00", "01:61:02:00")], "line 1: 01:60:00:00 is not a time of day"),
    "drop-frame at 24": (["FCM: DROP FRAME", FIRST], "line 1: is drop-frame"),
    "drop-frame marks at 24": ([event("01:00:00;00", "01:00:02;00")], "line 1: is drop-frame"),
}


@pytest.mark.parametrize(("lines", "words"), BAD.values(), ids=BAD.keys())
def test_a_list_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, lines: list[str], words: str) -> None:
    path = write(tmp_path, "\n".join(lines))
    with pytest.raises(InputError) as refused:
        read_edl(path, rate=Fraction(24))
    message = str(refused.value)
    assert message.startswith(str(path))
    assert words in message
    assert "\n" not in message


def test_a_number_that_drop_frame_leaves_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 1: 00:01:00;01 is a number that drop-frame timecode skips"):
        shots(tmp_path, event("00:01:00;01", "00:02:00;02"), rate=NTSC)


def test_what_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.edl").write_bytes(bytes(range(256)) * 40)
    with pytest.raises(UnreadableFileError, match=r"a\.edl"):
        read_edl(tmp_path / "a.edl", rate=NTSC)
    with pytest.raises(MissingFileError, match=r"no such file.*24,48"):
        read_edl(tmp_path / "b.edl", rate=NTSC)
