"""Measure mattes from boxes and clicks on clips with known masks.

Each clip is a folder with images/ and masks/ of the same names. The box is that of the first mask, with a margin.
Clicks are placed as a user would: each on the innermost pixel of the part not marked yet.
"""

import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.errors import InputError
from chromacord.io import open_source
from chromacord.lab.bench.fresh_process import Report
from chromacord.lab.bench.provenance import provenance
from chromacord.matte.clicks import Click
from chromacord.matte.clip_pictures import pictures_of
from chromacord.matte.tracked import TrackedMatte
from chromacord.types import Box

Mask = npt.NDArray[np.bool_]


class Judged(NamedTuple):
    """A frame with a confidence."""

    facts: npt.NDArray[np.float32]
    """Features behind the confidence. Shape (5,)."""

    overlap: float
    """Overlap with the known mask."""


MARGIN = 0.08
"""Margin of the box, relative to the foreground's sides."""

NEAR = 0.1
"""Distance between the foreground and a click around it, relative to its longer side."""


def measure_mattes(folders: Iterable[Path], num_frames: int) -> Report:
    """Return the overlap with the known masks for each way to mark a foreground.

    Args:
        folders: folders of clips.
        num_frames: number of frames to measure in each clip.

    Raises:
        InputError: a folder has no images or masks.
    """
    rows: dict[str, dict[str, list[float]]] = {}
    judged: list[list[Judged]] = []
    for folder in folders:
        judged.append([])
        pictures, masks = read(folder, num_frames)
        for name, tracked in ways(masks[0]).items():
            for key, value in figures(tracked, pictures, masks, judged[-1]).items():
                rows.setdefault(name, {}).setdefault(key, []).append(value)
            rows[name].setdefault("of_each_clip", []).append(rows[name]["mean"][-1])
    if not rows:
        raise InputError("no folder is given; name folders with images/ and masks/")
    return {
        **provenance(),
        "clips": [folder.name for folder in folders],
        "frames": num_frames,
        "overlap": {
            name: {key: _rounded(values, key == "of_each_clip") for key, values in found.items()}
            for name, found in rows.items()
        },
        "confidence": calibration(judged),
    }


def read(folder: Path, num_frames: int) -> tuple[list[npt.NDArray[np.float32]], list[Mask]]:
    """Return the first pictures of a clip in [0, 1], shape (H, W, 3), and their masks, shape (H, W).

    Args:
        folder: a folder with images/ and masks/.
        num_frames: maximum number of frames.
    """
    source, masks = open_source(folder / "images"), open_source(folder / "masks")
    picture = pictures_of(source)
    marked = [np.max(frame.planes, axis=0) > 0 for frame in islice(masks.frames(), num_frames)]
    return [picture(frame) for frame in islice(source.frames(), len(marked))], marked


def ways(mask: Mask) -> dict[str, Callable[[], TrackedMatte]]:
    """Return the ways to mark a foreground.

    Args:
        mask: mask of the first frame.
    """
    box, inside, outside = around(mask), clicks(mask, 5), clicks_around(mask)
    return {
        "box": lambda: TrackedMatte(box),
        "box, 3 clicks, 3 around": lambda: TrackedMatte(box, [*inside[:3], *outside[:3]]),
        "1 click": lambda: TrackedMatte(None, inside[:1]),
        "3 clicks": lambda: TrackedMatte(None, inside[:3]),
        "5 clicks, 4 around": lambda: TrackedMatte(None, [*inside, *outside]),
    }


