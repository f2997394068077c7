"""What is looked at before a mask is believed, for files and for arrays alike.

A mask that is read in the wrong way makes no error: it grades nothing, or the background, or every pixel a little. So
types and ranges of arrays are checked strictly, and masks that can hardly be meant are refused or named.
"""

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chromacord.errors import ChromacordWarning, InputError, MismatchError, NonFiniteError
from chromacord.pipeline.masks import Mask, MaskedFrame
from chromacord.types import Size

Array = npt.NDArray[Any]

ROUNDING = 1e-3
"""How far floats may lie outside [0, 1]: a fourth of an 8-bit code, which half floats are off by."""


NUM_FRAMES = 12
"""Frames with foreground that tell labels: a foreground that fades in over a minute is past `LABEL` by then."""

LABEL = 1.5 / 255
"""Weights up to here are an 8-bit 1, or 8-bit codes in 16 bits: labels, and no coverage that anyone would see."""

WEAK = 0.25
"""Weights up to here are labels of several classes more often than coverage."""


class MaskCheck:
    """Judges the mask of one clip while its frames go by."""

    def __init__(self, path: Path | None) -> None:
        """Prepare for one pass over a clip.

        Args:
            path: of the mask, for messages; None: it is given as arrays.
        """
        self._path = path
        self._where = ""
        self._num_seen, self._peak, self._white = 0, 0.0, 1.0

    def watch(self, frames: Iterable[MaskedFrame]) -> Iterator[MaskedFrame]:
        """Pass all frames of the clip on.

        Warns:
            ChromacordWarning: the mask is weak in all of them.

        Raises:
            InputError: the mask holds labels; after `NUM_FRAMES` with foreground, or at the end.
        """
        yield from map(self._seen, frames)  # by `map`, so that no frame is held until the next one comes
        if self._num_seen and self._peak <= WEAK:
            self._refuse_labels()
            message = f"{self._found()}, so the grade is hardly seen; if these are labels, make the foreground's "
            warnings.warn(f"{message}{self._white:.6g}", ChromacordWarning, stacklevel=2)

    def _seen(self, masked: MaskedFrame) -> MaskedFrame:
        mask = masked.mask
        if mask.box is not None and self._peak <= WEAK:
            self._where = self._where or str(self._path or f"frame {masked.frame.index}")
            self._peak, self._white = max(self._peak, mask.peak), mask.white - mask.black
            self._num_seen += 1
            if self._num_seen == NUM_FRAMES:
                self._refuse_labels()
        return masked

    def _refuse_labels(self) -> None:
        if self._peak <= LABEL:
            white = f"{self._white:.6g}"
            raise InputError(f"{self._found()}: it looks like a mask of labels 0 and 1; multiply it by {white}")

    def _found(self) -> str:
        frames = f" in {self._num_seen} frames" if self._num_seen > 1 else ""
        return f"{self._where}: the mask never exceeds {self._peak * self._white:.3g} of {self._white:.6g}{frames}"


def check_floats(values: Array, *, where: str) -> None:
    """Refuse floats that are no number in [0, 1].

    Args:
        values: of any shape.
        where: what they are, for messages ("frame 0: the mask").

    Raises:
        NonFiniteError: one is NaN or infinite.
        InputError: one lies outside.
    """
    low, high = float(values.min()), float(values.max())
    if not np.isfinite((low, high)).all():
        raise NonFiniteError(f"{where} holds NaN or infinity; replace them before harmonizing")
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise InputError(
            f"{where} is {values.dtype} from {low:g} to {high:g}; floats must lie in 0..1: divide by the white level "
            "(255 for 8-bit values), or clip"
        )


def array_mask(values: Array, size: Size, *, index: int) -> Mask:
    """Return the mask that an array holds.

    Args:
        values: bool, uint8, uint16, or floats in [0, 1]; shape (height, width) or (height, width, 1).
        size: of the composite.
        index: of the frame, for messages.

    Raises:
        MismatchError: the mask has another size.
        InputError: it has another type, range or shape.
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


def _range_of(values: Array) -> str:
    return f" from {values.min()} to {values.max()}" if np.issubdtype(values.dtype, np.integer) else ""
