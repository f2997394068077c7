"""The time line of a clip: what is seen of its frames goes in, frames whose grade is known come out.

It knows neither files nor threads. How far what comes out lags behind depends on the rate and the method, not on the
clip's length: a frame lies between two keys, each of them is smoothed with its neighbours, and a method sees several
frames at once.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from chromacord.analysis.observe import Observation, Seen, turned_as_stored
from chromacord.analysis.windows import WindowOf, Windows
from chromacord.color.distribution import ColorDistribution
from chromacord.color.fitting import fit_affine_field, fit_gains, fit_lut3d
from chromacord.color.transforms import ColorTransform
from chromacord.errors import NonFiniteError
from chromacord.grade.by_hand import NO_HAND, Hand
from chromacord.grade.keys import Consistency, Grade, Key, Shot
from chromacord.grade.smoothing import Smoothing
from chromacord.io.memory import return_freed_memory
from chromacord.masks.packed_masks import PackedMask
from chromacord.methods.base import Method, State, as_frames
from chromacord.types import FloatArray

FITS: dict[str, Callable[[FloatArray, FloatArray, FloatArray], ColorTransform]] = {
    "lut3d": fit_lut3d,
    "gains": fit_gains,
    "field": fit_affine_field,
}
"""What explains a method's pixels, by `Method.fitted`."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A frame whose grade is known."""

    index: int
    mask: PackedMask
    transform: ColorTransform | None
    """None: the frame passes through, since its mask is empty or full."""


class Timeline:
    """Decides the grade of a clip while its frames go by."""

    def __init__(
        self,
        method: Method,
        *,
        rate: Fraction,
        name: str = "",
        consistency: Consistency = "smooth",
        hand: Hand = NO_HAND,
        exportable: bool = False,
        keep_colors: bool = False,
    ) -> None:
        """Prepare; nothing is decided yet.

        Args:
            method: decides. It holds no state of a clip, so several time lines may share it.
            rate: frames a second.
            name: the method's, for the grade.
            consistency: how the grade may change inside a shot.
            hand: what is changed by hand of what comes out; `grade` is as it was decided.
            exportable: decide only what a LUT can hold, also for methods whose grade depends on the place.
            keep_colors: count the foreground's colours too.
        """
        self.method = method
        self._rate, self._name = rate, name
        self._consistency, self._hand, self._exportable = consistency, hand, exportable
        self._shots: list[_ShotLine] = []
        self.first = 0
        """Index of the first frame."""

        self.num_frames = self.num_empty = self.num_full = self.num_analysed = 0
        """Of the frames that have gone by: all; those whose mask is empty, or full; those that the method saw."""

        self.colors: list[ColorDistribution] | None = [] if keep_colors else None
        """Of each shot's foreground, in the frames that the method saw; None: not kept."""

    def push(self, seen: Seen) -> list[Decided]:
        """Take the next frame, and return the frames whose grade is known now.

        Args:
            seen: what `observe` gives of it. Its pictures are not held for longer than the method's window.

        Raises:
            NonFiniteError: the method gave numbers that no grade can have.
        """
        decided = []
        if seen.shot == len(self._shots):
            decided += self._end_shot()
            self._shots.append(_ShotLine(seen.index, self.method, self._smoothing(), self._hand, self._exportable))
        self._count(seen)
        return decided + self._shots[-1].push(seen)

    def finish(self) -> list[Decided]:
        """Return what is left, once the last frame has been pushed."""
        return self._end_shot()

    def decide(self, seen: Iterable[Seen]) -> Iterator[Decided]:
        """Push all frames, and iterate over them as soon as the grade of each is known."""
        for each in seen:
            yield from self.push(each)
        yield from self.finish()

    @property
    def has_keys(self) -> bool:
        """Whether anything has been decided: not while no mask was usable."""
        return any(shot.keys for shot in self._shots)

    @property
    def grade(self) -> Grade:
        """The grade of all frames that have been pushed, as it was decided; whole after `finish`."""
        end = self.first + self.num_frames
        bounds = pairwise([*(shot.start for shot in self._shots), end])
        shots = (Shot(*each, tuple(shot.keys)) for each, shot in zip(bounds, self._shots, strict=True))
        return Grade(tuple(shots), self._name, self._consistency, self._rate, end)

    def _end_shot(self) -> list[Decided]:
        return self._shots[-1].finish() if self._shots else []

    def _smoothing(self) -> Smoothing:
        return Smoothing(self._consistency, self._rate)

    def _count(self, seen: Seen) -> None:
        if not self.num_frames:
            self.first = seen.index
        self.num_frames += 1
        self.num_empty += seen.is_empty
        self.num_full += seen.is_full
        self.num_analysed += seen.observation is not None
        if self.colors is not None:
            self.colors += [ColorDistribution() for _ in self._shots[len(self.colors) :]]
            if seen.observation is not None:
                self.colors[seen.shot].add(seen.observation.composite, seen.observation.mask)


