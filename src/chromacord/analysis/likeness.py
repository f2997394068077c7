"""Frame similarity for cut detection, insensitive to motion."""

from functools import cached_property
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.types import FloatArray

_SMALL, _LAYOUT, _COLORS = (36, 20), (18, 10), (9, 5)
"""Sizes (width, height) of reduced pictures."""

_CENTRE = (slice(1, 9), slice(5, 13))
"""Central part of a layout that is searched in another one: pans of up to a quarter of the width are tolerated."""

_BINS, _RANGES, _RELATIVE_RANGES = [8, 8, 8], [0.0, 1.0, 0.25, 0.75, 0.25, 0.75], [0.0, 256.0] * 3
"""Histogram bins and ranges for Y', Cr and Cb. Chroma outside the ranges is rare and ignored."""

_LUMA_SPREAD, _CHROMA_SPREAD = 2.6, 1.6
"""Half the range of the relative palette, in deviations of luma; values outside are clamped."""

_PLAIN = 2 / 255
"""Standard deviation of luma below which a picture contains only noise."""

_BLACK, _WHITE = 0.1, 0.9
"""Mean luma up to which a plain picture counts as black, and from which it counts as white."""


class Distance(NamedTuple):
    """Differences between two frames, from 0 to 1 (layouts: to 2)."""

    layout: float
    """One minus the best correlation of the later picture's centre with parts of the earlier one."""

    palette: float
    """One minus the intersection of colour histograms, which motion hardly changes."""

    relative: float
    """The same after equalizing luma's mean and deviation, which cancels fades and flashes."""


class Look:
    """Features of a frame, mostly computed on demand, because few frames need them."""

    def __init__(self, thumbnail: FloatArray) -> None:
        """Store a frame.

        Args:
            thumbnail: RGB in [0, 1]. Shape (height, width, 3).
        """
        self.small: FloatArray = cv2.cvtColor(cv2.resize(thumbnail, _SMALL), cv2.COLOR_RGB2YCrCb)

    def difference(self, other: "Look") -> float:
        """Return the mean absolute difference of samples."""
        return float(cv2.norm(self.small, other.small, cv2.NORM_L1)) / self.small.size

    @cached_property
    def light(self) -> tuple[float, float]:
        """Mean and standard deviation of luma."""
        mean, deviation = cv2.meanStdDev(self.small)
        return mean.item(0), deviation.item(0)

    @property
    def is_plain(self) -> bool:
        """Whether the picture is featureless."""
        return self.light[1] < _PLAIN

    @property
    def is_blank(self) -> bool:
        """Whether the picture is black or white, as between two shots that fade through it."""
        return self.is_plain and not _BLACK <= self.light[0] <= _WHITE

    @cached_property
    def layout(self) -> FloatArray:
        """Luma of a tiny picture. Shape (10, 18)."""
        layout: FloatArray = cv2.resize(cv2.extractChannel(self.small, 0), _LAYOUT, interpolation=cv2.INTER_AREA)
        return layout

    @cached_property
    def colors(self) -> FloatArray:
        """Y'CrCb of an even smaller picture. Shape (135,)."""
        colors: FloatArray = cv2.resize(self.small, _COLORS, interpolation=cv2.INTER_AREA).ravel()
        return colors

    @cached_property
    def palette(self) -> FloatArray:
        """Colour histogram. Shape (8, 8, 8)."""
        return _histogram(self.small, _RANGES)

    @cached_property
    def relative(self) -> FloatArray:
        """Colour histogram after equalizing luma's mean and deviation. Shape (8, 8, 8)."""
        mean, deviation = self.light
        # Otherwise the noise of a plain picture would be stretched to a full range of colours.
        deviation = max(deviation, _PLAIN)
        # Chroma is scaled by luma's deviation too: a fade reduces both by the same factor, and a grey picture's own
        # chroma would be noise.
        luma, chroma = 128 / _LUMA_SPREAD / deviation, 128 / _CHROMA_SPREAD / deviation
        middle = 128 - 0.5 * chroma
        stretch = np.array(
            [(luma, 0, 0, 128 - luma * mean), (0, chroma, 0, middle), (0, 0, chroma, middle)], np.float32
        )
        # Convert to bytes, which clips above; tiny negative values lose their sign.
        codes = cv2.convertScaleAbs(cv2.transform(self.small, stretch))
        return _histogram(codes, _RELATIVE_RANGES)


def _histogram(picture: npt.NDArray[Any], ranges: list[float]) -> FloatArray:
    histogram: FloatArray = cv2.calcHist([picture], [0, 1, 2], None, _BINS, ranges)
    return histogram


def distance(earlier: Look, later: Look) -> Distance:
    """Return the differences between two frames."""
    # Normalized: brightness and contrast do not count, only where things are.
    correlations = cv2.matchTemplate(earlier.layout, later.layout[_CENTRE], cv2.TM_CCOEFF_NORMED)
    return Distance(
        1.0 - float(correlations.max()),
        palette_distance(earlier.palette, later.palette),
        palette_distance(earlier.relative, later.relative),
    )


def palette_distance(first: FloatArray, second: FloatArray) -> float:
    """Return one minus the intersection of two palettes from `Look`."""
    return 1.0 - cv2.compareHist(first, second, cv2.HISTCMP_INTERSECT) / (_SMALL[0] * _SMALL[1])
