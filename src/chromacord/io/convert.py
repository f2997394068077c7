"""Convert source planes to sink planes: depth, range, matrix, transfer and alpha.

Nothing is converted where source and sink agree. Pictures are converted in bands of rows, in float32, so that the
additional memory does not grow with the picture.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from chromacord.color.alpha import premultiply, unpremultiply
from chromacord.color.curves import bt709_to_linear, linear_to_srgb, srgb_to_linear
from chromacord.color.management.clip_space import LINEAR_REC709
from chromacord.color.management.config import REC709
from chromacord.color.management.managed import ManagedSpace
from chromacord.color.spaces import code_scale, code_to_rgb
from chromacord.errors import ChromacordWarning, CodecError
from chromacord.types import UNSPECIFIED, Alpha, Colorimetry, FloatArray, PixelFormat, Plane, Size, VideoInfo

_BAND_ROWS = 64
_LINEAR = 8
_DECODERS: dict[int, Callable[[FloatArray], FloatArray]] = {
    1: bt709_to_linear,
    6: bt709_to_linear,
    13: srgb_to_linear,
    14: bt709_to_linear,
    15: bt709_to_linear,
}
"""Supported transfer codes (ITU-T H.273) for conversion to scene-linear light."""


class PlaneConverter:
    """Converts the planes of one source to the layout of one sink.

    Y'CbCr becomes R'G'B' by the source's matrix and range; chroma is interpolated linearly, sited as in MPEG-2 and
    H.264 (on the left luma sample, midway between rows). Integers are rescaled with rounding, so that 10-bit 1023
    becomes 16-bit 65535. Display-referred becomes scene-linear by the inverse of the tagged curve: BT.709 (also 601 and
    2020) or sRGB; untagged Y'CbCr counts as BT.709, untagged RGB as sRGB. Scene-linear becomes display-referred by the
    sRGB curve; values above 1 are clipped, with one warning. Between the two, a source's own colour space is
    converted to BT.709 primaries.
    """

    def __init__(self, source: VideoInfo, target: PixelFormat, *, scene_linear: bool) -> None:
        """Prepare the conversion.

        Args:
            source: properties of the planes. Its size decides the matrix of an untagged stream; planes may have another
                size.
            target: layout of the sink, "rgb" or "gray"; "gray" only for grey sources.
            scene_linear: whether the sink stores linear light.

        Raises:
            CodecError: the source's transfer curve is not supported for conversion to linear light.
        """
        self._source = source.pixel_format
        self._target = target
        self._colorimetry = source.colorimetry
        self._size = source.size
        self._decode = self._encode = None
        self._managed = None
        if changes_light(source, scene_linear=scene_linear):
            assert source.space is not None
            self._managed = ManagedSpace.of(source.space)
            self._encode = None if scene_linear else linear_to_srgb
        elif scene_linear and not source.colorimetry.scene_linear:
            self._decode = _decoder(source)
        elif source.colorimetry.scene_linear and not scene_linear:
            self._encode = linear_to_srgb
        self._has_warned = False

    @property
    def is_identity(self) -> bool:
        """Whether planes pass through unchanged."""
        return self._source == self._target and self._has_full_codes and self._decode is None and self._encode is None

    def __call__(self, planes: Sequence[Plane]) -> tuple[Plane, ...]:
        """Convert one picture.

        Args:
            planes: in the source's layout. Shape (height, width) each, chroma subsampled.

        Returns:
            Planes in the target's layout, all of the size of the first.
        """
        if self.is_identity:
            return tuple(planes)
        if self._is_depth_only:
            return tuple(_rescale(plane, self._source, self._target) for plane in planes)
        size = Size(*planes[0].shape)
        num_planes = self._target.num_colors + (self._target.alpha is not Alpha.NONE)
        out = tuple(np.empty(size, self._target.dtype) for _ in range(num_planes))
        # In bands, because the float32 picture at full size would be four times an 8-bit one.
        for top in range(0, size.height, _BAND_ROWS):
            rows = slice(top, min(top + _BAND_ROWS, size.height))
            for plane, band in zip(out, self.band(planes, rows), strict=True):
                plane[rows] = band
        return out

    @property
    def _is_depth_only(self) -> bool:
        source, target = self._source, self._target
        return (
            (source.model, source.alpha) == (target.model, target.alpha)
            and not (source.is_float or target.is_float)
            and self._has_full_codes
        )

    @property
    def _has_full_codes(self) -> bool:
        """Whether 0 is black and the largest code white, as in all image files."""
        return code_scale(self._colorimetry, self._source)[:2] == (self._source.max_code, 0)

    def band(self, planes: Sequence[Plane], rows: slice) -> list[Plane]:
        """Convert some rows of a picture, even if `is_identity`.

        Args:
            planes: the whole picture, in the source's layout.
            rows: rows of the first plane.

        Returns:
            Planes in the target's layout. Shape (rows, width) each.
        """
        colors = self._decode_colors(planes, rows)
        alpha = None
        if self._source.alpha is not Alpha.NONE:
            alpha = planes[-1][rows].astype(np.float32) / np.float32(self._source.max_code)
        colors = self._change_light(colors, alpha)
        if self._target.num_colors > len(colors):
            colors = np.repeat(colors, 3, axis=0)
        bands = [*colors] if alpha is None or self._target.alpha is Alpha.NONE else [*colors, alpha]
        return [self._quantize(band) for band in bands]

    def _decode_colors(self, planes: Sequence[Plane], rows: slice) -> FloatArray:
        """Decode a band to R'G'B', or grey, as float32. Shape (3 or 1, rows, width)."""
        source = self._source
        if source.is_float:
            return np.stack([plane[rows] for plane in planes[: source.num_colors]]).astype(np.float32)
        affine = code_to_rgb(self._colorimetry, self._size, source)
        matrix, offset = affine.matrix.astype(np.float32), affine.offset.astype(np.float32)
        width = planes[0].shape[1]
        bands = [planes[0][rows].astype(np.float32)]
        for plane in planes[1 : source.num_colors]:
            bands.append(upsample(plane, rows, width, subsampling=source.subsampling))
        out = np.empty((source.num_colors, *bands[0].shape), np.float32)
        for index, color in enumerate(out):
            color[:] = offset[index]
            for weight, band in zip(matrix[index], bands, strict=False):
                # Skip zeros of the matrix (luma in RGB files, Cb in red): each would cost a pass over the band.
                if weight:
                    color += weight * band
        return out

    def _change_light(self, colors: FloatArray, alpha: FloatArray | None) -> FloatArray:
        """Apply the transfer curve and the alpha convention; curves apply to straight colours only."""
        curve = self._to_light if self._managed is not None else self._decode or self._encode
        premultiplied = self._source.alpha is Alpha.PREMULTIPLIED
        wants_premultiplied = self._target.alpha is Alpha.PREMULTIPLIED
        # A curve of a premultiplied colour is not the premultiplied curve of the colour, so the division comes
        # first, and only if a curve or straight output needs it.
        if alpha is not None and premultiplied and (curve is not None or not wants_premultiplied):
            colors, premultiplied = unpremultiply(colors, alpha[None]), False
        if curve is not None:
            # Only encoding clips light above 1, so only encoding warns.
            if curve is self._encode:
                self._warn_of_clipping(colors)
            colors = curve(colors)
            if self._managed is not None and self._encode is not None:
                self._warn_of_clipping(colors)
                colors = self._encode(colors)
        if alpha is not None and wants_premultiplied and not premultiplied:
            colors = premultiply(colors, alpha[None])
        return colors

    def _to_light(self, colors: FloatArray) -> FloatArray:
        """Convert colours from the source's space to light with BT.709 primaries. Shape (3 or 1, rows, width)."""
        assert self._managed is not None
        red, green, blue = colors if len(colors) == 3 else np.repeat(colors, 3, axis=0)
        light = self._managed.light(np.stack([red, green, blue, blue], axis=-1))
        return np.ascontiguousarray(light[..., : len(colors)].transpose(2, 0, 1))

    def _warn_of_clipping(self, colors: FloatArray) -> None:
        if self._has_warned or float(colors.max(initial=0)) <= 1:
            return
        self._has_warned = True
        message = "the output cannot hold scene-linear values above 1: highlights are clipped; write .exr to keep them"
        warnings.warn(message, ChromacordWarning, stacklevel=2)

    def _quantize(self, band: FloatArray) -> Plane:
        if self._target.is_float:
            return band
        # Rounded, not truncated: a cast alone would darken every picture by half a code.
        codes: Plane = np.rint(np.clip(band, 0, 1) * np.float32(self._target.max_code)).astype(self._target.dtype)
        return codes


