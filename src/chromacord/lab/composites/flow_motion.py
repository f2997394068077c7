"""Parameters of synthetic frame pairs: how layers move, and how frames differ otherwise."""

import math
from dataclasses import asdict, dataclass

from chromacord.errors import InputError
from chromacord.types import Size

WHOLE = 256
"""Picture side, in pixels, to which all lengths refer."""


@dataclass(frozen=True)
class Motion:
    """How pairs are drawn. Lengths are in pixels of 256 x 256 pictures; shares are probabilities."""

    typical: float = 3.5
    """Median displacement of layers."""

    spread: float = 1.2
    """Standard deviation of the displacement's logarithm. Rotation and scale grow with the displacement."""

    longest: float = 40.0
    """Maximum displacement of a layer's centre."""

    turn: float = 1.5
    """Standard deviation of the rotation, in degrees, of a layer with typical displacement."""

    stretch: float = 0.02
    """Standard deviation of the scale's logarithm; shear has a quarter of it."""

    bend: float = 1.0
    """Standard deviation of the smooth bend that `bent_share` of the layers have."""

    bent_share: float = 0.5
    still_share: float = 0.1
    """Share of layers that do not move."""

    attached_share: float = 0.2
    """Share of cut-outs that move with the background."""

    least_cutouts: int = 0
    most_cutouts: int = 3
    least_zoom: float = 0.7
    """Minimum of photograph pixels per picture pixel in a cut-out, whose relative size is the inverse."""

    most_zoom: float = 1.5
    carried_share: float = 0.0
    """Share of cut-outs that the background carries along: they move by its motion after their own."""

    thin_share: float = 0.0
    """Share of cut-outs that are strips, 1 to 8 pixels wide, instead of the mask's shape."""

    fast_share: float = 0.0
    """Share of cut-outs that are half as large and move three times as far."""

    back_pace: float = 1.0
    """Factor on the displacement of backgrounds; below 1 also on their rotation and scale."""

    foreign_share: float = 0.25
    """Share of cut-outs filled with another photograph than the mask's own."""

    relit_share: float = 0.7
    """Share of pairs whose second frame is lit differently."""

    relit_strength: float = 1.0
    noise: float = 0.02
    """Maximum standard deviation of a frame's noise, for colours in [0, 1]."""

    blurred_share: float = 0.3
    """Share of frames that are slightly blurred."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        for name, value in asdict(self).items():
            if name.endswith("_share") and not 0 <= value <= 1:
                raise InputError(f"{name} must lie in 0..1, got {value}")
            if not 0 <= value < math.inf:
                raise InputError(f"{name} must be 0 or more, got {value}")
        for kind in ("cutouts", "zoom"):
            least, most = getattr(self, f"least_{kind}"), getattr(self, f"most_{kind}")
            if least > most:
                raise InputError(f"least_{kind} must be at most most_{kind}, {most:g}, got {least:g}")
        if not self.least_zoom:
            raise InputError("least_zoom must be above 0")


LAYERED_FRAME = Size(384, 512)
"""Size of FlyingChairs' frames."""

LAYERED = Motion(
    typical=14.0,
    spread=0.7,
    turn=6.0,
    stretch=0.06,
    still_share=0.05,
    attached_share=0.05,
    least_cutouts=16,
    most_cutouts=24,
    least_zoom=0.8,
    most_zoom=3.0,
    carried_share=0.8,
    thin_share=0.15,
    fast_share=0.15,
    back_pace=0.2,
    relit_share=0.25,
    relit_strength=0.5,
    noise=0.01,
)
"""Many objects, each with a large motion of its own: the kind of FlyingChairs (Dosovitskiy et al. 2015), where 16 to 24
chairs move relative to a background that moves less."""
