"""Measure cut detection on films joined from real clips: precision and recall for each kind of join."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from chromacord.analysis.shots import CutDetector
from chromacord.errors import InputError, counted
from chromacord.lab.bench.cut_joins import KINDS, SHORTEST_CLIP, Film, Pictures, make_films
from chromacord.lab.bench.provenance import provenance
from chromacord.lab.data.clip_folder import open_clips
from chromacord.lab.data.files import ClipFiles
from chromacord.lab.reporting.tables import Column, Row, Table
from chromacord.masks.proxy import thumbnail
from chromacord.types import Colorimetry, Frame, PixelFormat, Size, VideoInfo

ALL = "all"
"""Name of the row with the totals over all kinds."""

_SIZE = Size(360, 640)
"""All clips are resized to this first, so that both shots of a film have the same size."""

_WIDTH = 160
"""Width of the films' frames: twice what the detector sees, so that a camera can pan over them."""

_COLUMNS = (
    Column("films", "films", 0),
    Column("cuts", "cuts", 0),
    Column("found", "found", 0),
    Column("wrong", "wrong", 0),
    Column("precision", "precision", 3),
    Column("recall", "recall", 3),
)


class CutSetting(NamedTuple):
    """What to measure, and on which clips."""

    data: Path
    """A folder of clips."""

    uses: tuple[str, ...] = ("train", "dev")
    """Uses in the clips' manifest, each reported separately: the detector was tuned on "train"."""

    per_clip: int = 9
    """Number of films of each kind that begin with each clip, limited by the number of other clips."""

    seed: int = 0


@dataclass
class _Count:
    """Results for the films of one kind."""

    films: int = 0
    frames: int = 0
    cuts: int = 0
    found: int = 0
    wrong: int = 0
    seconds: float = 0.0
    """CPU time."""

    def add(self, film: Film, cuts: Sequence[int], seconds: float) -> None:
        """Count one film. If several cuts are reported within one transition, all but one count as wrong."""
        is_found = any(cut in film.transition for cut in cuts)
        self.films += 1
        self.frames += len(film.pictures)
        self.cuts += bool(film.transition)
        self.found += is_found
        self.wrong += len(cuts) - is_found
        self.seconds += seconds

    def figures(self) -> dict[str, Any]:
        """Return counts and ratios; None where a ratio's denominator is 0."""
        reported = self.found + self.wrong
        counts = {name: value for name, value in vars(self).items() if name != "seconds"}
        return {
            **counts,
            "precision": self.found / reported if self.cuts and reported else None,
            "recall": self.found / self.cuts if self.cuts else None,
            "cpu_us_per_frame": round(1e6 * self.seconds / self.frames, 1),
        }


def find_cuts(film: Film) -> list[int]:
    """Return the first frame of each shot after the first, as the detector reports them."""
    detector = CutDetector()
    return [cut for picture in film.pictures if (cut := detector.push(picture)) is not None]


def measure_cuts(setting: CutSetting, *, tell: Callable[[str], object] | None = None) -> dict[str, Any]:
    """Measure the cut detector.

    Args:
        setting: what to measure.
        tell: called with a progress line for each kind of film.

    Returns:
        The output of `chromacord bench cuts`: for each use and kind the number of films, frames, true cuts, cuts found
        and false reports; precision, recall, and CPU time per frame.

    Raises:
        InputError: the data or another setting is invalid.
    """
    if setting.per_clip < 1:
        raise InputError(f"per-clip must be 1 or more, got {setting.per_clip}")
    if not setting.uses:
        raise InputError("no use is given; name uses from manifest.csv, such as train,dev")
    tell = tell or (lambda _: None)
    clips = {use: _read_clips(setting.data, use) for use in setting.uses}
    measured = {}
    for use, pictures in clips.items():
        kinds = {kind: _Count() for kind in (*KINDS, ALL)}
        for kind in KINDS:
            for film in make_films(pictures, kind, per_clip=setting.per_clip, seed=setting.seed):
                started = time.process_time()
                cuts = find_cuts(film)
                seconds = time.process_time() - started
                kinds[kind].add(film, cuts, seconds)
                kinds[ALL].add(film, cuts, seconds)
            tell(f"use {use}: {kind}: {kinds[kind].found} of {kinds[kind].cuts} found, {kinds[kind].wrong} wrong")
        measured[use] = {"clips": len(pictures), "kinds": {kind: count.figures() for kind, count in kinds.items()}}
    return {
        "setting": {**setting._asdict(), "data": str(setting.data)},
        "uses": measured,
        **provenance(),
    }


def cut_tables(report: Mapping[str, Any]) -> list[Table]:
    """Format the report of `measure_cuts` as tables, one for each use."""
    notes = (
        "A hard cut counts if it is found at its frame, a dissolve or fade if one of its frames is reported. Wrong: "
        "every other report.",
    )
    return [
        Table(
            f"cuts-{use}",
            f"Cuts found in films made of {found['clips']} clips, use {use}",
            _COLUMNS,
            tuple(
                Row(kind, tuple(figures[column.key] for column in _COLUMNS), is_reference=kind == ALL)
                for kind, figures in found["kinds"].items()
            ),
            first="kind",
            notes=notes,
        )
        for use, found in report["uses"].items()
    ]


def _read_clips(folder: Path, use: str) -> list[Pictures]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name one with clips and a manifest.csv")
    dataset = open_clips(folder, size=None, use=use)
    read = [_read(clip) for clip in dataset.clips if clip.num_frames != 1]
    clips = [pictures for pictures in read if len(pictures) >= SHORTEST_CLIP]
    if len(clips) < 2:
        raise InputError(
            f"{folder}: has {counted(len(clips), 'clip')} of use {use} with {SHORTEST_CLIP} frames or more; "
            "joins need two"
        )
    return clips


def _read(clip: ClipFiles) -> Pictures:
    return np.stack([_small(frame.composite) for frame in clip.pictures()])


def _small(codes: np.ndarray[Any, Any]) -> Pictures:
    """Reduce a picture to the films' size by dropping pixels, as analysis does."""
    pixels = codes if codes.dtype == np.uint8 else (codes >> 8).astype(np.uint8)
    is_larger = pixels.shape[0] > _SIZE.height
    resized = cv2.resize(pixels, _SIZE[::-1], interpolation=cv2.INTER_AREA if is_larger else cv2.INTER_LINEAR)
    planes = tuple(resized[..., channel] for channel in range(3))
    small = thumbnail(Frame(planes, 0), _INFO, width=_WIDTH)
    codes_again: Pictures = np.rint(255 * small).astype(np.uint8)
    return codes_again


_INFO = VideoInfo(
    path=Path("film"),
    size=_SIZE,
    pixel_format=PixelFormat("rgb"),
    colorimetry=Colorimetry(full_range=True),
    rate=Fraction(24),
    time_base=Fraction(1, 24),
    num_frames=None,
    codec="rawvideo",
    container="arrays",
)
