"""Measure optical flow: end-point error on synthetic pairs, and warping error on real frames."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from chromacord.errors import InputError
from chromacord.lab.bench.provenance import provenance
from chromacord.lab.composites.flow_motion import LAYERED, LAYERED_FRAME, WHOLE, Motion
from chromacord.lab.composites.flow_pairs import FlowPairs, PairMaker
from chromacord.lab.composites.photographs import load_photographs
from chromacord.lab.data.clip_folder import open_clips
from chromacord.lab.flow.dis import DISFlow
from chromacord.lab.flow.spynet import ENDINGS, SPyNetFlow
from chromacord.lab.flow.warp import warp
from chromacord.lab.metrics.temporal import FLOW_SOURCES, FlowSource
from chromacord.lab.reporting.tables import Column, Row, Table
from chromacord.types import Size

_SEED = 20

_COLUMNS = (
    Column("epe", "EPE", 3, "lower"),
    Column("epe_all", "EPE, hidden pixels too", 3, "lower"),
    Column("large_epe", "EPE, large motions", 3, "lower"),
    Column("large_epe_all", "hidden pixels too", 3, "lower"),
    Column("warping_mae", "warping MAE", 3, "lower"),
    Column("warping_mse", "warping MSE", 2, "lower"),
    Column("cpu_ms", "CPU ms a pair", 1, "lower"),
)


class NoFlow:
    """Estimates zero motion: the baseline that any other source must beat."""

    name = "zero"

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:  # noqa: ARG002
        """Return zeros. Shape (N, 3, H, W) to (N, 2, H, W)."""
        return torch.zeros_like(first[:, :2])


SOURCES: Mapping[str, Callable[[], FlowSource]] = {
    "zero": NoFlow,
    "dis-ultrafast": lambda: DISFlow(preset="ultrafast"),
    "dis-fast": lambda: DISFlow(preset="fast"),
    **FLOW_SOURCES,
}
"""Built-in sources by name."""


class FlowSetting(NamedTuple):
    """What to measure, and on which data."""

    data: Path
    """A folder of clips with masks, used both for synthetic pairs and for consecutive frames."""

    use: str | None = "dev"
    """Restricts clips to this use in the manifest; None: all."""

    sources: tuple[str, ...] = tuple(SOURCES)
    """Keys of `SOURCES`, or paths of SPyNet weights."""

    num_pairs: int = 64
    """Number of pairs with mostly small motions; a quarter as many have large ones."""


def measure_flow(setting: FlowSetting, *, tell: Callable[[str], object] | None = None) -> dict[str, Any]:
    """Measure flow sources at 256 x 256 pixels, and with large motions at 384 x 512.

    Args:
        setting: what to measure.
        tell: called with a progress line for each source.

    Returns:
        The output of `chromacord bench flow`. For each source: mean end-point error on synthetic pairs, in pixels, over
        visible pixels and over all, of 256 x 256 pairs and of 384 x 512 pairs with many objects and large motions
        ("large_"); mean absolute and squared warping errors over all pixels and channels, in 8-bit levels; and CPU time
        of a 256 x 256 pair.

    Raises:
        InputError: a source, the data or another setting is invalid.
    """
    if setting.num_pairs < 1:
        raise InputError(f"pairs must be 1 or more, got {setting.num_pairs}")
    sources = {name: build_source(name) for name in setting.sources}
    if not sources:
        raise InputError(f"no source is given; choose one of {', '.join(SOURCES)}")
    pairs, large = _synthetic_pairs(setting)
    dataset = open_clips(setting.data, size=Size(WHOLE, WHOLE), use=setting.use)
    frames = [dataset[number].composite for number in range(len(dataset))]
    tell = tell or (lambda _: None)
    measured = {}
    for number, (name, source) in enumerate(sources.items(), 1):
        tell(f"source {number} of {len(sources)}: {name}")
        measured[name] = {
            **_end_point_errors(source, pairs),
            **{f"large_{key}": value for key, value in _end_point_errors(source, large).items() if key != "cpu_ms"},
            **warping_errors(source, frames),
        }
    return {"setting": {**setting._asdict(), "data": str(setting.data)}, "sources": measured, **provenance()}


def build_source(name: str) -> FlowSource:
    """Return a built-in flow source, or SPyNet with weights from a file.

    Raises:
        InputError: the source is unknown, or the weights cannot be read or belong to another network.
    """
    if name in SOURCES:
        return SOURCES[name]()
    if name.endswith(ENDINGS):
        return SPyNetFlow(name)
    raise InputError(
        f"there is no source of flow {name!r}; choose one of {', '.join(SOURCES)}, or name a file of SPyNet's weights"
    )


def warping_errors(source: FlowSource, clips: list[Tensor]) -> dict[str, float]:
    """Compare each frame with the next one, warped back along the estimated flow.

    Args:
        source: estimates the flow.
        clips: consecutive frames, RGB in [0, 1]. Shape (T, 3, H, W) each.

    Returns:
        "warping_mae" and "warping_mse": mean absolute and mean squared difference, in 8-bit levels. Vectors that leave
        the frame are clamped to its edge, so that no source gains by pointing outside. NaN if no clip has two frames.
    """
    absolute, squared, count = 0.0, 0.0, 0
    for clip in clips:
        for here, after in zip(clip[:-1, None], clip[1:, None], strict=True):
            seen, _ = warp(after, source(here, after), padding="border")
            difference = 255 * (seen - here).double()
            absolute += float(difference.abs().sum())
            squared += float(difference.square().sum())
            count += difference.numel()
    if not count:
        return {"warping_mae": float("nan"), "warping_mse": float("nan")}
    return {"warping_mae": absolute / count, "warping_mse": squared / count}


def flow_table(report: Mapping[str, Any]) -> Table:
    """Format the report of `measure_flow` as a table."""
    rows = tuple(
        Row(name, tuple(found[column.key] for column in _COLUMNS), is_reference=name == "zero")
        for name, found in report["sources"].items()
    )
    setting = report["setting"]
    notes = (
        f"EPE: {setting['num_pairs']} pairs made of the pictures, in pixels of 256 x 256.",
        f"Large motions: {_num_large(setting['num_pairs'])} pairs of 384 x 512 with 16 to 24 objects, each moved by up "
        "to 40 pixels beyond the background.",
        "Warping errors: each frame against the next one seen along the flow, in 8-bit levels (squared ones for MSE).",
    )
    title = f"Flow on {Path(setting['data']).name}, use {setting['use'] or 'any'}"
    return Table("flow", title, _COLUMNS, rows, first="source", notes=notes)


def _synthetic_pairs(setting: FlowSetting) -> tuple[FlowPairs, FlowPairs]:
    """Return pairs of mostly small motions, and of large ones."""
    photographs = load_photographs(setting.data, side=WHOLE, use=setting.use)
    height, width = LAYERED_FRAME
    makers = (
        (PairMaker(photographs, Motion(), side=WHOLE), setting.num_pairs),
        (PairMaker(photographs, LAYERED, side=height, width=width, whole=WHOLE), _num_large(setting.num_pairs)),
    )
    small, large = (maker.draw(count, torch.Generator().manual_seed(_SEED)) for maker, count in makers)
    return small, large


def _num_large(num_pairs: int) -> int:
    return -(-num_pairs // 4)


def _end_point_errors(source: FlowSource, pairs: FlowPairs) -> dict[str, float]:
    distances = []
    started = time.process_time()
    for first, second, flow in zip(pairs.first[:, None], pairs.second[:, None], pairs.flow[:, None], strict=True):
        distances.append((source(first, second) - flow).norm(dim=1, keepdim=True))
    spent = time.process_time() - started
    distance = torch.cat(distances)
    seen = float((distance * pairs.visible).sum() / pairs.visible.sum())
    return {"epe": seen, "epe_all": float(distance.mean()), "cpu_ms": round(1000 * spent / len(distance), 3)}
