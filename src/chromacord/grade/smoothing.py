"""Smooth keys over time: within one shot, or over several shots of a scene."""

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self

from chromacord.color.transforms import weighted_mean
from chromacord.errors import InputError, counted
from chromacord.grade.keys import Consistency, Grade, Key, confidence_of, mean_of
from chromacord.parsing import shown

SMOOTHING_SECONDS = 1.0
"""Reach of the smoothing in either direction. The whole window is twice the period of visible flicker (above 1 Hz), and
short enough to follow changes of the background's light."""


class Smoothing:
    """Smooths the keys of one shot as a stream: each is returned as soon as its neighbours are known."""

    def __init__(self, consistency: Consistency, rate: Fraction) -> None:
        """Start a shot.

        Args:
            consistency: "shot" returns one key, the mean; "smooth" averages each key with its neighbours within
                `SMOOTHING_SECONDS`, weighted by a raised cosine; "frame" changes nothing.
            rate: frames per second.
        """
        self._consistency, self._reach = consistency, SMOOTHING_SECONDS * float(rate)
        self._held: list[Key] = []
        """With "shot" all keys, with "smooth" those that later keys may be averaged with."""

        self._num_done = 0
        """Number of held keys that have been returned."""

    def push(self, key: Key) -> list[Key]:
        """Take the next key, and return the keys that it completes."""
        if self._consistency == "frame":
            return [key]
        self._held.append(key)
        made: list[Key] = []
        # A neighbour at exactly the reach has weight 0, so a key that far ahead already completes this one.
        while self._consistency == "smooth" and key.index >= self._held[self._num_done].index + self._reach:
            made.append(_smoothed(self._held[self._num_done], self._held, self._reach))
            following = self._held[self._num_done + 1]
            # Keys farther back are not needed for later means.
            passed = bisect_right(self._held, following.index - self._reach, key=_index)
            del self._held[:passed]
            self._num_done += 1 - passed
        return made

    def finish(self) -> list[Key]:
        """Return the remaining keys at the end of the shot."""
        held, left = tuple(self._held), self._held[self._num_done :]
        if self._consistency == "smooth":
            return [_smoothed(center, held, self._reach) for center in left]
        return [_standing_for(held)] if held else []


def _smoothed(center: Key, keys: Sequence[Key], reach: float) -> Key:
    first = bisect_right(keys, center.index - reach, key=_index)
    near = keys[first : bisect_left(keys, center.index + reach, key=_index)]
    # The minimum weight keeps the sum above 0 where all foregrounds are tiny. The cosine is 0 at the reach, so that
    # keys enter and leave the mean without a step.
    weights = [max(key.weight, 1e-6) * (1 + math.cos(math.pi * (key.index - center.index) / reach)) for key in near]
    return replace(center, transform=weighted_mean([key.transform for key in near], weights))


def _index(key: Key) -> int:
    return key.index


# The number of digits is limited because a range becomes a set of all its shots.
_SHOTS = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?", re.ASCII)


@dataclass(frozen=True)
class Scenes:
    """Groups of shots that share one grade."""

    is_all: bool = False
    """Treat the whole clip as one scene."""

    groups: tuple[frozenset[int], ...] = ()
    """Shots of each scene, counted from 1. No shot is in two scenes."""

    @classmethod
    def parse(cls, *, lock: bool, match: str | Sequence[str]) -> Self:
        """Parse the shots of each scene, as in "1,3-5".

        Args:
            lock: all shots form one scene.
            match: shots of one scene, or a list with those of each scene.

        Raises:
            InputError: the text is not a list of shots, a shot is in two scenes, or both options are given.
        """
        texts = [match] if isinstance(match, str) else list(match)
        if lock and texts:
            raise InputError("lock already gives all shots one grade; omit one of lock and match")
        groups = [_shots(text) for text in texts]
        for number, group in enumerate(groups):
            if twice := group & frozenset().union(*groups[:number]):
                raise InputError(f"match {shown(texts[number])}: shot {min(twice)} is already matched to other shots")
        return cls(lock, tuple(groups))

    def __bool__(self) -> bool:
        """Whether any shots share a grade."""
        return self.is_all or bool(self.groups)

    def of(self, num_shots: int) -> tuple[frozenset[int], ...]:
        """Return the indices of each scene's shots in a clip, counted from 0.

        Raises:
            InputError: the clip has fewer shots.
        """
        if self.is_all:
            return (frozenset(range(num_shots)),)
        last = max((max(group) for group in self.groups), default=0)
        if last > num_shots:
            raise InputError(
                f"match: there is no shot {last}, the clip has {counted(num_shots, 'shot')}; shots are counted from 1, "
                "and --cuts (cuts) says where they begin"
            )
        return tuple(frozenset(number - 1 for number in group) for group in self.groups)


NO_SCENES = Scenes()


def _shots(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        read = _SHOTS.fullmatch(part.strip())
        first, last = (int(read[1]), int(read[2] or read[1])) if read else (0, 0)
        if not 1 <= first <= last:
            raise InputError(f"match {shown(text)}: are not shots; give their numbers, counted from 1, such as 1,3-5")
        found.update(range(first, last + 1))
    return frozenset(found)


def locked(grade: Grade, scenes: Scenes) -> Grade:
    """Give all shots of a scene their mean grade.

    Args:
        grade: each shot is weighted by its evidence, however many keys it has.
        scenes: their shots; shots without keys stay unchanged.

    Raises:
        InputError: a shot does not exist, or a scene's grades are of different kinds.
    """
    shots = list(grade.shots)
    for scene in scenes.of(len(shots)):
        # One key for each shot first: a long shot has more keys, but no more evidence than its best frame.
        keys = {place: _standing_for(shots[place].keys) for place in sorted(scene) if shots[place].keys}
        if len({(key.transform.kind, key.transform.parameters.shape) for key in keys.values()}) > 1:
            listed = ", ".join(str(place + 1) for place in keys)
            raise InputError(
                f"shots {listed}: their grades are of different kinds, which have no mean; do not match them"
            )
        mean = mean_of(tuple(keys.values())) if keys else None
        for place, key in keys.items():
            assert mean is not None
            shots[place] = replace(shots[place], keys=(replace(key, transform=mean),))
    return replace(grade, shots=tuple(shots))


def _standing_for(keys: tuple[Key, ...]) -> Key:
    """Return one key with the mean of a shot's keys, placed where its evidence is best."""
    middle = max(keys, key=lambda key: key.weight)
    return replace(middle, transform=mean_of(keys), confidence=confidence_of(keys))
