"""Render common formats with compiled code (native.c), three times as fast as cpu.py.

Results equal cpu.py's up to rounding: samples may differ by one code. Everything unsupported falls back to cpu.py.
"""

import ctypes
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np

from chromacord.color.spaces import AffineMap, code_to_rgb, rgb_to_code
from chromacord.color.transforms import AffineField, ColorTransform, Lut3d
from chromacord.grade.lattice import LUT_SIZE, lut_table
from chromacord.masks.chroma_grid import samples
from chromacord.masks.masks import Mask
from chromacord.types import Alpha, Box, FloatArray, Frame, Plane, VideoInfo

SOURCE = Path(__file__).with_name("native.c")
BINARY = SOURCE.with_name("_native.so")
"""Compiled native.c; installations without a C compiler lack it."""

_MASK_TYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))


class _Plane(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("stride", ctypes.c_ssize_t))


class _Job(ctypes.Structure):
    _fields_ = (
        ("height", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("down", ctypes.c_int32),
        ("right", ctypes.c_int32),
        ("sample_bytes", ctypes.c_int32),
        ("weight_bytes", ctypes.c_int32),
        ("nodes", ctypes.c_int32),
        ("max_code", ctypes.c_float),
        ("black", ctypes.c_float),
        ("weight_per_code", ctypes.c_float),
        ("decode", ctypes.c_void_p),
        ("encode", ctypes.c_void_p),
        ("grade", ctypes.c_void_p),
        ("source", _Plane * 3),
        ("target", _Plane * 3),
        ("mask", _Plane),
    )


@cache
def opened(path: Path) -> ctypes.CDLL | None:
    """Load the compiled code; None if it is missing or was built from another version of native.c.

    Args:
        path: path of the shared library.
    """
    try:
        compiled = ctypes.CDLL(str(path))
        compiled.chromacord_source.restype = ctypes.c_uint32
        if compiled.chromacord_source() != zlib.crc32(SOURCE.read_bytes()):
            return None
    except (OSError, AttributeError):
        return None
    compiled.chromacord_grade.argtypes = [ctypes.POINTER(_Job)]
    compiled.chromacord_grade.restype = None
    return compiled


@dataclass(frozen=True)
class NativeGrading:
    """A display-referred grade of integer Y'CbCr or RGB, ready to run."""

    _compiled: ctypes.CDLL
    _info: VideoInfo
    _decode: FloatArray
    _encode: FloatArray
    _grade: FloatArray
    _nodes: int

    @classmethod
    def prepare(cls, transform: ColorTransform, info: VideoInfo) -> Self | None:
        """Prepare a transform for a clip's frames; None if the compiled code does not support them.

        Args:
            transform: for one picture (N = 1).
            info: properties of the clip.
        """
        compiled = opened(BINARY)
        if compiled is None or not _is_common(info):
            return None
        if isinstance(transform, Lut3d):
            grade, nodes = np.zeros(3 * LUT_SIZE**3 + 1, np.float32), LUT_SIZE  # nodes are read as four numbers
            grade[:-1] = lut_table(transform, LUT_SIZE).ravel()
        elif isinstance(transform, AffineField) and transform.is_global:
            grade, nodes = transform.parameters.astype(np.float32).ravel(), 0
        else:
            return None
        decode = _rows(code_to_rgb(info.colorimetry, info.size, info.pixel_format))
        encode = _rows(rgb_to_code(info.colorimetry, info.size, info.pixel_format))
        return cls(compiled, info, decode, encode, grade, nodes)

    def render(self, frame: Frame, target: Frame, mask: Mask, part: Box) -> None:
        """Grade the foreground of a frame.

        Args:
            frame: the composite.
            target: a copy of it, whose colour planes are modified.
            mask: foreground weights.
            part: contains the mask's box, aligned to whole chroma samples.
        """
        pixel_format = self._info.pixel_format
        down, right = pixel_format.subsampling
        height, width = part.bottom - part.top, part.right - part.left
        sizes = [(height, width), *2 * [(-(-height >> down), -(-width >> right))]]
        grids = [(0, 0), *2 * [pixel_format.subsampling]]
        codes = mask.codes(part)
        # These names keep the job's pointers valid until it is done.
        source = [_readable(samples(frame.planes[k], part, grids[k]), pixel_format.dtype) for k in range(3)]
        result = [samples(target.planes[k], part, grids[k]) for k in range(3)]
        weights = _readable(codes, codes.dtype if codes.dtype in _MASK_TYPES else np.dtype(np.float32))
        shapes = [plane.shape for plane in (weights, *source, *result)]
        if shapes != [sizes[0], *sizes, *sizes] or any(plane.strides[1] != plane.itemsize for plane in result):
            raise ValueError(f"{part} of a picture does not lie in planes of these sizes: {shapes}")
        job = _Job(
            height=height,
            width=width,
            down=down,
            right=right,
            sample_bytes=source[0].itemsize,
            weight_bytes=weights.itemsize,
            nodes=self._nodes,
            max_code=pixel_format.max_code,
            black=mask.black,
            weight_per_code=1 / (mask.white - mask.black),
            decode=self._decode.ctypes.data,
            encode=self._encode.ctypes.data,
            grade=self._grade.ctypes.data,
            source=tuple(map(_plane, source)),
            target=tuple(map(_plane, result)),
            mask=_plane(weights),
        )
        self._compiled.chromacord_grade(ctypes.byref(job))


def _is_common(info: VideoInfo) -> bool:
    pixel_format = info.pixel_format
    return (
        pixel_format.num_colors == 3
        and not pixel_format.is_float
        and max(pixel_format.subsampling) <= 1
        and pixel_format.alpha is not Alpha.PREMULTIPLIED
        and not info.colorimetry.scene_linear
        and info.space is None
    )


def _readable(plane: Plane, dtype: np.dtype[np.generic]) -> Plane:
    """Return samples of a type with contiguous rows, copying only if necessary."""
    return plane if plane.dtype == dtype and plane.strides[1] == plane.itemsize else plane.astype(dtype, order="C")


def _plane(samples: Plane) -> _Plane:
    return _Plane(samples.ctypes.data, samples.strides[0])


def _rows(affine: AffineMap) -> FloatArray:
    """Return a map's three rows of three factors and an offset each. Shape (12,)."""
    rows: FloatArray = np.column_stack((affine.matrix, affine.offset)).astype(np.float32).ravel()
    return rows
