"""Clicks on the textured disc that moves over another texture."""

import re

import numpy as np
import pytest

from chromacord.errors import InputError
from chromacord.matte.clicks import Click, Seeds, parse_clicks
from chromacord.matte.tracked import TrackedMatte
from chromacord.types import Box, Size
from tests.matte.test_tracked import ACTOR, GROUND, SIZE, frame, overlap


def center(index: int, *, is_inside: bool = True) -> Click:
    """Return a click on the disc's centre."""
    rows, columns = np.nonzero(frame(index)[1] > 0.5)
    return Click(int(rows.mean()), int(columns.mean()), index, is_inside)


def test_what_is_clicked_on_is_followed() -> None:
    tracked = TrackedMatte(None, [center(0)])
    for index in range(6):
        picture, truth = frame(index)
        assert overlap(tracked.matte(picture), truth) > 0.93, index
    assert tracked.lost_at is None
    assert tracked.confidence > 0.7


def test_frames_before_the_first_click_have_no_matte() -> None:
    tracked = TrackedMatte(None, [center(2)])
    mattes = [tracked.matte(frame(index)[0]) for index in range(4)]
    assert [bool(matte.any()) for matte in mattes] == [False, False, True, True]
    assert overlap(mattes[3], frame(3)[1]) > 0.93


def test_a_click_finds_what_was_lost() -> None:
    tracked = TrackedMatte(Box(35, 30, 145, 140), [center(4)])
    pictures = [frame(0)[0], frame(1)[0], GROUND, GROUND, frame(4)[0], frame(5)[0]]
    mattes = [tracked.matte(picture) for picture in pictures]
    assert [bool(matte.any()) for matte in mattes] == [True, True, False, False, True, True]
    assert overlap(mattes[5], frame(5)[1]) > 0.93
    assert tracked.confidence < 0.4


@pytest.mark.parametrize("at", [0, 2])
def test_a_click_outside_takes_a_part_away(at: int) -> None:
    """A patch of the ground has the colours of the disc, and touches it."""
    columns = np.nonzero((frame(2)[1] > 0.5).any(axis=0))[0]
    patch = (slice(60, 120), slice(columns[-1] - 4, columns[-1] + 50))

    def picture(index: int) -> np.ndarray:
        shown, truth = frame(2)
        behind = GROUND.copy()
        behind[patch] = np.float32([0.75, 0.7, 0.2]) + 0.2 * (ACTOR[patch] - ACTOR[patch].mean())
        return truth[..., None] * shown + (1 - truth[..., None]) * behind

    spot = Click(90, int(columns[-1]) + 30, at, is_inside=False)
    clicks = [center(2)._replace(frame=0), Click(90, int(columns[-1]) + 30, 0, is_inside=True)]
    taken = TrackedMatte(None, clicks).matte(picture(0))
    assert taken[spot.row, spot.column] == 1
    tracked = TrackedMatte(None, [clicks[0], spot] if at == 0 else [*clicks, spot, center(2)])
    mattes = [tracked.matte(picture(index)) for index in range(3)]
    assert mattes[-1][spot.row, spot.column] == 0
    assert overlap(mattes[-1], frame(2)[1]) > 0.9


def test_clicks_are_drawn_at_the_reduced_size() -> None:
    seeds = Seeds.of([Click(1079, 1919, 0, True), Click(0, 0, 0, False)], (288, 512), 512 / 1920)
    assert seeds.inside[287, 511] == 1
    assert seeds.outside[0, 0] == 1
    assert 0 < seeds.inside.sum() < 100
    tiny = Seeds.of([Click(0, 0, 0, True)], (1, 1), 1.0)
    assert tiny.inside.tolist() == [[1]]


def test_clicks_are_read() -> None:
    found = parse_clicks(["3,4", "5,6,7"], ["0,0"], SIZE, "c")
    assert found == [Click(4, 3, 0, True), Click(6, 5, 7, True), Click(0, 0, 0, False)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "--click '': is not X,Y or X,Y,FRAME"),
        ("1", "is not X,Y"),
        ("1,2,3,4", "is not X,Y"),
        ("1.5,2", "is not X,Y"),
        ("240,5", "is outside c, which is 240x180"),
        ("-1,5", "is outside c"),
        ("5,180", "is outside c"),
        ("5,5,-1", "frames are counted from 0"),
    ],
)
def test_what_is_no_click_is_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        parse_clicks([text], [], SIZE, "c")


@pytest.mark.parametrize("size", [Size(1, 1), Size(1, 9), Size(9, 1), Size(4, 4), Size(60, 60)])
def test_a_plain_picture_has_nothing_to_click_on(size: Size) -> None:
    with pytest.raises(InputError, match=r"--click: holds nothing that stands out; click on its larger parts"):
        TrackedMatte(None, [Click(0, 0, 0, True)]).matte(np.full((*size, 3), 0.5, np.float32))


def test_a_foreground_at_the_border_is_not_cut_off() -> None:
    """As that of a person whom the frame cuts at the chest."""
    truth = np.zeros(SIZE, np.float32)
    truth[60:, 70:170] = 1
    picture = truth[..., None] * ACTOR + (1 - truth[..., None]) * GROUND
    for click in (Click(120, 120, 0, True), Click(179, 120, 0, True)):
        assert overlap(TrackedMatte(None, [click]).matte(picture), truth) > 0.95
