"""A grade prepared for a file's code values.

Codes become R'G'B', are graded, and become codes again, in float32. Affine steps run in OpenCV and 3D LUTs in
OpenColorIO's CPU processor, the fastest measured for each (a LUT on RGBA; on RGB it is four times slower). Both release
the interpreter's lock. Common formats bypass this module if native.c was compiled.
"""

from typing import Protocol

import cv2
import numpy as np

from chromacord.color.management.managed import ManagedSpace
from chromacord.color.management.shaper import display_to_linear, linear_to_display, shape, unshape
from chromacord.color.spaces import AffineMap, code_to_rgb, rgb_to_code
from chromacord.color.transforms import AffineField, ColorTransform, Identity, Lut3d, stretch_weights
from chromacord.grade.lattice import LUT_SIZE, lut_step, raw_config
from chromacord.types import Box, FloatArray, Size, VideoInfo


class Grading(Protocol):
    """Maps codes of one format to graded codes of another."""

    def __call__(self, codes: FloatArray, box: Box) -> FloatArray:
        """Grade a rectangle of a picture.

        Args:
            codes: the three colours and a padding channel, because OpenColorIO is fastest on RGBA. Not modified. Shape
                (height, width, 4), C-contiguous.
            box: position of the rectangle in the picture.

        Returns:
            Graded codes, not rounded, and a padding channel. Shape (height, width, 4), C-contiguous.
        """


def grading(transform: ColorTransform, source: VideoInfo, target: VideoInfo) -> Grading:
    """Prepare a transform for a source's pixels, with results as a target's samples.

    Args:
        transform: for one picture (N = 1).
        source: properties of the input codes: format, colorimetry and size.
        target: properties of the output codes; equals `source` unless a foreground layer is graded.
    """
    decode = code_to_rgb(source.colorimetry, source.size, source.pixel_format)
    encode = rgb_to_code(target.colorimetry, target.size, target.pixel_format)
    curve = _curve(transform, source.size)
    if source.space is not None and target.space is not None:
        return ManagedGrading(curve, source, target, decode, encode)
    if source.colorimetry.scene_linear or target.colorimetry.scene_linear:
        return _LinearGrading(curve, source, target, decode, encode)
    return _DisplayGrading(curve, decode, encode)


class _Curve(Protocol):
    """A grade of display-referred R'G'B'."""

    def __call__(self, rgb: FloatArray, box: Box) -> FloatArray:
        """Map pixels; the fourth channel is padding. Shape (height, width, 4), C-contiguous, in and out.

        Input is clamped to [0, 1]; output is not. `rgb` may be overwritten.
        """


class _DisplayGrading:
    """A grade of display-referred codes. Results outside [0, 1] are clipped."""

    def __init__(self, curve: _Curve, decode: AffineMap, encode: AffineMap) -> None:
        self._curve = curve
        self._decode, self._encode = _matrix(decode), _matrix(encode)

    def __call__(self, codes: FloatArray, box: Box) -> FloatArray:
        rgb = self._curve(cv2.transform(codes, self._decode), box)
        graded: FloatArray = cv2.transform(rgb.clip(0, 1, out=rgb), self._encode)
        return graded


class ManagedGrading:
    """A grade of pictures in another colour space: see `chromacord.color.management.managed`."""

    def __init__(
        self, curve: _Curve, source: VideoInfo, target: VideoInfo, decode: AffineMap, encode: AffineMap
    ) -> None:
        assert source.space is not None
        assert target.space is not None
        self._curve = curve
        self._decode, self._encode = _matrix(decode), _matrix(encode)
        self._source, self._target = ManagedSpace.of(source.space), ManagedSpace.of(target.space)
        self._decode_target = _matrix(encode.inverse())
        self._holds_all = target.pixel_format.is_float

    def __call__(self, codes: FloatArray, box: Box) -> FloatArray:
        """Grade a rectangle of a picture. See `Grading`."""
        rgb = self._source.converted(cv2.transform(codes, self._decode), self._target)
        rgb = self._target.graded(rgb, lambda display: self._curve(display, box))
        return self._encoded(rgb)

    def lay_over(self, graded: FloatArray, codes: FloatArray, weight: FloatArray) -> None:
        """Blend graded codes with the original ones in SDR video, like display-referred pictures.

        This makes soft edges look the same in all spaces; a blend of codes would differ by encoding.

        Args:
            graded: overwritten with the result. Shape (..., 4).
            codes: original codes of the target. Shape (..., 4).
            weight: weight of the graded codes in [0, 1]. Shape (...).
        """
        before, after = (cv2.transform(np.ascontiguousarray(each), self._decode_target) for each in (codes, graded))
        graded[...] = self._encoded(self._target.mixed(before, after, weight))

    def _encoded(self, rgb: FloatArray) -> FloatArray:
        if not self._holds_all:
            rgb.clip(0, 1, out=rgb)
        encoded: FloatArray = cv2.transform(rgb, self._encode)
        return encoded


