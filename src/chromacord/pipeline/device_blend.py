"""Grade and blend on a torch device: planes of codes in, planes of codes out.

All planes are seen as blocks of pixels that share a chroma sample, and one place in the blocks is graded after another.
So subsampled chroma gets the mean change of its pixels without a picture of changes in between, everything is
elementwise, and a sample whose weight is 0 keeps its bits.
"""

import warnings
from itertools import product
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from chromacord.color.alpha import over, premultiply, unpremultiply
from chromacord.errors import ChromacordWarning
from chromacord.pipeline.device_grading import Colors, DeviceGrading
from chromacord.types import PixelFormat


class Blocks(NamedTuple):
    """Planes of one picture's rectangle, in blocks: axes (row of blocks, row, column of blocks, column).

    A plane of subsampled chroma has fewer rows and columns in a block than there are pixels.
    """

    colors: tuple[Tensor, ...]
    """Codes of one or three colours. Shape (h, rows, w, columns) each."""

    alpha: Tensor | None
    """Codes of alpha where it counts: see `blend`. Shape (h, rows, w, columns)."""

    pixel_format: PixelFormat


class Weights(NamedTuple):
    """A mask's rectangle, in blocks."""

    codes: Tensor
    """Shape (h, rows, w, columns)."""

    black: float
    white: float
    """The codes of 0 and of 1."""


class Gradings(NamedTuple):
    """What is done to colours."""

    grade: DeviceGrading
    ungraded: DeviceGrading | None
    """With a layer: the way of its colours to the composite's codes, without a grade."""

    coefficients: Tensor | None
    """Of a grade that depends on the place. Shape (12, h, rows, w, columns)."""


def blend(
    composite: Blocks, layer: Blocks | None, weights: Weights, gradings: Gradings, results: tuple[Tensor, ...]
) -> None:
    """Write the graded composite.

    Args:
        composite: its alpha is what its colours are multiplied by; under a layer, what a straight alpha joins to.
        layer: the foreground alone, where it came as one, of the same blocks; its alpha is what its colours are
            multiplied by.
        weights: of the mask.
        gradings: for the layer where there is one, else for the composite.
        results: are written, in the composite's codes. Shape (h, rows, w, columns) each, as `composite.colors`.
    """
    rows, columns = weights.codes.shape[1], weights.codes.shape[3]
    changes: dict[tuple[int, int, int], Tensor] = {}
    for row, column in product(range(rows), range(columns)):
        place = (row / rows, column / columns)
        before = _colors(composite, place)
        alpha = _alpha(composite, place)
        coefficients = None
        if gradings.coefficients is not None:
            coefficients = gradings.coefficients[:, :, row, :, column]
        if layer is None:
            after = _graded(before, alpha, gradings.grade, coefficients)
            weight = _weight(weights, place)
        else:
            after = _laid(before, _colors(layer, place), _alpha(layer, place), gradings, coefficients)
            weight = _share(_weight(weights, place), alpha)
        for number, result in enumerate(results):
            changed = over(after[number], before[number], weight)
            if result.shape == weights.codes.shape:
                result[:, row, :, column] = _stored(changed, result, composite.pixel_format)
                continue
            sample = (number, *_sample(result, place))
            change = changed - before[number]
            changes[sample] = changes[sample] + change if sample in changes else change
    for (number, row, column), change in changes.items():
        result = results[number]
        count = weights.codes[0, :, 0].numel() // result[0, :, 0].numel()
        changed = composite.colors[number][:, row, :, column].float() + change / count
        result[:, row, :, column] = _stored(changed, result, composite.pixel_format)


class Blend(Protocol):
    """`blend`, or what does the same."""

    def __call__(
        self,
        composite: Blocks,
        layer: Blocks | None,
        weights: Weights,
        gradings: Gradings,
        results: tuple[Tensor, ...],
    ) -> None:
        """Write the graded composite. Shape (h, rows, w, columns) of all planes; see `blend`."""


