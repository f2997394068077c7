"""The timeline of a clip: takes observed frames, and returns frames whose grade is known.

It knows neither files nor threads. Its delay depends on the frame rate and the method, not on the clip's length: a
frame lies between two keys, each key is smoothed with its neighbours, and a method sees several frames at once.
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
from chromacord.grade.by_hand import NO_HAND, Hand, Hands
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
"""Models that explain a method's pixels, by `Method.fitted`."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A frame with a known grade."""

    index: int
    mask: PackedMask
    transform: ColorTransform | None
    """None: the frame passes through unchanged, because its mask is empty or full."""


class Timeline:
    """Decides the grade of a clip frame by frame."""

    def __init__(
        self,
        method: Method,
        *,
        rate: Fraction,
        name: str = "",
        consistency: Consistency = "smooth",
        hand: Hand | Hands = NO_HAND,
        exportable: bool = False,
        keep_colors: bool = False,
    ) -> None:
        """Start a clip.

        Args:
            method: decides the grades. It keeps no state, so several timelines may share it.
            rate: frames per second.
            name: name of the method, stored in the grade.
            consistency: how the grade may change inside a shot.
            hand: manual changes, applied to the output but not to `grade`.
            exportable: decide only what a LUT can represent, even if the method's grade is spatially varying.
            keep_colors: also count the foreground's colours.
        """
        self.method = method
        self._rate, self._name = rate, name
        self._consistency, self._hand, self._exportable = consistency, hand, exportable
        self._shots: list[_ShotLine] = []
        self.first = 0
        """Index of the clip's first frame."""

        self.num_frames = self.num_empty = self.num_full = self.num_analysed = 0
        """Counts of frames so far: all; with an empty mask; with a full mask; seen by the method."""

        self.colors: list[ColorDistribution] | None = [] if keep_colors else None
        """Colours of each shot's foreground in the frames seen by the method; None: not counted."""

    def push(self, seen: Seen) -> list[Decided]:
        """Take the next frame, and return the frames whose grade has become known.

        Args:
            seen: as returned by `observe`. Its pictures are released after the method's window.

        Raises:
            NonFiniteError: the method returned NaN or infinity.
        """
        decided = []
        if seen.shot == len(self._shots):
            decided += self._end_shot()
            hand = self._hand.of_shot(len(self._shots) + 1)
            self._shots.append(_ShotLine(seen.index, self.method, self._smoothing(), hand, self._exportable))
        self._count(seen)
        return decided + self._shots[-1].push(seen)

    def finish(self) -> list[Decided]:
        """Return the remaining frames after the last one was pushed."""
        return self._end_shot()

    def decide(self, seen: Iterable[Seen]) -> Iterator[Decided]:
        """Push all frames, and yield them as soon as their grade is known."""
        for each in seen:
            yield from self.push(each)
        yield from self.finish()

    @property
    def has_keys(self) -> bool:
        """Whether anything has been decided: False until a mask was usable."""
        return any(shot.keys for shot in self._shots)

    @property
    def grade(self) -> Grade:
        """The decided grade of all frames so far; complete after `finish`."""
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
    """The timeline of one shot."""

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
        # From here on, frames after the last key are final too: no later key will be blended in.
        self._is_over = True
        self._state = None
        return list(self._known())

    def _decide(self, window: WindowOf[Observation]) -> None:
        keys, self._state = _keys_of(window, self._method, self._state, exportable=self._exportable)
        # Networks allocate large blocks per window; glibc would otherwise keep the gaps between them.
        # Methods of single frames would pay a few milliseconds at each frame.
        if len(window.items) > 1:
            return_freed_memory()
        for key in keys:
            self.keys += self._smoothing.push(key)

    def _known(self) -> Iterator[Decided]:
        """Release frames in order, up to the first whose grade depends on an undecided key."""
        while self._waiting:
            index, mask = self._waiting[0]
            if mask.is_usable and not (self._is_over or (self.keys and self.keys[-1].index >= index)):
                return
            self._waiting.popleft()
            yield Decided(index, mask, self._at(index) if mask.is_usable else None)

    def _at(self, index: int) -> ColorTransform | None:
        """Return a frame's transform, equal to `Shot.at` of the complete shot."""
        # Only the two keys around the frame matter, so a long shot costs no more than a short one.
        following = bisect_right(self.keys, index, key=lambda key: key.index)
        around = tuple(self.keys[max(following - 1, 0) : following + 1])
        # The same Shot returns the same transform objects, by which the renderer knows that a LUT is prepared
        # already.
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
            # A LUT cannot hold a field, so where LUTs are written, the pixels are explained by one.
            fit = FITS["lut3d" if exportable and method.fitted == "field" else method.fitted]
            center = slice(past, past + hop)
            transform = fit(composite[center], as_frames(prediction.harmonized), mask[center])
    keys = []
    for number, item in enumerate(window.hop):
        parameters = transform.parameters[number : number + 1]
        if not transform.is_global:
            # The method saw an upright picture; the renderer works on stored pixels.
            parameters = turned_as_stored(parameters, item.orientation)
        # A copy, because a view would keep the parameters of the whole window alive as long as one key.
        one = transform.with_parameters(parameters.copy())
        confidence = None if prediction.confidence is None else float(prediction.confidence[number])
        try:
            keys.append(Key(item.index, item.weight * (1 if confidence is None else confidence), one, confidence))
        except NonFiniteError as error:
            raise NonFiniteError(
                f"frame {item.index}: {error}; the method's weights may be damaged or unsuitable; use other weights, "
                "or another method"
            ) from error
    return keys, prediction.state
