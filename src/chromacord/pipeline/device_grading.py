"""One grade, ready to run on a torch device: what grading.py does on the CPU, pixel by pixel in tensors.

Every step is elementwise on planes that broadcast, with no product of matrices: torch.compile can join them, and the
reduced precision of a GPU's matrix units never comes in.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from chromacord.color.curves import linear_to_srgb, srgb_to_linear
from chromacord.color.spaces import AffineMap, code_to_rgb, rgb_to_code
from chromacord.color.transforms import AffineField, ColorTransform, Identity, stretch_weights
from chromacord.pipeline.grading import LUT_SIZE
from chromacord.types import Box, Size, VideoInfo

Colors = tuple[Tensor, Tensor, Tensor]
"""The planes of three colours: codes, or R'G'B'. Of shapes that broadcast to the first one's."""


class DeviceGrading:
    """Maps codes of one format to graded codes of another, by the same rules as `chromacord.pipeline.grading.grading`.

    Scene-linear light goes through the shaper (see `chromacord.pipeline.shaper`) and back.
    """

    def __init__(self, transform: ColorTransform, source: VideoInfo, target: VideoInfo, device: torch.device) -> None:
        """Prepare a transform.

        Args:
            transform: for one picture (N = 1), on any device.
            source: what the codes come from.
            target: what the results are for.
            device: where the codes are.
        """
        self._curve = _curve(transform, source.size, device)
        self._decode = _rows(code_to_rgb(source.colorimetry, source.size, source.pixel_format))
        self._encode = _rows(rgb_to_code(target.colorimetry, target.size, target.pixel_format))
        self._from_linear, self._to_linear = source.colorimetry.scene_linear, target.colorimetry.scene_linear

    @property
    def is_global(self) -> bool:
        """Whether the map is the same everywhere in the picture."""
        return not isinstance(self._curve, _Field)

    def coefficients(self, box: Box, padded: Size) -> Tensor | None:
        """Return what the grade needs to know of each place of a rectangle; None where it is the same everywhere.

        Args:
            box: where in the picture the rectangle lies.
            padded: its size with the rows and columns that repeat its last ones, where it was cut.

        Returns:
            The twelve numbers of each pixel's matrix. Shape (12, padded height, padded width).
        """
        return self._curve.at(box, padded) if isinstance(self._curve, _Field) else None

    def __call__(self, colors: Colors, coefficients: Tensor | None) -> Colors:
        """Grade pixels.

        Args:
            colors: codes of the three colours. Any shape.
            coefficients: of the pixels, as `coefficients` gives them. Shape (12, ...), or None.

        Returns:
            Graded codes of the three colours, not rounded. The first colour's shape.
        """
        rgb = _affine(colors, self._decode)
        if self._from_linear or self._to_linear:
            graded = self._linear(rgb, coefficients)
        else:
            graded = _clamped(self._curve(_clamped(rgb), coefficients))
        return _affine(graded, self._encode)

    def _linear(self, light: Colors, coefficients: Tensor | None) -> Colors:
        if not self._from_linear:
            light = _each(srgb_to_linear, _clamped(light))
        exposure = torch.maximum(torch.maximum(light[0], light[1]), light[2]).clamp_min(1)
        display = _each(lambda channel: linear_to_srgb(channel.clamp_min(0) / exposure), light)
        graded = _each(
            lambda channel: srgb_to_linear(channel.clamp_min(0)), self._curve(_clamped(display), coefficients)
        )
        red, green, blue = (
            bright * exposure + channel.clamp_max(0) for bright, channel in zip(graded, light, strict=True)
        )
        return (red, green, blue) if self._to_linear else _each(linear_to_srgb, _clamped((red, green, blue)))


class _Curve(Protocol):
    """A grade of display-referred R'G'B' in [0, 1]; results are not clamped."""

    def __call__(self, rgb: Colors, coefficients: Tensor | None) -> Colors:
        """Map pixels. Any shape."""


def _curve(transform: ColorTransform, size: Size, device: torch.device) -> _Curve:
    lut = None if isinstance(transform, AffineField | Identity) else transform.to_lut(LUT_SIZE)
    numbers = transform.parameters if lut is None else lut.parameters
    parameters = torch.from_numpy(np.ascontiguousarray(numbers, np.float32)).to(device)
    if isinstance(transform, AffineField):
        return _GlobalAffine(parameters) if transform.is_global else _Field(parameters, size)
    if isinstance(transform, Identity):
        return _Same()
    return _Lut(parameters)


class _Same:
    """Changes nothing."""

    def __call__(self, rgb: Colors, coefficients: Tensor | None) -> Colors:  # noqa: ARG002
        return rgb