def upsample(plane: Plane, rows: slice, width: int, *, subsampling: tuple[int, int]) -> FloatArray:
    """Interpolate rows of a chroma plane linearly to luma size.

    Siting as in MPEG-2 and H.264 ("left", ITU-T H.273 chroma location 0): horizontally on the left luma sample of its
    group, vertically midway between the rows of its group. The border sample repeats beyond the edge.

    Args:
        plane: chroma. Shape (chroma height, chroma width).
        rows: luma rows to return.
        width: luma width.
        subsampling: log2 of the chroma step, (vertical, horizontal).

    Returns:
        Shape (rows, width).
    """
    vertical, horizontal = subsampling
    y = np.arange(rows.start, rows.stop, dtype=np.float32)
    x = np.arange(width, dtype=np.float32) / np.float32(1 << horizontal)
    if vertical:
        y = (y + np.float32(0.5)) / np.float32(1 << vertical) - np.float32(0.5)
    lines = _interpolate(plane, y, axis=0)
    return lines if not horizontal else _interpolate(lines, x, axis=1)


def _interpolate(plane: Plane, positions: FloatArray, *, axis: int) -> FloatArray:
    last = plane.shape[axis] - 1
    low = np.floor(positions)
    weight = np.expand_dims(positions - low, 1 - axis).astype(np.float32)
    below = np.clip(low.astype(np.intp), 0, last)
    above = np.clip(low.astype(np.intp) + 1, 0, last)
    first = np.take(plane, below, axis).astype(np.float32)
    # Chroma that is not subsampled along this axis needs no blend.
    if not weight.any():
        return first
    return first + weight * (np.take(plane, above, axis).astype(np.float32) - first)


