"""Make composites from real clips by recolouring the foreground, like HYouTube.

HYouTube's procedure (the authors' sample script): one LUT for all frames of a clip, enhanced
(`chromacord.lab.color.enhancement`), applied trilinearly to 8-bit codes and clipped. Wherever the mask is not 0, the
composite is the recoloured frame; it is saved as JPEG at quality 75. The background is therefore a recompressed copy of
the real frame, an error that every evaluation on HYouTube includes.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from chromacord.color.cube import Cube
from chromacord.color.transforms import Lut3d
from chromacord.errors import InputError
from chromacord.io.stills.single import Codes
from chromacord.lab.color.enhancement import enhance
from chromacord.lab.color.looks import random_look
from chromacord.lab.color.lut3d import apply_cube
from chromacord.types import FloatArray

RANDOM = "random"
LUT_SIZE = 33
"""Nodes per side of random looks."""

DRIFT_STRENGTH = 0.5
"""Strength of the second look, at the far end of a drift."""

DRIFT_PERIODS = (80, 240)
"""Minimum and maximum period of a drift, in frames."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Recipe:
    """How a data set is synthesized."""

    per_clip: int = 1
    """Number of composites per clip, each with a different LUT."""

    seed: int = 0
    enhance: bool = True
    """Whether LUTs are enhanced like HYouTube's."""

    drift: bool = False
    """Whether the change drifts slowly between the LUT and the LUT followed by a mild random look."""

    num_frames: int = 20
    """Maximum frames per clip, from its start."""

    spacing: int = 1
    """Step between the frames taken from a clip."""

    quality: int = 75
    """JPEG quality of the composites."""

    def __post_init__(self) -> None:
        for name, least in (("per_clip", 1), ("num_frames", 1), ("spacing", 1), ("quality", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be {least} or more, got {getattr(self, name)}")
        if self.quality > 100:
            raise InputError(f"quality must be at most 100, got {self.quality}")


class Drift(NamedTuple):
    """A slow periodic blend between two looks."""

    period: int
    """Period in frames."""

    phase: float
    """Start as a share of the period, in [0, 1)."""

    def at(self, frame: int) -> float:
        """Return the second look's weight at a video frame, in [0, 1]."""
        return 0.5 - 0.5 * math.cos(2 * math.pi * (frame / self.period + self.phase))


@dataclass(frozen=True, eq=False)
class Change:
    """The colour change of one foreground over time."""

    cube: Cube
    moved: FloatArray | None = None
    """Table at the other end of the drift. Shape (1, 3, D, D, D)."""

    drift: Drift | None = None

    def at(self, frame: int) -> Cube:
        """Return the LUT for a video frame."""
        if self.moved is None or self.drift is None:
            return self.cube
        table = self.cube.lut.parameters
        return _with_table(self.cube, table + np.float32(self.drift.at(frame)) * (self.moved - table))


def draw_luts(names: Sequence[str], *, count: int, seed: int, clip: str) -> list[str]:
    """Draw LUTs for a clip without replacement.

    The result depends only on the arguments, not on other clips or a library's random generator.

    Args:
        names: names of all LUTs, in any order.
        count: number of LUTs to draw.
        seed: seed of the data set.
        clip: name of the clip.

    Raises:
        InputError: there are fewer than `count` LUTs.
    """
    if count > len(names):
        raise InputError(f"{count} LUTs a clip are requested, but there are only {len(names)}; lower --per-clip")
    # Sort by a hash instead of drawing from a generator: clips and LUTs added elsewhere do not change this choice.
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{clip}/{name}".encode()).digest())[:count]


def derive_seed(seed: int, *parts: object) -> int:
    """Derive an independent seed for a part of the work, below 2**48."""
    text = "/".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def make_change(cube: Cube | None, *, seed: int, enhanced: bool, drift: bool) -> Change:
    """Return the colour change of a clip's foreground.

    Args:
        cube: a LUT; None draws a random look.
        seed: seed of the look and the drift.
        enhanced: enhance the LUT like HYouTube's.
        drift: let the change drift over time.
    """
    generator = torch.Generator().manual_seed(seed)
    if cube is None:
        cube = Cube(random_look(generator).to_lut(LUT_SIZE))
    if enhanced:
        cube = _with_table(cube, enhance(torch.from_numpy(cube.lut.parameters)).numpy())
    if not drift:
        return Change(cube)
    # Clip first: values outside the range would drift back into it and become visible on the way.
    table = torch.from_numpy(cube.lut.parameters.clip(0, 1))
    moved = random_look(generator, strength=DRIFT_STRENGTH)(table).numpy()
    least, most = DRIFT_PERIODS
    period = int(torch.randint(least, most + 1, (), generator=generator))
    return Change(cube, moved, Drift(period, float(torch.rand((), generator=generator))))


def recolor(real: Bytes, mask: Codes, cube: Cube) -> Bytes:
    """Recolour the foreground of a frame.

    Args:
        real: RGB. Shape (H, W, 3).
        mask: all values above 0 are foreground. Shape (H, W).
        cube: LUT on RGB in [0, 1].

    Returns:
        The composite. Shape (H, W, 3).
    """
    composite = real.copy()
    foreground = mask != 0
    # Map only the foreground, as one row of pixels: it is the smaller part, and the background must keep its codes.
    colors = torch.from_numpy(real[foreground].astype(np.float32) / np.float32(255)).T[None, :, None]
    if colors.numel():
        changed = (apply_cube(colors, cube).clamp(0, 1) * 255).round()[0, :, 0].T
        composite[foreground] = changed.numpy().astype(np.uint8)
    return composite


def to_bytes(codes: Codes) -> Bytes:
    """Convert codes to 8 bits with rounding. Any shape."""
    return codes.astype(np.uint8, copy=False) if codes.dtype == np.uint8 else np.rint(codes / 257).astype(np.uint8)


def _with_table(cube: Cube, table: FloatArray) -> Cube:
    return replace(cube, lut=Lut3d(table))