class _GlobalAffine:
    """One 3x4 matrix for the whole picture."""

    def __init__(self, parameters: Tensor) -> None:
        self._numbers = parameters.flatten()

    def __call__(self, rgb: Colors, coefficients: Tensor | None) -> Colors:  # noqa: ARG002
        return _matrix(rgb, self._numbers)


class _Field:
    """A matrix for each place: the field's nodes, stretched over the rectangle at hand."""

    def __init__(self, parameters: Tensor, size: Size) -> None:
        self._nodes = parameters[0].flatten(0, 1)  # (12, h, w)
        self._size = size

    def at(self, box: Box, padded: Size) -> Tensor:
        """Return the matrices of a rectangle. Shape (12, padded height, padded width)."""
        _, height, width = self._nodes.shape
        rows = self._weights(height, self._size.height, (box.top, box.bottom), padded.height)
        columns = self._weights(width, self._size.width, (box.left, box.right), padded.width)
        return rows @ (self._nodes @ columns.mT)

    def _weights(self, nodes: int, length: int, span: tuple[int, int], padded: int) -> Tensor:
        weights = torch.from_numpy(stretch_weights(nodes, length, *span)).to(self._nodes.device)
        return torch.cat([weights, weights[-1:].expand(padded - len(weights), -1)])

    def __call__(self, rgb: Colors, coefficients: Tensor | None) -> Colors:
        assert coefficients is not None, "a field needs the matrices of its places"
        return _matrix(rgb, coefficients)


class _Lut:
    """A 3D LUT, interpolated between the four nearest nodes (tetrahedral), as OpenColorIO does it on the CPU."""

    def __init__(self, lut: Tensor) -> None:
        self._size = lut.shape[-1]
        # A node's colours lie together: one fetch from memory brings all three.
        self._table = lut[0].permute(1, 2, 3, 0).reshape(-1, 3).contiguous()

    def __call__(self, rgb: Colors, coefficients: Tensor | None) -> Colors:  # noqa: ARG002
        places = [channel * (self._size - 1) for channel in rgb]
        cells = [place.to(torch.int32).clamp_max(self._size - 2) for place in places]
        red, green, blue = (place - cell for place, cell in zip(places, cells, strict=True))
        high = torch.maximum(torch.maximum(red, green), blue)
        low = torch.minimum(torch.minimum(red, green), blue)
        middle = torch.maximum(torch.minimum(red, green), torch.minimum(torch.maximum(red, green), blue))
        steps = (1, self._size, self._size**2)
        # From the cell's first node to its last, along the axis of the largest share first, of the smallest last.
        first = torch.where(red == high, steps[0], torch.where(green == high, steps[1], steps[2]))
        last = torch.where(blue == low, steps[2], torch.where(green == low, steps[1], steps[0]))
        start = (cells[2] * self._size + cells[1]) * self._size + cells[0]
        nodes = (start, start + first, start + sum(steps) - last, start + sum(steps))
        shares = (1 - high, high - middle, middle - low, low)

        def mixed(channel: int) -> Tensor:
            values = self._table[:, channel]
            mix = values[nodes[0]] * shares[0]
            for node, share in zip(nodes[1:], shares[1:], strict=True):
                mix = torch.addcmul(mix, values[node], share)
            return mix

        return mixed(0), mixed(1), mixed(2)


def _matrix(rgb: Colors, numbers: Tensor) -> Colors:
    """Apply 3x4 matrices. Twelve numbers, or twelve planes of them, first."""

    def channel(row: Tensor) -> Tensor:
        mapped = row[3]
        for color, factor in zip(rgb, row[:3], strict=True):
            mapped = torch.addcmul(mapped, color, factor)
        return mapped

    rows = numbers.unflatten(0, (3, 4))
    return channel(rows[0]), channel(rows[1]), channel(rows[2])


def _affine(colors: Colors, rows: list[list[float]]) -> Colors:
    """Apply a fixed matrix and offset; what is multiplied by 0 is left out."""

    def channel(row: list[float]) -> Tensor:
        used = [(color, factor) for color, factor in zip(colors, row[:3], strict=True) if factor]
        if not used:
            return torch.full_like(colors[0], row[3])
        mapped = used[0][0] * used[0][1]
        for color, factor in used[1:]:
            mapped = torch.add(mapped, color, alpha=factor)
        return mapped + row[3] if row[3] else mapped

    return channel(rows[0]), channel(rows[1]), channel(rows[2])


def _rows(affine: AffineMap) -> list[list[float]]:
    return [[*map(float, row), float(offset)] for row, offset in zip(affine.matrix, affine.offset, strict=True)]


def _clamped(colors: Colors) -> Colors:
    return _each(lambda channel: channel.clamp(0, 1), colors)


def _each(change: Callable[[Tensor], Tensor], colors: Colors) -> Colors:
    return change(colors[0]), change(colors[1]), change(colors[2])
