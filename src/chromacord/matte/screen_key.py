"""Make a matte from the colour of a green or blue screen behind the foreground.

A colour-difference key (Vlahos, US patent 3,595,987; Smith and Blinn, "Blue Screen Matting", 1996) in the plane of
chroma, so that any saturated colour can be the screen: a pixel's share of the screen is its chroma in the screen's
direction, minus its deviation from that direction. For pure green this is G - max(R, B). Colours at least 60 degrees of
hue from the screen's contain none of it, and are opaque at any brightness.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from chromacord.errors import InputError
from chromacord.matte.levels import Levels
from chromacord.parsing import parse_numbers, shown
from chromacord.types import FloatArray

NAMED: dict[str, tuple[float, float, float]] = {"green": (0, 1, 0), "blue": (0, 0, 1)}
"""Screens by name, as RGB in [0, 1]."""

_TO_CHROMA = np.array([[2, -1, -1], [0, 3**0.5, -(3**0.5)]], np.float32) / np.float32(6**0.5)
"""From RGB to an orthonormal basis of the plane of equal sums. Shape (2, 3)."""

_TURN = np.float32(3**-0.5)
"""The cotangent of 60 degrees."""

_GREY = 0.1
"""Chroma below which a colour has no hue to key by."""

_LEAST_SHARE = 0.02
"""Minimum share of the pixels that a screen must have."""

_SURE, _FLAT = 0.5, 0.85
"""Minimum strength of bare screen pixels, relative to the screen's; and minimum of a cell relative to its mean, which
is lower if some of its pixels are mixed."""

_SPREAD = 12
"""The light on a screen is smooth over this fraction of the picture's height."""

_BLACK_PERCENTILE, _WHITE_PERCENTILE = 99.5, 3
_MOST_BLACK, _LEAST_WHITE = 0.25, 0.6


