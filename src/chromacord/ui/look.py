"""A frame's grade as numbers for the page, which applies manual changes and masks itself."""

import json
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from chromacord.color.parameters.hues import HueRange
from chromacord.color.parameters.parametric import LIMITS, Parametric
from chromacord.color.spaces import LUMA
from chromacord.color.transforms import AffineField, ColorTransform, Lut3d
from chromacord.grade.by_hand import BENT_LUT_SIZE, protected
from chromacord.grade.keys import Grade
from chromacord.types import FloatArray


class Look(NamedTuple):
    """The grade of one frame, before changes by hand."""

    kind: str
    """"lut": nodes of a 3D LUT, "field": matrices on a grid over the picture, or "none"."""

    shape: tuple[int, ...]
    """Shape of the values without the last axis."""

    values: FloatArray
    """Axes (blue, green, red, channel) for a LUT, and (row, column, output channel, r g b offset) for a field."""

    def head(self) -> str:
        """Return kind and shape as JSON."""
        return json.dumps({"kind": self.kind, "shape": self.shape})


NO_LOOK = Look("none", (), np.empty(0, np.float32))


def look_of(grade: Grade, index: int, protect: HueRange | None = None) -> Look:
    """Return the grade of a frame.

    Like the renderer, the page applies manual changes to the nodes of a LUT, not to pixels. Affine grades become the
    LUT that the renderer makes of them when contrast is adjusted; both are linear within a cell, so results are equal.

    Args:
        grade: a grade without changes by hand.
        index: number of the frame.
        protect: hues to change less.

    Raises:
        InputError: the grade varies over the picture and cannot protect hues.
    """
    shot = grade.shot_at(index)
    transform: ColorTransform | None = None if shot is None else shot.at(index)
    if transform is None:
        return NO_LOOK
    transform = protected(transform, protect)
    if not transform.is_global and isinstance(transform, AffineField):
        matrices = np.ascontiguousarray(transform.parameters[0].transpose(2, 3, 0, 1))
        return Look("field", matrices.shape[:3], matrices)
    lut = transform.to_lut(max(BENT_LUT_SIZE, transform.size if isinstance(transform, Lut3d) else 0))
    nodes = np.ascontiguousarray(lut.parameters[0].transpose(1, 2, 3, 0), np.float32)
    return Look("lut", nodes.shape[:3], nodes)


def turning() -> dict[str, Any]:
    """Return the constants of manual changes that `chromacord.Parametric` computes with."""
    gains = {
        name: Parametric(**{name: 1.0}).affine[0].astype(np.float64).diagonal().tolist()  # type: ignore[index]
        for name in ("exposure", "temperature", "tint")
    }
    return {
        "luma": list(LUMA),
        "stops": {name: np.log2(values).tolist() for name, values in gains.items()},
        "limits": {name: list(limits) for name, limits in LIMITS.items()},
        "neutral": asdict(Parametric()),
    }
