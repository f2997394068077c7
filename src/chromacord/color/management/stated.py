"""Find the colour space that a file states: by tags, primaries, name or profile.

Nothing is guessed here: if a file states nothing, the result is "", and the caller chooses a default.
"""

from collections.abc import Sequence

from chromacord.errors import InputError
from chromacord.types import UNSPECIFIED, Colorimetry

BT709, BT2020, DCI_P3, DISPLAY_P3 = 1, 9, 11, 12
LINEAR, SRGB, PQ, DCI, HLG = 8, 13, 16, 17, 18
"""Code points of ITU-T H.273, tables 2 and 3."""

DISPLAY_P3_SPACE = "Display P3 - Display"

# Codes 1, 6, 14 and 15 are one curve in H.273, named after BT.709, BT.601 and BT.2020 at 10 and 12 bits.
_SDR_CURVES = (1, 6, SRGB, 14, 15, UNSPECIFIED)
_NARROW = (1, 4, 5, 6, 7)
"""Primaries of SDR television, which no HDR standard uses."""

_OF_TAGS = {
    (BT2020, PQ): "Rec.2100-PQ - Display",
    (UNSPECIFIED, PQ): "Rec.2100-PQ - Display",
    (DISPLAY_P3, PQ): "ST2084-P3-D65 - Display",
    (BT2020, HLG): "Rec.2100-HLG - Display",
    (UNSPECIFIED, HLG): "Rec.2100-HLG - Display",
    (DCI_P3, DCI): "Gamma 2.6 P3-D65 - Display",
    (DISPLAY_P3, DCI): "Gamma 2.6 P3-D65 - Display",
    (BT709, LINEAR): "Linear Rec.709 (sRGB)",
    (BT2020, LINEAR): "Linear Rec.2020",
    (DISPLAY_P3, LINEAR): "Linear P3-D65",
    **{(DISPLAY_P3, curve): DISPLAY_P3_SPACE for curve in _SDR_CURVES},
}
"""Spaces of the built-in configuration by primaries and transfer."""

_NAMES = {BT709: "BT.709", BT2020: "BT.2020", DISPLAY_P3: "Display P3", PQ: "PQ", HLG: "HLG"}

_D65, _ACES_WHITE = (0.3127, 0.3290), (0.32168, 0.33767)
_OF_CHROMATICITIES = {
    "Linear Rec.709 (sRGB)": (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65),
    "Linear Rec.2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    "Linear P3-D65": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
    "Linear AdobeRGB": (0.640, 0.330, 0.210, 0.710, 0.150, 0.060, *_D65),
    "ACES2065-1": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, *_ACES_WHITE),
    "ACEScg": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, *_ACES_WHITE),
    "Linear ARRI Wide Gamut 3": (0.6840, 0.3130, 0.2210, 0.8480, 0.0861, -0.1020, *_D65),
    "Linear ARRI Wide Gamut 4": (0.7347, 0.2653, 0.1424, 0.8576, 0.0991, -0.0308, *_D65),
    "Linear S-Gamut3": (0.730, 0.280, 0.140, 0.855, 0.100, -0.050, *_D65),
    "Linear S-Gamut3.Cine": (0.766, 0.275, 0.225, 0.800, 0.089, -0.087, *_D65),
    "Linear V-Gamut": (0.730, 0.280, 0.165, 0.840, 0.100, -0.030, *_D65),
    "Linear CinemaGamut D55": (0.740, 0.270, 0.170, 1.140, 0.080, -0.100, *_D65),
    "Linear REDWideGamutRGB": (0.780308, 0.304253, 0.121595, 1.493994, 0.095612, -0.084589, *_D65),
    "Linear DaVinci WideGamut": (0.8000, 0.3130, 0.1682, 0.9877, 0.0790, -0.1155, *_D65),
    "Linear BMD WideGamut Gen5": (0.7177, 0.3171, 0.2280, 0.8616, 0.1006, -0.0820, *_D65),
    "Linear D-Gamut": (0.71, 0.31, 0.21, 0.88, 0.09, -0.08, *_D65),
}
"""Chromaticities of red, green, blue and white, x and y each, as published by the spaces' makers."""

_TOLERANCE = 2e-3
"""Tolerance of chromaticities: files round them to three decimals, or to half floats."""

_OF_PROFILES = (
    ("display p3", DISPLAY_P3_SPACE),
    ("dci-p3 d65", "Gamma 2.6 P3-D65 - Display"),
    ("adobe rgb", "Gamma 2.2 Encoded AdobeRGB"),
    ("adobergb", "Gamma 2.2 Encoded AdobeRGB"),
)
"""Spaces by a part of the ICC profile's description, in lower case."""


def space_of_tags(colorimetry: Colorimetry) -> str:
    """Return the space that a stream's tags name; "" for SDR video with BT.709 primaries, or what is treated as such.

    Raises:
        InputError: the tags contradict each other.
    """
    primaries, transfer = colorimetry.primaries, colorimetry.transfer
    # A wrong guess between SDR and HDR is a gross error of exposure, so contradictions are refused, not
    # resolved.
    if transfer in (PQ, HLG) and primaries in _NARROW:
        raise InputError(
            f"the colour tags contradict each other: transfer {_NAMES[transfer]} with primaries "
            f"{_NAMES.get(primaries, f'code {primaries}')}; name the colour space with --input-space"
        )
    if transfer in (PQ, HLG) and colorimetry.matrix in _NARROW and primaries == UNSPECIFIED:
        raise InputError(
            f"the colour tags contradict each other: transfer {_NAMES[transfer]} with matrix code "
            f"{colorimetry.matrix}; name the colour space with --input-space"
        )
    return _OF_TAGS.get((primaries, transfer), "")


def space_of_chromaticities(chromaticities: Sequence[float]) -> str:
    """Return the linear space with an EXR's primaries and white; "" if unknown.

    Args:
        chromaticities: red, green, blue and white, x and y each.
    """
    if len(chromaticities) != 8:
        return ""
    for name, known in _OF_CHROMATICITIES.items():
        if all(abs(one - other) <= _TOLERANCE for one, other in zip(chromaticities, known, strict=True)):
            return name
    return ""


def space_of_profile(description: str) -> str:
    """Return the space of an ICC profile by its description; "" if unknown."""
    spoken = description.lower()
    return next((space for part, space in _OF_PROFILES if part in spoken), "")
