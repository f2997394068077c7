"""A sample clip from free photographs: a miscoloured cut-out with a soft matte over a moving background.

"astronaut" (Eileen Collins, NASA, public domain) stands before "rocket" (a launch pad at dusk, SpaceX, public
domain). The cut-out is found by GrabCut (Rother et al., "GrabCut", 2004) in a band around a hand-drawn outline; it is
lit by a studio's warm lamps, unlike anything at the launch pad.
"""

from collections.abc import Iterator
from fractions import Fraction
from importlib import resources
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.color.alpha import over
from chromacord.color.curves import linear_to_srgb, srgb_to_linear
from chromacord.errors import MissingFileError
from chromacord.types import FloatArray, Size

SIZE = Size(720, 1280)
RATE = Fraction(25)
NUM_FRAMES = 75

ASTRONAUT = "astronaut.webp"
ROCKET = "rocket.webp"

_OUTLINE = """
172,122 156,98 155,70 165,45 195,25 225,15 255,22 285,42 300,72 298,100 290,118 277,130 268,155 258,178 275,190
295,215 304,245 302,262 318,250 340,270 352,300 358,335 360,350 380,346 405,346 440,360 470,385 490,425 497,455
510,465 511,511 30,511 22,480 30,420 38,360 45,310 55,268 85,240 105,222 118,208 113,188 122,168 150,152 178,150
184,160 182,145 178,130
"""
"""Outline of the astronaut in her 512 x 512 photograph, as x,y, accurate to a few pixels."""

_BAND = 8
"""Half the width, in pixels, of the band around the outline in which GrabCut decides."""

_LAMPS = (1.3, 0.8, 0.35)
"""Linear gains of red, green and blue on the astronaut: tungsten lamps, filmed with daylight's white balance."""

_SCREEN = (0.1, 0.6, 0.2)
"""Colour of a green screen, R'G'B'."""

_SOFT = 1.8
"""Blur of the plate's lens, as filmed: standard deviation in pixels."""

_GRAIN = 4 / 255
"""Standard deviation of the plate's grain, as filmed."""


class Layers(NamedTuple):
    """One frame of the sample, display-referred RGB in [0, 1]."""

    foreground: FloatArray
    """Colours of the cut-out. Shape (H, W, 3)."""

    alpha: FloatArray
    """Coverage of the cut-out. Shape (H, W, 1)."""

    background: FloatArray
    """Colours of the background. Shape (H, W, 3)."""

    composite: FloatArray
    """The foreground over the background. Shape (H, W, 3)."""


def sample_layers(num_frames: int = NUM_FRAMES) -> Iterator[Layers]:
    """Yield the frames of the sample; all runs give the same frames.

    Args:
        num_frames: length of the clip; the motion is spread over it.
    """
    portrait, pad = read_photograph(ASTRONAUT), read_photograph(ROCKET)
    matte = cut_out(portrait)
    actor = relight(spill_inwards(portrait, matte), _LAMPS)
    random = np.random.default_rng(0)
    for index in range(num_frames):
        time = index / max(num_frames - 1, 1)
        # A person who sways a little in front of a camera that pans and moves in.
        zoom = 1.34 + 0.04 * time
        left = 90 + 100 * time + 6 * np.sin(2 * np.pi * 0.9 * time)
        top = 78 - 12 * time + 4 * np.sin(2 * np.pi * 1.3 * time)
        foreground = place(actor, zoom, left, top)
        # Outside the photograph there is no foreground, while its colours continue under the soft edge.
        alpha = place(matte[..., None], zoom, left, top, border=cv2.BORDER_CONSTANT)
        background = place(pad, 2.12 + 0.08 * time, -10 - 60 * time, -150 - 30 * time)
        grain = random.standard_normal((*SIZE, 1), dtype=np.float32) * np.float32(1.5 / 255)
        # One grain over both layers: a composite without any would show which pixels moved.
        composite = np.clip(over(foreground, background, alpha) + grain, 0, 1)
        yield Layers(foreground, alpha, background, composite)


