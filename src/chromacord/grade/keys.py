"""A grade: the colour transforms decided for a clip, on the time lines of its shots."""

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from chromacord.color.transforms import LARGEST, ColorTransform, weighted_mean
from chromacord.errors import InputError, NonFiniteError
from chromacord.grade.by_hand import NO_HAND, NONE, Hand

Consistency = Literal["shot", "smooth", "frame"]
"""How a grade may change inside a shot: not at all, slowly, or freely from frame to frame."""

ANY_LENGTH = 2**31 - 1
"""What a grade has for its number of frames that fits a clip of any length."""

LEAST_STEP = 1 / 4096
"""Between two keys a grade moves in equal steps, as many as there are frames, but none smaller than this in all of its
parameters: a sixteenth of an 8-bit code, which is invisible, while each new LUT costs 2 ms of CPU."""


@dataclass(frozen=True)
class Key:
    """What was decided at one analysed frame."""

    index: int
    """Frame, counted from the start of the clip."""

    weight: float
    """How much it counts in means: the share of the picture that is foreground, times `confidence` if that is known."""

    transform: ColorTransform
    """For one picture (N = 1)."""

    confidence: float | None = None
    """How far the method trusts it, in [0, 1]; None: the method cannot tell."""

    def __post_init__(self) -> None:
        """Refuse numbers that arithmetic in float32 would turn into infinity or NaN further on.

        Raises:
            NonFiniteError: says which.
        """
        if not (np.abs(self.transform.parameters) <= LARGEST).all():
            raise NonFiniteError(f"the grade is not finite, or has numbers beyond {LARGEST:g}")
        if not 0 <= self.weight <= LARGEST:
            raise NonFiniteError(f"the weight must be a finite number of 0 or more, got {self.weight}")


@dataclass(frozen=True)
class Shot:
    """The frames between two cuts, and their keys."""

    start: int
    stop: int
    """Half-open."""

    keys: tuple[Key, ...]
    """In order. Empty when the mask was empty or full in all frames: then the shot passes through."""

    hand: Hand = NO_HAND
    """What is changed of the grade by hand."""

    def at(self, index: int) -> ColorTransform | None:
        """Return the transform of a frame: before the first key and after the last it, between two their blend.

        The blend moves in steps of `LEAST_STEP` or more.
        """
        if not self.keys or self.is_unchanged:
            return None
        following = bisect_right(self.keys, index, key=_index)
        left, right = max(following - 1, 0), min(following, len(self.keys) - 1)
        before, after = self._blended[left], self._blended[right]
        if left == right or index <= self.keys[left].index:
            return before
        share = (index - self.keys[left].index) / (self.keys[right].index - self.keys[left].index)
        way = float(np.abs(after.parameters - before.parameters).max(initial=0))
        steps = max(1, math.ceil(way / LEAST_STEP))
        share = round(share * steps) / steps
        if share in (0, 1):
            return after if share else before
        return weighted_mean([before, after], [1 - share, share])

    @cached_property
    def _blended(self) -> tuple[ColorTransform, ...]:
        """The keys' transforms by hand, made once: a renderer knows a transform again by its identity."""
        return tuple(self.hand(key.transform) for key in self.keys)

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing of the grade is applied, and nothing after it."""
        return self.hand.strength == NONE and self.hand.turn.is_neutral

    def by_hand(self, hand: Hand) -> "Shot":
        """Return the shot changed by hand; see `Grade.by_hand`."""
        before = self if self.hand.only_weakens else self.settled
        return replace(before, hand=replace(hand, strength=before.hand.strength * hand.strength))

    @property
    def settled(self) -> "Shot":
        """The same shot with what a hand did in its keys."""
        keys = (replace(key, transform=now) for key, now in zip(self.keys, self._blended, strict=True))
        return replace(self, keys=tuple(keys), hand=NO_HAND)

    @property
    def confidence(self) -> float | None:
        """The mean of the keys' confidence; None where the method cannot tell."""
        return confidence_of(self.keys)

    def mean(self) -> ColorTransform | None:
        """Return the one transform that stands for the whole shot, with what a hand did."""
        return self.hand(mean_of(self.keys)) if self.keys else None


@dataclass(frozen=True)
class Grade:
    """The decisions for a clip. Frames in no shot pass through."""

    shots: tuple[Shot, ...]
    """In order, without overlap."""

    method: str
    consistency: Consistency
    rate: Fraction
    """Frames a second."""

    num_frames: int

    def shot_at(self, index: int) -> Shot | None:
        """Return the shot that a frame lies in."""
        following = bisect_right(self.shots, index, key=lambda shot: shot.start)
        shot = self.shots[following - 1] if following else None
        return shot if shot is not None and index < shot.stop else None

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of all shots."""
        return tuple(key for shot in self.shots for key in shot.keys)

    def by_hand(self, hand: Hand) -> "Grade":
        """Return the grade weakened and changed by hand, after what was done by hand before.

        Args:
            hand: its strength multiplies that of every shot.

        Raises:
            InputError: the grade depends on the place, and the hand did before what only a LUT can hold.
        """
        return replace(self, shots=tuple(shot.by_hand(hand) for shot in self.shots))


def check_consistency(consistency: str) -> None:
    """Refuse a word that is none of `Consistency`.

    Raises:
        InputError: lists the words.
    """
    if consistency not in get_args(Consistency):
        raise InputError(f"consistency must be one of {', '.join(get_args(Consistency))}, got {consistency!r}")


def mean_of(keys: tuple[Key, ...]) -> ColorTransform:
    """Return the mean of the keys' transforms, weighted by their evidence."""
    weights = [key.weight for key in keys]
    return weighted_mean([key.transform for key in keys], weights if sum(weights) > 0 else [1.0] * len(keys))


def confidence_of(keys: tuple[Key, ...]) -> float | None:
    """Return the mean of the keys' confidence; None where the method cannot tell."""
    known = [key.confidence for key in keys if key.confidence is not None]
    return sum(known) / len(known) if known else None


def _index(key: Key) -> int:
    return key.index
