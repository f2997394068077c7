"""Composite one picture over another in the latter's planes. The formula is `chromacord.color.alpha.over`."""

from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.color.alpha import over
from chromacord.color.management.managed import ManagedSpace
from chromacord.color.spaces import code_scale, effective_matrix, rgb_to_code
from chromacord.io.convert import PlaneConverter
from chromacord.types import Alpha, Box, FloatArray, PixelFormat, Plane, VideoInfo

_BAND_ROWS = 64

Samples = TypeVar("Samples", bound=npt.NDArray[np.generic])
"""An array of any type."""


class Overlay:
    """Composites one source's frames over another's.

    Colours are blended as the background stores them: in light for scene-linear files, otherwise in R'G'B' or Y'CbCr
    codes. If the two agree in model, matrix and chroma grid, the foreground's samples are used directly; otherwise they
    are converted through R'G'B', with chroma averaged over each block of pixels, weighted by coverage, so that the
    colour under transparent pixels never shows. Other colour spaces are converted through light.
    """

    def __init__(self, foreground: VideoInfo, background: VideoInfo) -> None:
        """Prepare for two sources of the same size.

        Args:
            foreground: with straight or premultiplied colours.
            background: determines the format.
        """
        self._foreground, self._background = foreground, background
        self._shares_grid = _shares_grid(foreground, background)
        straight = PixelFormat("rgb", 32, is_float=True)
        # If the spaces differ, the foreground is decoded in its own space and converted afterwards;
        # otherwise it is blended as the background stores its colours.
        light = foreground if foreground.space != background.space else background
        self._to_rgb = PlaneConverter(foreground, straight, scene_linear=light.colorimetry.scene_linear)
        self._spaces: tuple[ManagedSpace, ManagedSpace] | None = None
        if foreground.space is not None and background.space is not None and foreground.space != background.space:
            self._spaces = ManagedSpace.of(foreground.space), ManagedSpace.of(background.space)

    def composite(
        self, foreground: Sequence[Plane], background: Sequence[Plane], mask: Plane, *, mask_format: PixelFormat
    ) -> tuple[Plane, ...]:
        """Composite a foreground over a background.

        Args:
            foreground: planes in the foreground's format.
            background: planes in the background's format; not modified.
            mask: coverage as codes. Shape (height, width).
            mask_format: format of the mask; its largest code is full coverage.

        Returns:
            Planes in the background's format, bit-identical to it where a sample's pixels have no coverage.
        """
        box = self._support(mask)
        if box is None:
            return tuple(background)
        planes = tuple(plane.copy() for plane in background)
        for top in range(box.top, box.bottom, _BAND_ROWS):
            band = Box(top, box.left, min(top + _BAND_ROWS, box.bottom), box.right)
            alpha: FloatArray = mask[band.top : band.bottom, band.left : band.right].astype(np.float32)
            alpha /= np.float32(mask_format.max_code)
            if alpha.any():
                self._blend(planes, foreground, alpha, band)
        return planes

    def _support(self, mask: Plane) -> Box | None:
        """Return the bounding box of coverage, extended to whole chroma samples."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not rows.size:
            return None
        down, right = self._background.pixel_format.subsampling
        top, left = int(rows[0]) >> down << down, int(columns[0]) >> right << right
        bottom, end = -(-(int(rows[-1]) + 1) >> down << down), -(-(int(columns[-1]) + 1) >> right << right)
        return Box(top, left, min(bottom, mask.shape[0]), min(end, mask.shape[1]))

    def _blend(self, planes: Sequence[Plane], foreground: Sequence[Plane], alpha: FloatArray, band: Box) -> None:
        pixel_format = self._background.pixel_format
        weight = alpha
        if pixel_format.alpha is not Alpha.NONE:
            weight = self._blend_alpha(planes[-1], alpha, band)
        for number, color in enumerate(self._colors(foreground, alpha, band)):
            shift = pixel_format.subsampling if number else (0, 0)
            part = planes[number][_samples(band, shift)]
            blended = over(color, part.astype(np.float32), block_mean(weight, shift))
            # Where coverage is 0, the result is the sample itself.
            part[...] = blended if pixel_format.is_float else np.clip(np.rint(blended), 0, pixel_format.max_code)

    def _blend_alpha(self, plane: Plane, alpha: FloatArray, band: Box) -> FloatArray:
        """Combine the background's alpha with the foreground's; return the foreground's share of the colours."""
        pixel_format = self._background.pixel_format
        scale = np.float32(pixel_format.max_code)
        part = plane[_samples(band, (0, 0))]
        below = part.astype(np.float32) / scale
        joined = over(np.ones_like(below), below, alpha)
        # Where there is no coverage, the code itself is kept: the way through floats could round it differently.
        part[...] = joined if pixel_format.is_float else np.where(alpha > 0, np.rint(joined * scale), part)
        # Premultiplied colours carry their coverage already; straight ones are weighted by the foreground's
        # share of the joined alpha (Porter and Duff).
        if pixel_format.alpha is Alpha.PREMULTIPLIED:
            return alpha
        return np.asarray(alpha / np.maximum(joined, np.float32(1e-6)), np.float32)

    def _colors(self, foreground: Sequence[Plane], alpha: FloatArray, band: Box) -> list[FloatArray]:
        """Return the foreground's straight colours in the background's codes, on each plane's grid."""
        pixel_format = self._background.pixel_format
        if self._shares_grid:
            return [
                self._scaled(plane, number, band) for number, plane in enumerate(foreground[: pixel_format.num_colors])
            ]
        rgb = self._converted(self._rgb(foreground, band))
        affine = rgb_to_code(self._background.colorimetry, self._background.size, pixel_format)
        colors = []
        for number in range(pixel_format.num_colors):
            weights, offset = affine.matrix[number].astype(np.float32), np.float32(affine.offset[number])
            values = sum((w * c for w, c in zip(weights, rgb, strict=True)), start=np.full_like(alpha, offset))
            shift = pixel_format.subsampling if number else (0, 0)
            colors.append(_weighted_mean(values, alpha, shift))
        return colors

    def _rgb(self, foreground: Sequence[Plane], band: Box) -> list[Plane]:
        columns = slice(band.left, band.right)
        if self._foreground.pixel_format.subsampling == (0, 0):
            return self._to_rgb.band([plane[:, columns] for plane in foreground], slice(band.top, band.bottom))
        # Chroma is interpolated from its neighbours, including those outside the band.
        return [plane[:, columns] for plane in self._to_rgb.band(foreground, slice(band.top, band.bottom))]

    def _converted(self, rgb: list[Plane]) -> list[Plane]:
        """Convert colours from the foreground's colour space to the background's, if they differ."""
        if self._spaces is None:
            return rgb
        source, target = self._spaces
        converted = source.converted(np.stack([*rgb, rgb[0]], axis=-1).astype(np.float32), target)
        return [converted[..., channel] for channel in range(3)]

    def _scaled(self, plane: Plane, number: int, band: Box) -> FloatArray:
        """Convert samples of a plane from the foreground's depth and range to the background's."""
        source, target = self._foreground, self._background
        is_chroma = number > 0 and source.pixel_format.model == "yuv"
        first = 2 if is_chroma else 0
        scale, offset = code_scale(source.colorimetry, source.pixel_format)[first : first + 2]
        wanted, start = code_scale(target.colorimetry, target.pixel_format)[first : first + 2]
        part: FloatArray = plane[_samples(band, source.pixel_format.subsampling if is_chroma else (0, 0))].astype(
            np.float32
        )
        if (scale, offset) == (wanted, start):
            return part
        return (part - np.float32(offset)) * np.float32(wanted / scale) + np.float32(start)


