"""Colour transforms: what a method decides, as a map that applies at any size.

All are linear in their parameters. Smoothing over time, interpolating between frames and blending with a strength are
therefore weighted means of parameters, and nothing else is needed for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self, TypeVar, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

LARGEST = 1e9
"""Of the numbers of a transform: far beyond any grade, and sums and products of two are far from float32's 3e38."""


@runtime_checkable
class ColorTransform(Protocol):
    """A map of display-referred RGB. One object holds N maps, for N pictures.

    Results are not clamped, so that a transform stays linear in its parameters; who writes pixels clamps.
    """

    kind: ClassVar[str]
    """The name in grade files."""

    @property
    def parameters(self) -> Tensor:
        """The numbers that the transform is linear in. Shape (N, ...)."""

    @property
    def is_global(self) -> bool:
        """Whether the map is the same everywhere in the picture, so that a LUT can hold it."""

    def with_parameters(self, parameters: Tensor) -> Self:
        """Return the same kind of transform with other numbers. Shape (M, ...), M free."""

    def identity(self) -> Self:
        """Return the transform of this kind and size, for one picture, that changes nothing."""

    def to_lut(self, size: int) -> "Lut3d":
        """Sample the map on a lattice of `size` nodes a side. Values are not clamped.

        Raises:
            ValueError: the map is not global.
        """

    def __call__(self, image: Tensor) -> Tensor:
        """Map every pixel.

        Args:
            image: RGB in [0, 1]. Shape (N, 3, H, W).

        Returns:
            RGB, not clamped. Shape (N, 3, H, W).
        """


