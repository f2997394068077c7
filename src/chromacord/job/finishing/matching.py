"""What is measured of a clip while it is analysed, for the stages of finishing that match its two sides."""

import warnings
from collections.abc import Iterable, Iterator

from chromacord.analysis.observe import step_between_keys
from chromacord.color.transforms import Identity
from chromacord.errors import ChromacordWarning
from chromacord.grade.keys import Grade, Shot
from chromacord.masks.masks import MaskedFrame
from chromacord.render.finish.grain import Amount, graded_noise, missing
from chromacord.render.finish.noise import FrameNoise, Noise, measure
from chromacord.render.graders import grading
from chromacord.types import VideoInfo

_NOISIER = 1.5
"""How many times as noisy as the background a foreground may be without a warning."""


class Measuring:
    """Watches frames go by, and measures some of them."""

    def __init__(self, info: VideoInfo) -> None:
        """Prepare for a clip."""
        self._info, self._step = info, step_between_keys(info.rate)
        self.noise: list[FrameNoise] = []

    def watch(self, frames: Iterable[MaskedFrame]) -> Iterator[MaskedFrame]:
        """Pass frames on; of each that analysis would look at, measure how it differs from the next."""
        waiting: MaskedFrame | None = None
        due = 0
        for masked in frames:
            if waiting is not None:
                self.noise.append(measure(waiting, masked.frame, self._info))
                waiting = None
            if masked.frame.index >= due and masked.mask.is_usable:
                waiting, due = masked, masked.frame.index + self._step
            yield masked
        if waiting is not None and not self.noise:
            self.noise.append(measure(waiting, None, self._info))


class MatchedGrain:
    """The noise that each frame's foreground lacks: one amount a shot."""

    def __init__(self, measuring: Measuring, grade: Grade, info: VideoInfo) -> None:
        """Take what was measured.

        Args:
            measuring: has seen the clip.
            grade: changes the foreground's noise too.
            info: of the composite.
        """
        self._measuring, self._grade, self._info = measuring, grade, info
        self._shots: dict[int, tuple[Amount, Noise]] = {}

    def __call__(self, index: int) -> tuple[Amount, Noise] | None:
        """Return the amount for a frame, and the noise that it shall resemble; None outside of all shots."""
        shot = self._grade.shot_at(index)
        if shot is None:
            return None
        if shot.start not in self._shots:
            self._shots[shot.start] = self._amount(shot)
        return self._shots[shot.start]

    def _amount(self, shot: Shot) -> tuple[Amount, Noise]:
        found = [each for each in self._measuring.noise if shot.start <= each.index < shot.stop]
        planes = self._info.pixel_format.num_colors
        background = Noise.over([each.background for each in found], planes)
        foreground = Noise.over([each.foreground for each in found], planes)
        grade = grading(shot.mean() or Identity.for_frames(1), self._info, self._info)
        graded = graded_noise(foreground, grade, self._info)
        self._tell(shot, graded, background)
        return missing(graded, background, self._info), background

    def _tell(self, shot: Shot, foreground: Noise, background: Noise) -> None:
        where = f"{self._info.path}: frames {shot.start} to {shot.stop - 1}"
        for side, noise, taken in (
            ("foreground", foreground, "it gets all of the background's"),
            ("background", background, "no grain is added"),
        ):
            if not noise.is_known:
                _warn(f"{where}: the {side} is textured or moves all over, so its noise cannot be measured; {taken}")
        own, other = foreground.deviation, background.deviation
        if background.is_known and own > _NOISIER * max(other, 0.5 if not self._info.pixel_format.is_float else 1e-3):
            _warn(
                f"{where}: the foreground is noisier than its background ({own:.3g} against {other:.3g} codes), so no "
                "grain is added; denoise the foreground first"
            )


def _warn(message: str) -> None:
    warnings.warn(ChromacordWarning(message), stacklevel=4)