def _rescale(plane: Plane, source: PixelFormat, target: PixelFormat) -> Plane:
    """Return codes times target.max_code / source.max_code, rounded half up, in exact integers."""
    high, low = target.max_code, source.max_code
    # A table has at most 65536 entries and is exact; direct products would need 64 bits per pixel.
    table = (np.arange(low + 1, dtype=np.uint64) * np.uint64(high) + np.uint64(low // 2)) // np.uint64(low)
    scaled: npt.NDArray[np.generic] = table.astype(target.dtype)[plane]
    return scaled


def _decoder(source: VideoInfo) -> Callable[[FloatArray], FloatArray] | None:
    transfer = source.colorimetry.transfer
    # Untagged video was most likely shot or graded for BT.709, and untagged RGB images for sRGB.
    if transfer == UNSPECIFIED:
        transfer = 1 if source.pixel_format.model == "yuv" else 13
    if transfer == _LINEAR:
        return None
    if transfer not in _DECODERS:
        raise CodecError(
            f"{source.path}: transfer code {transfer} (ITU-T H.273) cannot be converted to linear light; "
            "write .png, .tif or .dpx, or convert the source to BT.709 first"
        )
    return _DECODERS[transfer]


def changes_light(source: VideoInfo, *, scene_linear: bool) -> bool:
    """Whether a source in its own colour space changes between display-referred and linear: a curve is not enough.

    Args:
        source: properties of the source, with its colour space.
        scene_linear: whether the sink stores linear light.
    """
    is_plain = source.space is None or source.space.name in (REC709, LINEAR_REC709)
    return not is_plain and scene_linear != source.colorimetry.scene_linear


def stored_colorimetry(source: Colorimetry, *, scene_linear: bool) -> Colorimetry:
    """Return the tags of the RGB that `PlaneConverter` produces from a source.

    Args:
        source: tags of the source.
        scene_linear: whether the sink stores linear light.
    """
    if scene_linear:
        return Colorimetry(source.primaries, UNSPECIFIED, 0, full_range=True, scene_linear=True)
    transfer = 13 if source.scene_linear else source.transfer
    return Colorimetry(source.primaries, transfer, 0, full_range=True)
