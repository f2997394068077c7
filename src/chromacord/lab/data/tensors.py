"""Load pictures as tensors, resized like the literature's evaluations.

CO2Net's and iSSAM's loaders resize 8-bit pictures with OpenCV, bilinearly, ignoring the aspect ratio, and round to 8
bits. Masks are resized as floats: edges become soft, and the interior stays exactly 1.
"""

import cv2
import numpy as np
import torch
from torch import Tensor

from chromacord.io.stills.single import Codes
from chromacord.types import FloatArray, Size

WORKING_SIZE = Size(256, 256)
"""Size at which the literature trains and measures."""


def picture_tensor(pixels: Codes, size: Size | None) -> Tensor:
    """Convert a picture to a tensor.

    Args:
        pixels: RGB codes. Shape (H, W, 3).
        size: size to resize to, ignoring the aspect ratio; None: keep the original size.

    Returns:
        RGB in [0, 1]; 8-bit pictures stay quantized to 8 bits, resized or not. Shape (3, height, width).
    """
    if pixels.dtype != np.uint8:
        return _to_tensor(_resized(_normalized(pixels), size))
    if size is not None:
        pixels = cv2.resize(pixels, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
    return _to_tensor(_normalized(pixels))


def mask_tensor(matte: Codes, size: Size | None) -> Tensor:
    """Convert a mask to a tensor.

    Args:
        matte: coverage as codes. Shape (H, W).
        size: size to resize to; None: keep the original size.

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
