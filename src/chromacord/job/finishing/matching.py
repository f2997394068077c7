"""Compute what each shot's foreground lacks, from measurements on both sides of the mask."""

import math
import warnings
from typing import NamedTuple

import cv2
import numpy as np

from chromacord.color.transforms import Identity
from chromacord.errors import ChromacordWarning
from chromacord.grade.keys import ANY_LENGTH, Grade, Shot
from chromacord.job.finishing.measurement import Measuring
from chromacord.render.finish.denoise import Excess
from chromacord.render.finish.grain import Amount, graded_noise, missing, variance_by_level
from chromacord.render.finish.noise import BLOCK, Noise
from chromacord.render.finish.sharpness import MAX_SIGMA
from chromacord.render.graders import grading
from chromacord.types import VideoInfo

_NOISIER = 1.1
"""How many times as noisy as the background a foreground may be and stay as it is."""

_LEAST_SHARE = 1 / 32
"""Of the noise's variance that is left at least: further averaging takes more frames than most rests last."""

_MUCH = 1.5
"""How many times as noisy a foreground may be without a warning."""

_MOST_ALIKE = 0.5
"""Correlation of neighbouring samples of noise above which motion would be taken for noise."""

_LEAST_BLUR = 0.4
"""Standard deviation in pixels below which a blur is not worth its loss."""

_LEAST_DIFFERENCE = 0.2
"""Relative difference of variances below which two sides are equally sharp: edges of two pictures differ by that."""


class MatchedSharpness:
    """The blur that each frame's foreground lacks, or has too much of: one a shot."""

    def __init__(self, measuring: Measuring, grade: Grade, info: VideoInfo, *, sharpen: bool = False) -> None:
        """Take what was measured.

        Args:
            measuring: has seen the clip.
            grade: says which frames are a shot. It changes contrast, not how far edges spread.
            info: properties of the composite.
            sharpen: whether a softer foreground will be sharpened; otherwise it gets a warning.
        """
        self._measuring, self._grade, self._info, self._sharpen = measuring, grade, info, sharpen
        self._shots: dict[int, tuple[float, float] | None] = {}

    def __call__(self, index: int) -> float:
        """Return the standard deviation for a frame, in pixels; 0 where nothing shall be blurred."""
        own, other = self._spreads(index) or (0.0, 0.0)
        return min(math.sqrt(max(other - own, 0)), MAX_SIGMA)

    def too_soft(self, index: int) -> tuple[float, float] | None:
        """Return how far edges spread in a foreground that is too soft, and in its background, as variances."""
        spreads = self._spreads(index)
        return spreads if spreads and spreads[0] > spreads[1] else None

    def _spreads(self, index: int) -> tuple[float, float] | None:
        """Return variances of foreground and background; None where nothing shall change."""
        shot = self._grade.shot_at(index)
        if shot is None:
            return None
        if shot.start not in self._shots:
            self._shots[shot.start] = self._compared(shot)
        return self._shots[shot.start]

    def _compared(self, shot: Shot) -> tuple[float, float] | None:
        found = [
            (each.foreground, each.background)
            for each in self._measuring.spreads
            if shot.start <= each.index < shot.stop
        ]
        known = np.array(found).reshape(-1, 2)
        known = known[~np.isnan(known).any(axis=1)]
        where = _place(self._info, shot)
        if not len(known):
            _warn(f"{where}: too few sharp edges in foreground or background to compare them, so neither is softened")
            return None
        own, other = np.median(known, axis=0).tolist()
        least = max(_LEAST_BLUR**2, _LEAST_DIFFERENCE * min(own, other))
        if own - other >= least and not self._sharpen:
            _warn(
                f"{where}: the foreground is softer than its background (edges spread {math.sqrt(own):.2g} against "
                f"{math.sqrt(other):.2g} pixels), so nothing is softened; --sharpen sharpens it"
            )
            return None
        return (own, other) if abs(other - own) >= least else None


class _Matched(NamedTuple):
    """What a shot's foreground lacks, or has too much of."""

    amount: Amount
    background: Noise
    excess: Excess | None


