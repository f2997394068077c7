"""Blur planes with compiled code (soften.c), four times as fast as `finish.softness` and with equal results.

Samples may differ by one code, because of rounding.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np

from chromacord.render import compiled
from chromacord.render.native import WEIGHT_TYPES, address, check_target, plane_of, readable
from chromacord.types import FloatArray, PixelFormat, Plane


@dataclass(frozen=True)
class NativeSoftening:
    """A blur by a mask's weights, ready to run."""

    _module: Any
    _format: PixelFormat
    _light: FloatArray
    _scale: float
    _offset: float

    @classmethod
    def prepare(cls, pixel_format: PixelFormat, light: FloatArray, scale: float, offset: float) -> Self | None:
        """Prepare for planes of a format; None if the compiled code does not support them.

        Args:
            pixel_format: format of the planes.
            light: light of each code. Shape (1 << depth,).
            scale, offset: map encoded light to codes.
        """
        if pixel_format.is_float or max(pixel_format.subsampling) > 1:
            return None
        module = compiled.opened(compiled.BINARY)
        if module is None:
            compiled.warn_once()
            return None
        return cls(module, pixel_format, light, scale, offset)

    def soften(self, plane: Plane, codes: Plane, mask: tuple[float, float], sigma: float, *, is_chroma: bool) -> None:
        """Blur a plane of a rectangle, in light unless it is chroma.

        Args:
            plane: modified in place. Shape (height, width) in samples.
            codes: codes of the mask. Shape (height, width) in pixels.
            mask: the mask's codes for 0 and 1.
            sigma: standard deviation of the blur in pixels.
            is_chroma: whether these are samples of chroma.

        Raises:
            ValueError: the plane differs from the format in type or from the mask in size, or is not in writable,
                aligned rows.
        """
        down, right = self._format.subsampling if is_chroma else (0, 0)
        height, width = plane.shape
        if (height, width) != (-(-codes.shape[0] >> down), -(-codes.shape[1] >> right)):
            raise ValueError(f"a plane of {plane.shape} has a mask of {codes.shape}")
        check_target(plane, self._format.dtype)
        # These names keep the job's pointers valid until it is done.
        weight_type = codes.dtype if codes.dtype in WEIGHT_TYPES else np.dtype(np.float32)
        weights = readable(codes, weight_type)
        kernels = [_half_kernel(sigma, shift) for shift in (down, right)]
        reach_down, reach_across = (len(kernel) - 1 for kernel in kernels)
        numbers = 2 * (2 * reach_down + 1) * width + 2 * (width + 2 * reach_across) + 2 * codes.shape[1]
        scratch = np.empty(numbers, np.float32)
        job = {
            "height": height,
            "width": width,
            "rows": codes.shape[0],
            "columns": codes.shape[1],
            "down": down,
            "right": right,
            "sample_bytes": self._format.dtype.itemsize,
            "weight_bytes": weight_type.itemsize,
            "reach_down": reach_down,
            "reach_across": reach_across,
            "max_code": self._format.max_code,
            "black": mask[0],
            "weight_per_code": 1 / (mask[1] - mask[0]),
            "scale": self._scale,
            "offset": self._offset,
            "kernel_down": address(self._module, "float *", kernels[0]),
            "kernel_across": address(self._module, "float *", kernels[1]),
            "light": self._module.ffi.NULL if is_chroma else address(self._module, "float *", self._light),
            "scratch": address(self._module, "float *", scratch),
            "plane": plane_of(self._module, plane),
            "mask": plane_of(self._module, weights),
        }
        self._module.lib.chromacord_soften(self._module.ffi.new("Softening *", job))


def _half_kernel(sigma: float, shift: int) -> FloatArray:
    """Return a Gaussian's weights from the centre outwards, on a grid of `1 << shift` pixels."""
    sigma /= 1 << shift
    reach = math.ceil(3 * sigma)
    return np.ascontiguousarray(cv2.getGaussianKernel(2 * reach + 1, sigma, cv2.CV_32F)[reach:, 0])
