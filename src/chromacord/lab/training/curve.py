"""The validation curve of a run as an SVG file."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from chromacord.io.writing.staging import write_text
from chromacord.lab.training.log import CURVE

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _MARGIN = 640, 320, 64, 40, 16
_NUM_TICKS = 5


def write_curve(folder: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """Plot the first validation figure over the steps.

    Args:
        folder: folder of the run, where curve.svg is written.
        entries: log lines of kind "validate", in order.
    """
    names = [name for name in entries[0] if name not in ("kind", "step")] if entries else []
    # A resumed run reads its lines from a file that may have been edited.
    found = [(entry["step"], entry.get(name)) for entry in entries for name in names[:1]]
    points = [(step, value) for step, value in found if isinstance(value, int | float) and abs(value) < math.inf]
    if points:
        write_text(folder / CURVE, line_chart(points, x_label="step", y_label=names[0]), force=True)


def line_chart(points: Sequence[tuple[float, float]], *, x_label: str, y_label: str) -> str:
    """Return an SVG line chart whose vertical axis starts at 0.

    Args:
        points: x ascending, y not negative.
        x_label, y_label: axis labels.
    """
    right, top = max(x for x, _ in points), max(max(y for _, y in points), 1e-9) * 1.05

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (_WIDTH - _LEFT - _MARGIN) * x / max(right, 1e-9),
            _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _MARGIN) * y / top,
        )

    grid = []
    for tick in range(_NUM_TICKS + 1):
        value = top * tick / _NUM_TICKS
        x, y = place(0, value)
        grid.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{_WIDTH - _MARGIN}" y2="{y:.1f}" stroke="#ddd"/>')
        grid.append(f'<text x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    line = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in points)
    end = points[-1]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
            'font-size="12">',
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
            *grid,
            f'<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="2"/>',
            f'<text x="{_LEFT}" y="12">{escape(y_label)}: {end[1]:.4g} at {x_label} {end[0]:g}</text>',
            f'<text x="{_WIDTH - _MARGIN}" y="{_HEIGHT - 12}" text-anchor="end">{escape(x_label)} {right:g}</text>',
            "</svg>",
            "",
        ]
    )
