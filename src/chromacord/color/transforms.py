"""Colour transforms: the resolution-independent colour maps that methods return.

All are linear in their parameters. Temporal smoothing, interpolation between frames and strength are therefore all
weighted means of parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import ClassVar, Protocol, Self, TypeVar, runtime_checkable

import numpy as np

from chromacord.types import FloatArray

LARGEST = 1e9
"""Maximum magnitude of parameters: far beyond any grade, and sums and products stay far from float32's 3e38."""


@runtime_checkable
class ColorTransform(Protocol):
    """A map of display-referred RGB. One object holds N maps, for N pictures.

    Results are not clamped, so that a transform stays linear in its parameters; callers that store pixels clamp.
    """

    kind: ClassVar[str]
    """Name in grade files."""

    @property
    def parameters(self) -> FloatArray:
        """The parameters, in which the transform is linear. Shape (N, ...)."""

    @property
    def is_global(self) -> bool:
        """Whether the map is the same everywhere in the picture, so that a LUT can represent it."""

    def with_parameters(self, parameters: FloatArray) -> Self:
        """Return the same kind of transform with other parameters. Shape (M, ...), any M."""

    def identity(self) -> Self:
        """Return the identity of this kind and size, for one picture."""

    def to_lut(self, size: int) -> "Lut3d":
        """Sample the map on a lattice with `size` nodes per side. Values are not clamped.

        Raises:
            ValueError: the map is not global.
        """

    def __call__(self, image: FloatArray) -> FloatArray:
        """Map every pixel.

        Args:
            image: RGB in [0, 1]. Shape (N, 3, H, W).

        Returns:
            RGB, not clamped. Shape (N, 3, H, W).
        """


def lattice(size: int) -> FloatArray:
    """Return the identity LUT.

    Args:
        size: nodes per side, D.

    Returns:
        RGB in [0, 1], axes (output channel, blue, green, red). Shape (3, D, D, D).
    """
    nodes = np.linspace(0, 1, size, dtype=np.float32)
    blue, green, red = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    return np.stack([red, green, blue])


def apply_lut3d(image: FloatArray, lut: FloatArray) -> FloatArray:
    """Look up every pixel in a 3D LUT with trilinear interpolation.

    Args:
        image: RGB in [0, 1]; values outside are clamped to the lattice. Shape (N, 3, H, W).
        lut: output colours on a regular lattice, axes (N, channel, blue, green, red), red fastest as in a .cube
            file. Shape (N, 3, D, D, D).

    Returns:
        Mapped RGB. Shape (N, 3, H, W).
    """
    mapped = np.empty_like(image)
    for picture, table, target in zip(image, lut, mapped, strict=True):
        target[...] = _looked_up(picture.reshape(3, -1), table).reshape(picture.shape)
    return mapped


def _looked_up(colors: FloatArray, table: FloatArray) -> FloatArray:
    """Look up colours in one table. Shape (3, P), (3, D, D, D) to (3, P)."""
    size = table.shape[-1]
    nodes = np.ascontiguousarray(table.reshape(3, -1).T)
    place = colors.clip(0, 1) * np.float32(size - 1)
    # A value of 1 lies on the last node; it counts as the upper end of the last cell.
    low = np.minimum(place.astype(np.int32), size - 2)
    share = place - low
    sides = (1 - share, share)
    first = (low[2] * size + low[1]) * size + low[0]
    found = np.zeros((colors.shape[1], 3), np.float32)
    for b, g, r in product((0, 1), repeat=3):
        weight = sides[b][2] * sides[g][1] * sides[r][0]
        found += weight[:, None] * nodes[first + ((b * size + g) * size + r)]
    return found.T


