"""Load pictures as tensors, resized like the literature's evaluations.

CO2Net's and iSSAM's loaders resize 8-bit pictures with OpenCV, bilinearly, whatever their aspect, and round to 8 bits
again; masks are resized as floats, so that their borders become soft and their inside stays exactly 1.
"""

import cv2
import numpy as np
import torch
from torch import Tensor

from chromacord.io.stills.single import Codes
from chromacord.types import FloatArray, Size

WORKING_SIZE = Size(256, 256)
"""What the literature trains and measures at."""


def picture_tensor(pixels: Codes, size: Size | None) -> Tensor:
    """Return a picture as a tensor.

    Args:
        pixels: RGB codes. Shape (H, W, 3).
        size: to resize to, ignoring the aspect; None: as it is.

    Returns:
        RGB in [0, 1]; of 8-bit pictures whole 255ths, resized or not. Shape (3, height, width).
    """
    if pixels.dtype != np.uint8:
        return _to_tensor(_resized(_normalized(pixels), size))
    if size is not None:
        pixels = cv2.resize(pixels, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
    return _to_tensor(_normalized(pixels))


def mask_tensor(matte: Codes, size: Size | None) -> Tensor:
    """Return a mask as a tensor.

    Args:
        matte: coverage as codes. Shape (H, W).
        size: to resize to, ignoring the aspect; None: as it is.

    Returns:
        Weight in [0, 1]. Shape (1, height, width).
    """
    return _to_tensor(_resized(_normalized(matte), size)[..., None])


def _normalized(pixels: Codes) -> FloatArray:
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def _resized(values: FloatArray, size: Size | None) -> FloatArray:
    if size is None:
        return values
    resized: FloatArray = cv2.resize(values, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
    return resized


def _to_tensor(values: FloatArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))
