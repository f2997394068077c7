"""The sample's portrait before a screen, with the matte that it was mixed by."""

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from chromacord.color.alpha import over
from chromacord.sample.scene import ASTRONAUT, cut_out, read_photograph, spill_inwards
from chromacord.types import FloatArray

GREEN, BLUE = (0.16, 0.66, 0.28), (0.12, 0.25, 0.75)


class Shot(NamedTuple):
    """One frame, RGB in [0, 1], with its true matte and its background. Shapes (H, W, 3) and (H, W)."""

    picture: FloatArray
    matte: FloatArray
    plate: FloatArray


@cache
def portrait() -> tuple[FloatArray, FloatArray]:
    photograph = read_photograph(ASTRONAUT)
    matte = cut_out(photograph)
    return spill_inwards(photograph, matte), matte


def before_a_screen(
    color: tuple[float, float, float] = GREEN, *, noise: float = 0.008, uneven: float = 0.12, spill: float = 0.1
) -> Shot:
    """Mix the portrait with an unevenly lit screen; light of the screen falls on it too."""
    actor, matte = portrait()
    light = 1 + uneven * np.linspace(-1, 1, matte.shape[1], dtype=np.float32)[None, :, None]
    screen = np.broadcast_to(np.float32(color) * light, actor.shape).astype(np.float32)
    edge = cv2.GaussianBlur(1 - matte, (0, 0), 20)[..., None]
    lit = actor + np.float32(spill) * edge * np.float32(color)
    return _filmed(lit, screen, matte, noise)


def before_a_plate(plate: FloatArray, *, noise: float = 0.008) -> Shot:
    """Mix the portrait with any picture."""
    actor, matte = portrait()
    return _filmed(actor, plate, matte, noise)


def _filmed(actor: FloatArray, behind: FloatArray, matte: FloatArray, noise: float) -> Shot:
    random = np.random.default_rng(0)
    grain = noise * random.standard_normal(actor.shape)
    mixed = over(actor, behind, matte[..., None]) + grain
    return Shot(np.clip(mixed, 0, 1).astype(np.float32), matte, behind)


def sad(matte: FloatArray, truth: FloatArray) -> float:
    """Return the sum of absolute differences in thousands of pixels, as benchmarks of matting do."""
    return float(np.abs(matte - truth).sum()) / 1000
