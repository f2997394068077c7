"""Strips and blind sheets that compare methods on pasted composites, which have no ground truth.

Each composite yields a strip with all methods, and a blind sheet with two of them in random order, whose key is in a
separate file. The training data may include these photographs, but no composite of them.
"""

import csv
import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import cv2
import numpy as np

from chromacord.api import harmonize_frames
from chromacord.errors import InputError, counted
from chromacord.io.stills.single import write_png
from chromacord.io.writing.staging import StagedFolder, output_errors
from chromacord.lab.bench.provenance import code_version
from chromacord.lab.composites.pasting import Pasted, Placement, paste, read_placements
from chromacord.lab.composites.synthesis import Bytes
from chromacord.methods import load_method
from chromacord.types import Progress

COLUMNS = 4
"""Pictures per row."""

PAGE, BLIND_PAGE, KEY = "strips.html", "blind.html", "blind_key.csv"

_BAR, _GAP = 24, 8
"""Height of a picture's label, and the gap between pictures, in pixels."""


@dataclass(frozen=True)
class Comparison:
    """What to compare."""

    placements: Path
    """List of composites: see `chromacord.lab.composites.pasting`."""

    pictures: Path
    """Folder that the list's paths are relative to."""

    methods: tuple[str, ...]
    """Methods in the strips, as accepted by `chromacord.methods.load_method`."""

    blind: tuple[str, ...] = ()
    """The two methods in the blind sheets; empty: no blind sheets."""

    seed: int | None = None
    """Seed of the order in the blind sheets; None: random."""

    command: str = ""
    """The command line, for the page."""


def compare(
    comparison: Comparison,
    output: Path,
    *,
    force: bool = False,
    progress: Callable[[Progress], object] | None = None,
) -> int:
    """Write strips, blind sheets and the pages that show them to a folder.

    Args:
        comparison: what to compare.
        output: result folder, created if missing; its parent must exist.
        force: overwrite existing files.
        progress: called after each composite.

    Returns:
        The number of composites.

    Raises:
        InputError: the list, a picture or a method is invalid.
        OutputError: the folder cannot be written to.
    """
    if comparison.blind and len(set(comparison.blind)) != 2:
        raise InputError(f"blind sheets compare two methods, got {', '.join(comparison.blind)}; name two that differ")
    placements = read_placements(comparison.placements)
    methods = {name: load_method(name) for name in (*comparison.methods, *comparison.blind)}
    orders = _orders(comparison, len(placements))
    with StagedFolder(output, force=force) as staged:
        for number, placement in enumerate(placements, start=1):
            pasted = paste(placement, comparison.pictures)
            results = {name: _harmonize(pasted, method) for name, method in methods.items()}
            shown = {"composite": pasted.composite, **{name: results[name] for name in comparison.methods}}
            write_png(staged.add(_strip_name(number, placement)), sheet(shown))
            if comparison.blind:
                blind = _blind_sheet(pasted, results, orders[number - 1])
                write_png(staged.add(_blind_name(number)), blind)
            if progress is not None:
                progress(Progress("compare", number, len(placements), 0.0))
        for name, text in _texts(comparison, placements, orders).items():
            with output_errors(output):
                staged.add(name).write_text(text, encoding="utf-8")
        staged.commit()
    return len(placements)


def sheet(pictures: Mapping[str, Bytes]) -> Bytes:
    """Arrange pictures of one size in a grid, each below its label.

    Args:
        pictures: RGB by label. Shape (H, W, 3) each.

    Returns:
        RGB; rows of `COLUMNS` pictures on white. Shape (H', W', 3).
    """
    cells = [_cell(label, picture) for label, picture in pictures.items()]
    while len(cells) > COLUMNS and len(cells) % COLUMNS:
        cells.append(np.full_like(cells[0], 255))
    rows = [np.concatenate(cells[start : start + COLUMNS], axis=1) for start in range(0, len(cells), COLUMNS)]
    return np.concatenate(rows)


def _blind_sheet(pasted: Pasted, results: Mapping[str, Bytes], order: Sequence[str]) -> Bytes:
    pair = {letter: results[name] for letter, name in zip("AB", order, strict=True)}
    # Without the composite: beside it, viewers would recognize a method that changes nothing.
    before = {} if "identity" in order else {"composite": pasted.composite}
    return sheet({**before, **pair})


def _cell(label: str, picture: Bytes) -> Bytes:
    height, width = picture.shape[:2]
    cell = np.full((height + _BAR + _GAP, width + _GAP, 3), 255, np.uint8)
    cell[_BAR : _BAR + height, :width] = picture
    scale = 0.5
    (length, _), _ = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    scale *= min(1.0, width / length)
    cv2.putText(cell, label, (0, _BAR - 7), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return cell


def _harmonize(pasted: Pasted, method: object) -> Bytes:
    """Run a still through the whole pipeline, as the command does."""
    (harmonized,) = harmonize_frames([pasted], method)  # type: ignore[arg-type]
    return np.asarray(harmonized, np.uint8)


def _orders(comparison: Comparison, count: int) -> list[Sequence[str]]:
    """Return the methods shown as A and B for each composite."""
    chance = random.Random(comparison.seed)
    return [chance.sample(comparison.blind, len(comparison.blind)) for _ in range(count)]


def _strip_name(number: int, placement: Placement) -> str:
    return f"strip-{number:02d}-{placement.name}.png"


def _blind_name(number: int) -> str:
    return f"blind-{number:02d}.png"


def _texts(comparison: Comparison, placements: Sequence[Placement], orders: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the pages and the key, by file name."""
    facts = [
        f"{counted(len(placements), 'composite')} of {comparison.placements.name}, by chromacord {code_version()}, "
        "each through the whole pipeline at its own size. Nobody knows how these foregrounds would have been "
        "photographed there: judge by eye. The training data may hold these photographs, though no composite of them.",
        *([f"Made by: {comparison.command}"] if comparison.command else []),
    ]
    numbered = list(enumerate(placements, start=1))
    strips = [(f"{number}. {each.name}: {each.mismatch}", _strip_name(number, each)) for number, each in numbered]
    texts = {PAGE: _page("Methods on true composites", facts, strips)}
    if comparison.blind:
        asked = f"Which looks more as if photographed there? Write down A, B or neither by number, then open {KEY}."
        blind = [(f"{number}.", _blind_name(number)) for number, _ in numbered]
        texts[BLIND_PAGE] = _page("Blind comparison", [asked], blind)
        texts[KEY] = _key(placements, orders)
    return texts


def _key(placements: Sequence[Placement], orders: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("number", "name", "A", "B"))
    for number, (placement, order) in enumerate(zip(placements, orders, strict=True), start=1):
        writer.writerow((number, placement.name, *order))
    return text.getvalue()


def _page(title: str, facts: Sequence[str], pictures: Sequence[tuple[str, str]]) -> str:
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            "<style>body { font: 15px system-ui, sans-serif; margin: 24px; background: #fff; color: #222; }",
            "img { display: block; max-width: 100%; margin: 4px 0 28px; }</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            *(f"<p>{escape(fact)}</p>" for fact in facts),
            *(f'<p>{escape(label)}</p><img alt="{escape(label)}" src="{escape(name)}">' for label, name in pictures),
            "</body></html>",
            "",
        ]
    )
