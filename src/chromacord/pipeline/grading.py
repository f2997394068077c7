"""One grade, ready to run on a file's own codes, through OpenColorIO's CPU processor.

The way from codes to R'G'B', the grade and the way back are fused into one processor, since that is one pass over the
pixels. OpenColorIO works on RGBA float32 in place, which is the fastest exact way measured (RGB is four times
slower), and releases the interpreter's lock.
"""

from typing import Protocol

import numpy as np
import PyOpenColorIO as ocio

from chromacord.color.spaces import AffineMap, code_to_rgb, rgb_to_code
from chromacord.color.transforms import AffineField, ColorTransform, Identity, Lut3d
from chromacord.pipeline.shaper import display_to_linear, linear_to_display, shape, unshape
from chromacord.types import Box, FloatArray, Size, VideoInfo

LUT_SIZE = 33
"""Nodes a side of LUTs that are rendered and exported: one lattice for both, so that they agree."""

_CONFIG = ocio.Config.CreateRaw()
# Processors are built once for each frame's grade; OpenColorIO's own cache would only keep them all.
_CONFIG.setProcessorCacheFlags(ocio.PROCESSOR_CACHE_OFF)


class Grading(Protocol):
    """Maps codes of one format to graded codes of another."""

    def __call__(self, codes: FloatArray, box: Box) -> FloatArray:
        """Grade a rectangle of a picture.

        Args:
            codes: three colour samples and one that is ignored. Shape (height, width, 4), C-contiguous; may be
                overwritten.
            box: where in the picture the rectangle lies.

        Returns:
            Graded codes, not rounded. Shape (height, width, 4).
        """


def grading(transform: ColorTransform, source: VideoInfo, target: VideoInfo) -> Grading:
    """Prepare a transform for pixels of a source, with results as samples of a target.

    Args:
        transform: for one picture (N = 1).
        source: what the codes come from: its format, colorimetry and size.
        target: what the results are for; the same as `source` unless a foreground layer is graded.
    """
    decode = code_to_rgb(source.colorimetry, source.size, source.pixel_format)
    encode = rgb_to_code(target.colorimetry, target.size, target.pixel_format)
    if source.colorimetry.scene_linear or target.colorimetry.scene_linear:
        return _LinearGrading(transform, source, target, decode, encode)
    if isinstance(transform, AffineField) and not transform.is_global:
        return _FieldGrading(transform, source.size, decode, encode)
    return _Fused([_matrix(decode), *_steps(transform), _matrix(encode)])


class _Fused:
    """A chain of OpenColorIO transforms."""

    def __init__(self, steps: list[ocio.Transform]) -> None:
        processor = _CONFIG.getProcessor(ocio.GroupTransform(steps))
        self._processor = processor.getOptimizedCPUProcessor(
            ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_LOSSLESS
        )

    def __call__(self, codes: FloatArray, box: Box) -> FloatArray:  # noqa: ARG002
        self._processor.applyRGBA(codes)
        return codes


class _FieldGrading:
    """An affine field: its matrices are stretched to the rectangle and applied pixel by pixel."""

    def __init__(self, transform: AffineField, size: Size, decode: AffineMap, encode: AffineMap) -> None:
        self._field = _Field(transform, size)
        self._decode, self._encode = _Fused([_matrix(decode)]), _Fused([_matrix(encode)])

    def __call__(self, codes: FloatArray, box: Box) -> FloatArray:
        rgb = self._decode(codes, box)
        rgb[..., :3] = np.clip(self._field(np.clip(rgb[..., :3], 0, 1), box), 0, 1)
        return self._encode(rgb, box)


class _LinearGrading:
    """A grade of scene-linear light, between the shaper and its inverse."""

    def __init__(
        self, transform: ColorTransform, source: VideoInfo, target: VideoInfo, decode: AffineMap, encode: AffineMap
    ) -> None:
        self._decode, self._encode = _Fused([_matrix(decode)]), _Fused([_matrix(encode)])
        self._from_linear, self._to_linear = source.colorimetry.scene_linear, target.colorimetry.scene_linear
        is_field = isinstance(transform, AffineField) and not transform.is_global
        self._field = _Field(transform, source.size) if is_field and isinstance(transform, AffineField) else None
        self._global = None if is_field else _Fused(_steps(transform))

    def __call__(self, codes: FloatArray, box: Box) -> FloatArray:
        rgba = self._decode(codes, box)
        light = rgba[..., :3] if self._from_linear else display_to_linear(np.clip(rgba[..., :3], 0, 1))
        shaped = shape(light)
        if self._field is not None:
            rgba[..., :3] = self._field(shaped.display, box)
        elif self._global is not None:
            rgba[..., :3] = shaped.display
            rgba = self._global(rgba, box)
        if self._to_linear:
            rgba[..., :3] = unshape(rgba[..., :3], shaped)
        else:
            rgba[..., :3] = linear_to_display(np.clip(unshape(rgba[..., :3], shaped), 0, 1))
        return self._encode(rgba, box)