def around(mask: Mask) -> Box:
    """Return the box of a mask with a margin, inside the picture."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    down, right = (max(4, round(MARGIN * (places[-1] - places[0]))) for places in (rows, columns))
    return Box(
        max(0, int(rows[0]) - down),
        max(0, int(columns[0]) - right),
        min(mask.shape[0], int(rows[-1]) + 1 + down),
        min(mask.shape[1], int(columns[-1]) + 1 + right),
    )


def clicks(mask: Mask, count: int) -> list[Click]:
    """Return clicks one by one, each on the innermost pixel of the unmarked part of a mask."""
    left, found = mask.astype(np.uint8), list[Click]()
    for _ in range(count):
        depth = cv2.distanceTransform(np.pad(left, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
        row, column = (int(place) for place in np.unravel_index(int(depth.argmax()), depth.shape))
        if depth[row, column] == 0:
            break
        found.append(Click(row, column, 0, is_inside=True))
        cv2.circle(left, (column, row), max(6, round(float(depth[row, column]))), 0, -1)
    return found


def clicks_around(mask: Mask) -> list[Click]:
    """Return clicks above, below, left and right of a mask, inside the picture."""
    rows, columns = np.nonzero(mask)
    away = max(4, round(NEAR * max(np.ptp(rows), np.ptp(columns))))
    middle = (int(rows.mean()), int(columns.mean()))
    places = [
        (int(rows.min()) - away, middle[1]),
        (int(rows.max()) + away, middle[1]),
        (middle[0], int(columns.min()) - away),
        (middle[0], int(columns.max()) + away),
    ]
    return [
        Click(row, column, 0, is_inside=False)
        for row, column in places
        if 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and not mask[row, column]
    ]


def figures(
    way: Callable[[], TrackedMatte],
    pictures: list[npt.NDArray[np.float32]],
    masks: list[Mask],
    judged: list[Judged],
) -> dict[str, float]:
    """Return the overlap (intersection over union) in the first frame, its mean and least, confidence and time.

    Args:
        way: makes the tracker.
        pictures: in [0, 1]. Shape (H, W, 3) each.
        masks: known. Shape (H, W) each.
        judged: receives the frames that have a confidence.
    """
    tracked, overlaps = way(), list[float]()
    started = time.process_time()
    try:
        for picture, mask in zip(pictures, masks, strict=True):
            found = tracked.matte(picture) > 0.5
            overlaps.append(float((found & mask).sum() / max(1, (found | mask).sum())))
            if tracked.facts is not None:
                judged.append(Judged(tracked.facts, overlaps[-1]))
    except InputError:  # nothing was found
        overlaps += [0.0] * (len(masks) - len(overlaps))
    return {
        "first": overlaps[0],
        "mean": float(np.mean(overlaps)),
        "last": overlaps[-1],
        "least": min(overlaps),
        "confidence": tracked.confidence,
        "lost": float(tracked.lost_at is not None),
        "cpu_ms_per_frame": 1000 * (time.process_time() - started) / len(masks),
    }


def calibration(judged: list[list[Judged]]) -> dict[str, float | list[float]]:
    """Return the error of expected overlaps by cross-validation: each clip's are fitted to all other clips.

    Args:
        judged: the frames of each clip.

    Returns:
        "frames": number of frames; "bias" and "off": mean and mean absolute difference between expected and true
        overlap; "factors": coefficients fitted to all clips, weighted equally.
    """
    clips = [
        (np.array([each.facts for each in clip]), np.array([each.overlap for each in clip])) for clip in judged if clip
    ]
    differences = [
        (facts @ _fitted([other for other in clips if other[0] is not facts])).clip(0, 1) - overlap
        for facts, overlap in (clips if len(clips) > 1 else [])
    ]
    every = np.concatenate(differences) if differences else np.zeros(1)
    return {
        "frames": len(every),
        "bias": round(float(every.mean()), 3),
        "off": round(float(np.abs(every).mean()), 3),
        "factors": [round(float(factor), 3) for factor in _fitted(clips)],
    }


def _fitted(clips: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]]) -> npt.NDArray[np.float64]:
    """Return the coefficients of the features that best predict the overlaps, by least squares. Shape (5,)."""
    weights = [len(overlap) ** -0.5 for _, overlap in clips]
    facts = np.concatenate([weight * facts for weight, (facts, _) in zip(weights, clips, strict=True)])
    overlaps = np.concatenate([weight * overlap for weight, (_, overlap) in zip(weights, clips, strict=True)])
    factors: npt.NDArray[np.float64] = np.linalg.lstsq(facts, overlaps, rcond=None)[0]
    return factors


def _rounded(values: list[float], is_list: bool) -> float | list[float]:
    return [round(value, 3) for value in values] if is_list else round(float(np.mean(values)), 3)