class ScreenKey:
    """Keys the frames of a clip by the colour of their screen.

    The screen's hue and strength, and the levels that become black and white, are measured once on a few frames, so
    that the matte does not flicker. Uneven light is measured in each frame, from the bare screen around each pixel.
    """

    def __init__(self, color: str, samples: Sequence[FloatArray], levels: Levels | None = None) -> None:
        """Measure the screen.

        Args:
            color: "green", "blue", or "R,G,B" in 8-bit codes.
            samples: some frames, RGB in [0, 1]. Shape (H, W, 3) each.
            levels: the raw coverage that becomes black and white; None: chosen from the samples. Black lies above
                the noise of the bare screen, white below the spill on the foreground.

        Raises:
            InputError: the colour is invalid, grey, or not in the samples.
        """
        # Every fourth pixel in each direction is enough for a median.
        pixels = np.concatenate([sample[::4, ::4].reshape(-1, 3) for sample in samples])
        self._direction = _direction(parse_color(color))
        reach = self._difference(pixels[None])[0]
        found = reach > _GREY
        if found.mean() < _LEAST_SHARE:
            raise InputError(
                f"--key {shown(color)}: hardly any of the clip has this colour; give the colour of its screen as "
                "R,G,B in codes from 0 to 255, such as 40,170,60"
            )
        screen = pixels[found & (reach >= np.median(reach[found]) * _SURE)]
        self.screen: FloatArray = np.median(screen, axis=0).astype(np.float32)
        """Colour of the screen, RGB in [0, 1]. Shape (3,)."""
        # Measured again, because the user's hue is approximate.
        self._direction = _direction(self.screen)
        self._strength = float(self._difference(self.screen[None, None])[0, 0])
        self.levels = levels or self._choose_levels([self._raw(sample) for sample in samples])
        """Levels of the raw coverage that become 0 and 1."""

    @property
    def choice(self) -> str:
        """Description of what was measured."""
        red, green, blue = np.rint(self.screen * 255).astype(int)
        return f"screen {red},{green},{blue}, clipped at {self.levels.black:.2f} and {self.levels.white:.2f}"

    def matte(self, picture: FloatArray) -> FloatArray:
        """Return the coverage of a frame, in [0, 1]. Shape (H, W).

        Args:
            picture: RGB in [0, 1]. Shape (H, W, 3).
        """
        return self.levels.stretch(self._raw(picture))

    def _difference(self, picture: FloatArray) -> FloatArray:
        """Return the pixels' component in the screen's direction; below 0 for other hues. Shape (H, W)."""
        turned = np.stack([self._direction, [-self._direction[1], self._direction[0]]])
        chroma = cv2.transform(picture, (turned @ _TO_CHROMA).astype(np.float32))
        difference: FloatArray = chroma[..., 0] - np.abs(chroma[..., 1]) * _TURN
        return difference

    def _raw(self, picture: FloatArray) -> FloatArray:
        """Return 1 minus the share of the screen's strength; not clipped. Shape (H, W)."""
        difference = self._difference(picture)
        raw: FloatArray = 1 - difference / self._local_strength(difference)
        return raw

    def _local_strength(self, difference: FloatArray) -> FloatArray:
        """Return the strength of the screen behind each pixel, from the bare screen around it. Shape (H, W)."""
        height, width = difference.shape
        step = max(1, height // 90)
        small = (max(1, width // step), max(1, height // step))
        # A cell with any mixed pixel does not count as bare, so edges do not lower the mean.
        window = np.ones((2 * step + 1, 2 * step + 1))
        smooth = cv2.blur(difference, (3, 3))
        least = cv2.resize(cv2.erode(smooth, window), small, interpolation=cv2.INTER_NEAREST)
        mean = cv2.resize(difference, small, interpolation=cv2.INTER_AREA)
        is_bare = ((mean > _SURE * self._strength) & (least > _FLAT * mean)).astype(np.float32)
        sigma = max(1.0, small[1] / _SPREAD)
        share = cv2.GaussianBlur(is_bare, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        total = cv2.GaussianBlur(mean * is_bare, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        prior = np.float32(0.01)
        # Where no bare screen is near, this blends to the strength of the whole clip without a seam.
        local = (total + prior * self._strength) / (share + prior)
        enlarged: FloatArray = cv2.resize(local, (width, height), interpolation=cv2.INTER_LINEAR)
        return enlarged

    def _choose_levels(self, raws: Sequence[FloatArray]) -> Levels:
        bare, solid = [], []
        for raw in raws:
            reach = max(1, raw.shape[0] // 100)
            window = np.ones((2 * reach + 1,) * 2)
            # Only away from edges, whose mixed pixels are neither bare nor solid.
            bare.append(raw[cv2.dilate(raw, window) < 0.5])
            solid.append(raw[cv2.erode(raw, window) > 0.5])
        black = _percentile(np.concatenate(bare), _BLACK_PERCENTILE, 0.0)
        white = _percentile(np.concatenate(solid), _WHITE_PERCENTILE, 1.0)
        return Levels(min(max(black, 0.0), _MOST_BLACK), max(min(white, 1.0), _LEAST_WHITE))


def parse_color(text: str) -> FloatArray:
    """Return a screen's colour: "green", "blue", or "R,G,B" in 8-bit codes.

    Returns:
        RGB in [0, 1]. Shape (3,).

    Raises:
        InputError: the text is something else, or the colour is grey.
    """
    if text in NAMED:
        return np.array(NAMED[text], np.float32)
    codes = np.array(parse_numbers(text), np.float32)
    if codes.shape != (3,) or not (codes >= 0).all() or not (codes <= 255).all():
        raise InputError(f"--key {shown(text)}: is not a colour; give green, blue, or R,G,B in codes from 0 to 255")
    color: FloatArray = codes / np.float32(255)
    if np.linalg.norm(_TO_CHROMA @ color) < _GREY:
        raise InputError(f"--key {shown(text)}: is grey; a key needs a colour, use --plate for a grey background")
    return color


def _direction(color: FloatArray) -> FloatArray:
    chroma = _TO_CHROMA @ color
    direction: FloatArray = chroma / np.linalg.norm(chroma)
    return direction


def _percentile(values: FloatArray, percent: float, otherwise: float) -> float:
    return float(np.percentile(values, percent)) if len(values) else otherwise