def block_mean(values: Samples, shift: tuple[int, int]) -> Samples:
    """Average blocks of pixels; blocks cut off at the far edges average their remainder. Integers are rounded.

    Args:
        values: plane or picture. Shape (height, width) or (height, width, channels).
        shift: log2 of the block's height and width.
    """
    down, right = shift
    if not down and not right:
        return values
    height, width = values.shape[:2]
    size = -(-height >> down), -(-width >> right)
    means: Samples = np.empty_like(values, shape=(*size, *values.shape[2:]))
    cut, end = height >> down, width >> right
    # Whole blocks, then the rest at the bottom and right: OpenCV's area filter would otherwise spread the last
    # partial block over its neighbours.
    for rows, lines in ((slice(cut << down), slice(cut)), (slice(cut << down, height), slice(cut, size[0]))):
        for columns, places in ((slice(end << right), slice(end)), (slice(end << right, width), slice(end, size[1]))):
            target = means[lines, places]
            if target.size:
                part = np.ascontiguousarray(values[rows, columns])
                mean = cv2.resize(part, target.shape[1::-1], interpolation=cv2.INTER_AREA)
                target[...] = mean.reshape(target.shape)
    return means


def _weighted_mean(values: FloatArray, alpha: FloatArray, shift: tuple[int, int]) -> FloatArray:
    if shift == (0, 0):
        return values
    weight = block_mean(alpha, shift)
    # Divide by 1 where there is no coverage: that sample is not used, but 0 / 0 would be NaN.
    return np.asarray(block_mean(values * alpha, shift) / np.where(weight > 0, weight, 1), np.float32)


def _samples(band: Box, shift: tuple[int, int]) -> tuple[slice, slice]:
    down, right = shift
    return slice(band.top >> down, -(-band.bottom >> down)), slice(band.left >> right, -(-band.right >> right))


def _shares_grid(foreground: VideoInfo, background: VideoInfo) -> bool:
    one, other = foreground.pixel_format, background.pixel_format
    colors, other_colors = foreground.colorimetry, background.colorimetry
    if foreground.space != background.space:
        return False
    # Premultiplied chroma cannot be divided by an alpha of another resolution.
    if one.alpha is Alpha.PREMULTIPLIED or colors.scene_linear != other_colors.scene_linear:
        return False
    if (one.model, one.subsampling) != (other.model, other.subsampling):
        return False
    matrices = effective_matrix(colors, foreground.size), effective_matrix(other_colors, background.size)
    return one.model != "yuv" or matrices[0] == matrices[1]
