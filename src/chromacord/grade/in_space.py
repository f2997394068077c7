"""Convert grades of display-referred pictures to maps in another colour space, for export."""

import numpy as np

from chromacord.color.management.config import REC709, find_space
from chromacord.color.management.managed import ManagedSpace
from chromacord.color.transforms import ColorTransform, Lut3d, lattice
from chromacord.grade.lattice import lut_step, raw_config
from chromacord.types import ColorSpace, FloatArray

SPACE_LUT_SIZE = 65
"""Nodes per side of LUTs in another colour space, where a grade is less smooth than in the space of its decision."""


def lut_in(transform: ColorTransform, space: ColorSpace) -> Lut3d:
    """Return a LUT that applies a grade to pictures in a colour space.

    Args:
        transform: for one picture, global.
        space: the LUT's colour space, over codes 0 to 1.
    """
    nodes = lattice(SPACE_LUT_SIZE).reshape(3, -1).T
    graded = graded_in(transform, space, nodes)
    return Lut3d(np.ascontiguousarray(graded.T).reshape(1, 3, *3 * (SPACE_LUT_SIZE,)))


def graded_in(transform: ColorTransform, space: ColorSpace, colors: FloatArray) -> FloatArray:
    """Grade colours of a colour space as the renderer does.

    Args:
        transform: for one picture, global.
        space: colour space of the colours.
        colors: colours to grade. Shape (P, 3).

    Returns:
        Graded colours. Shape (P, 3).
    """
    rgba = with_fourth(colors)
    # LUTs go through OpenColorIO, tetrahedral like the render; NumPy's trilinear one would differ from it.
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
    """Convert display-referred colours to a colour space. Shape (P, 3)."""
    return ManagedSpace.of(find_space(REC709)).converted(with_fourth(colors), ManagedSpace.of(space))[:, :3]


def shown(colors: FloatArray, space: ColorSpace) -> FloatArray:
    """Convert colours of a colour space to SDR video, in [0, 1]. Shape (P, 3)."""
    return ManagedSpace.of(space).display(with_fourth(colors))


def with_fourth(colors: FloatArray) -> FloatArray:
    """Add a padding channel, because OpenColorIO is fastest on four channels. Shape (P, 4)."""
    padded: FloatArray = np.concatenate([colors, colors[:, :1]], axis=1, dtype=np.float32)
    return padded
