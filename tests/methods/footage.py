"""Composites whose right answer is known."""

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.types import FloatArray


def composite_and_mask(*, size: tuple[int, int] = (48, 64), seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """A smooth background and a darker, flatter foreground in a disc. Shapes (1, 1, 3, H, W) and (1, 1, 1, H, W)."""
    random = np.random.default_rng(seed)
    coarse = random.random((2, 9, 11, 3), np.float32)
    smooth = [cv2.resize(each, size[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1) for each in coarse]
    noise = np.float32(0.02) * random.standard_normal((2, *size, 3), np.float32)
    background, foreground = (0.15 + 0.7 * np.stack(smooth) + noise).clip(0, 1).transpose(0, 3, 1, 2)
    tinted = 0.1 + 0.5 * foreground * np.float32([1.1, 0.8, 0.6])[:, None, None]
    rows, columns = np.linspace(-1, 1, size[0])[:, None], np.linspace(-1, 1, size[1])
    mask = (np.hypot(rows, columns) < 0.75).astype(np.float32)[None]
    return np.where(mask > 0, tinted, background)[None, None], mask[None, None]


def pixels(image: FloatArray, mask: FloatArray) -> npt.NDArray[np.float64]:
    """The colours under a binary mask, in float64. Shape (pixels, 3)."""
    chosen: npt.NDArray[np.float64] = image[0, 0][:, mask[0, 0, 0] > 0.5].T.astype(np.float64)
    return chosen
