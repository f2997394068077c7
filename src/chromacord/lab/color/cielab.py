"""CIELAB and the CIEDE2000 colour difference: distances between colours as people see them.

Sources: CIE 015:2018 for L*a*b*; IEC 61966-2-1 for sRGB; Sharma, Wu and Dalal, "The CIEDE2000 Color-Difference Formula:
Implementation Notes, Supplementary Test Data, and Mathematical Observations" (2005), whose equation numbers are cited.
"""

import math

import torch
from torch import Tensor

from chromacord.color.curves import srgb_to_linear

# As IEC 61966-2-1 prints it; the sums of its rows are the standard's own D65 white, so greys have no chroma.
_RGB_TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))

_KNEE = 6 / 29
_CHROMA_POWER = 25.0**7


def srgb_to_lab(image: Tensor) -> Tensor:
    """Convert sRGB to CIELAB under D65, 2 degrees (CIE 015:2018).

    Args:
        image: display-referred RGB in [0, 1]. Shape (N, 3, ...).

    Returns:
        L* in 0 to 100, a* and b* about -110 to 110. Shape (N, 3, ...).
    """
    matrix = image.new_tensor(_RGB_TO_XYZ)
    share = torch.einsum("oc,nc...->no...", matrix / matrix.sum(dim=1, keepdim=True), srgb_to_linear(image))
    root = share.clamp_min(_KNEE**3) ** (1 / 3)
    x, y, z = torch.where(share > _KNEE**3, root, share / (3 * _KNEE**2) + 4 / 29).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def delta_e_2000(first: Tensor, second: Tensor) -> Tensor:
    """Return the CIEDE2000 difference of colours, with all parametric factors 1; about 1 is just noticeable.

    Args:
        first, second: CIELAB. Shape (N, 3, ...).

    Returns:
        Not negative, symmetric. Shape (N, ...).
    """
    (lightness_1, chroma_1, hue_1), (lightness_2, chroma_2, hue_2) = _adjusted(first, second)
    turn = hue_2 - hue_1
    half = _half_turn(turn)
    turn = torch.where(turn > half, turn - 2 * math.pi, torch.where(turn < -half, turn + 2 * math.pi, turn))
    delta_hue = 2 * (chroma_1 * chroma_2).sqrt() * torch.sin(turn / 2)  # eqs. 10 and 11
    delta_chroma = chroma_2 - chroma_1

    lightness, chroma = (lightness_1 + lightness_2) / 2, (chroma_1 + chroma_2) / 2
    hue = _mean_hue(hue_1, hue_2)
    away = (lightness - 50).square()
    light = (lightness_2 - lightness_1) / (1 + 0.015 * away / (20 + away).sqrt())  # eq. 18
    chromatic = delta_chroma / (1 + 0.045 * chroma)  # eq. 19
    tangential = delta_hue / (1 + 0.015 * chroma * _hue_weight(hue))  # eq. 20
    rotation = _rotation(chroma, hue)
    squared = light.square() + chromatic.square() + tangential.square() + rotation * chromatic * tangential
    return squared.sqrt()  # eq. 22; never negative, since the rotation lies above -2


def _adjusted(first: Tensor, second: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return lightness, chroma and hue of both colours, a* stretched near grey (eqs. 2 to 7)."""
    mean = (torch.hypot(first[:, 1], first[:, 2]) + torch.hypot(second[:, 1], second[:, 2])) / 2
    stretch = 1.5 - 0.5 * _saturated(mean)
    colors = []
    for lightness, red, yellow in (first.unbind(1), second.unbind(1)):
        stretched = red * stretch
        hue = torch.atan2(yellow, stretched) % (2 * math.pi)
        colors.append((lightness, torch.hypot(stretched, yellow), hue))
    return colors


def _saturated(chroma: Tensor) -> Tensor:
    """Return a weight from 0 at grey to 1 at high chroma: the root in eqs. 4 and 17."""
    power = chroma**7
    return (power / (power + _CHROMA_POWER)).sqrt()


def _half_turn(hue: Tensor) -> float:
    """Return pi plus rounding tolerance: opposite hues have two midpoints; like the authors, take the one up to pi."""
    return math.pi * (1 + 4 * torch.finfo(hue.dtype).eps)


def _mean_hue(first: Tensor, second: Tensor) -> Tensor:
    """Return the hue half-way along the shorter arc (eq. 14).

    The equation's special case for greys, which have no hue, is omitted: every term that uses the hue is then
    multiplied by 0.
    """
    total = first + second
    around = (first - second).abs() > _half_turn(total)
    across = torch.where(total < 2 * math.pi, total + 2 * math.pi, total - 2 * math.pi)
    return torch.where(around, across, total) / 2


def _hue_weight(hue: Tensor) -> Tensor:
    """Return T (eq. 15)."""
    degrees = math.pi / 180
    return (
        1
        - 0.17 * torch.cos(hue - 30 * degrees)
        + 0.24 * torch.cos(2 * hue)
        + 0.32 * torch.cos(3 * hue + 6 * degrees)
        - 0.20 * torch.cos(4 * hue - 63 * degrees)
    )


def _rotation(chroma: Tensor, hue: Tensor) -> Tensor:
    """Return R_T, which tilts the ellipses of equal difference in the blues (eqs. 16, 17 and 21)."""
    angle = (math.pi / 3) * torch.exp(-(((hue * (180 / math.pi) - 275) / 25).square()))
    return -2 * _saturated(chroma) * torch.sin(angle)