class Fused:
    """`blend` compiled, so that no step between reading and writing passes through memory.

    Where torch cannot compile it, `blend` itself goes on, with a warning.
    """

    def __init__(self) -> None:
        """Prepare; compiled at the first call, and again when the size of the box first changes."""
        self._blend: Blend = torch.compile(blend)

    def __call__(
        self,
        composite: Blocks,
        layer: Blocks | None,
        weights: Weights,
        gradings: Gradings,
        results: tuple[Tensor, ...],
    ) -> None:
        """Write the graded composite. Shape (h, rows, w, columns) of all planes; see `blend`."""
        try:
            self._blend(composite, layer, weights, gradings, results)
        except RuntimeError as error:
            if self._blend is blend:
                raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            message = f"torch cannot compile the render ({reason}); it goes on as it began"
            warnings.warn(ChromacordWarning(message), stacklevel=2)
            self._blend = blend
            blend(composite, layer, weights, gradings, results)


def _colors(blocks: Blocks, place: tuple[float, float]) -> Colors:
    """Return the three colours at one place of all blocks; grey is repeated. Shape (h, w) each."""
    colors = [_at(plane, place) for plane in blocks.colors]
    return (colors[0], colors[1], colors[2]) if len(colors) == 3 else (colors[0], colors[0], colors[0])


def _alpha(blocks: Blocks, place: tuple[float, float]) -> Tensor | None:
    """Return alpha at one place of all blocks, in [0, 1]; None where it does not count. Shape (h, w)."""
    return None if blocks.alpha is None else _at(blocks.alpha, place) / blocks.pixel_format.max_code


def _weight(weights: Weights, place: tuple[float, float]) -> Tensor:
    """Return the mask at one place of all blocks, in [0, 1]. Shape (h, w)."""
    scale = 1 / (weights.white - weights.black)
    return ((_at(weights.codes, place) - weights.black) * scale).clamp(0, 1)


def _at(plane: Tensor, place: tuple[float, float]) -> Tensor:
    row, column = _sample(plane, place)
    return plane[:, row, :, column].float()


def _sample(plane: Tensor, place: tuple[float, float]) -> tuple[int, int]:
    """Return which of a block's samples covers a place, which is given as a share of the block's height and width."""
    return int(place[0] * plane.shape[1]), int(place[1] * plane.shape[3])


def _graded(before: Colors, alpha: Tensor | None, grade: DeviceGrading, coefficients: Tensor | None) -> Colors:
    if alpha is None:
        return grade(before, coefficients)
    straight = _unpremultiplied(before, alpha)
    first, second, third = (
        codes + premultiply(new - old, alpha)
        for codes, old, new in zip(before, straight, grade(straight, coefficients), strict=True)
    )
    return first, second, third


def _laid(
    before: Colors, layer: Colors, alpha: Tensor | None, gradings: Gradings, coefficients: Tensor | None
) -> Colors:
    """Return the composite changed by what the grade changes in the layer."""
    assert gradings.ungraded is not None, "a layer needs a way to the composite's codes"
    straight = layer if alpha is None else _unpremultiplied(layer, alpha)
    old, new = gradings.ungraded(straight, None), gradings.grade(straight, coefficients)
    first, second, third = (codes + (b - a) for codes, a, b in zip(before, old, new, strict=True))
    return first, second, third


def _unpremultiplied(colors: Colors, alpha: Tensor) -> Colors:
    first, second, third = (unpremultiply(codes, alpha) for codes in colors)
    return first, second, third


def _share(weight: Tensor, joined: Tensor | None) -> Tensor:
    """Return how much of the composite's colours is the layer's: all that is seen, over a straight transparency."""
    return weight if joined is None else (weight / joined.clamp_min(1e-6)).clamp_max(1)


def _stored(codes: Tensor, like: Tensor, pixel_format: PixelFormat) -> Tensor:
    """Round to the nearest code (halves to even) and clamp; floats stay as they are."""
    if pixel_format.is_float:
        return codes
    return codes.round().clamp(0, pixel_format.max_code).to(like.dtype)
