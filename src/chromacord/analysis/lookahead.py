"""A grade decided while its frames are rendered, with bounded look-ahead.

How far that is depends on the rate and the method, not on the clip's length: a frame lies between two keys, each of
them is smoothed with its neighbours, and a method looks at several frames at once. While no frame has a usable mask
nothing is decided, so analysis runs on to the next that has one.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

from chromacord.analysis.analyse import Tally, assemble, decide_all
from chromacord.analysis.observe import Seen
from chromacord.color.transforms import ColorTransform
from chromacord.grade.by_hand import NO_HAND, Hand
from chromacord.grade.keys import Consistency, Grade, Key, Shot
from chromacord.masks.masks import Mask
from chromacord.masks.packed_masks import PackedMask
from chromacord.methods.base import Method
from chromacord.types import Device


class LookAhead:
    """The grade around one frame after another. Keys of frames that have gone by are forgotten."""

    def __init__(
        self, decided: Iterator[tuple[int, Key]], tally: Tally, *, consistency: Consistency, hand: Hand
    ) -> None:
        """Prepare; nothing is decided yet.

        Args:
            decided: what `decide_all` gives.
            tally: what `decide_all` fills.
            consistency: what `decide_all` was given.
            hand: what is changed of it by hand.
        """
        self._decided, self._tally = decided, tally
        self._consistency, self._hand = consistency, hand
        self._known: list[tuple[int, Key]] = []
        self._around: Shot | None = None

    def advance(self) -> bool:
        """Decide one more key. False: there is none."""
        decided = next(self._decided, None)
        if decided is not None:
            self._known.append(decided)
        return decided is not None

    def at(self, index: int) -> ColorTransform | None:
        """Return the transform of a frame, as `Shot.at` of the whole grade gives it.

        Args:
            index: of a frame whose mask is usable; must not fall.
        """
        while not self._is_known(index) and self.advance():
            pass
        number = self._shot_of(index)
        here = [key for shot, key in self._known if shot == number]
        following = bisect_right(here, index, key=lambda key: key.index)
        around = tuple(here[max(following - 1, 0) : following + 1])
        oldest = around[0].index if around else index
        self._known = [(shot, key) for shot, key in self._known if shot >= number and key.index >= oldest]
        if self._around is None or self._around.keys != around:
            self._around = Shot(self._tally.starts[number], index + 1, around, self._hand)
        return self._around.at(index)

    def _shot_of(self, index: int) -> int:
        return bisect_right(self._tally.starts, index) - 1

    def _is_known(self, index: int) -> bool:
        """Whether every key that the frame's grade depends on has been decided."""
        if not self._known or self._tally.first + self._tally.num_frames <= index:
            return False
        shot, key = self._known[-1]
        number = self._shot_of(index)
        return shot > number or (shot == number and (self._consistency == "shot" or key.index >= index))


class AnalysisAhead:
    """Analysis of a clip that is rendered at the same time: what it saw of each frame waits here for the render."""

    def __init__(
        self,
        seen: Iterable[Seen],
        method: Method,
        *,
        name: str,
        rate: Fraction,
        consistency: Consistency,
        hand: Hand = NO_HAND,
        device: Device = "cpu",
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            seen: what `look` gives of all frames.
            method: decides.
            name: the method's, for the grade.
            rate: frames a second.
            consistency: how the grade may change inside a shot.
            hand: what is changed of it by hand.
            device: where the method runs.
        """
        self.tally = Tally()
        """Of the frames analysed so far."""

        self._name, self._consistency, self._rate = name, consistency, rate
        self._waiting: deque[tuple[int, PackedMask]] = deque()
        self._all: list[tuple[int, Key]] = []
        self._decided = self._recorded(
            decide_all(self._held(seen), method, self.tally, consistency=consistency, rate=rate, device=device)
        )
        self._ahead = LookAhead(self._decided, self.tally, consistency=consistency, hand=hand)

    def begin(self) -> bool:
        """Analyse up to the first key. False: there is none in the whole clip, so there is nothing to render."""
        return self._ahead.advance()

    def __iter__(self) -> Iterator[tuple[Mask, ColorTransform | None]]:
        """Iterate over each frame's mask and transform; frames without a usable mask have none."""
        while True:
            while not self._waiting and self._ahead.advance():
                pass
            if not self._waiting:
                return
            yield self._decide(*self._waiting.popleft())

    def _decide(self, index: int, packed: PackedMask) -> tuple[Mask, ColorTransform | None]:
        transform = self._ahead.at(index) if packed.is_usable else None
        return packed.unpack_box(), transform

    def finish(self) -> Grade:
        """Analyse what is left, and return the whole grade, at full strength."""
        deque(self._decided, maxlen=0)
        return assemble(self._all, self.tally, name=self._name, consistency=self._consistency, rate=self._rate)

    def _held(self, seen: Iterable[Seen]) -> Iterator[Seen]:
        for each in seen:
            self._waiting.append((each.index, each.mask))
            yield each

    def _recorded(self, decided: Iterator[tuple[int, Key]]) -> Iterator[tuple[int, Key]]:
        for each in decided:
            self._all.append(each)
            yield each
