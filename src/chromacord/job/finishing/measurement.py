"""Measure noise and sharpness on both sides of a clip's mask during a pass over its frames."""

from collections import deque
from collections.abc import Callable, Iterator

from chromacord.analysis.observe import step_between_keys
from chromacord.grade.keys import Grade
from chromacord.job.threads import prefetch, reported
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.masks.packed_masks import PackedMask
from chromacord.render.finish.noise import FrameNoise, measure
from chromacord.render.finish.sharpness import Spread, measure_spread
from chromacord.types import Frame, Progress, VideoInfo

_OUTSIDE = -1
"""Shot number of frames outside all shots."""


class Measuring:
    """Measures the frames that analysis looks at: the first of each shot, and one at each step after it."""

    def __init__(self, info: VideoInfo, *, grain: bool = True, sharpness: bool = False) -> None:
        """Prepare for a clip.

        Args:
            info: properties of the composite.
            grain, sharpness: whether to measure noise and sharpness.
        """
        self._info, self._step = info, step_between_keys(info.rate)
        self._grain, self._sharpness = grain, sharpness
        self._noise: list[FrameNoise] = []
        self._waiting: MaskedFrame | None = None
        self._due, self._shot = 0, _OUTSIDE
        self.spreads: list[Spread] = []

    @property
    def noise(self) -> list[FrameNoise]:
        """Noise of the measured frames, in order; complete once all frames were pushed."""
        self._measure_waiting(None)
        return self._noise

    def push(self, frame: Frame, mask: Mask | PackedMask, shot: int) -> None:
        """Take the next frame.

        Args:
            frame: a frame of the composite.
            mask: its mask.
            shot: unique number of its shot; nothing is compared across shots.
        """
        if shot != self._shot:
            self._measure_waiting(None)
            self._due, self._shot = frame.index, shot
        self._measure_waiting(frame)
        if frame.index < self._due or not mask.is_usable:
            return
        self._due = frame.index + self._step
        masked = MaskedFrame(frame, mask if isinstance(mask, Mask) else mask.unpack())
        if self._sharpness:
            self.spreads.append(measure_spread(masked, self._info))
        if self._grain:
            self._waiting = masked

    def _measure_waiting(self, following: Frame | None) -> None:
        """Measure the frame that waits for the next one; a shot's last frame is measured in flat blocks only."""
        if self._waiting is not None:
            self._noise.append(measure(self._waiting, following, self._info))
            self._waiting = None

    def read(
        self,
        frames: Iterator[MaskedFrame],
        grade: Grade,
        *,
        total: int | None,
        progress: Callable[[Progress], object] | None,
    ) -> None:
        """Measure all frames of a clip whose shots are known.

        Args:
            frames: all frames of the clip.
            grade: contains the shots.
            total: number of frames; None: unknown.
            progress: called regularly; None: no reports.
        """

        def push(masked: MaskedFrame) -> None:
            shot = grade.shot_at(masked.frame.index)
            self.push(masked.frame, masked.mask, _OUTSIDE if shot is None else shot.start)

        with prefetch(frames) as ahead:
            deque(map(push, reported("measure", ahead, total, progress)), maxlen=0)