def as_filmed(layers: Layers, index: int) -> Layers:
    """Return a frame as cameras deliver it: an actor before a green screen, and a plate of a soft lens, with grain.

    Args:
        layers: a frame of the sample.
        index: its number, which decides the grain.
    """
    foreground = over(layers.foreground, np.array(_SCREEN, np.float32), layers.alpha)
    grain = np.random.default_rng((1, index)).standard_normal((*SIZE, 3), dtype=np.float32) * np.float32(_GRAIN)
    soft = linear_to_srgb(cv2.GaussianBlur(srgb_to_linear(layers.background), (0, 0), _SOFT))
    background = np.clip(soft + grain, 0, 1).astype(np.float32)
    return Layers(foreground, layers.alpha, background, over(foreground, background, layers.alpha))


def read_photograph(name: str) -> FloatArray:
    """Read one of the sample's photographs.

    Returns:
        RGB in [0, 1]. Shape (H, W, 3).

    Raises:
        MissingFileError: it is missing or damaged.
    """
    file = resources.files(__package__) / name
    content = file.read_bytes() if file.is_file() else b""
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if picture is None:
        raise MissingFileError(f"{file}: is missing or damaged; reinstall chromacord")
    photograph: FloatArray = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.float32) / np.float32(255)
    return photograph


def cut_out(portrait: FloatArray) -> FloatArray:
    """Compute the astronaut's soft matte.

    Args:
        portrait: RGB in [0, 1]. Shape (H, W, 3).

    Returns:
        Coverage in [0, 1]. Shape (H, W).
    """
    corners = np.array([point.split(",") for point in _OUTLINE.split()], dtype=np.int32)
    drawn = cv2.fillPoly(np.zeros(portrait.shape[:2], np.uint8), [corners], 1)
    labels = np.where(drawn, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[grow(drawn, _BAND) == 0] = cv2.GC_BGD
    labels[grow(drawn, -_BAND) == 1] = cv2.GC_FGD
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)
    codes = np.rint(portrait[..., ::-1] * 255).astype(np.uint8)
    cv2.grabCut(codes, labels, None, models[0], models[1], 6, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    matte: FloatArray = cv2.GaussianBlur(grow(inside, -1).astype(np.float32), (0, 0), 1.0)
    return matte


def grow(mask: npt.NDArray[np.uint8], pixels: int) -> npt.NDArray[np.uint8]:
    """Dilate a binary mask, or erode it by a negative radius. The picture's edges are kept.

    Args:
        mask: zeros and ones. Shape (H, W).
        pixels: radius.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(pixels) + 1,) * 2)
    change = cv2.dilate if pixels > 0 else cv2.erode
    changed: npt.NDArray[np.uint8] = change(mask, disc, borderType=cv2.BORDER_REPLICATE)
    return changed


def spill_inwards(picture: FloatArray, matte: FloatArray) -> FloatArray:
    """Extend inner colours into the matte's soft edge, so that it shows nothing of the old background.

    Args:
        picture: RGB in [0, 1]. Shape (H, W, 3).
        matte: coverage in [0, 1]. Shape (H, W).
    """
    inside = grow((matte > 0.98).astype(np.uint8), -1)
    edge = grow(inside, 6) - inside
    codes = np.rint(picture * 255).astype(np.uint8)
    codes[grow(inside, 6) == 0] = 0
    filled: FloatArray = cv2.inpaint(codes, edge, 3, cv2.INPAINT_NS).astype(np.float32) / np.float32(255)
    return filled


def relight(picture: FloatArray, gains: tuple[float, ...] | FloatArray) -> FloatArray:
    """Change the light of a picture by gains in linear light.

    Args:
        picture: RGB in [0, 1]. Shape (H, W, 3).
        gains: for red, green and blue. Shape (3,) or (H, W, 3).
    """
    light = srgb_to_linear(picture) * np.asarray(gains, np.float32)
    return linear_to_srgb(light.clip(0, 1))


def place(
    picture: FloatArray, zoom: float, left: float, top: float, *, border: int = cv2.BORDER_REPLICATE
) -> FloatArray:
    """Scale a picture and move it into the frame, with subpixel accuracy.

    Args:
        picture: source picture. Shape (H, W, C).
        zoom: frame pixels per picture pixel.
        left, top: position of the picture's corner in the frame.
        border: OpenCV's border mode outside the picture.
    """
    matrix = np.array([[zoom, 0, left], [0, zoom, top]], dtype=np.float32)
    size = (SIZE.width, SIZE.height)
    placed: FloatArray = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=border)
    return np.clip(placed, 0, 1).reshape(*SIZE, -1)
