"""Dense inverse search (DIS) by OpenCV: Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016).

It has no weights and takes 6 ms per pair of 256 x 256 pictures on one core.
"""

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from chromacord.errors import InputError

_MIN_SIDE = 12


class DISFlow:
    """Estimates flow with OpenCV's DIS on luma rounded to 8 bits. Tables of temporal metrics use preset "medium"."""

    name = "DIS"
    """Name in tables."""

    def __init__(self, *, preset: Literal["ultrafast", "fast", "medium"] = "medium") -> None:
        """Create the estimator.

        Args:
            preset: OpenCV's trade-off between quality and time.
        """
        self._estimator = cv2.DISOpticalFlow.create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}"))

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the displacement of each pixel from the first frames to the second.

        Args:
            first, second: RGB in [0, 1]. Shape (N, 3, H, W).

        Returns:
            Displacement from first to second in pixels, channels (x right, y down). Shape (N, 2, H, W).

        Raises:
            InputError: the pictures are too small for OpenCV's estimator.
        """
        height, width = first.shape[-2:]
        if max(height, width) < _MIN_SIDE:
            raise InputError(f"optical flow needs a side of at least {_MIN_SIDE} pixels, not {width} x {height}")
        if len(first) == 0:
            return first.new_zeros(0, 2, height, width)
        flows = [self._estimator.calc(_luma(a), _luma(b), None) for a, b in zip(first, second, strict=True)]
        return torch.from_numpy(np.stack(flows)).permute(0, 3, 1, 2).contiguous().to(first)


def _luma(picture: Tensor) -> npt.NDArray[np.uint8]:
    codes = (255 * picture).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    luma: npt.NDArray[np.uint8] = cv2.cvtColor(np.ascontiguousarray(codes), cv2.COLOR_RGB2GRAY)
    return luma
