"""The LUT size for rendering and export, and its OpenColorIO processor."""

from functools import cache, lru_cache
from typing import Any

import numpy as np

from chromacord.color.transforms import Lut3d, stretch
from chromacord.types import FloatArray

LUT_SIZE = 33
"""Nodes per side of rendered and exported LUTs: the same lattice, so that both agree."""


@cache
def raw_config() -> Any:
    """Return OpenColorIO's configuration without colour spaces."""
    # Loaded on first use: it takes 10 MB and 30 ms.
    import PyOpenColorIO as ocio

    config = ocio.Config.CreateRaw()
    # Each grade needs one processor, once; OpenColorIO's cache would keep them all.
    config.setProcessorCacheFlags(ocio.PROCESSOR_CACHE_OFF)
    return config


def lut_step(lut: Lut3d) -> Any:
    """Return OpenColorIO's transform for a LUT, on the renderer's lattice, or its own if that is finer."""
    import PyOpenColorIO as ocio

    size = max(lut.size, LUT_SIZE)
    step = ocio.Lut3DTransform(size)
    step.setInterpolation(ocio.INTERP_TETRAHEDRAL)
    # The renderer's size also for smaller LUTs: interpolating their nodes linearly first, then tetrahedrally, is what
    # the render does, so exports match it.
    step.setData(lut_table(lut, size).ravel())
    return step


def lut_table(lut: Lut3d, size: int) -> FloatArray:
    """Resample a LUT in OpenColorIO's order: blue fastest, with each node's colour contiguous.

    The result equals that of `Lut3d.to_lut`, but two matrix products take a third of the time for larger lattices.

    Args:
        lut: LUT of one picture.
        size: nodes per side.

    Returns:
        Axes red, green, blue and output channel. Shape (size, size, size, 3).
    """
    if lut.size >= size:
        return _from_red_to_channel(lut.to_lut(size))
    red_green, blue = _stretches(lut.size, size)
    table = red_green @ _from_red_to_channel(lut).reshape(lut.size**2, -1) @ blue
    return np.asarray(table, np.float32).reshape(size, size, size, 3)


def _from_red_to_channel(lut: Lut3d) -> FloatArray:
    return np.ascontiguousarray(lut.parameters[0].transpose(3, 2, 1, 0), np.float32)


@lru_cache(maxsize=8)
def _stretches(nodes: int, size: int) -> tuple[FloatArray, FloatArray]:
    """Return interpolation matrices for a LUT's first two axes, and for its last axis with the channels.

    Shape (size², nodes²), (nodes * 3, size * 3).
    """
    weights = stretch(nodes, size)
    return np.kron(weights, weights), np.kron(weights.T, np.eye(3, dtype=np.float32))
