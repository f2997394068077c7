"""The grid of whole chroma samples to which boxes are aligned, in both renderers."""

from collections.abc import Sequence

from chromacord.types import Box, Plane, Size, VideoInfo

Grid = tuple[int, int]
"""Rows and columns of pixels per chroma sample of the coarsest layer; powers of two."""

COARSEST: Grid = (2, 2)
"""The coarsest grid of all supported formats, 4:1:0."""


def chroma_grid(layers: Sequence[VideoInfo]) -> Grid:
    """Return the grid to which every layer aligns."""
    down, right = zip(*(layer.pixel_format.subsampling for layer in layers), strict=True)
    return max(down), max(right)


def aligned(box: Box, grid: Grid, size: Size) -> Box:
    """Extend a box to whole chroma samples; samples at the bottom and right edges may be partial.

    Args:
        box: in pixels.
        grid: from `chroma_grid`.
        size: size of the picture.
    """
    down, right = grid
    bottom, stop = -(-box.bottom >> down << down), -(-box.right >> right << right)
    return Box(box.top >> down << down, box.left >> right << right, min(size.height, bottom), min(size.width, stop))


def samples(plane: Plane, part: Box, shift: tuple[int, int]) -> Plane:
    """Return a view of a plane's samples in a rectangle.

    Args:
        plane: a plane of a picture.
        part: aligned to whole samples.
        shift: log2 of the plane's step, (vertical, horizontal).
    """
    down, right = shift
    return plane[part.top >> down : -(-part.bottom >> down), part.left >> right : -(-part.right >> right)]
