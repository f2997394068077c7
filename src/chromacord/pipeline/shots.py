"""Cuts: grades are smoothed inside a shot, never across."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import TypeVar

import numpy as np

from chromacord.types import FloatArray

Item = TypeVar("Item")

MIN_SHOT_LENGTH = 4
"""Frames. Two cuts nearer than this are taken for one: a flash, a broken frame."""


class CutDetector:
    """Finds cuts from thumbnails, with PySceneDetect's adaptive content detector.

    It compares each frame's change with that of its neighbours, so that a moving camera or foreground is no cut.
    """

    def __init__(self, rate: Fraction) -> None:
        """Start a clip.

        Args:
            rate: frames a second.
        """
        from scenedetect import FrameTimecode  # costs 0.4 s, and only analysis needs it
        from scenedetect.detectors import AdaptiveDetector

        first = FrameTimecode(0, fps=rate)  # to copy a rate is ten times as fast as to make it out
        self._timecode: Callable[[int], FrameTimecode] = lambda number: FrameTimecode(number, fps=first)
        self._detector = AdaptiveDetector(min_scene_len=MIN_SHOT_LENGTH)
        self._number = 0

    @property
    def delay(self) -> int:
        """How many frames after a cut it may be reported."""
        return int(self._detector.event_buffer_length)

    def push(self, thumbnail: FloatArray) -> list[int]:
        """Look at the next frame and return the numbers of frames, counted from 0, found to begin a shot.

        Args:
            thumbnail: RGB in [0, 1], always of the same size. Shape (height, width, 3).
        """
        bgr = np.ascontiguousarray(np.rint(thumbnail[..., ::-1] * 255).astype(np.uint8))
        cuts = self._detector.process_frame(self._timecode(self._number), bgr)
        self._number += 1
        return [cut.frame_num for cut in cuts]


def split_shots(
    items: Iterable[Item], thumbnail: Callable[[Item], FloatArray], rate: Fraction
) -> Iterator[tuple[Item, int]]:
    """Give each item the number of its shot, holding back only as many items as the detector needs to be sure.

    Args:
        items: the frames of a clip in order.
        thumbnail: gives an item's picture for `CutDetector.push`.
        rate: frames a second.

    Yields:
        The item and its shot's number, from 0.
    """
    detector = CutDetector(rate)
    held: deque[Item] = deque()
    starts: set[int] = set()
    num_given, shot = 0, 0

    def hold(item: Item) -> None:
        starts.update(cut for cut in detector.push(thumbnail(item)) if cut >= num_given and cut > 0)
        held.append(item)

    def give() -> tuple[Item, int]:
        nonlocal num_given, shot
        shot += num_given in starts
        num_given += 1
        return held.popleft(), shot

    # By `map`, so that an item that was given is not held until the next one is read.
    for _ in map(hold, items):
        if len(held) > detector.delay:
            yield give()
    while held:
        yield give()
