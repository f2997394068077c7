"""Keys made as steady as asked, inside one shot."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from chromacord.color.transforms import weighted_mean
from chromacord.grade.keys import Consistency, Key, confidence_of, mean_of

SMOOTHING_SECONDS = 1.0
"""Reach of the smoothing to either side. Twice as long as what the eye reads as flicker (above 1 Hz), and short
enough to follow a change of light in the background."""


class Smoothing:
    """Takes the keys of one shot in order, and gives each back, smoothed, as soon as it is known."""

    def __init__(self, consistency: Consistency, rate: Fraction) -> None:
        """Prepare for a shot.

        Args:
            consistency: "shot" leaves one key, the mean; "smooth" averages each key with its neighbours within
                `SMOOTHING_SECONDS` under a raised cosine; "frame" changes nothing.
            rate: frames a second.
        """
        self._consistency, self._reach = consistency, SMOOTHING_SECONDS * float(rate)
        self._held: list[Key] = []
        """With "shot" all keys, with "smooth" those that keys to come may be averaged with."""

        self._num_done = 0
        """Of those that are held, how many have been given."""

    def push(self, key: Key) -> list[Key]:
        """Take the next key, and return those that it completes."""
        if self._consistency == "frame":
            return [key]
        self._held.append(key)
        made: list[Key] = []
        while self._consistency == "smooth" and key.index >= self._held[self._num_done].index + self._reach:
            made.append(_smoothed(self._held[self._num_done], self._held, self._reach))
            following = self._held[self._num_done + 1]
            passed = bisect_right(self._held, following.index - self._reach, key=_index)
            del self._held[:passed]
            self._num_done += 1 - passed
        return made

    def finish(self) -> list[Key]:
        """Return what is left at the end of the shot."""
        held, left = tuple(self._held), self._held[self._num_done :]
        if self._consistency == "smooth":
            return [_smoothed(center, held, self._reach) for center in left]
        if not held:
            return []
        middle = max(held, key=lambda key: key.weight)
        return [replace(middle, transform=mean_of(held), confidence=confidence_of(held))]


def _smoothed(center: Key, keys: Sequence[Key], reach: float) -> Key:
    first = bisect_right(keys, center.index - reach, key=_index)
    near = keys[first : bisect_left(keys, center.index + reach, key=_index)]
    weights = [max(key.weight, 1e-6) * (1 + math.cos(math.pi * (key.index - center.index) / reach)) for key in near]
    return replace(center, transform=weighted_mean([key.transform for key in near], weights))


def _index(key: Key) -> int:
    return key.index