class _Field:
    """The matrices of an affine field at any rectangle of a picture, without making them for the whole picture."""

    def __init__(self, transform: AffineField, size: Size) -> None:
        # (h, 12 * w) and (12, w) layouts below keep both stretches plain matrix products, which BLAS does fast.
        self._nodes = transform.parameters[0].flatten(0, 1).permute(1, 0, 2).contiguous().numpy()  # (h, 12, w)
        self._size = size
        self._columns: tuple[int, int] = (0, 0)
        self._stretched = np.empty((0, 0), np.float32)

    def __call__(self, rgb: FloatArray, box: Box) -> FloatArray:
        """Map a rectangle. Shape (height, width, 3)."""
        height, _, width = self._nodes.shape
        if self._columns != (box.left, box.right):  # all strips of a frame share their columns
            self._columns = (box.left, box.right)
            weights = stretch_weights(width, self._size.width, box.left, box.right)
            self._stretched = (self._nodes.reshape(-1, width) @ weights.T).reshape(height, -1)
        rows = stretch_weights(height, self._size.height, box.top, box.bottom)
        field = (rows @ self._stretched).reshape(len(rows), 12, -1)
        red, green, blue = np.ascontiguousarray(np.moveaxis(rgb, -1, 0))
        out = np.empty(rgb.shape, np.float32)
        for channel in range(3):
            a, b, c, d = np.moveaxis(field[:, 4 * channel : 4 * channel + 4], 1, 0)
            out[..., channel] = a * red + b * green + c * blue + d
        return out


def stretch_weights(nodes: int, length: int, start: int, stop: int) -> FloatArray:
    """Return the weights that stretch a row of nodes over `length` pixels bilinearly, for pixels start..stop-1.

    The same rule as torch's `interpolate(mode="bilinear", align_corners=False)`: pixel centres, edges repeated.

    Returns:
        Shape (stop - start, nodes); each row sums to 1.
    """
    place = np.clip((np.arange(start, stop) + 0.5) * nodes / length - 0.5, 0, nodes - 1)
    left = np.minimum(place.astype(int), max(nodes - 2, 0))
    share = (place - left).astype(np.float32)
    weights = np.zeros((stop - start, nodes), np.float32)
    row = np.arange(stop - start)
    weights[row, left] = 1 - share
    weights[row, np.minimum(left + 1, nodes - 1)] += share
    return weights


def _steps(transform: ColorTransform) -> list[ocio.Transform]:
    """Return a global transform as OpenColorIO transforms that take and give R'G'B' in [0, 1]."""
    clamp = ocio.RangeTransform(0.0, 1.0, 0.0, 1.0)
    if isinstance(transform, Identity):
        return [clamp]
    if isinstance(transform, AffineField):
        matrix = transform.parameters[0, :, :, 0, 0].double().numpy()
        return [clamp, _matrix(AffineMap(matrix[:, :3], matrix[:, 3])), clamp]
    lut = transform.to_lut(LUT_SIZE)
    is_inside = float(lut.parameters.min()) >= 0 and float(lut.parameters.max()) <= 1
    return [_lut(lut)] if is_inside else [_lut(lut), clamp]


def _lut(lut: Lut3d) -> ocio.Transform:
    step = ocio.Lut3DTransform(lut.size)
    step.setInterpolation(ocio.INTERP_TETRAHEDRAL)
    # OpenColorIO counts blue fastest, and the three colours of a node lie together.
    step.setData(np.ascontiguousarray(lut.parameters[0].permute(3, 2, 1, 0).float().numpy()).ravel())
    return step


def _matrix(affine: AffineMap) -> ocio.Transform:
    step = ocio.MatrixTransform()
    matrix = np.eye(4)
    matrix[:3, :3] = affine.matrix
    step.setMatrix(matrix.ravel().tolist())
    step.setOffset([*affine.offset.tolist(), 0.0])
    return step