class _ShotLine:
    """The time line of one shot."""

    def __init__(self, start: int, method: Method, smoothing: Smoothing, hand: Hand, exportable: bool) -> None:
        self.start = start
        self.keys: list[Key] = []
        self._method, self._exportable = method, exportable
        self._windows: Windows[Observation] = Windows(method.window)
        self._smoothing, self._hand = smoothing, hand
        self._state: State = None
        self._is_over = False
        self._waiting: deque[tuple[int, PackedMask]] = deque()
        self._around: Shot | None = None

    def push(self, seen: Seen) -> list[Decided]:
        self._waiting.append((seen.index, seen.mask))
        if seen.observation is not None:
            for window in self._windows.push(seen.observation):
                self._decide(window)
        return list(self._known())

    def finish(self) -> list[Decided]:
        for window in self._windows.finish():
            self._decide(window)
        self.keys += self._smoothing.finish()
        self._is_over = True
        self._state = None
        return list(self._known())

    def _decide(self, window: WindowOf[Observation]) -> None:
        keys, self._state = _keys_of(window, self._method, self._state, exportable=self._exportable)
        if len(window.items) > 1:
            return_freed_memory()
        for key in keys:
            self.keys += self._smoothing.push(key)

    def _known(self) -> Iterator[Decided]:
        """Let go of frames in order, up to the first whose grade depends on a key that is not decided yet."""
        while self._waiting:
            index, mask = self._waiting[0]
            if mask.is_usable and not (self._is_over or (self.keys and self.keys[-1].index >= index)):
                return
            self._waiting.popleft()
            yield Decided(index, mask, self._at(index) if mask.is_usable else None)

    def _at(self, index: int) -> ColorTransform | None:
        """Return a frame's transform, as `Shot.at` of the whole shot gives it."""
        following = bisect_right(self.keys, index, key=lambda key: key.index)
        around = tuple(self.keys[max(following - 1, 0) : following + 1])
        if self._around is None or self._around.keys != around:
            self._around = Shot(self.start, index + 1, around, self._hand)
        return self._around.at(index)


def _keys_of(
    window: WindowOf[Observation], method: Method, state: State, *, exportable: bool
) -> tuple[list[Key], State]:
    composite = np.stack([item.composite for item in window.items])
    mask = np.stack([item.mask for item in window.items])
    past, hop = method.window.past, method.window.hop
    with np.errstate(all="ignore"):  # values that are not finite are refused below
        prediction = method.decide(composite[None], mask[None], state)
        transform = prediction.transform
        if transform is None or (exportable and not transform.is_global):
            fit = FITS["lut3d" if exportable and method.fitted == "field" else method.fitted]
            center = slice(past, past + hop)
            transform = fit(composite[center], as_frames(prediction.harmonized), mask[center])
    keys = []
    for number, item in enumerate(window.hop):
        parameters = transform.parameters[number : number + 1]
        if not transform.is_global:
            parameters = turned_as_stored(parameters, item.orientation)
        one = transform.with_parameters(parameters.copy())
        confidence = None if prediction.confidence is None else float(prediction.confidence[number])
        try:
            keys.append(Key(item.index, item.weight * (1 if confidence is None else confidence), one, confidence))
        except NonFiniteError as error:
            raise NonFiniteError(
                f"frame {item.index}: {error}; the method's weights may be damaged or unfit: give it others, or choose "
                "another method"
            ) from error
    return keys, prediction.state