@dataclass(frozen=True, eq=False)
class Identity:
    """The identity. N is the length of its empty parameters."""

    kind: ClassVar[str] = "identity"
    parameters: FloatArray
    """Shape (N, 0)."""

    @classmethod
    def for_frames(cls, num_frames: int) -> Self:
        """Return the identity for `num_frames` pictures."""
        return cls(np.zeros((num_frames, 0), np.float32))

    @property
    def is_global(self) -> bool:
        """Always true."""
        return True

    def with_parameters(self, parameters: FloatArray) -> Self:
        """Return the identity for as many pictures as `parameters` has rows. Shape (M, 0)."""
        return type(self)(parameters)

    def identity(self) -> Self:
        """Return the identity for one picture."""
        return self.for_frames(1)

    def to_lut(self, size: int) -> "Lut3d":
        """Return the identity LUT."""
        return Lut3d(np.repeat(lattice(size)[None], len(self.parameters), axis=0))

    def __call__(self, image: FloatArray) -> FloatArray:
        """Return the picture unchanged. Shape (N, 3, H, W)."""
        return image


@dataclass(frozen=True, eq=False)
class Lut3d:
    """A 3D LUT for each of N pictures. Input outside [0, 1] is clamped to the lattice; output is not clamped."""

    kind: ClassVar[str] = "lut3d"
    parameters: FloatArray
    """Output colours, axes (N, channel, blue, green, red), red fastest as in .cube. Shape (N, 3, D, D, D)."""

    def __post_init__(self) -> None:
        shape = tuple(self.parameters.shape)
        if len(shape) != 5 or shape[1] != 3 or len(set(shape[2:])) != 1 or shape[2] < 2:
            raise ValueError(f"a LUT has shape (N, 3, D, D, D) with D of 2 or more, got {shape}")

    @property
    def size(self) -> int:
        """Nodes per side, D."""
        return int(self.parameters.shape[-1])

    @property
    def is_global(self) -> bool:
        """Always true."""
        return True

    def with_parameters(self, parameters: FloatArray) -> Self:
        """Return a LUT with other values. Shape (M, 3, D, D, D)."""
        return type(self)(parameters)

    def identity(self) -> Self:
        """Return the identity LUT of this size."""
        return type(self)(lattice(self.size)[None])

    def to_lut(self, size: int) -> "Lut3d":
        """Resample trilinearly; exact at shared nodes, so 9 to 17 to 33 nodes is lossless."""
        if size == self.size:
            return self
        weights, lut = stretch(self.size, size), self.parameters
        for axis in (-1, -2, -3):
            lut = (lut.swapaxes(axis, -1) @ weights.T).swapaxes(axis, -1)
        return Lut3d(np.ascontiguousarray(lut))

    def __call__(self, image: FloatArray) -> FloatArray:
        """Map every pixel with trilinear interpolation. Shape (N, 3, H, W)."""
        return apply_lut3d(image, self.parameters)


@dataclass(frozen=True, eq=False)
class AffineField:
    """A spatially varying affine map: a grid of 3x4 matrices, interpolated bilinearly over the picture.

    Outer nodes are at the centres of the picture's outer grid cells (like pixels of a resized image), so that one field
    applies at any size. A grid with one node is a global affine map.
    """

    kind: ClassVar[str] = "affine"
    parameters: FloatArray
    """out = matrix[:, :3] @ rgb + matrix[:, 3]. Shape (N, 3, 4, h, w)."""

    def __post_init__(self) -> None:
        shape = tuple(self.parameters.shape)
        if len(shape) != 5 or shape[1:3] != (3, 4):
            raise ValueError(f"an affine field has shape (N, 3, 4, h, w), got {shape}")

    @classmethod
    def from_matrix(cls, matrix: FloatArray, offset: FloatArray) -> Self:
        """Build a global map: out = matrix @ rgb + offset.

        Args:
            matrix: Shape (N, 3, 3).
            offset: Shape (N, 3).
        """
        return cls(np.concatenate([matrix, offset[..., None]], axis=-1, dtype=np.float32)[..., None, None])

    @property
    def is_global(self) -> bool:
        """Whether the grid has only one node."""
        return self.parameters.shape[-2:] == (1, 1)

    def with_parameters(self, parameters: FloatArray) -> Self:
        """Return a field with other matrices. Shape (M, 3, 4, h, w)."""
        return type(self)(parameters)

    def identity(self) -> Self:
        """Return the identity field with this grid."""
        unit = np.eye(3, 4, dtype=np.float32)[None, :, :, None, None]
        return type(self)(np.tile(unit, (1, 1, 1, *self.parameters.shape[-2:])))

    def to_lut(self, size: int) -> Lut3d:
        """Sample a global map on a lattice; exact, because both are linear within a cell."""
        if not self.is_global:
            raise ValueError("the grade varies over the picture, so no LUT can hold it")
        matrix = self.parameters[..., 0, 0]
        values = matrix[:, :, :3] @ lattice(size).reshape(3, -1) + matrix[:, :, 3:]
        return Lut3d(values.reshape(-1, 3, size, size, size))

    def __call__(self, image: FloatArray) -> FloatArray:
        """Map every pixel with the matrix at its position. Shape (N, 3, H, W)."""
        if self.is_global:
            matrix = self.parameters[..., 0, 0]
            colors = image.reshape(*image.shape[:2], -1)
            return (matrix[:, :, :3] @ colors + matrix[:, :, 3:]).reshape(image.shape)
        rows, columns = (
            stretch_weights(nodes, length, 0, length)
            for nodes, length in zip(self.parameters.shape[-2:], image.shape[-2:], strict=True)
        )
        # Bilinear interpolation is separable: two small products instead of a gather of four nodes for each
        # pixel.
        field = rows @ (self.parameters @ columns.T)
        mapped: FloatArray = (field[:, :, :3] * image[:, None]).sum(axis=2) + field[:, :, 3]
        return mapped