def lattice(size: int, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the LUT that changes nothing: every node holds its own colour.

    Args:
        size: nodes a side, D.

    Returns:
        RGB in [0, 1], axes (output channel, blue, green, red). Shape (3, D, D, D).
    """
    nodes = torch.linspace(0, 1, size, dtype=dtype)
    blue, green, red = torch.meshgrid(nodes, nodes, nodes, indexing="ij")
    return torch.stack([red, green, blue])


def apply_lut3d(image: Tensor, lut: Tensor) -> Tensor:
    """Look up every pixel in a 3D LUT with trilinear interpolation.

    Args:
        image: RGB in [0, 1]; values outside are clamped to the lattice. Shape (N, 3, H, W).
        lut: output colours on a regular lattice, axes (N, channel, blue, green, red), red fastest as in a .cube
            file. Shape (N, 3, D, D, D).

    Returns:
        Mapped RGB. Shape (N, 3, H, W).
    """
    grid = (2 * image - 1).permute(0, 2, 3, 1)[:, None]  # (N, 1, H, W, 3); grid_sample wants (r, g, b)
    mapped = F.grid_sample(lut, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return mapped[:, :, 0]


@dataclass(frozen=True, eq=False)
class Identity:
    """Changes nothing. N is the length of its (empty) parameters."""

    kind: ClassVar[str] = "identity"
    parameters: Tensor
    """Shape (N, 0)."""

    @classmethod
    def for_frames(cls, num_frames: int) -> Self:
        """Return the identity for `num_frames` pictures."""
        return cls(torch.zeros(num_frames, 0))

    @property
    def is_global(self) -> bool:
        """Always true."""
        return True

    def with_parameters(self, parameters: Tensor) -> Self:
        """Return the identity for as many pictures as `parameters` has rows. Shape (M, 0)."""
        return type(self)(parameters)

    def identity(self) -> Self:
        """Return the identity for one picture."""
        return self.for_frames(1)

    def to_lut(self, size: int) -> "Lut3d":
        """Return the lattice itself."""
        return Lut3d(lattice(size).expand(len(self.parameters), -1, -1, -1, -1))

    def __call__(self, image: Tensor) -> Tensor:
        """Return the picture. Shape (N, 3, H, W)."""
        return image


@dataclass(frozen=True, eq=False)
class Lut3d:
    """A 3D LUT for each of N pictures. Input outside [0, 1] is clamped to the lattice, output is not clamped."""

    kind: ClassVar[str] = "lut3d"
    parameters: Tensor
    """Output colours, axes (N, channel, blue, green, red), red fastest as in .cube. Shape (N, 3, D, D, D)."""

    def __post_init__(self) -> None:
        shape = tuple(self.parameters.shape)
        if len(shape) != 5 or shape[1] != 3 or len(set(shape[2:])) != 1 or shape[2] < 2:
            raise ValueError(f"a LUT has shape (N, 3, D, D, D) with D of 2 or more, got {shape}")

    @property
    def size(self) -> int:
        """Nodes a side, D."""
        return self.parameters.shape[-1]

    @property
    def is_global(self) -> bool:
        """Always true."""
        return True

    def with_parameters(self, parameters: Tensor) -> Self:
        """Return a LUT with other values. Shape (M, 3, D, D, D)."""
        return type(self)(parameters)

    def identity(self) -> Self:
        """Return the LUT of this size that changes nothing."""
        return type(self)(lattice(self.size, dtype=self.parameters.dtype)[None].to(self.parameters.device))

    def to_lut(self, size: int) -> "Lut3d":
        """Resample to another lattice, trilinearly; exact at shared nodes, so 9 to 17 to 33 loses nothing."""
        if size == self.size:
            return self
        nodes = (size, size, size)
        return Lut3d(F.interpolate(self.parameters, nodes, mode="trilinear", align_corners=True))

    def __call__(self, image: Tensor) -> Tensor:
        """Map every pixel with trilinear interpolation. Shape (N, 3, H, W)."""
        return apply_lut3d(image, self.parameters)


@dataclass(frozen=True, eq=False)
class AffineField:
    """An affine map of colour at each place: a grid of 3x4 matrices, stretched over the picture bilinearly.

    The grid's outer nodes lie on the centres of the picture's outer grid cells (as a resized image's pixels do), so
    one field applies at any size. A grid of one node is a global affine map.
    """

    kind: ClassVar[str] = "affine"
    parameters: Tensor
    """out = matrix[:, :3] @ rgb + matrix[:, 3]. Shape (N, 3, 4, h, w)."""

    def __post_init__(self) -> None:
        shape = tuple(self.parameters.shape)
        if len(shape) != 5 or shape[1:3] != (3, 4):
            raise ValueError(f"an affine field has shape (N, 3, 4, h, w), got {shape}")

    @classmethod
    def from_matrix(cls, matrix: Tensor, offset: Tensor) -> Self:
        """Build a global map: out = matrix @ rgb + offset.

        Args:
            matrix: Shape (N, 3, 3).
            offset: Shape (N, 3).
        """
        return cls(torch.cat([matrix, offset[..., None]], dim=-1)[..., None, None])

    @property
    def is_global(self) -> bool:
        """True for a grid of one node."""
        return self.parameters.shape[-2:] == (1, 1)

    def with_parameters(self, parameters: Tensor) -> Self:
        """Return a field with other matrices. Shape (M, 3, 4, h, w)."""
        return type(self)(parameters)

    def identity(self) -> Self:
        """Return the field of this grid that changes nothing."""
        unit = torch.eye(3, 4, dtype=self.parameters.dtype, device=self.parameters.device)
        return type(self)(unit[None, :, :, None, None].expand(1, 3, 4, *self.parameters.shape[-2:]).clone())

    def to_lut(self, size: int) -> Lut3d:
        """Sample a global map on a lattice; exact, since both are linear inside a cell."""
        if not self.is_global:
            raise ValueError("the grade depends on the place in the picture, so no LUT can hold it")
        nodes = lattice(size, dtype=self.parameters.dtype).to(self.parameters.device).flatten(1)
        matrix = self.parameters[..., 0, 0]
        values = matrix[:, :, :3] @ nodes + matrix[:, :, 3:]
        return Lut3d(values.unflatten(-1, (size, size, size)))

    def __call__(self, image: Tensor) -> Tensor:
        """Map every pixel with the matrix of its place. Shape (N, 3, H, W)."""
        if self.is_global:
            matrix = self.parameters[..., 0, 0]
            return (matrix[:, :, :3] @ image.flatten(2) + matrix[:, :, 3:]).view_as(image)
        field = self.parameters.flatten(1, 2)
        field = F.interpolate(field, image.shape[-2:], mode="bilinear", align_corners=False).unflatten(1, (3, 4))
        mapped: Tensor = torch.einsum("nochw,nchw->nohw", field[:, :, :3], image) + field[:, :, 3]
        return mapped


Kind = TypeVar("Kind", bound=ColorTransform)

KINDS: dict[str, type[Identity] | type[Lut3d] | type[AffineField]] = {
    kind.kind: kind for kind in (Identity, Lut3d, AffineField)
}
"""Every transform, by the name it has in grade files."""


def weighted_mean(transforms: Sequence[ColorTransform], weights: Sequence[float]) -> ColorTransform:
    """Average transforms of one kind and size; the weights are normalised to a sum of 1.

    Args:
        transforms: each for one picture.
        weights: one for each, not negative, at least one above 0.

    Raises:
        ValueError: kinds or sizes differ, or all weights are 0.
    """
    first, total = transforms[0], float(sum(weights))
    if total <= 0:
        raise ValueError("at least one weight must be above 0")
    if any(t.kind != first.kind or t.parameters.shape != first.parameters.shape for t in transforms):
        raise ValueError("transforms of different kinds or sizes cannot be averaged")
    if len(transforms) == 1:
        return first
    mean = torch.zeros_like(first.parameters)
    for transform, weight in zip(transforms, weights, strict=True):
        mean += transform.parameters * (weight / total)
    return first.with_parameters(mean)


def blend(transform: Kind, strength: float) -> Kind:
    """Weaken a transform: strength 0 changes nothing, 1 is the transform itself, above 1 exaggerates."""
    if strength == 1:
        return transform
    unit = transform.identity().parameters
    return transform.with_parameters(unit + strength * (transform.parameters - unit))
