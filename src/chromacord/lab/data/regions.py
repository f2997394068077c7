"""Photographs without masks: regions of similar colour serve as foregrounds.

A recoloured region teaches a network which colours occur together in one picture; that does not require objects.
"""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import torch

from chromacord.errors import MissingFileError, UnreadableFileError
from chromacord.io.stills.image_formats import IMAGE_SUFFIXES
from chromacord.io.stills.single import Codes
from chromacord.lab.composites.photographs import Photographs, square

_SIDE = 64
"""Side of the reduced pictures in which regions are found."""

_NUM_REGIONS = (4, 9)
"""Range of the number of regions (half-open)."""

_LIGHTNESS_WEIGHT = 0.6
"""Weight of L*, relative to a* and b*: shadows divide an object less than colours do."""

_ITERATIONS = 12


def color_regions(picture: Codes, *, seed: int) -> Codes:
    """Segment a picture into contiguous regions of similar colour by k-means over L*a*b* and position.

    Args:
        picture: RGB codes. Shape (H, W, 3).
        seed: determines the number of regions and the initial centres.

    Returns:
        Labels from 1. Shape (H, W).
    """
    smooth = cv2.resize(cv2.GaussianBlur(picture, (0, 0), 3), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(smooth.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) * np.array(
        [_LIGHTNESS_WEIGHT, 1, 1], np.float32
    )
    places = np.moveaxis(np.mgrid[:_SIDE, :_SIDE], 0, -1)
    points = np.concatenate([lab, places], axis=-1).reshape(-1, 5).astype(np.float32)
    cv2.setRNGSeed(seed)
    number = _NUM_REGIONS[0] + seed % (_NUM_REGIONS[1] - _NUM_REGIONS[0])
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, _ITERATIONS, 0.0)
    _, labels, _ = cv2.kmeans(points, number, np.empty(0), criteria, 1, cv2.KMEANS_PP_CENTERS)
    small = (labels.reshape(_SIDE, _SIDE) + 1).astype(np.uint8)
    regions: Codes = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return regions


def load_unmasked(folder: Path, *, side: int) -> Photographs:
    """Read all photographs below a folder, with regions as labels.

    Args:
        folder: any tree of pictures.
        side: height and width to resize to.

    Raises:
        MissingFileError: there are none.
        UnreadableFileError: one cannot be read.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (*IMAGE_SUFFIXES, ".webp"))
    if not files:
        raise MissingFileError(f"{folder}: holds no pictures; name a folder that does")
    pictures, labels = [], []
    for path in files:
        codes = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if codes is None:
            raise UnreadableFileError(f"{path}: cannot be read as a picture; remove it or copy it again")
        picture = square(codes[..., ::-1], side)
        seed = int.from_bytes(hashlib.sha256(path.relative_to(folder).as_posix().encode()).digest()[:3], "big")
        pictures.append(picture)
        labels.append(torch.from_numpy(color_regions(picture.permute(1, 2, 0).numpy(), seed=seed))[None])
    names = tuple(path.relative_to(folder.parent).with_suffix("").as_posix() for path in files)
    count = len(files)
    return Photographs(
        names, names, torch.stack(pictures), torch.stack(labels), torch.ones(count, dtype=torch.bool), torch.ones(count)
    )
