"""Differences of the sample's portrait to pictures behind it, against the matte that it was mixed by."""

import cv2
import numpy as np
from skimage.data import coffee

from chromacord.matte.levels import Levels
from chromacord.matte.plate import plate_matte
from chromacord.types import FloatArray
from tests.matte.greenscreen import before_a_plate, portrait, sad


def table() -> FloatArray:
    height, width = portrait()[1].shape
    picture = coffee().astype(np.float32) / np.float32(255)
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def noisy(plate: FloatArray, noise: float = 0.008) -> FloatArray:
    grain = noise * np.random.default_rng(1).standard_normal(plate.shape)
    return np.clip(plate + grain, 0, 1).astype(np.float32)


def test_what_is_not_on_the_plate_is_found() -> None:
    """Of 137.7 thousand pixels of coverage, before a table that is as red as the portrait."""
    shot = before_a_plate(table())
    matte = plate_matte(shot.picture, noisy(shot.plate))
    assert sad(matte, shot.matte) < 1.2
    assert matte[cv2.erode(1 - np.ceil(shot.matte), np.ones((9, 9))) == 1].max() == 0


def test_a_plate_of_another_exposure_is_brought_to_the_clip_s() -> None:
    shot = before_a_plate(table())
    matte = plate_matte(shot.picture, noisy(shot.plate) * np.float32(0.93))
    assert sad(matte, shot.matte) < 2


def test_strong_noise_is_no_foreground() -> None:
    shot = before_a_plate(table(), noise=0.04)
    matte = plate_matte(shot.picture, noisy(shot.plate, 0.04))
    assert (matte[shot.matte == 0] > 0.5).mean() < 0.01
    assert (matte[shot.matte == 1] < 0.5).mean() < 0.2  # an orange suit before an orange table


def test_the_plate_itself_has_an_empty_matte() -> None:
    plate = table()
    assert plate_matte(noisy(plate), plate).max() == 0
    assert plate_matte(plate, plate).max() == 0


def test_soft_pixels_are_unmixed_with_the_plate() -> None:
    plate = np.full((240, 240, 3), 0.2, np.float32)
    truth = np.clip((np.arange(240, dtype=np.float32)[None] - 150) / 3, 0, 1).repeat(240, axis=0)
    picture = plate + truth[..., None] * np.float32(0.6)
    matte = plate_matte(picture, plate)
    assert np.abs(matte - truth).max() < 0.35
    assert np.abs(matte - truth).mean() < 0.002
    stretched = plate_matte(picture, plate, Levels(0.4, 0.6))
    assert ((stretched > 0) & (stretched < 1)).sum() < ((matte > 0) & (matte < 1)).sum()
