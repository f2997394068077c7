"""Measure sharpness: the spread of edges on both sides of a matte."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.color.management.managed import display_to_light
from chromacord.masks.masks import MaskedFrame
from chromacord.render.finish.noise import brightness, brightness_plane, whole_blocks
from chromacord.types import FloatArray, VideoInfo

MAX_SIGMA = 4.0
"""Maximum measurable blur in pixels: wider edges cannot be distinguished."""

_TILE, _MARGIN = 48, 9
"""Side of a tile in pixels, and of its margin, where gradients lack neighbours."""

_MAX_TILES = 64
"""Maximum number of tiles measured on each side of the matte: those of the highest contrast."""

_CELL = 8
"""Side in pixels of the blocks that contrast is measured on."""

FINE, COARSE = 1.0, 2.5
"""Standard deviations in pixels of the two blurs at which gradients are compared."""

_DIFFERENCE = 1 / 3
"""Variance of a central difference over two pixels."""

_STRONG = 0.3
"""Minimum gradient of an edge, relative to the strongest."""

_ABOVE_NOISE = 8.0
"""Minimum gradient of an edge, relative to that of noise."""

_RAYLEIGH = 0.39
"""Lowest tenth of the gradient magnitudes of pure noise, relative to their median (Rayleigh distribution). The calmest
pixels show only noise, so this gives its level."""

_LEAST_EDGES = 30


@dataclass(frozen=True)
class Spread:
    """Spread of edges in a frame: variances in square pixels; NaN if there are too few edges."""

    index: int
    foreground: float
    background: float


def measure_spread(masked: MaskedFrame, info: VideoInfo) -> Spread:
    """Measure the spread of edges in light, on both sides of a matte.

    If a step was blurred by a Gaussian, a second blur reduces its gradient by a ratio that depends only on the first
    blur, not on the step's height (Zhuo and Sim, "Defocus map estimation from a single image", Pattern Recognition
    2011). The result is the median ratio over strong edges. Edges are maxima of the blurred gradient, where noise is
    lowest, with at least 0.3 times the strongest gradient and far above noise. Contrast and soft shading therefore do
    not matter as long as the side has some edges. Tiles crossed by the matte's edge are excluded.

    Args:
        masked: frame and mask at full size.
        info: properties of the clip.
    """
    plane = brightness_plane(masked.frame, info)
    inside, outside = whole_blocks(masked.mask, info, _TILE)
    return Spread(masked.frame.index, *(_spread(plane, places, info) for places in (inside, outside)))


def _spread(plane: npt.NDArray[np.generic], places: npt.NDArray[np.intp], info: VideoInfo) -> float:
    """Return the variance of edges in the tiles of one side."""
    places = _contrasty(plane, places)
    if not len(places):
        return math.nan
    cut = [plane[row * _TILE : (row + 1) * _TILE, column * _TILE : (column + 1) * _TILE] for row, column in places]
    light = display_to_light(brightness(np.concatenate(cut), info).astype(np.float32))
    fine = cv2.GaussianBlur(light, (0, 0), FINE)
    coarse = _gradient(cv2.GaussianBlur(fine, (0, 0), math.sqrt(COARSE**2 - FINE**2)))
    size = cv2.magnitude(*coarse)
    at = _is_edge(size, np.abs(coarse[0]) > np.abs(coarse[1]))
    if np.count_nonzero(at) < _LEAST_EDGES:
        return math.nan
    # Compare only the component across the edge: noise along it would add to both gradients.
    across = tuple(part[at] / np.maximum(size[at], np.float32(1e-9)) for part in coarse)
    down, right = _gradient(fine)
    sharp = across[0] * down[at] + across[1] * right[at]
    calm = np.quantile(cv2.magnitude(down, right)[:, ::2, ::2], 0.1, axis=(1, 2))
    floor = np.quantile(calm, 0.1) / _RAYLEIGH
    is_strong = sharp >= max(_STRONG * np.quantile(sharp, 0.98), _ABOVE_NOISE * floor, 1e-3)
    if np.count_nonzero(is_strong) < _LEAST_EDGES:
        return math.nan
    ratio = float(np.median(sharp[is_strong] / size[at][is_strong])) ** 2
    near, far = FINE**2 + _DIFFERENCE, COARSE**2 + _DIFFERENCE
    return min(max((far - ratio * near) / max(ratio - 1, 1e-6), 0.0), 4 * MAX_SIGMA**2)


def _contrasty(plane: npt.NDArray[np.generic], places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return the positions of the tiles with the highest contrast."""
    if len(places) <= _MAX_TILES:
        return places
    height, width = (length // _TILE for length in plane.shape)
    cells = _TILE // _CELL
    whole = np.ascontiguousarray(plane[: height * _TILE, : width * _TILE])
    small = cv2.resize(whole, (width * cells, height * cells), interpolation=cv2.INTER_AREA)
    contrast = np.ptp(small.reshape(height, cells, width, cells), axis=(1, 3))[places[:, 0], places[:, 1]]
    return places[np.argsort(contrast, kind="stable")[-_MAX_TILES:]]


def _gradient(stacked: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return gradients of tiles without their margin, down and across. Shape (N, rows, columns) each."""
    tiles = stacked.reshape(-1, _TILE, _TILE)
    inner, before, after = (slice(_MARGIN + by, _TILE - _MARGIN + by) for by in (0, -1, 1))
    half = np.float32(0.5)
    return half * (tiles[:, after, inner] - tiles[:, before, inner]), half * (
        tiles[:, inner, after] - tiles[:, inner, before]
    )


def _is_edge(size: FloatArray, is_down: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the maxima of gradients across the edge. Shape (N, rows, columns)."""
    found = np.zeros(size.shape, bool)
    centre = size[:, 1:-1, 1:-1]
    rows = (centre >= size[:, :-2, 1:-1]) & (centre > size[:, 2:, 1:-1])
    columns = (centre >= size[:, 1:-1, :-2]) & (centre > size[:, 1:-1, 2:])
    found[:, 1:-1, 1:-1] = np.where(is_down[:, 1:-1, 1:-1], rows, columns)
    return found
