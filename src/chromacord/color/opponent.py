"""The l-alpha-beta space of Ruderman, Cronin and Chiao, "Statistics of cone responses to natural images" (1998).

Its axes, lightness and two opponent colours, are almost uncorrelated in natural pictures, so each can be changed
independently. Matrices are as printed in Reinhard et al., "Color Transfer between Images" (2001), eqs. 4 to 6; inverses
are computed.
"""

from typing import Any

from chromacord.color.namespace import Values, namespace

_RGB_TO_LMS = ((0.3811, 0.5783, 0.0402), (0.1967, 0.7244, 0.0782), (0.0241, 0.1288, 0.8444))
_LMS_TO_OPPONENT = ((3**-0.5,) * 3, (6**-0.5, 6**-0.5, -2 * 6**-0.5), (2**-0.5, -(2**-0.5), 0.0))

# Added before the logarithm and subtracted afterwards: the paper's logarithm is undefined at black, and spreads the
# darkest 8-bit levels, which hold noise, further than all others.
_FOOT = 4 / 255


def _mix(matrix: Any, image: Values) -> Values:
    """Multiply every pixel by a matrix. Shape (N, 3, ...)."""
    mixed: Values = matrix @ image.reshape(*image.shape[:2], -1)
    return mixed.reshape(image.shape)


def _like(image: Values, matrix: Any) -> Values:
    """Return constants as an array of a picture's kind and dtype. Any shape."""
    array: Values = namespace(image).asarray(matrix, dtype=image.dtype, device=image.device)
    return array


def rgb_to_lalphabeta(image: Values) -> Values:
    """Convert RGB to l-alpha-beta, decimal logarithms of cone responses.

    Args:
        image: RGB in [0, 1]; lower values are clamped. Shape (N, 3, H, W).

    Returns:
        Channels l, alpha, beta. Shape (N, 3, H, W).
    """
    cones = _mix(_like(image, _RGB_TO_LMS), image).clip(0)
    logarithms: Values = namespace(image).log10(cones + _FOOT)
    return _mix(_like(image, _LMS_TO_OPPONENT), logarithms)


def lalphabeta_to_rgb(image: Values) -> Values:
    """Convert l-alpha-beta back to RGB.

    Args:
        image: channels l, alpha, beta. Shape (N, 3, H, W).

    Returns:
        RGB, not clamped. Shape (N, 3, H, W).
    """
    logarithms = _mix(_like(image, _LMS_TO_OPPONENT).T, image)  # orthogonal: its transpose is its inverse
    return _mix(namespace(image).linalg.inv(_like(image, _RGB_TO_LMS)), 10**logarithms - _FOOT)
