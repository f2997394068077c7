"""Render common formats with compiled code (native.c), three times as fast as cpu.py.

Results equal cpu.py's up to rounding: samples may differ by one code. Everything unsupported falls back to cpu.py.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from chromacord.color.spaces import AffineMap, code_to_rgb, rgb_to_code
from chromacord.color.transforms import AffineField, ColorTransform, Lut3d
from chromacord.grade.lattice import LUT_SIZE, lut_table
from chromacord.masks.chroma_grid import samples
from chromacord.masks.masks import Mask
from chromacord.render import compiled
from chromacord.types import Alpha, Box, FloatArray, Frame, Plane, VideoInfo

WEIGHT_TYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))
"""Types of mask codes that the compiled code reads."""


@dataclass(frozen=True)
class NativeGrading:
    """A display-referred grade of integer Y'CbCr or RGB, ready to run."""

    _module: Any
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

        Raises:
            ValueError: the transform is not for one picture.
        """
        is_lut = isinstance(transform, Lut3d)
        if not _is_common(info) or not (is_lut or (isinstance(transform, AffineField) and transform.is_global)):
            return None
        module = compiled.opened(compiled.BINARY)
        if module is None:
            compiled.warn_once()
            return None
        if len(transform.parameters) != 1:
            raise ValueError(f"expected a transform for one picture, got one for {len(transform.parameters)}")
        if isinstance(transform, Lut3d):
            grade, nodes = np.zeros(3 * LUT_SIZE**3 + 1, np.float32), LUT_SIZE  # nodes are read as four numbers
            grade[:-1] = lut_table(transform, LUT_SIZE).ravel()
        else:
            grade, nodes = transform.parameters.astype(np.float32).ravel(), 0
        decode = _rows(code_to_rgb(info.colorimetry, info.size, info.pixel_format))
        encode = _rows(rgb_to_code(info.colorimetry, info.size, info.pixel_format))
        return cls(module, info, decode, encode, grade, nodes)

    def render(self, frame: Frame, target: Frame, mask: Mask, part: Box) -> None:
        """Grade the foreground of a frame.

        Args:
            frame: the composite.
            target: a copy of it, whose colour planes are modified.
            mask: foreground weights.
            part: contains the mask's box, aligned to whole chroma samples.

        Raises:
            ValueError: planes do not cover the part or differ in type from the clip's, or the target's planes are not
                in writable, aligned rows.
        """
        pixel_format = self._info.pixel_format
        down, right = pixel_format.subsampling
        height, width = part.bottom - part.top, part.right - part.left
        sizes = [(height, width), *2 * [(-(-height >> down), -(-width >> right))]]
        grids = [(0, 0), *2 * [pixel_format.subsampling]]
        codes = mask.codes(part)
        weight_type = codes.dtype if codes.dtype in WEIGHT_TYPES else np.dtype(np.float32)
        # These names keep the job's pointers valid until it is done.
        source = [_of_type(samples(frame.planes[k], part, grids[k]), pixel_format.dtype) for k in range(3)]
        result = [samples(target.planes[k], part, grids[k]) for k in range(3)]
        weights = readable(codes, weight_type)
        for plane, size in zip((weights, *source, *result), (sizes[0], *sizes, *sizes), strict=True):
            if plane.shape != size:
                raise ValueError(f"{part} of a picture has planes of {plane.shape}, expected {size}")
        # A target that would need a copy is refused: writes to the copy would be lost.
        for plane in result:
            check_target(plane, pixel_format.dtype)
        job = {
            "height": height,
            "width": width,
            "down": down,
            "right": right,
            "sample_bytes": pixel_format.dtype.itemsize,
            "weight_bytes": weight_type.itemsize,
            "nodes": self._nodes,
            "max_code": pixel_format.max_code,
            "black": mask.black,
            "weight_per_code": 1 / (mask.white - mask.black),
            "decode": address(self._module, "float *", self._decode),
            "encode": address(self._module, "float *", self._encode),
            "grade": address(self._module, "float *", self._grade),
            "source": [plane_of(self._module, plane) for plane in source],
            "target": [plane_of(self._module, plane) for plane in result],
            "mask": plane_of(self._module, weights),
        }
        self._module.lib.chromacord_grade(self._module.ffi.new("Job *", job))


def plane_of(module: Any, samples: Plane) -> dict[str, Any]:
    """Return a plane's address and stride for compiled code. The caller keeps the samples alive while it runs."""
    return {"data": address(module, "uint8_t *", samples), "stride": samples.strides[0]}


def address(module: Any, pointer: str, samples: npt.NDArray[Any]) -> Any:
    """Return a pointer to samples for compiled code. The caller keeps them alive while it runs."""
    return module.ffi.cast(pointer, samples.ctypes.data)


def _is_common(info: VideoInfo) -> bool:
    pixel_format = info.pixel_format
    return (
        pixel_format.num_colors == 3
        and not pixel_format.is_float
        # The C code adds pairs of pixels and of rows; 4:1:1 and 4:1:0 share more.
        and max(pixel_format.subsampling) <= 1
        and pixel_format.alpha is not Alpha.PREMULTIPLIED
        and not info.colorimetry.scene_linear
        and info.space is None
    )


def _is_plain(plane: Plane, dtype: np.dtype[Any]) -> bool:
    """Whether samples have this type and are aligned, in contiguous rows, as the compiled code expects."""
    return plane.dtype == dtype and plane.strides[1] == plane.itemsize and plane.flags.aligned


def check_target(plane: Plane, dtype: np.dtype[Any]) -> None:
    """Refuse samples that compiled code cannot write to.

    Raises:
        ValueError: they are of another type, or do not lie in writable, aligned rows.
    """
    if not (_is_plain(plane, dtype) and plane.flags.writeable):
        raise ValueError(
            f"cannot render into samples of {plane.dtype} with strides {plane.strides}; give writable, aligned rows of "
            f"{dtype}"
        )


def readable(plane: Plane, dtype: np.dtype[Any]) -> Plane:
    """Return samples of a type in aligned, contiguous rows, copying only if necessary."""
    return plane if _is_plain(plane, dtype) else plane.astype(dtype, order="C")


def _of_type(plane: Plane, dtype: np.dtype[Any]) -> Plane:
    """Return a picture's samples as `readable` does, in either byte order."""
    if plane.dtype.newbyteorder("=") != dtype:
        raise ValueError(f"expected samples of {dtype}, got {plane.dtype}")
    return readable(plane, dtype)


def _rows(affine: AffineMap) -> FloatArray:
    """Return a map's three rows of three factors and an offset each. Shape (12,)."""
    rows: FloatArray = np.column_stack((affine.matrix, affine.offset)).astype(np.float32).ravel()
    return rows
