"""The l-alpha-beta space of Ruderman, Cronin and Chiao, "Statistics of cone responses to natural images" (1998).

Its axes, lightness and two opponent colours, hardly correlate in natural pictures, so each can be moved by itself.
Matrices as printed in Reinhard et al., "Color Transfer between Images" (2001), eqs. 4 to 6; inverses are
calculated.
"""

import torch
from torch import Tensor

_RGB_TO_LMS = ((0.3811, 0.5783, 0.0402), (0.1967, 0.7244, 0.0782), (0.0241, 0.1288, 0.8444))
_LMS_TO_OPPONENT = ((3**-0.5,) * 3, (6**-0.5, 6**-0.5, -2 * 6**-0.5), (2**-0.5, -(2**-0.5), 0.0))

# Added before the logarithm and taken off again: the paper's own logarithm has no value at black, and tears the
# darkest 8-bit levels, which hold noise, further apart than all the others.
_FOOT = 4 / 255


def _mix(matrix: Tensor, image: Tensor) -> Tensor:
    """Multiply every pixel by a matrix. Shape (N, 3, ...)."""
    mixed: Tensor = torch.einsum("oc,nc...->no...", matrix, image)
    return mixed


def rgb_to_lalphabeta(image: Tensor) -> Tensor:
    """Convert RGB to l-alpha-beta, decimal logarithms of cone responses.

    Args:
        image: RGB in [0, 1]; lower values are clamped. Shape (N, 3, H, W).

    Returns:
        Channels l, alpha, beta. Shape (N, 3, H, W).
    """
    cones = _mix(image.new_tensor(_RGB_TO_LMS), image).clamp_min(0)
    return _mix(image.new_tensor(_LMS_TO_OPPONENT), (cones + _FOOT).log10())


def lalphabeta_to_rgb(image: Tensor) -> Tensor:
    """Convert l-alpha-beta back to RGB.

    Args:
        image: channels l, alpha, beta. Shape (N, 3, H, W).

    Returns:
        RGB, not clamped. Shape (N, 3, H, W).
    """
    logarithms = _mix(image.new_tensor(_LMS_TO_OPPONENT).T, image)  # orthogonal: its transpose is its inverse
    return _mix(torch.linalg.inv(image.new_tensor(_RGB_TO_LMS)), 10**logarithms - _FOOT)