@lru_cache(maxsize=8)
def stretch(nodes: int, size: int) -> FloatArray:
    """Return weights that interpolate a row of nodes linearly, end to end.

    Args:
        nodes: number of nodes.
        size: number of results.

    Returns:
        Shape (size, nodes); each row sums to 1.
    """
    place = np.linspace(0, nodes - 1, size, dtype=np.float32)
    weights: FloatArray = (1 - np.abs(place[:, None] - np.arange(nodes, dtype=np.float32))).clip(0)
    return weights


def stretch_weights(nodes: int, length: int, start: int, stop: int) -> FloatArray:
    """Return weights that interpolate a row of nodes over `length` pixels, for pixels start..stop-1.

    The rule is that of torch's `interpolate(mode="bilinear", align_corners=False)`: pixel centres, repeated edges.

    Returns:
        Shape (stop - start, nodes); each row sums to 1.
    """
    place = np.clip((np.arange(start, stop) + 0.5) * nodes / length - 0.5, 0, nodes - 1)
    left = np.minimum(place.astype(int), max(nodes - 2, 0))
    share = (place - left).astype(np.float32)
    weights = np.zeros((stop - start, nodes), np.float32)
    row = np.arange(stop - start)
    weights[row, left] = 1 - share
    weights[row, np.minimum(left + 1, nodes - 1)] += share
    return weights


Kind = TypeVar("Kind", bound=ColorTransform)


def weighted_mean(transforms: Sequence[ColorTransform], weights: Sequence[float]) -> ColorTransform:
    """Average transforms of the same kind and size, normalizing the weights.

    Args:
        transforms: each for one picture.
        weights: one per transform, not negative, at least one above 0.

    Raises:
        ValueError: kinds or sizes differ, or all weights are 0.
    """
    first, total = transforms[0], float(sum(weights))
    if total <= 0:
        raise ValueError("at least one weight must be above 0")
    if any(t.kind != first.kind or t.parameters.shape != first.parameters.shape for t in transforms):
        raise ValueError("transforms of different kinds or sizes cannot be averaged")
    # Exact, so that one key for a whole shot is applied with the bits that the grade file holds.
    if len(transforms) == 1:
        return first
    mean = np.zeros_like(first.parameters)
    for transform, weight in zip(transforms, weights, strict=True):
        mean += transform.parameters * np.float32(weight / total)
    return first.with_parameters(mean)


def blend(transform: Kind, strength: float) -> Kind:
    """Weaken a transform: strength 0 gives the identity, 1 the transform itself, and above 1 exaggerates."""
    if strength == 1:
        return transform
    # Interpolating from the identity is a weighted mean like all others; it also works for a LUT, whose
    # identity is not 0.
    unit = transform.identity().parameters
    return transform.with_parameters(unit + np.float32(strength) * (transform.parameters - unit))
