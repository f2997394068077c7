"""Grades of display-referred pictures as maps of the numbers of another colour space, for what is exported."""

import numpy as np

from chromacord.color.management.config import REC709, find_space
from chromacord.color.management.managed import ManagedSpace
from chromacord.color.transforms import ColorTransform, Lut3d, lattice
from chromacord.grade.lattice import lut_step, raw_config
from chromacord.types import ColorSpace, FloatArray

SPACE_LUT_SIZE = 65
"""Nodes a side of LUTs for another colour space, where a grade is less even than where it was decided."""


def lut_in(transform: ColorTransform, space: ColorSpace) -> Lut3d:
    """Return the LUT that grades pictures of a colour space.

    Args:
        transform: for one picture, global.
        space: where the LUT lives, over the numbers 0 to 1.
    """
    nodes = lattice(SPACE_LUT_SIZE).reshape(3, -1).T
    graded = graded_in(transform, space, nodes)
    return Lut3d(np.ascontiguousarray(graded.T).reshape(1, 3, *3 * (SPACE_LUT_SIZE,)))


def graded_in(transform: ColorTransform, space: ColorSpace, colors: FloatArray) -> FloatArray:
    """Return colours of a colour space, graded as the render does it.

    Args:
        transform: for one picture, global.
        space: of the colours.
        colors: Shape (P, 3).

    Returns:
        Shape (P, 3).
    """
    rgba = with_fourth(colors)
    if not isinstance(transform, Lut3d):
        return ManagedSpace.of(space).graded(rgba, lambda display: _applied(transform, display))[:, :3]
    lut = raw_config().getProcessor(lut_step(transform)).getDefaultCPUProcessor()

    def looked_up(display: FloatArray) -> FloatArray:
        lut.applyRGBA(display)
        return display

    return ManagedSpace.of(space).graded(rgba, looked_up)[:, :3]


def _applied(transform: ColorTransform, display: FloatArray) -> FloatArray:
    picture = np.ascontiguousarray(display[:, :3].T)[None, :, None]  # of one row
    return with_fourth(transform(picture)[0, :, 0].T)


def brought(colors: FloatArray, space: ColorSpace) -> FloatArray:
    """Return display-referred colours in a colour space. Shape (P, 3)."""
    return ManagedSpace.of(find_space(REC709)).converted(with_fourth(colors), ManagedSpace.of(space))[:, :3]


def shown(colors: FloatArray, space: ColorSpace) -> FloatArray:
    """Return colours of a colour space as they look as SDR video, in [0, 1]. Shape (P, 3)."""
    return ManagedSpace.of(space).display(with_fourth(colors))


def with_fourth(colors: FloatArray) -> FloatArray:
    """Return colours with a fourth channel of no meaning: OpenColorIO is fastest with four. Shape (P, 4)."""
    padded: FloatArray = np.concatenate([colors, colors[:, :1]], axis=1, dtype=np.float32)
    return padded
