"""A grade: the colour transforms decided for a clip, on its shots' timelines."""

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from chromacord.color.transforms import LARGEST, ColorTransform, weighted_mean
from chromacord.errors import InputError, NonFiniteError
from chromacord.grade.by_hand import NO_HAND, NONE, Hand, Hands

Consistency = Literal["shot", "smooth", "frame"]
"""How a grade may change within a shot: not at all, smoothly, or independently in each frame."""

ANY_LENGTH = 2**31 - 1
"""Number of frames in a grade for clips of any length."""

LEAST_STEP = 1 / 4096
"""Minimum step of a grade between two keys. It moves in equal steps, at most one per frame, and each step changes at
least one parameter by this much: a sixteenth of an 8-bit code is invisible, but each new LUT costs 2 ms of CPU time."""


@dataclass(frozen=True)
class Key:
    """The decision for one analysed frame."""

    index: int
    """Frame number, counted from the start of the clip."""

    weight: float
    """Weight in means: the foreground's share of the picture, times `confidence` if known."""

    transform: ColorTransform
    """For one picture (N = 1)."""

    confidence: float | None = None
    """Estimated probability that the grade improves the match; None: the method does not estimate it."""

    def __post_init__(self) -> None:
        """Check the numbers, which float32 arithmetic could otherwise turn into infinity or NaN later.

        Raises:
            NonFiniteError: a number is not finite or too large; names it.
        """
        # Negated, here and below, because every comparison with NaN is false.
        if not (np.abs(self.transform.parameters) <= LARGEST).all():
            raise NonFiniteError(f"the grade is not finite, or has numbers beyond {LARGEST:g}")
        if not 0 <= self.weight <= LARGEST:
            raise NonFiniteError(f"the weight must be a finite number of 0 or more, got {self.weight}")


@dataclass(frozen=True)
class Shot:
    """The frames between two cuts, and their keys."""

    start: int
    stop: int
    """End of the shot, half-open."""

    keys: tuple[Key, ...]
    """Keys in order. Empty if the mask is empty or full in all frames: the shot then passes through unchanged."""

    hand: Hand = NO_HAND
    """Manual changes to the grade."""

    def at(self, index: int) -> ColorTransform | None:
        """Return the transform of a frame: blended between two keys, constant before the first and after the last.

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
        # With a quantized share, consecutive frames get the same transform, which renderers prepare only once.
        share = round(share * steps) / steps
        # The key's own object, not an equal blend: renderers tell by identity that a LUT is prepared already.
        if share in (0, 1):
            return after if share else before
        return weighted_mean([before, after], [1 - share, share])

    @cached_property
    def _blended(self) -> tuple[ColorTransform, ...]:
        """The keys' transforms with manual changes; cached, because renderers compare transforms by identity."""
        return tuple(self.hand(key.transform) for key in self.keys)

    @property
    def is_unchanged(self) -> bool:
        """Whether the shot passes through unchanged."""
        return self.hand.strength == NONE and self.hand.turn.is_neutral

    def by_hand(self, hand: Hand) -> "Shot":
        """Return the shot with manual changes added; see `Grade.by_hand`."""
        # `Hand` applies its strength before its adjustments. A new strength must weaken the result of earlier
        # adjustments, so these are applied to the keys first.
        before = self if self.hand.only_weakens else self.settled
        return replace(before, hand=replace(hand, strength=before.hand.strength * hand.strength))

    @property
    def moves(self) -> bool:
        """Whether its grade changes visibly from key to key."""
        keys = [key.transform.parameters for key in self.keys]
        return any(
            each.shape != keys[0].shape or np.abs(each - keys[0]).max(initial=0) > LEAST_STEP for each in keys[1:]
        )

    @property
    def settled(self) -> "Shot":
        """The same shot with manual changes applied to its keys."""
        keys = (replace(key, transform=now) for key, now in zip(self.keys, self._blended, strict=True))
        return replace(self, keys=tuple(keys), hand=NO_HAND)

    @property
    def confidence(self) -> float | None:
        """Mean confidence of the keys; None if the method does not estimate it."""
        return confidence_of(self.keys)

    def mean(self) -> ColorTransform | None:
        """Return the mean transform of the whole shot, with manual changes."""
        # The mean comes first: contrast is a power, so a mean of changed keys would differ from the change of their
        # mean, which is what a constant grade renders.
        return self.hand(mean_of(self.keys)) if self.keys else None


@dataclass(frozen=True)
class Grade:
    """The decisions for a clip. Frames outside all shots pass through unchanged."""

    shots: tuple[Shot, ...]
    """Shots in order, without overlap."""

    method: str
    consistency: Consistency
    rate: Fraction
    """Frames per second."""

    num_frames: int

    def shot_at(self, index: int) -> Shot | None:
        """Return the shot that contains a frame; None if there is none."""
        following = bisect_right(self.shots, index, key=lambda shot: shot.start)
        shot = self.shots[following - 1] if following else None
        return shot if shot is not None and index < shot.stop else None

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of all shots."""
        return tuple(key for shot in self.shots for key in shot.keys)

    def by_hand(self, hand: Hand | Hands) -> "Grade":
        """Return the grade with manual changes added after earlier ones.

        Args:
            hand: the changes; the strength multiplies that of every shot.

        Raises:
            InputError: the grade varies across the picture, and earlier changes need a LUT; or a shot does not exist.
        """
        hand.check(len(self.shots))
        changed = (shot.by_hand(hand.of_shot(number)) for number, shot in enumerate(self.shots, start=1))
        return replace(self, shots=tuple(changed))


def check_consistency(consistency: str) -> None:
    """Check a value of `Consistency`.

    Raises:
        InputError: it is unknown; lists the known ones.
    """
    if consistency not in get_args(Consistency):
        raise InputError(f"consistency must be one of {', '.join(get_args(Consistency))}, got {consistency!r}")


def mean_of(keys: tuple[Key, ...]) -> ColorTransform:
    """Return the weighted mean of the keys' transforms."""
    weights = [key.weight for key in keys]
    # A foreground of a few pixels can round to a weight of 0 in every analysed frame.
    return weighted_mean([key.transform for key in keys], weights if sum(weights) > 0 else [1.0] * len(keys))


def confidence_of(keys: tuple[Key, ...]) -> float | None:
    """Return the mean confidence of keys; None if the method does not estimate it."""
    known = [key.confidence for key in keys if key.confidence is not None]
    return sum(known) / len(known) if known else None


def _index(key: Key) -> int:
    return key.index
