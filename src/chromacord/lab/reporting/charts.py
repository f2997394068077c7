"""Charts as inline SVG, without a charting library; they inherit the colours of the surrounding page."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 304, 288
_LEFT, _TOP, _SIDE = 60, 10, 222
"""Position and side of the square between the axes."""

_RADIUS = 3


class Point(NamedTuple):
    """A dot in a scatter plot."""

    name: str
    """Tooltip."""

    x: float
    y: float


class Decades(NamedTuple):
    """The range of a logarithmic axis: 10**low to 10**high."""

    low: int
    high: int

    @classmethod
    def around(cls, values: Sequence[float]) -> "Decades":
        """Return the smallest range of whole decades that contains all values above 0; one decade if there are none."""
        positive = [value for value in values if 0 < value < math.inf]
        low = math.floor(math.log10(min(positive, default=1)))
        return cls(low, max(math.ceil(math.log10(max(positive, default=1))), low + 1))

    def place(self, value: float) -> float:
        """Return a value's position, 0 at the low end and 1 at the high end, clamped to this range."""
        if value <= 0:
            return 0.0
        return min(1.0, max(0.0, (math.log10(value) - self.low) / (self.high - self.low)))


def scatter(points: Sequence[Point], *, axis: Decades, x_label: str, y_label: str) -> str:
    """Draw a scatter plot with two equal logarithmic axes and the diagonal.

    Args:
        points: values above 0; others are drawn on the border.
        axis: range of both axes.
        x_label, y_label: axis labels.

    Returns:
        An `svg` element.
    """
    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
            f'aria-label="{escape(y_label)} against {escape(x_label)}">',
            *_grid(axis),
            _line("diagonal", _LEFT, _TOP + _SIDE, _LEFT + _SIDE, _TOP),
            *(_dot(point, axis) for point in points),
            f'<text x="{_LEFT + _SIDE / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>',
            f'<text transform="translate(12 {_TOP + _SIDE / 2}) rotate(-90)" text-anchor="middle">'
            f"{escape(y_label)}</text>",
            "</svg>",
        ]
    )


def _grid(axis: Decades) -> list[str]:
    parts = []
    for power in range(axis.low, axis.high + 1):
        offset = _SIDE * axis.place(10.0**power)
        x, y = _LEFT + offset, _TOP + _SIDE - offset
        label = f"{10.0**power:g}"
        parts += [
            _line("grid", x, _TOP, x, _TOP + _SIDE),
            _line("grid", _LEFT, y, _LEFT + _SIDE, y),
            f'<text x="{x:.1f}" y="{_TOP + _SIDE + 16}" text-anchor="middle">{label}</text>',
            f'<text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{label}</text>',
        ]
    return parts


def _dot(point: Point, axis: Decades) -> str:
    x, y = _LEFT + _SIDE * axis.place(point.x), _TOP + _SIDE * (1 - axis.place(point.y))
    kind = "same" if point.y == point.x else "better" if point.y < point.x else "worse"
    return (
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}"><title>{escape(point.name)}: '
        f"{point.x:.4g} → {point.y:.4g}</title></circle>"
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
