"""Split a grade into familiar parameters and a residual that is added to their effect."""

from collections.abc import Sequence

import numpy as np

from chromacord.color.parameters.parametric import Parametric, fit_parametric
from chromacord.color.transforms import AffineField, ColorTransform, Identity, Lut3d, lattice
from chromacord.errors import InputError
from chromacord.grade.by_hand import BENT_LUT_SIZE, NO_TURN
from chromacord.grade.keys import Key, mean_of
from chromacord.types import FloatArray

_COLORS = 5
"""Nodes per side of the colours over which parameters are fitted."""

_CHROMA = 0.25
"""Standard deviation around grey by which colours are weighted; few pictures reach the cube's corners."""


def parametric_part(keys: Sequence[Key]) -> Parametric:
    """Fit parameters to the mean of a shot's keys.

    Args:
        keys: keys of one shot; without keys the result is neutral.
    """
    if not keys:
        return NO_TURN
    mean = mean_of(tuple(keys))
    if isinstance(mean, Identity):
        return NO_TURN
    if isinstance(mean, AffineField):
        # The parameters describe a field's mean over the picture; the residual holds its local differences.
        mean = mean.with_parameters(mean.parameters.mean(axis=(-1, -2), keepdims=True))
    colors = lattice(_COLORS).reshape(3, -1).T
    chroma = np.linalg.norm(colors - colors.mean(axis=1, keepdims=True), axis=1)
    # Unweighted, the cube's saturated corners would decide exposure and balance, which viewers judge by near-neutral
    # colours.
    weights = np.exp(-np.square(chroma / _CHROMA)).astype(np.float32)
    wanted = mean(np.ascontiguousarray(colors.T)[None, :, None])[0, :, 0].T  # a picture of one row
    # Contrast is a power function, which a matrix cannot represent.
    return fit_parametric(colors, wanted, weights, bends=isinstance(mean, Lut3d))


def residual_of(transform: ColorTransform, base: Parametric) -> ColorTransform:
    """Return the residual of a transform over parameters: a transform of the same kind, to be added.

    Args:
        transform: for one picture.
        base: must be without contrast for an affine transform, and neutral for the identity.
    """
    if isinstance(transform, Identity):
        return transform
    return transform.with_parameters(transform.parameters - _parameters(base, transform))


def joined(residual: ColorTransform, base: Parametric) -> ColorTransform:
    """Combine a residual with parameters, which may have been edited since.

    Raises:
        InputError: the residual is spatially varying, and the parameters have contrast.
    """
    if isinstance(residual, Identity):
        if base.is_neutral:
            return residual
        residual = AffineField(np.zeros((1, 3, 4, 1, 1), np.float32))
    if isinstance(residual, AffineField) and base.affine is None:
        if not residual.is_global:
            raise InputError("contrast must be 1 because the residual varies over the picture")
        # No affine map can follow a power function. A LUT can, but has one grade for the whole picture.
        residual = residual.to_lut(BENT_LUT_SIZE)
    return residual.with_parameters(residual.parameters + _parameters(base, residual))


def _parameters(base: Parametric, like: ColorTransform) -> FloatArray:
    """Convert parameters to those of a transform's kind."""
    if isinstance(like, Lut3d):
        return np.ascontiguousarray(base(lattice(like.size).reshape(3, -1).T).T).reshape(1, 3, *3 * (like.size,))
    affine = base.affine
    assert affine is not None, "parameters of an affine transform have no contrast"
    return np.column_stack(affine).astype(np.float32)[None, :, :, None, None]