class _LinearGrading:
    """A grade of scene-linear light, between the shaper and its inverse."""

    def __init__(
        self, curve: _Curve, source: VideoInfo, target: VideoInfo, decode: AffineMap, encode: AffineMap
    ) -> None:
        self._curve = curve
        self._decode, self._encode = _matrix(decode), _matrix(encode)
        self._from_linear, self._to_linear = source.colorimetry.scene_linear, target.colorimetry.scene_linear

    def __call__(self, codes: FloatArray, box: Box) -> FloatArray:
        light: FloatArray = cv2.transform(codes, self._decode)[..., :3]
        if not self._from_linear:
            light = display_to_linear(np.clip(light, 0, 1))
        # Grades are defined on [0, 1]. The shaper scales brighter light into that range, and its inverse restores it.
        shaped = shape(light)
        light = unshape(self._curve(_with_fourth(shaped.display), box)[..., :3], shaped)
        if not self._to_linear:
            light = linear_to_display(np.clip(light, 0, 1))
        graded: FloatArray = cv2.transform(_with_fourth(light), self._encode)
        return graded


def _curve(transform: ColorTransform, size: Size) -> _Curve:
    """Choose the fastest implementation of a transform, for pictures of a size."""
    if isinstance(transform, AffineField):
        return _GlobalAffine(transform) if transform.is_global else _Field(transform, size)
    if isinstance(transform, Identity):
        return _Clamp()
    return _Lut(transform if isinstance(transform, Lut3d) else transform.to_lut(LUT_SIZE))


class _Clamp:
    """The identity, clamped to [0, 1]."""

    def __call__(self, rgb: FloatArray, box: Box) -> FloatArray:  # noqa: ARG002
        return rgb.clip(0, 1, out=rgb)


class _GlobalAffine:
    """One 3x4 matrix for the whole picture."""

    def __init__(self, transform: AffineField) -> None:
        matrix = transform.parameters[0, :, :, 0, 0].astype(np.float64)
        self._matrix = _matrix(AffineMap(matrix[:, :3], matrix[:, 3]))

    def __call__(self, rgb: FloatArray, box: Box) -> FloatArray:  # noqa: ARG002
        mapped: FloatArray = cv2.transform(rgb.clip(0, 1, out=rgb), self._matrix)
        return mapped


class _Lut:
    """A 3D LUT with tetrahedral interpolation, like the default of ffmpeg's lut3d."""

    def __init__(self, lut: Lut3d) -> None:
        import PyOpenColorIO as ocio

        self._processor = (
            raw_config()
            .getProcessor(lut_step(lut))
            .getOptimizedCPUProcessor(ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_LOSSLESS)
        )

    def __call__(self, rgb: FloatArray, box: Box) -> FloatArray:  # noqa: ARG002
        self._processor.applyRGBA(rgb)
        return rgb


class _Field:
    """An affine field, whose matrices are expanded for one rectangle at a time, never for the whole picture."""

    def __init__(self, transform: AffineField, size: Size) -> None:
        # (h, 12 * w) and (12, w) layouts below keep both stretches plain matrix products, which BLAS does fast.
        nodes = transform.parameters[0].reshape(12, *transform.parameters.shape[-2:])
        self._nodes = np.ascontiguousarray(nodes.swapaxes(0, 1))  # (h, 12, w)
        self._size = size
        self._columns: tuple[int, int] = (0, 0)
        self._stretched = np.empty((0, 0), np.float32)

    def __call__(self, rgb: FloatArray, box: Box) -> FloatArray:
        height, _, width = self._nodes.shape
        if self._columns != (box.left, box.right):  # all strips of a frame share their columns
            self._columns = (box.left, box.right)
            weights = stretch_weights(width, self._size.width, box.left, box.right)
            self._stretched = (self._nodes.reshape(-1, width) @ weights.T).reshape(height, -1)
        rows = stretch_weights(height, self._size.height, box.top, box.bottom)
        field = (rows @ self._stretched).reshape(len(rows), 12, -1)
        red, green, blue, _ = cv2.split(rgb.clip(0, 1, out=rgb))
        # Zeros, because the padding channel must not hold NaN that OpenCV would spread.
        out = np.zeros(rgb.shape, np.float32)
        for channel in range(3):
            a, b, c, d = np.moveaxis(field[:, 4 * channel : 4 * channel + 4], 1, 0)
            out[..., channel] = a * red + b * green + c * blue + d
        return out


def _with_fourth(rgb: FloatArray) -> FloatArray:
    return np.concatenate([rgb, rgb[..., :1]], axis=-1)


def _matrix(affine: AffineMap) -> FloatArray:
    """Return a map as a matrix with an offset column; the fourth channel passes through."""
    matrix = np.eye(4, 5)
    matrix[:3, :3], matrix[:3, -1] = affine.matrix, affine.offset
    return matrix.astype(np.float32)
