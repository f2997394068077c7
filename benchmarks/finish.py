"""Measure the accuracy of the finishing stages on pictures with known truth, and their cost at 1080p.

The sample's portrait is the true foreground, and a table the new background. Footage in front of a green screen is
computed with the matte, and noise is generated.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle, pairwise
from pathlib import Path

import cv2
import numpy as np
from skimage.data import coffee

from benchmarks.speed_clips import SIZES, describe, synthetic_frames, write_clip
from chromacord.color.alpha import over
from chromacord.io import open_source
from chromacord.lab.bench.fresh_process import Report
from chromacord.lab.bench.provenance import provenance
from chromacord.masks.edge import Edge
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.render.finish.denoise import Denoise, Excess
from chromacord.render.finish.grain import Grain, missing
from chromacord.render.finish.layer import CleanLayer
from chromacord.render.finish.noise import Noise, measure
from chromacord.render.finish.shadow import ContactShadow
from chromacord.render.finish.sharpness import measure_spread
from chromacord.render.finish.softness import Sharpening, Softness
from chromacord.render.finish.stage import Finish
from chromacord.render.finish.wrap import LightWrap
from chromacord.render.fitted_edge import FittedEdge
from chromacord.sample.scene import ASTRONAUT, cut_out, read_photograph
from chromacord.types import Colorimetry, FloatArray, Frame, PixelFormat, Plane, Size, VideoInfo

GREEN = np.array((0.1, 0.6, 0.2), np.float32)
BAND = 8
"""Pixels on either side of the matte's edge in which errors count."""

DEVIATIONS = (2.0, 4.0, 8.0)
"""Of the noise in the background, in codes of 8 bits; the foreground has a quarter."""

COLD = (0.75**0.42, 1.15**0.42, 1.75**0.42)
"""Gains of red, green and blue on a miscoloured foreground, display-referred."""

COARSE = 30.0
"""x264's quality (CRF) at which it takes all of that noise away."""

FIT = 3
"""Pixels within which edges are fitted."""

NOISE, WANTED = 6.0, 3.0
"""Of a foreground that is denoised, and of its background, in codes of 8 bits."""

STEPS = ((0.0, 0.0), (0.4, 0.2), (2.6, 1.3), (9.0, 4.0))
"""Pixels by which that foreground moves from frame to frame, across and down."""

BLURS = ((0.7, 1.5), (1.0, 2.0), (1.0, 3.0))
"""Blurs of foreground and background, as standard deviations in pixels."""

MARGIN = 60
"""Pixels around what moves, from which it enters."""

FRAMES = 6
RGB = PixelFormat("rgb", 8)


class AtRest(Denoise):
    """Takes all motion for change, to compare with."""

    def _motion(self, *_: object) -> None:
        return None


def measure_finish(repeats: int) -> Report:
    """Return figures of all stages.

    Args:
        repeats: how often each is timed; the fastest run counts.
    """
    return {
        **provenance(),
        "edges": edge_errors(),
        "fitted_edges": fitted_errors(),
        "grain": [grain_figures(deviation) for deviation in DEVIATIONS],
        "grain_after_a_codec": codec_figures(),
        "denoise": [denoise_figures(step) for step in STEPS],
        "sharpness": [sharpness_figures(*sigmas) for sigmas in BLURS],
        "cpu_ms_per_1080p_frame": costs(repeats),
    }


def edge_errors() -> dict[str, dict[str, float]]:
    """Compare composites of the footage, unchanged and decontaminated, with the true one, around the matte's edge.

    Returns:
        For each, "sad": the sum of absolute differences in [0, 1] over the band, in thousands; "gradient": the sum of
        squared differences of gradient magnitudes (Rhemann et al., CVPR 2009, sigma 1.4), in thousands.
    """
    portrait, matte = read_photograph(ASTRONAUT), cut_out(read_photograph(ASTRONAUT))
    height, width = matte.shape
    plate = _plate(width, height)
    screen = np.broadcast_to(GREEN, portrait.shape)
    footage, codes = over(portrait, screen, matte[..., None]), np.rint(matte * 255).astype(np.uint8)
    planes = tuple(np.rint(255 * footage[..., number]).astype(np.uint8) for number in range(3))
    info = described(RGB, Size(height, width))
    cleaned = CleanLayer(info, 255, decontaminate=True, despill=None)(planes, codes)
    band = cv2.dilate(((codes > 0) & (codes < 255)).astype(np.uint8), np.ones((2 * BAND + 1,) * 2)) > 0
    truth = over(portrait, plate, matte[..., None])
    found = {}
    layers: dict[str, Sequence[Plane]] = {"as filmed": planes, "decontaminated": cleaned}
    for name, layer in layers.items():
        made: FloatArray = over(np.stack(layer, axis=-1).astype(np.float32) / 255, plate, matte[..., None])
        difference = np.square(_gradient(made) - _gradient(truth))
        found[name] = {
            "sad": round(float(np.abs(made - truth)[band].sum()) / 1000, 3),
            "gradient": round(float(difference[band].sum()) / 1000, 4),
        }
    return found


