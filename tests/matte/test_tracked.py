"""A textured disc that moves over another texture, with its true matte."""

import cv2
import numpy as np
import pytest

from chromacord.errors import InputError
from chromacord.matte.soft_edge import soft_edge
from chromacord.matte.tracked import LOST, TrackedMatte, parse_box
from chromacord.types import Box, FloatArray, Size
from tests.footage import disc

SIZE = Size(180, 240)


def texture(seed: int, color: tuple[float, float, float]) -> FloatArray:
    grain = np.random.default_rng(seed).standard_normal((*SIZE, 1)).astype(np.float32)
    waves = cv2.GaussianBlur(grain, (0, 0), 3)[..., None]
    return np.clip(np.float32(color) + waves * 0.6, 0, 1).astype(np.float32)


ACTOR, GROUND = texture(0, (0.7, 0.35, 0.3)), texture(1, (0.3, 0.4, 0.45))


def frame(index: int) -> tuple[FloatArray, FloatArray]:
    """Return a picture and its matte. The texture moves with the disc, 5 pixels a frame."""
    matte = disc(index, SIZE).astype(np.float32) / 255
    actor = np.roll(ACTOR, round(0.02 * SIZE.width) * index, axis=1)
    return matte[..., None] * actor + (1 - matte[..., None]) * GROUND, matte


def overlap(one: FloatArray, other: FloatArray) -> float:
    one, other = one > 0.5, other > 0.5
    return float((one & other).sum() / (one | other).sum())


def test_what_a_box_holds_is_followed() -> None:
    tracked = TrackedMatte(Box(35, 30, 145, 140))
    for index in range(8):
        picture, truth = frame(index)
        matte = tracked.matte(picture)
        assert overlap(matte, truth) > 0.95, index
        assert np.abs(matte - truth).mean() < 0.01, index
    assert tracked.lost_at is None
    assert tracked.confidence > 0.75


def test_at_a_cut_the_foreground_is_lost() -> None:
    tracked = TrackedMatte(Box(35, 30, 145, 140))
    for index in range(3):
        tracked.matte(frame(index)[0])
    after = [tracked.matte(GROUND[::-1, ::-1].copy()) for _ in range(2)]
    assert tracked.lost_at == 3
    assert tracked.confidence < LOST
    assert max(matte.max() for matte in after) == 0


def test_large_pictures_are_cut_out_at_full_size() -> None:
    actor, ground, blurred = (cv2.resize(part, None, fx=5, fy=5) for part in (ACTOR, GROUND, frame(0)[1]))
    truth = np.clip((blurred - 0.5) * 5 + 0.5, 0, 1)
    picture = truth[..., None] * actor + (1 - truth[..., None]) * ground
    matte = TrackedMatte(Box(175, 150, 725, 700)).matte(picture)
    assert matte.shape == truth.shape
    assert overlap(matte, truth) > 0.95


def test_a_box_is_read_and_kept_inside() -> None:
    assert parse_box("10,20,30,40", SIZE, "c") == Box(20, 10, 60, 40)
    assert parse_box("-5,-5,50,50", SIZE, "c") == Box(0, 0, 45, 45)


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "0,0,5,100", "500,0,50,50", "0,0,240,180", "0,0,-20,-20"])
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--box"):
        parse_box(text, SIZE, "c")


def test_textures_behind_leave_no_islands_around_the_edge() -> None:
    """Spots of the ground that look like the foreground stay out of the matte, but for pixels at its very edge."""
    picture, truth = frame(0)
    spots = np.random.default_rng(2).random(SIZE) < 0.2
    spots &= truth == 0
    picture[spots] = np.float32([0.7, 0.35, 0.3])
    matte = soft_edge(picture, (truth > 0.5).astype(np.uint8), 4)
    outside = cv2.dilate((truth > 0.5).astype(np.uint8), np.ones((7, 7))) == 0
    assert matte[outside].max() < 0.3
