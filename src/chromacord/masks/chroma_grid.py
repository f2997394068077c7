"""The grid of whole chroma samples that boxes are cut along, for both renderers."""

from collections.abc import Sequence

from chromacord.types import Box, Plane, Size, VideoInfo

Grid = tuple[int, int]
"""Powers of two: how many rows and columns of pixels share a chroma sample, of the coarsest layer."""

COARSEST: Grid = (2, 2)
"""Of all formats: 4:1:0."""


def chroma_grid(layers: Sequence[VideoInfo]) -> Grid:
    """Return the grid that fits every layer."""
    down, right = zip(*(layer.pixel_format.subsampling for layer in layers), strict=True)
    return max(down), max(right)


def aligned(box: Box, grid: Grid, size: Size) -> Box:
    """Widen a box to whole chroma samples; at the picture's far edges samples may be cut.

    Args:
        box: in pixels.
        grid: of `chroma_grid`.
        size: of the picture.
    """
    down, right = grid
    bottom, stop = -(-box.bottom >> down << down), -(-box.right >> right << right)
    return Box(box.top >> down << down, box.left >> right << right, min(size.height, bottom), min(size.width, stop))


def samples(plane: Plane, part: Box, shift: tuple[int, int]) -> Plane:
    """Return a view of the samples of a plane that lie in a rectangle.

    Args:
        plane: of a picture.
        part: aligned to whole samples.
        shift: log2 of the plane's step, (vertical, horizontal).
    """
    down, right = shift
    return plane[part.top >> down : -(-part.bottom >> down), part.left >> right : -(-part.right >> right)]