def fitted_errors() -> dict[str, dict[str, float]]:
    """Compare composites of a miscoloured portrait, graded by masks that are off, with the true one, as `edge_errors`.

    The grade is the true one, so that only the mask's edge is wrong: by so many pixels, or softened.
    """
    portrait, matte = read_photograph(ASTRONAUT), cut_out(read_photograph(ASTRONAUT))
    height, width = matte.shape
    plate = _plate(width, height)
    gains = np.array(COLD, np.float32)
    cold = np.rint(255 * over(np.clip(portrait * gains, 0, 1), plate, matte[..., None])).astype(np.uint8)
    composite = cold.astype(np.float32) / 255
    truth = over(np.clip(portrait * gains, 0, 1) / gains, plate, matte[..., None])
    band = cv2.dilate(((matte > 0) & (matte < 1)).astype(np.uint8), np.ones((2 * BAND + 1,) * 2)) > 0
    fit = FittedEdge(described(RGB, Size(height, width)), FIT)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    given = {
        "true": matte,
        "wider by 2": cv2.dilate(matte, disc),
        "narrower by 2": cv2.erode(matte, disc),
        "softened by 2": cv2.GaussianBlur(matte, (0, 0), 2),
    }
    found = {}
    for name, weight in given.items():
        mask = Mask.from_plane(np.rint(255 * weight).astype(np.uint8), black=0, white=255)
        fitted = fit(Frame(tuple(np.ascontiguousarray(cold[..., number]) for number in range(3)), 0), mask)
        for kind, shown in (("given", mask), ("fitted", fitted)):
            share = (shown.plane.astype(np.float32) / 255)[..., None]
            made = composite + share * (composite / gains - composite)
            difference = np.square(_gradient(made) - _gradient(truth))
            found[f"{name}, {kind}"] = {
                "sad": round(float(np.abs(made - truth)[band].sum()) / 1000, 3),
                "gradient": round(float(difference[band].sum()) / 1000, 4),
            }
    return found


def grain_figures(deviation: float) -> dict[str, float]:
    """Return how near noise is measured, and matched, as ratios to the truth; means over planes and brightness."""
    portrait, matte = read_photograph(ASTRONAUT), cut_out(read_photograph(ASTRONAUT))
    size, generator = Size(*matte.shape), np.random.default_rng(0)
    info = described(RGB, size)
    mask = Mask.from_plane(np.rint(matte * 255).astype(np.uint8), black=0, white=255)
    inside = matte > 0.999
    clean = 30 + 195 * cv2.GaussianBlur(portrait, (0, 0), 0.7)
    frames = []
    for index in range(FRAMES):
        noise = generator.standard_normal(portrait.shape) * np.where(matte > 0.5, deviation / 4, deviation)[..., None]
        frames.append(Frame(tuple(np.rint(clean + noise).clip(0, 255).astype(np.uint8).transpose(2, 0, 1)), index))
    background, finished = matched_grain(frames, mask, info)
    rest = [np.stack(frame.planes, axis=-1)[inside] - clean[inside] for frame in finished]
    return {
        "true": deviation,
        "measured": round(float(np.nanmean(np.sqrt(background.variance))) / deviation, 3),
        "matched": round(float(np.std(rest)) / deviation, 3),
    }


