"""Five spaces by their makers' formulas: a second implementation of what chromacord has OpenColorIO calculate."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

D65, ACES_WHITE = (0.3127, 0.3290), (0.32168, 0.33767)
BT709 = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
BT2020 = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
AP1 = ((0.713, 0.293), (0.165, 0.830), (0.128, 0.044))
ARRI_WIDE_GAMUT_3 = ((0.6840, 0.3130), (0.2210, 0.8480), (0.0861, -0.1020))
S_GAMUT3_CINE = ((0.766, 0.275), (0.225, 0.800), (0.089, -0.087))
CAT02 = np.array([[0.7328, 0.4296, -0.1624], [-0.7036, 1.6975, 0.0061], [0.0030, 0.0136, 0.9834]])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def rgb_to_xyz(primaries: tuple[tuple[float, float], ...], white: tuple[float, float]) -> Doubles:
    """SMPTE RP 177: the matrix of primaries and white."""
    columns = np.array([[x, y, 1 - x - y] for x, y in primaries]).T
    return columns * np.linalg.solve(columns, _xyz(white))


def _xyz(white: tuple[float, float]) -> Doubles:
    return np.array([white[0] / white[1], 1, (1 - white[0] - white[1]) / white[1]])


def adapted(from_white: tuple[float, float], to_white: tuple[float, float], cones: Doubles) -> Doubles:
    """Von Kries: the matrix of XYZ from one white to another."""
    scale = (cones @ _xyz(to_white)) / (cones @ _xyz(from_white))
    return np.linalg.inv(cones) @ np.diag(scale) @ cones


def from_bt709(primaries: tuple[tuple[float, float], ...], white: tuple[float, float] = D65) -> Doubles:
    """The matrix from BT.709 light to other primaries, by way of ACES.

    To ACES white by Bradford's matrix, as the display transforms of ACES do; from there by CAT02, as its input
    transforms for cameras do.
    """
    there = adapted(D65, ACES_WHITE, BRADFORD) @ rgb_to_xyz(BT709, D65)
    return np.linalg.inv(rgb_to_xyz(primaries, white)) @ adapted(ACES_WHITE, white, CAT02) @ there


def to_logc3(light: Doubles) -> Doubles:
    """ARRI, "ALEXA Log C Curve: Usage in VFX", 2012, EI 800."""
    cut, a, b, c, d, e, f = 0.010591, 5.555556, 0.052272, 0.247190, 0.385537, 5.367655, 0.092809
    return np.where(light > cut, c * np.log10(np.maximum(a * light + b, 1e-9)) + d, e * light + f)


def to_slog3(light: Doubles) -> Doubles:
    """Sony, "Technical Summary for S-Gamut3.Cine/S-Log3 and S-Gamut3/S-Log3"."""
    log = (420 + np.log10(np.maximum(light + 0.01, 1e-9) / 0.19) * 261.5) / 1023
    return np.where(light >= 0.01125, log, (light * (171.2102946929 - 95) / 0.01125 + 95) / 1023)


def to_pq(light: Doubles) -> Doubles:
    """SMPTE ST 2084, with 1 at the reference white of ITU-R BT.2408, 203 cd/m2."""
    power = np.maximum(light * 203 / 10000, 0) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def in_spaces(display: Doubles) -> dict[str, Doubles]:
    """Return the numbers of SDR video in five spaces. Shape (..., 3)."""
    light = display**2.4
    ways: dict[str, tuple[Doubles, Callable[[Doubles], Doubles]]] = {
        "Rec.1886 Rec.709 - Display": (np.eye(3), lambda light: light ** (1 / 2.4)),
        "ARRI LogC3 (EI800)": (from_bt709(ARRI_WIDE_GAMUT_3), to_logc3),
        "S-Log3 S-Gamut3.Cine": (from_bt709(S_GAMUT3_CINE), to_slog3),
        "ACEScg": (from_bt709(AP1, ACES_WHITE), lambda light: light),
        "Rec.2100-PQ - Display": (np.linalg.inv(rgb_to_xyz(BT2020, D65)) @ rgb_to_xyz(BT709, D65), to_pq),
    }
    return {name: curve(light @ matrix.T) for name, (matrix, curve) in ways.items()}