class MatchedGrain:
    """The noise that each frame's foreground lacks: one amount a shot."""

    def __init__(
        self, measuring: Measuring, grade: Grade, info: VideoInfo, *, sharpness: MatchedSharpness | None = None
    ) -> None:
        """Take what was measured.

        Args:
            measuring: has seen the clip.
            grade: changes the foreground's noise too.
            info: of the composite.
            sharpness: a blur that takes some of the foreground's noise away; None: there is none.
        """
        self._measuring, self._grade, self._info, self._sharpness = measuring, grade, info, sharpness
        self._shots: dict[int, _Matched] = {}

    def __call__(self, index: int) -> tuple[Amount, Noise] | None:
        """Return the amount for a frame, and the noise that it shall resemble; None outside of all shots."""
        found = self._at(index)
        return None if found is None else (found.amount, found.background)

    def excess(self, index: int) -> Excess | None:
        """Return the noise that a frame's foreground has too much of; None: none, or outside of all shots."""
        found = self._at(index)
        return None if found is None else found.excess

    def _at(self, index: int) -> _Matched | None:
        shot = self._grade.shot_at(index)
        if shot is None:
            return None
        if shot.start not in self._shots:
            self._shots[shot.start] = self._matched(shot)
        return self._shots[shot.start]

    def _matched(self, shot: Shot) -> _Matched:
        found = [each for each in self._measuring.noise if shot.start <= each.index < shot.stop]
        planes = self._info.pixel_format.num_colors
        background = Noise.over([each.background for each in found], planes)
        foreground = Noise.over([each.foreground for each in found], planes)
        grade = grading(shot.mean() or Identity.for_frames(1), self._info, self._info)
        graded = graded_noise(foreground, grade, self._info)
        left = graded if self._sharpness is None else self._softened(graded, self._sharpness(shot.start))
        self._tell(shot, left, background)
        excess = self._excess(shot, graded, left, background)
        return _Matched(missing(left, background, self._info), background, excess)

    def _excess(self, shot: Shot, graded: Noise, left: Noise, background: Noise) -> Excess | None:
        """Return what is too much of the graded foreground's noise; less of it is left after a blur."""
        if not background.is_known or not graded.is_known:
            return None
        own, rest, other = (variance_by_level(noise, self._info) for noise in (graded, left, background))
        # The variance of rounding to whole codes, which no averaging takes away once it is stored.
        rounding = 0 if self._info.pixel_format.is_float else 1 / 12
        share = np.clip((other + rounding) / np.maximum(rest, 1e-9), _LEAST_SHARE, 1)
        share[rest <= _NOISIER**2 * (other + rounding)] = 1
        if (share == 1).all():
            return None
        like = np.clip(np.nan_to_num(graded.neighbours), 0, _MOST_ALIKE)
        # Of an autoregressive process with this correlation: how many samples count as one independent sample.
        coarseness = np.prod((1 + like) / (1 - like), axis=1)
        return Excess(shot.start, own.astype(np.float32), share.astype(np.float32), tuple(coarseness.tolist()))

    def _softened(self, noise: Noise, sigma: float) -> Noise:
        """Return what a blur leaves of noise whose samples differ independently."""
        if sigma <= 0:
            return noise
        left = []
        for number in range(len(noise.variance)):
            steps = [1 << shift for shift in (self._info.pixel_format.subsampling if number else (0, 0))]
            kernels = (cv2.getGaussianKernel(2 * math.ceil(3 * sigma) + 1, sigma / step) for step in steps)
            # A filter with weights w leaves the sum of their squares of the variance of independent samples.
            left.append(math.prod(float(np.square(kernel).sum()) for kernel in kernels))
        return noise._replace(variance=noise.variance * np.array(left)[:, None])

    def _tell(self, shot: Shot, foreground: Noise, background: Noise) -> None:
        where = _place(self._info, shot)
        for side, noise, taken in (
            ("foreground", foreground, "it gets all of the background's"),
            ("background", background, "no grain is added"),
        ):
            if not noise.is_known:
                _warn(
                    f"{where}: the {side} has too few blocks of {BLOCK}x{BLOCK} pixels that are flat or at rest to "
                    f"measure its noise; {taken}"
                )
        own, other = foreground.deviation, background.deviation
        if background.is_known and own > _MUCH * max(other, 0.5 if not self._info.pixel_format.is_float else 1e-3):
            _warn(
                f"{where}: the foreground is noisier than its background ({own:.3g} against {other:.3g} codes); it is "
                "denoised over time, and stays noisy where its motion is too fast to follow: denoise it first if that "
                "shows"
            )


def _place(info: VideoInfo, shot: Shot) -> str:
    """Return the file and the frames of a shot, for messages. Grades that were read from LUTs have no end."""
    last = "the end" if shot.stop >= ANY_LENGTH else str(shot.stop - 1)
    return f"{info.path}: frames {shot.start} to {last}"


def _warn(message: str) -> None:
    warnings.warn(ChromacordWarning(message), stacklevel=4)
