"""A grade in two parts: numbers that people know, and what is left, which is added to what they do."""

from collections.abc import Sequence

import numpy as np

from chromacord.color.parameters.parametric import Parametric, fit_parametric
from chromacord.color.transforms import AffineField, ColorTransform, Identity, Lut3d, lattice
from chromacord.errors import InputError
from chromacord.grade.by_hand import BENT_LUT_SIZE, NO_TURN
from chromacord.grade.keys import Key, mean_of
from chromacord.types import FloatArray

_COLORS = 5
"""Nodes a side of the colours that numbers are fitted over."""

_CHROMA = 0.25
"""Spread of colours around grey that count; the cube's corners are in few pictures."""


def parametric_part(keys: Sequence[Key]) -> Parametric:
    """Return the numbers that come nearest to what the keys of a shot do in the mean.

    Args:
        keys: of one shot; none gives what changes nothing.
    """
    if not keys:
        return NO_TURN
    mean = mean_of(tuple(keys))
    if isinstance(mean, Identity):
        return NO_TURN
    if isinstance(mean, AffineField):
        mean = mean.with_parameters(mean.parameters.mean(axis=(-1, -2), keepdims=True))
    colors = lattice(_COLORS).reshape(3, -1).T
    chroma = np.linalg.norm(colors - colors.mean(axis=1, keepdims=True), axis=1)
    weights = np.exp(-np.square(chroma / _CHROMA)).astype(np.float32)
    wanted = mean(np.ascontiguousarray(colors.T)[None, :, None])[0, :, 0].T  # a picture of one row
    return fit_parametric(colors, wanted, weights, bends=isinstance(mean, Lut3d))


def residual_of(transform: ColorTransform, base: Parametric) -> ColorTransform:
    """Return what a transform does beside some numbers: a transform of the same kind, to be added.

    Args:
        transform: for one picture.
        base: for an affine transform without contrast, and neutral for none.
    """
    if isinstance(transform, Identity):
        return transform
    return transform.with_parameters(transform.parameters - _parameters(base, transform))


def joined(residual: ColorTransform, base: Parametric) -> ColorTransform:
    """Return the transform of a residual and numbers that may have been edited since.

    Raises:
        InputError: the residual depends on the place, and the numbers have contrast.
    """
    if isinstance(residual, Identity):
        if base.is_neutral:
            return residual
        residual = AffineField(np.zeros((1, 3, 4, 1, 1), np.float32))
    if isinstance(residual, AffineField) and base.affine is None:
        if not residual.is_global:
            raise InputError("contrast must be 1 where the residual depends on the place in the picture")
        residual = residual.to_lut(BENT_LUT_SIZE)
    return residual.with_parameters(residual.parameters + _parameters(base, residual))


def _parameters(base: Parametric, like: ColorTransform) -> FloatArray:
    """Return what some numbers do as the parameters of a kind of transform."""
    if isinstance(like, Lut3d):
        return np.ascontiguousarray(base(lattice(like.size).reshape(3, -1).T).T).reshape(1, 3, *3 * (like.size,))
    affine = base.affine
    assert affine is not None, "numbers of an affine transform have no contrast"
    return np.column_stack(affine).astype(np.float32)[None, :, :, None, None]
