"""Colour spaces and code values, as `a_to_b` / `b_to_a` pairs with their standards.

The maps between a file's integer codes and R'G'B' in [0, 1] are affine; they are returned as matrix and offset, so that
renderers can fuse them with a grade.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chromacord.errors import InputError
from chromacord.types import UNSPECIFIED, Colorimetry, PixelFormat, Size

LUMA_WEIGHTS: dict[int, tuple[float, float]] = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC 73.682
    5: (0.299, 0.114),  # BT.470 BG, which is BT.601 625 lines
    6: (0.299, 0.114),  # SMPTE 170M, which is BT.601 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020, non-constant luminance
    10: (0.2627, 0.0593),  # BT.2020, constant luminance: taken for non-constant
}
"""K_R and K_B by matrix code (ITU-T H.273, table 4)."""

LUMA = (0.2126, 0.7152, 0.0722)
"""Weights of R', G' and B' in luma (ITU-R BT.709-6, item 3.2)."""


class AffineMap(NamedTuple):
    """out = matrix @ in + offset, in float64."""

    matrix: npt.NDArray[np.float64]
    """Shape (3, 3)."""

    offset: npt.NDArray[np.float64]
    """Shape (3,)."""

    def inverse(self) -> "AffineMap":
        """Return the inverse map."""
        matrix = np.linalg.inv(self.matrix).astype(np.float64)
        return AffineMap(matrix, -matrix @ self.offset)


def effective_matrix(colorimetry: Colorimetry, size: Size) -> int:
    """Return the matrix code to use: the tag, or the one that players assume for an untagged stream.

    Like ffmpeg, mpv and browsers, treat untagged pictures as BT.709 above 576 lines, and as BT.601 otherwise.
    """
    if colorimetry.matrix != UNSPECIFIED:
        return colorimetry.matrix
    return 1 if size.height > 576 else 6


def luma_weights(colorimetry: Colorimetry, size: Size) -> npt.NDArray[np.float64]:
    """Return the weights of R', G' and B' in luma. Shape (3,).

    Raises:
        InputError: the stream is tagged with an unsupported matrix (YCgCo, ICtCp, ...).
    """
    code = effective_matrix(colorimetry, size)
    if code not in LUMA_WEIGHTS:
        raise InputError(f"colour matrix code {code} (ITU-T H.273) is not supported; re-tag or convert to BT.709 first")
    red, blue = LUMA_WEIGHTS[code]
    return np.array([red, 1 - red - blue, blue])


def rgb_to_yuv_matrix(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the matrix from R'G'B' to Y'CbCr with Cb and Cr in [-0.5, 0.5] (ITU-T H.273, eqs. 38 to 40).

    Args:
        weights: luma weights of red, green and blue, with sum 1. Shape (3,).

    Returns:
        Shape (3, 3).
    """
    unit = np.eye(3)
    return np.stack(
        [weights, (unit[2] - weights) / (2 * (1 - weights[2])), (unit[0] - weights) / (2 * (1 - weights[0]))]
    )


def code_scale(colorimetry: Colorimetry, pixel_format: PixelFormat) -> tuple[float, float, float, float]:
    """Return how codes represent values: (luma scale, luma offset, chroma scale, chroma offset).

    code = scale * value + offset (ITU-T H.273, eqs. 20 to 25). Red, green, blue and grey count as luma. An untagged
    range means limited for Y'CbCr, and full for RGB and grey.
    """
    if pixel_format.is_float:
        # Floating-point files store the values themselves.
        return 1.0, 0.0, 1.0, 0.0
    full = colorimetry.full_range if colorimetry.full_range is not None else pixel_format.model != "yuv"
    half, step = float(1 << (pixel_format.depth - 1)), float(1 << (pixel_format.depth - 8))
    if full:
        # Chroma of +0.5 becomes half a code more than the largest (255.5 of 255), as H.273 defines it; writers
        # clamp it.
        return float(pixel_format.max_code), 0.0, float(pixel_format.max_code), half
    return 219 * step, 16 * step, 224 * step, half


def rgb_to_code(colorimetry: Colorimetry, size: Size, pixel_format: PixelFormat) -> AffineMap:
    """Return the map from R'G'B' in [0, 1] to the samples of a file's colour planes, not rounded.

    For grey files the first output is luma and the other two are 0.

    Args:
        colorimetry, size, pixel_format: properties of the file; `effective_matrix` replaces an untagged matrix.
    """
    scale, offset, chroma_scale, chroma_offset = code_scale(colorimetry, pixel_format)
    if pixel_format.model == "rgb":
        return AffineMap(scale * np.eye(3), np.full(3, offset))
    matrix = rgb_to_yuv_matrix(luma_weights(colorimetry, size))
    if pixel_format.model == "gray":
        return AffineMap(np.array([scale, 0, 0])[:, None] * matrix, np.array([offset, 0, 0]))
    scales = np.array([scale, chroma_scale, chroma_scale])
    return AffineMap(scales[:, None] * matrix, np.array([offset, chroma_offset, chroma_offset]))


def code_to_rgb(colorimetry: Colorimetry, size: Size, pixel_format: PixelFormat) -> AffineMap:
    """Return the map from the samples of a file's colour planes to R'G'B' in [0, 1].

    For grey files only the first input is used, and R', G' and B' are equal.

    Args:
        colorimetry, size, pixel_format: properties of the file; `effective_matrix` replaces an untagged matrix.
    """
    if pixel_format.model != "gray":
        return rgb_to_code(colorimetry, size, pixel_format).inverse()
    # The matrix of `rgb_to_code` has rank 1 for grey, so it has no inverse.
    scale, offset, _, _ = code_scale(colorimetry, pixel_format)
    first = np.zeros((3, 3))
    first[:, 0] = 1 / scale
    return AffineMap(first, np.full(3, -offset / scale))
