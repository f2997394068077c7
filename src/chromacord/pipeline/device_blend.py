"""Grade and blend on a torch device: planes of codes in, planes of codes out.

All planes are seen as blocks of pixels that share a chroma sample. So chroma meets its pixels by broadcasting, and gets
the mean of their changes; a sample whose weight is 0 keeps its bits.
"""

import warnings
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from chromacord.color.alpha import over, premultiply, unpremultiply
from chromacord.errors import ChromacordWarning
from chromacord.pipeline.device_grading import Colors, DeviceGrading
from chromacord.types import PixelFormat

_INLINED: dict[str, int] = {"realize_opcount_threshold": 300, "realize_reads_threshold": 16}
"""How much torch's compiler calculates before it puts a picture into memory. At its own limits (30 and 4) a LUT on
4:2:0 took ten pictures between reading and writing, at these two: the changes of both chroma planes."""


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
    full = weights.codes.shape
    before, alpha = _colors(composite, full), _alpha(composite)
    weight = ((weights.codes.float() - weights.black) * (1 / (weights.white - weights.black))).clamp(0, 1)
    if layer is None:
        after = _graded(before, alpha, gradings.grade, gradings.coefficients)
    else:
        after = _laid(before, _colors(layer, full), _alpha(layer), gradings)
        weight = _share(weight, alpha)
    for number, result in enumerate(results):
        changed = over(after[number], before[number], weight)
        if result.shape != full:
            changed = composite.colors[number].float() + _block_mean(changed - before[number], result.shape)
        result.copy_(_stored(changed, result, composite.pixel_format))


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
    """`blend` compiled, so that few steps between reading and writing pass through memory.

    Where torch cannot compile it, `blend` itself goes on, with a warning.
    """

    def __init__(self) -> None:
        """Prepare; compiled at the first call, and again when the size of the box first changes."""
        self._blend: Blend = torch.compile(blend, options={**_INLINED})

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


def _colors(blocks: Blocks, full: torch.Size) -> Colors:
    """Return the three colours, of shapes that broadcast to `full`; grey is repeated."""
    colors = [_spread(plane, full) for plane in blocks.colors]
    return (colors[0], colors[1], colors[2]) if len(colors) == 3 else (colors[0], colors[0], colors[0])


def _spread(plane: Tensor, full: torch.Size) -> Tensor:
    """Return a plane's samples in float32; only where blocks hold several but not all are they repeated."""
    codes = plane.float()
    for axis in (1, 3):
        if 1 < codes.shape[axis] < full[axis]:
            codes = codes.repeat_interleave(full[axis] // codes.shape[axis], axis)
    return codes


def _block_mean(change: Tensor, size: torch.Size) -> Tensor:
    """Average what each sample of a subsampled plane covers. Shape (h, rows, w, columns) to `size`."""
    _, rows, _, columns = change.shape
    parts = change.unflatten(3, (size[3], columns // size[3])).unflatten(1, (size[1], rows // size[1]))
    mean: Tensor = parts.mean(dim=(2, 5))
    return mean


def _alpha(blocks: Blocks) -> Tensor | None:
    """Return alpha in [0, 1]; None where it does not count. Shape (h, rows, w, columns)."""
    return None if blocks.alpha is None else blocks.alpha.float() / blocks.pixel_format.max_code


def _graded(before: Colors, alpha: Tensor | None, grade: DeviceGrading, coefficients: Tensor | None) -> Colors:
    if alpha is None:
        return grade(before, coefficients)
    straight = _unpremultiplied(before, alpha)
    first, second, third = (
        codes + premultiply(new - old, alpha)
        for codes, old, new in zip(before, straight, grade(straight, coefficients), strict=True)
    )
    return first, second, third


def _laid(before: Colors, layer: Colors, alpha: Tensor | None, gradings: Gradings) -> Colors:
    """Return the composite changed by what the grade changes in the layer."""
    assert gradings.ungraded is not None, "a layer needs a way to the composite's codes"
    straight = layer if alpha is None else _unpremultiplied(layer, alpha)
    old, new = gradings.ungraded(straight, None), gradings.grade(straight, gradings.coefficients)
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
