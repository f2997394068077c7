"""Check masks, from files and arrays, before using them.

A mask in the wrong encoding causes no error: it grades nothing, or the background, or every pixel slightly. Types and
ranges of arrays are therefore checked strictly, and implausible masks are refused or warned about.
"""

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chromacord.color.spaces import LUMA_WEIGHTS
from chromacord.errors import ChromacordWarning, InputError, MismatchError, NonFiniteError
from chromacord.io.orientation import Orientation
from chromacord.masks.masks import Mask, MaskedFrame, shown_size
from chromacord.masks.proxy import proxy
from chromacord.types import FloatArray, Size, VideoInfo

Array = npt.NDArray[Any]

ROUNDING = 1e-3
"""Tolerance for floats outside [0, 1]: a quarter of an 8-bit code, the rounding error of half floats."""


NUM_FRAMES = 12
"""Number of frames with foreground to judge labels by: a foreground that fades in over a minute exceeds `LABEL` by
then."""

LABEL = 1.5 / 255
"""Weights up to this are labels, not visible coverage: an 8-bit 1, or 8-bit codes in 16 bits."""

WEAK = 0.25
"""Weights up to this are more likely labels of several classes than coverage."""


SMALL = 96
"""Longer side of the reduced pictures for judging whole masks."""


class MaskCheck:
    """Judges the mask of one clip frame by frame."""

    def __init__(self, path: Path | None, info: VideoInfo) -> None:
        """Start a pass over a clip.

        Args:
            path: path of the mask, for messages; None: masks are arrays.
            info: properties of the composite.
        """
        self._path, self._info = path, info
        self._has_looked = False
        self._where = ""
        self._num_seen, self._peak, self._white = 0, 0.0, 1.0

    def watch(self, frames: Iterable[MaskedFrame]) -> Iterator[MaskedFrame]:
        """Pass all frames through, and check their masks.

        Warns:
            ChromacordWarning: the mask is weak in all frames; or the first mask with foreground and background looks
                inverted, or like the picture itself.

        Raises:
            InputError: the mask contains labels; raised after `NUM_FRAMES` with foreground, or at the end.
        """
        yield from map(self._seen, frames)  # `map` keeps no reference to a frame while the next one is read
        if self._num_seen and self._peak <= WEAK:
            self._refuse_labels()
            message = f"{self._found()}, so the grade is hardly visible; if these are labels, make the foreground's "
            _warn(f"{message}{self._white:.6g}")

    def _seen(self, masked: MaskedFrame) -> MaskedFrame:
        mask = masked.mask
        if mask.is_usable and not self._has_looked:
            self._has_looked = True
            self._look_at(masked)
        # Once a mask has been strong, it is coverage, and no further frame is looked at.
        if mask.box is not None and self._peak <= WEAK:
            self._where = self._where or str(self._path or f"frame {masked.frame.index}")
            self._peak, self._white = max(self._peak, mask.peak), mask.white - mask.black
            self._num_seen += 1
            # Early, so that a wrong mask does not cost the analysis of a long clip.
            if self._num_seen == NUM_FRAMES:
                self._refuse_labels()
        return masked

    def _look_at(self, masked: MaskedFrame) -> None:
        scale = SMALL / max(SMALL, *self._info.size)
        size = Size(*(max(1, round(length * scale)) for length in self._info.size))
        orientation = Orientation.of(self._info)
        pictures = (masked.mask.scaled(size), proxy(masked.frame, self._info, size))
        weights, picture = (np.asarray(orientation.apply(each), np.float32) for each in pictures)
        where = self._path or f"frame {masked.frame.index}"
        # Before the other test: a bright picture used as its own mask would pass for an inverted one.
        if is_picture(weights, picture):
            _warn(f"{where}: the mask looks like the picture itself, so bright parts are graded most; name a mask")
        elif is_of_background(weights):
            found = f"the mask is white on {weights.mean():.0%} of the picture and most of its border"
            remedy = f"; {self._path}@inverted is read the other way" if self._path else ""
            _warn(f"{where}: {found}: is it inverted? White is graded, and should be the foreground{remedy}")

    def _refuse_labels(self) -> None:
        if self._peak <= LABEL:
            factor = round(1 / self._peak)
            raise InputError(f"{self._found()}: it looks like labels 0 and 1; multiply it by {factor}")

    def _found(self) -> str:
        frames = f" in {self._num_seen} frames" if self._num_seen > 1 else ""
        return f"{self._where}: the mask never exceeds {self._peak * self._white:.3g} of {self._white:.6g}{frames}"