def codec_figures() -> dict[str, dict[str, float]]:
    """Return the noise of a background, measured in codes, and the largest change that matching it makes to a sample.

    "filmed" has noise of `DEVIATIONS[0]` codes in luma, "encoded" is the same after a codec has taken it away.
    """
    luma, matte = 30 + 195 * read_photograph(ASTRONAUT)[..., 1], cut_out(read_photograph(ASTRONAUT))
    info, generator = describe(Size(*matte.shape), FRAMES), np.random.default_rng(0)
    mask = Mask.from_plane(np.rint(matte * 255).astype(np.uint8), black=0, white=255)
    neutral = np.full((matte.shape[0] // 2, matte.shape[1] // 2), 128, np.uint8)
    filmed = []
    for index in range(FRAMES):
        noisy = luma + DEVIATIONS[0] * generator.standard_normal(matte.shape) * (matte < 0.5)
        filmed.append(Frame((np.rint(noisy).clip(0, 255).astype(np.uint8), neutral, neutral), index, pts=index))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoded.mp4"
        write_clip(path, filmed, info, crf=COARSE)
        encoded = list(open_source(path).frames())
    found = {}
    for name, frames in (("filmed", filmed), ("encoded", encoded)):
        background, finished = matched_grain(frames, mask, info)
        changes = (cv2.absdiff(each.planes[0], frame.planes[0]) for each, frame in zip(finished, frames, strict=True))
        found[name] = {"measured": round(background.deviation, 3), "change": max(float(each.max()) for each in changes)}
    return found


def matched_grain(frames: Sequence[Frame], mask: Mask, info: VideoInfo) -> tuple[Noise, list[Frame]]:
    """Return the measured noise of the background, and copies of the frames whose foreground got what it lacks."""
    pairs = [measure(MaskedFrame(frame, mask), following, info) for frame, following in pairwise(frames)]
    background = Noise.over([pair.background for pair in pairs], 3)
    foreground = Noise.over([pair.foreground for pair in pairs], 3)
    amount = missing(foreground, background, info)
    finish = Finish(info, [Grain(info, lambda _: (amount, background))])
    return background, [finish(MaskedFrame(frame, mask), frame) for frame in frames]


def denoise_figures(step: tuple[float, float]) -> dict[str, float | list[float]]:
    """Return the remaining noise and detail of a moving photograph, with and without following its motion.

    "noise" is the error's standard deviation in codes, "detail" the share of what a Gaussian of 3 pixels takes away;
    means over the last frames of a dozen.
    """
    portrait = 30 + 195 * read_photograph(ASTRONAUT)
    height, width = (side - 2 * MARGIN for side in portrait.shape[:2])
    info, generator = described(RGB, Size(height, width)), np.random.default_rng(0)
    share = np.full((3, 256), (WANTED / NOISE) ** 2, np.float32)
    excess = Excess(0, np.full((3, 256), NOISE**2, np.float32), share, (1.0,) * 3)
    mask = Mask.from_plane(np.full((height, width), 255, np.uint8), black=0, white=255)
    stages = {"": Denoise(info, lambda _: excess), "not followed, ": AtRest(info, lambda _: excess)}
    found: dict[str, list[float]] = {f"{name}{what}": [] for name in stages for what in ("noise", "detail")}
    for index in range(2 * FRAMES):
        by = np.array([[1, 0, MARGIN + step[0] * (index - FRAMES)], [0, 1, MARGIN + step[1] * (index - FRAMES)]])
        clean = cv2.warpAffine(portrait, by, (width, height), flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP)
        noisy = np.rint(clean + NOISE * generator.standard_normal(clean.shape)).clip(0, 255).astype(np.uint8)
        for name, stage in stages.items():
            frame = Frame(tuple(np.array(noisy[..., number]) for number in range(3)), index)
            stage(frame, mask)
            if index >= FRAMES:
                after = np.stack(frame.planes, axis=-1).astype(np.float32)[MARGIN:-MARGIN, MARGIN:-MARGIN]
                truth = clean[MARGIN:-MARGIN, MARGIN:-MARGIN]
                detail, kept = (each - cv2.GaussianBlur(each, (0, 0), 3) for each in (truth, after))
                found[f"{name}noise"].append(float((after - truth).std()))
                found[f"{name}detail"].append(float((kept * detail).sum() / np.square(detail).sum()))
    return {"step": list(step), **{name: round(float(np.mean(each)), 3) for name, each in found.items()}}


def sharpness_figures(inside: float, outside: float) -> dict[str, float]:
    """Return how near the blur that a foreground lacks is measured; both sides are of one photograph.

    It is reduced to half its size, so that its own blur counts little, and blurred in light before that.
    """
    light = read_photograph(ASTRONAUT) ** np.float32(2.4)
    small = [
        cv2.resize(cv2.GaussianBlur(light, (0, 0), 2 * sigma), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        for sigma in (inside, outside)
    ]
    picture = np.hstack(small) ** np.float32(1 / 2.4)
    height, width = picture.shape[:2]
    matte = np.zeros((height, width), np.uint8)
    matte[:, : width // 2] = 255
    info = described(RGB, Size(height, width))
    frame = Frame(tuple(np.rint(255 * picture).astype(np.uint8).transpose(2, 0, 1)), 0)
    found = measure_spread(MaskedFrame(frame, Mask.from_plane(matte, black=0, white=255)), info)
    lacking = max(0.0, found.background - found.foreground) ** 0.5
    return {"true": round((outside**2 - inside**2) ** 0.5, 3), "measured": round(lacking, 3)}


def costs(repeats: int) -> dict[str, float]:
    """Return the CPU time per frame in milliseconds, for 8-bit 4:2:0 with a quarter of foreground."""
    size = SIZES["1080p"]
    info = describe(size, 2)
    pairs = list(synthetic_frames(size, 2, 0.25))
    (first, drawn), (second, _) = pairs
    first = Frame(tuple(np.array(plane) for plane in first.planes), 0)
    matte = cv2.convertScaleAbs(drawn.planes[0].astype(np.float32), alpha=255 / 219, beta=-16 * 255 / 219)
    mask = Mask.from_plane(matte, black=0, white=255)
    masked = MaskedFrame(first, mask)
    noise = measure(masked, second, info).background
    grain = Grain(info, lambda _: (np.full((3, 256), 4, np.float32), noise))
    soft, shadow = Softness(info, lambda _: 1.2), ContactShadow(info, 255, 0.5, 60, 40, 16)
    sharpen = Sharpening(info, lambda _: (1.5**2, 1.0))
    wrap, edge, fit = LightWrap(info, 0.5), Edge(1, 2), FittedEdge(info, FIT)
    excess = Excess(0, np.full((3, 256), 36, np.float32), np.full((3, 256), 0.25, np.float32), (1.0,) * 3)
    denoise, still = Denoise(info, lambda _: excess), Denoise(info, lambda _: excess)
    swaying = [
        [np.roll(plane, by >> (number > 0), axis=1) for number, plane in enumerate(first.planes)] for by in (0, 6)
    ]
    moving, resting = (
        (Frame(tuple(planes), index) for index, planes in enumerate(cycle(each))) for each in (swaying, swaying[:1])
    )
    clean = CleanLayer(info, 255, decontaminate=True, despill=None)
    despill = CleanLayer(info, 255, decontaminate=False, despill="green")
    clean_both = CleanLayer(info, 255, decontaminate=True, despill="green")
    stages: dict[str, Callable[[], object]] = {
        "edge": lambda: edge.change(matte, 0),
        "edge, fitted": lambda: fit(first, mask),
        "denoise": lambda: denoise(next(moving), mask),
        "denoise, at rest": lambda: still(next(resting), mask),
        "decontaminate": lambda: clean(first.planes, matte),
        "despill": lambda: despill(first.planes, matte),
        "decontaminate and despill": lambda: clean_both(first.planes, matte),
        "wrap": lambda: wrap(first, mask),
        "contact shadow": lambda: shadow(first, matte),
        "sharpness": lambda: soft(first, mask),
        "sharpness, sharpened": lambda: sharpen(first, mask),
        "sharpness, measuring": lambda: measure_spread(masked, info),
        "grain": lambda: grain(first, mask),
        "grain, measuring": lambda: measure(masked, second, info),
    }
    cv2.setNumThreads(1)
    for run in stages.values():
        run()  # the first frame has no past
    return {name: round(1000 * min(_seconds(run) for _ in range(repeats)), 1) for name, run in stages.items()}


def described(pixel_format: PixelFormat, size: Size) -> VideoInfo:
    """Return what a file of full-range pictures would say of itself."""
    colorimetry = Colorimetry(1, 13, 0, full_range=True)
    return replace(describe(size, FRAMES), pixel_format=pixel_format, colorimetry=colorimetry)


def _plate(width: int, height: int) -> FloatArray:
    """Return a background as red as the portrait's suit: RGB in [0, 1]. Shape (height, width, 3)."""
    codes = coffee().astype(np.float32)
    plate: FloatArray = cv2.resize(codes / np.float32(255), (width, height), interpolation=cv2.INTER_AREA)
    return plate


def _gradient(picture: FloatArray) -> FloatArray:
    """Return the magnitude of each channel's gradient, of Gaussian derivatives. Shape (H, W, 3)."""
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.4)
    magnitude: FloatArray = np.hypot(*np.gradient(smooth, axis=(0, 1)))
    return magnitude


def _seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start
