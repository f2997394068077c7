"""Sharpness: how far edges spread on both sides of a matte, and a blur for the foreground that has less of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.color.management.managed import display_to_light
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.render.finish.blocks import inside, reduced, touched, widened
from chromacord.render.finish.light import Light
from chromacord.render.finish.noise import brightness, brightness_plane, whole_blocks
from chromacord.render.finish.stage import grown, weights
from chromacord.types import FloatArray, Frame, VideoInfo

MAX_SIGMA = 4.0
"""Largest blur, in pixels: wider edges cannot be told apart."""

_TILE, _MARGIN = 48, 9
"""Pixels of a tile's side, and of its rim, in which gradients lack neighbours."""

_MAX_TILES = 64
"""Tiles measured on each side: those of the highest contrast."""

_CELL = 8
"""Pixels of a block, for contrast and for what is blurred."""

_FINE, _COARSE = 1.0, 2.5
"""Scales at which gradients are compared: standard deviations in pixels."""

_DIFFERENCE = 1 / 3
"""Variance of a central difference over two pixels."""

_STRONG = 0.3
"""Share of the strongest gradients that an edge must have."""

_ABOVE_NOISE = 8.0
"""Times the gradient of noise that an edge must have."""

_RAYLEIGH = 0.39
"""Lowest tenth of the size of a noisy gradient, as a share of its median: what is calm shows noise only."""

_LEAST_EDGES = 30


@dataclass(frozen=True)
class Spread:
    """How far edges spread in a frame: variances in square pixels. NaN where there are too few edges."""

    index: int
    foreground: float
    background: float


def measure_spread(masked: MaskedFrame, info: VideoInfo) -> Spread:
    """Measure how far edges spread in light, on both sides of a matte.

    The gradient of a step that is blurred by a Gaussian decreases, under a second blur, by a ratio that depends on the
    first blur only, not on the step's height (Zhuo and Sim, "Defocus map estimation from a single image", Pattern
    Recognition 2011). The median ratio over strong edges counts. Edges are the maxima of the blurred gradient, where
    noise is least; those count whose gradient is at least 0.3 times that of the strongest, and far above noise. So
    contrast does not matter, nor does soft shading, as long as the side has some edges. Tiles that the matte's edge
    crosses are left out.

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
    fine = cv2.GaussianBlur(light, (0, 0), _FINE)
    coarse = _gradient(cv2.GaussianBlur(fine, (0, 0), math.sqrt(_COARSE**2 - _FINE**2)))
    size = cv2.magnitude(*coarse)
    at = _is_edge(size, np.abs(coarse[0]) > np.abs(coarse[1]))
    if np.count_nonzero(at) < _LEAST_EDGES:
        return math.nan
    # Across the edge: noise along it would add to both.
    across = tuple(part[at] / np.maximum(size[at], np.float32(1e-9)) for part in coarse)
    down, right = _gradient(fine)
    sharp = across[0] * down[at] + across[1] * right[at]
    calm = np.quantile(cv2.magnitude(down, right)[:, ::2, ::2], 0.1, axis=(1, 2))
    floor = np.quantile(calm, 0.1) / _RAYLEIGH
    is_strong = sharp >= max(_STRONG * np.quantile(sharp, 0.98), _ABOVE_NOISE * floor, 1e-3)
    if np.count_nonzero(is_strong) < _LEAST_EDGES:
        return math.nan
    ratio = float(np.median(sharp[is_strong] / size[at][is_strong])) ** 2
    near, far = _FINE**2 + _DIFFERENCE, _COARSE**2 + _DIFFERENCE
    return min(max((far - ratio * near) / max(ratio - 1, 1e-6), 0.0), 4 * MAX_SIGMA**2)


def _contrasty(plane: npt.NDArray[np.generic], places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return the places of tiles with the highest contrast."""
    if len(places) <= _MAX_TILES:
        return places
    height, width = (length // _TILE for length in plane.shape)
    cells = _TILE // _CELL
    whole = np.ascontiguousarray(plane[: height * _TILE, : width * _TILE])
    small = cv2.resize(whole, (width * cells, height * cells), interpolation=cv2.INTER_AREA)
    contrast = np.ptp(small.reshape(height, cells, width, cells), axis=(1, 3))[places[:, 0], places[:, 1]]
    return places[np.argsort(contrast, kind="stable")[-_MAX_TILES:]]


def _gradient(stacked: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the inner gradients of tiles, down and across. Shape (N, rows, columns) each."""
    tiles = stacked.reshape(-1, _TILE, _TILE)
    inner, before, after = (slice(_MARGIN + by, _TILE - _MARGIN + by) for by in (0, -1, 1))
    half = np.float32(0.5)
    return half * (tiles[:, after, inner] - tiles[:, before, inner]), half * (
        tiles[:, inner, after] - tiles[:, inner, before]
    )


def _is_edge(size: FloatArray, is_down: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return where gradients are the largest across the edge. Shape (N, rows, columns)."""
    found = np.zeros(size.shape, bool)
    centre = size[:, 1:-1, 1:-1]
    rows = (centre >= size[:, :-2, 1:-1]) & (centre > size[:, 2:, 1:-1])
    columns = (centre >= size[:, 1:-1, :-2]) & (centre > size[:, 1:-1, 2:])
    found[:, 1:-1, 1:-1] = np.where(is_down[:, 1:-1, 1:-1], rows, columns)
    return found


class Softness:
    """Blurs the foreground in light, by its own pixels only: no background enters it, and its outline stays."""

    def __init__(self, info: VideoInfo, sigma_at: Callable[[int], float]) -> None:
        """Prepare for a clip.

        Args:
            info: properties of the composite.
            sigma_at: standard deviation of the blur in pixels, by the frame's number; 0: none.
        """
        self._info, self._light, self._sigma_at = info, Light(info), sigma_at

    def __call__(self, frame: Frame, mask: Mask) -> None:
        """Change a frame. See `Stage`."""
        sigma = self._sigma_at(frame.index)
        if sigma <= 0:
            return
        box = grown(mask, 0, self._info, step=_CELL)
        source = Frame(tuple(np.array(plane) for plane in frame.planes), frame.index)  # blurs read what others write
        reach = math.ceil(3 * sigma)
        cells = reduced(weights(mask, box), _CELL) > 0
        for part in touched(cells, box, _CELL):
            wide = widened(part, box, reach)
            inner = inside(part, wide)
            weight, (light, encoded) = weights(mask, wide), self._light.read(source, wide)
            own, before, share = (np.ascontiguousarray(values[inner]) for values in (light, encoded, weight))
            channels = light.shape[2]
            light = _blurred(cv2.multiply(light, cv2.merge([weight] * channels)), sigma, reach)[inner]
            total = np.maximum(_blurred(weight, sigma, reach)[inner], np.float32(1e-6))
            change = cv2.subtract(cv2.divide(light, cv2.merge([total] * channels)), own)
            self._light.add(frame, part, before, cv2.add(own, cv2.multiply(change, cv2.merge([share] * channels))))


def _blurred(values: FloatArray, sigma: float, reach: int) -> FloatArray:
    size = (2 * reach + 1, 2 * reach + 1)
    blurred: FloatArray = cv2.GaussianBlur(values, size, sigma, borderType=cv2.BORDER_CONSTANT)
    return blurred
