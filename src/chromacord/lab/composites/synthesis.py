"""Make composites from real clips by recolouring the foreground, like HYouTube.

HYouTube's procedure (the authors' sample script): one LUT for all frames of a clip, its table enhanced
(`chromacord.lab.color.enhancement`), applied to 8-bit codes trilinearly and clipped; wherever the mask is not 0 the
composite is the recoloured frame; saved as JPEG of quality 75. The background is thus a recompressed copy of the real
frame, which is what evaluations on HYouTube have to live with.
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
"""Nodes a side of random looks."""

DRIFT_STRENGTH = 0.5
"""Of the second look that a drifting change moves to and from."""

DRIFT_PERIODS = (80, 240)
"""Frames from one extreme of a drift back to it: least and most."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Recipe:
    """How a data set is synthesized."""

    per_clip: int = 1
    """Number of composites of each clip, each with a different LUT."""

    seed: int = 0
    enhance: bool = True
    """Whether tables are enhanced as HYouTube's were."""

    drift: bool = False
    """Whether the change moves slowly in time, between the LUT and a mild random look after it."""

    num_frames: int = 20
    """Of each clip, from its start; a shorter clip gives what it has."""

    spacing: int = 1
    """Frames of the clip from one that is taken to the next."""

    quality: int = 75
    """Of the composites' JPEG."""

    def __post_init__(self) -> None:
        for name, least in (("per_clip", 1), ("num_frames", 1), ("spacing", 1), ("quality", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be {least} or more, got {getattr(self, name)}")
        if self.quality > 100:
            raise InputError(f"quality must be at most 100, got {self.quality}")


class Drift(NamedTuple):
    """How far a change has moved towards its second look, as a slow wave."""

    period: int
    """Frames."""

    phase: float
    """Share of a period, in [0, 1)."""

    def at(self, frame: int) -> float:
        """Return the second look's weight at a frame of the video, in [0, 1]."""
        return 0.5 - 0.5 * math.cos(2 * math.pi * (frame / self.period + self.phase))


@dataclass(frozen=True, eq=False)
class Change:
    """What is done to the colours of one foreground over time."""

    cube: Cube
    moved: FloatArray | None = None
    """The table at the other end of the drift. Shape (1, 3, D, D, D)."""

    drift: Drift | None = None

    def at(self, frame: int) -> Cube:
        """Return the LUT for a frame of the video."""
        if self.moved is None or self.drift is None:
            return self.cube
        table = self.cube.lut.parameters
        return _with_table(self.cube, table + np.float32(self.drift.at(frame)) * (self.moved - table))


def draw_luts(names: Sequence[str], *, count: int, seed: int, clip: str) -> list[str]:
    """Draw LUTs for a clip, without putting back.

    The draw depends on nothing but its arguments: not on the other clips, nor on any library's generator.

    Args:
        names: of all LUTs, in any order.
        count: how many to draw.
        seed: of the data set.
        clip: name of the clip.

    Raises:
        InputError: there are fewer LUTs than are to be drawn.
    """
    if count > len(names):
        raise InputError(f"{count} LUTs a clip are requested, but there are only {len(names)}; lower --per-clip")
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{clip}/{name}".encode()).digest())[:count]


def derive_seed(seed: int, *parts: object) -> int:
    """Return a seed of its own for a part of the work, below 2**48."""
    text = "/".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def make_change(cube: Cube | None, *, seed: int, enhanced: bool, drift: bool) -> Change:
    """Return what a clip's foreground goes through.

    Args:
        cube: a LUT; None draws a random look.
        seed: of the look and of the drift.
        enhanced: enhance the table as HYouTube's were.
        drift: let the change move.
    """
    generator = torch.Generator().manual_seed(seed)
    if cube is None:
        cube = Cube(random_look(generator).to_lut(LUT_SIZE))
    if enhanced:
        cube = _with_table(cube, enhance(torch.from_numpy(cube.lut.parameters)).numpy())
    if not drift:
        return Change(cube)
    table = torch.from_numpy(cube.lut.parameters.clip(0, 1))
    moved = random_look(generator, strength=DRIFT_STRENGTH)(table).numpy()
    least, most = DRIFT_PERIODS
    period = int(torch.randint(least, most + 1, (), generator=generator))
    return Change(cube, moved, Drift(period, float(torch.rand((), generator=generator))))


def recolor(real: Bytes, mask: Codes, cube: Cube) -> Bytes:
    """Give the foreground of a frame other colours.

    Args:
        real: RGB. Shape (H, W, 3).
        mask: whatever is not 0 is foreground. Shape (H, W).
        cube: the map of RGB in [0, 1].

    Returns:
        The composite. Shape (H, W, 3).
    """
    composite = real.copy()
    foreground = mask != 0
    colors = torch.from_numpy(real[foreground].astype(np.float32) / np.float32(255)).T[None, :, None]
    if colors.numel():
        changed = (apply_cube(colors, cube).clamp(0, 1) * 255).round()[0, :, 0].T
        composite[foreground] = changed.numpy().astype(np.uint8)
    return composite


def to_bytes(codes: Codes) -> Bytes:
    """Return codes as 8-bit ones, rounded to the nearest. Any shape."""
    return codes.astype(np.uint8, copy=False) if codes.dtype == np.uint8 else np.rint(codes / 257).astype(np.uint8)


def _with_table(cube: Cube, table: FloatArray) -> Cube:
    return replace(cube, lut=Lut3d(table))