def warn_of_stretching(mask: VideoInfo, composite: VideoInfo) -> None:
    """Warn if scaling a mask to its composite changes its aspect ratio.

    Args:
        mask, composite: properties of the clips. Either stored or displayed aspect ratios must agree.

    Warns:
        ChromacordWarning: neither agrees.
    """
    shapes = [(shown_size(info), _shown_aspect(info)) for info in (mask, composite)]
    (size, aspect), (wanted, wanted_aspect) = shapes
    if _agree(size.width * wanted.height, wanted.width * size.height) or _agree(aspect, wanted_aspect):
        return
    turned = "; it seems to be turned by 90 degrees" if _agree(aspect * wanted_aspect, 1) else ""
    _warn(
        f"{mask.path}: the mask is {size.width}x{size.height} and is stretched to the composite's "
        f"{wanted.width}x{wanted.height}, another shape{turned}; check that it lies on the foreground, or crop it"
    )


def _shown_aspect(info: VideoInfo) -> float:
    """Return the displayed aspect ratio, width over height."""
    aspect = float(info.pixel_aspect * info.size.width / info.size.height)
    return 1 / aspect if info.rotation % 180 else aspect


def _agree(one: float, other: float) -> bool:
    """Whether two lengths differ by no more than rounding to whole, even pixels explains."""
    return abs(one - other) < 0.02 * other


def is_of_background(weights: FloatArray) -> bool:
    """Whether a mask probably covers the background: most of the picture, of its border, and the upper corners.

    This detects 98 % of the inverted masks of 53 clips of objects, animals and people, and 44 % to 97 % of those of
    still sets (fewest where people fill the picture), without false positives on 1,000 correct masks.

    Args:
        weights: reduced mask. Shape (height, width).
    """
    border = np.concatenate([weights[0], weights[-1], weights[1:-1, 0], weights[1:-1, -1]])
    corners = weights[0, [0, -1]]
    return bool(weights.mean() > 0.5 and border.mean() > 0.7 and corners.mean() > 0.5)


def is_picture(weights: FloatArray, rgb: FloatArray) -> bool:
    """Whether a mask is probably the picture's luma or its negative: often grey, and correlated with it.

    Args:
        weights: reduced mask. Shape (height, width).
        rgb: reduced picture. Shape (height, width, 3).
    """
    if ((weights > 0.1) & (weights < 0.9)).mean() < 0.3:
        return False
    red, blue = LUMA_WEIGHTS[1]
    luma = rgb @ np.array([red, 1 - red - blue, blue], np.float32)
    deviations = weights.std() * luma.std()
    covariance = ((weights - weights.mean()) * (luma - luma.mean())).mean()
    # Compared as products: a plain mask has a deviation of 0, by which the correlation would be divided.
    return bool(abs(covariance) > 0.9 * deviations > 0)


def check_floats(values: Array, *, where: str) -> None:
    """Check that floats are finite and in [0, 1].

    Args:
        values: any shape.
        where: name of the values in messages ("frame 0: the mask").

    Raises:
        NonFiniteError: one is NaN or infinite.
        InputError: one is out of range.
    """
    low, high = float(values.min()), float(values.max())
    if not np.isfinite((low, high)).all():
        raise NonFiniteError(f"{where} holds NaN or infinity; replace them before harmonizing")
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise InputError(
            f"{where} is {values.dtype} from {low:g} to {high:g}; floats must be in 0..1: divide by the white level "
            "(255 for 8-bit values), or clip"
        )


def array_mask(values: Array, size: Size, *, index: int) -> Mask:
    """Convert an array to a mask.

    Args:
        values: bool, uint8, uint16, or floats in [0, 1]; shape (height, width) or (height, width, 1).
        size: size of the composite.
        index: index of the frame, for messages.

    Raises:
        MismatchError: the mask has another size.
        InputError: it has another dtype, range or shape.
        NonFiniteError: it holds NaN or infinity.
    """
    where = f"frame {index}: the mask"
    plane = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
    if plane.ndim != 2:
        raise InputError(f"{where} has shape {values.shape}; give one channel, as (H, W) or (H, W, 1)")
    if plane.shape != size:
        raise MismatchError(f"{where} has shape {values.shape}, the composite {(*size, 3)}")
    if plane.dtype == bool:
        plane = plane.astype(np.uint8) * 255
    if np.issubdtype(plane.dtype, np.floating):
        check_floats(plane, where=where)
        plane = plane.astype(np.float32, copy=False)
    elif plane.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"{where} is {plane.dtype}{_range_of(plane)}; give bool, uint8 (0 to 255), uint16 (0 to 65535) or floats "
            "(0 to 1)"
        )
    white = 1.0 if plane.dtype == np.float32 else float(np.iinfo(plane.dtype).max)
    return Mask.from_plane(np.ascontiguousarray(plane), black=0.0, white=white)


def _warn(message: str) -> None:
    warnings.warn(message, ChromacordWarning, stacklevel=2)


def _range_of(values: Array) -> str:
    return f" from {values.min()} to {values.max()}" if np.issubdtype(values.dtype, np.integer) else ""
