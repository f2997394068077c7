"""The report page: tables, scatter plots and strips of pictures in one self-contained HTML file."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from chromacord.errors import counted
from chromacord.lab.reporting.charts import Decades, Point, scatter
from chromacord.lab.reporting.tables import Table, cells

ERROR_SCALE = 64
"""Error in 8-bit levels at which an error map is brightest."""

MAX_SIDE = 384
"""Maximum side of pictures on the page; larger ones are reduced to keep the file small."""

_CELL_PERCENT = 14
"""Width of a picture, in percent of the page, if there are few."""

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Strip:
    """One frame of a clip, harmonized by each method."""

    clip: str
    frame: str
    composite: Tensor
    """RGB in [0, 1]. Shape (3, H, W)."""

    mask: Tensor
    """Foreground weight. Shape (1, H, W)."""

    real: Tensor
    """Ground truth. Shape (3, H, W)."""

    results: Mapping[str, Tensor]
    """Results by method. Shape (3, H, W) each."""

    captions: Mapping[str, str]
    """A figure for each method, and for "composite"."""

    given: str = "composite"
    """Label of the first picture: the methods' input."""


@dataclass(frozen=True)
class Scatter:
    """How one method changes a metric, clip by clip."""

    method: str
    points: tuple[Point, ...]
    """x before, y after; lower is better."""


def page(
    title: str,
    facts: Sequence[str],
    *,
    tables: Sequence[Table],
    scatters: Sequence[Scatter],
    strips: Sequence[Strip],
    figure: str = "fMSE",
) -> str:
    """Return the report as HTML.

    Args:
        title: title of the page.
        facts: lines below the title: what was measured, on what, by which command.
        tables: tables to show.
        scatters: one plot per method; all share their axes.
        strips: pictures to show.
        figure: name of the metric in the scatter plots.
    """
    axis = Decades.around([value for each in scatters for point in each.points for value in (point.x, point.y)])
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{_STYLE}</style></head><body><main>",
            f"<h1>{escape(title)}</h1>",
            *(f"<p>{escape(fact)}</p>" for fact in facts),
            "<h2>Figures</h2>",
            *(_table(table) for table in tables),
            *_scatters(scatters, axis, figure),
            *_strips(strips),
            "</main></body></html>",
            "",
        ]
    )


def _table(table: Table) -> str:
    heads = "".join(f"<th>{escape(text)}</th>" for text in [table.first, *(column.title for column in table.columns)])
    rows = [
        f"<tr><th>{escape(label)}</th>"
        + "".join(
            f'<td class="best">{text}</td>' if is_best else f"<td>{escape(text)}</td>" for text, is_best in values
        )
        + "</tr>"
        for label, values in cells(table)
    ]
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in table.notes)
    return (
        f'<div class="wide"><table><caption>{escape(table.title)}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>{notes}"
    )


def _scatters(scatters: Sequence[Scatter], axis: Decades, figure: str) -> list[str]:
    if not scatters:
        return []
    parts = [
        f"<h2>{escape(figure)} of each clip</h2>",
        f"<p>Across: the composite's {escape(figure)}. Up: the method's. Below the line the method is nearer to the "
        "real clip than the composite was. Rest the pointer on a dot for the clip's name.</p>",
        '<div class="panels">',
    ]
    for each in scatters:
        better = sum(point.y < point.x for point in each.points)
        chart = scatter(each.points, axis=axis, x_label=f"composite {figure}", y_label=f"{each.method} {figure}")
        caption = f"{escape(each.method)}: better on {better} of {counted(len(each.points), 'clip')}"
        parts.append(f"<figure>{chart}<figcaption>{caption}</figcaption></figure>")
    return [*parts, "</div>"]


def _strips(strips: Sequence[Strip]) -> list[str]:
    if not strips:
        return []
    return [
        "<h2>Pictures</h2>",
        "<p>Beside each name: the figure of the whole clip. Below each picture: its error against the real frame, "
        f"black for none, brightest for {ERROR_SCALE} of 255 levels and more (mean of the channels).</p>",
        *(_strip(strip) for strip in strips),
    ]


def _strip(strip: Strip) -> str:
    shown = {"composite": strip.composite, **strip.results}
    pictures = [_cell(strip.given, _codes(strip.composite), strip.captions.get("composite", ""))]
    pictures += [_cell("mask", _codes(strip.mask.expand(3, -1, -1)), "")]
    pictures += [_cell(name, _codes(result), strip.captions.get(name, "")) for name, result in strip.results.items()]
    pictures += [_cell("real", _codes(strip.real), "")]
    errors = {name: _cell("", error_map(picture, strip.real), "") for name, picture in shown.items()}
    below = [errors["composite"], "<td></td>", *(errors[name] for name in strip.results), "<td></td>"]
    caption = f"<caption>{escape(strip.clip)}, frame {escape(strip.frame)}</caption>"
    width = min(100, _CELL_PERCENT * len(pictures))
    rows = f"<tr>{''.join(pictures)}</tr><tr>{''.join(below)}</tr>"
    return f'<div class="wide"><table class="strip" style="width: {width}%">{caption}{rows}</table></div>'


def _cell(name: str, codes: Codes, caption: str) -> str:
    label = f"<span>{escape(name)} <em>{escape(caption)}</em></span>" if name else ""
    return f'<td>{label}<img alt="{escape(name or "error")}" src="{_data_uri(codes)}"></td>'


def error_map(harmonized: Tensor, real: Tensor) -> Codes:
    """Render the absolute error as colours on black.

    Args:
        harmonized, real: RGB in [0, 1]. Shape (3, H, W).

    Returns:
        RGB codes. Shape (H, W, 3).
    """
    error = (harmonized - real).abs().mean(dim=0).numpy() * (255 / ERROR_SCALE)
    levels = np.clip(np.rint(255 * error), 0, 255).astype(np.uint8)
    colors: Codes = np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1])
    return colors


def _codes(picture: Tensor) -> Codes:
    codes: Codes = (255 * picture.clamp(0, 1)).round().byte().permute(1, 2, 0).contiguous().numpy()
    return codes


def _data_uri(codes: Codes) -> str:
    height, width = codes.shape[:2]
    if max(height, width) > MAX_SIDE:
        scale = MAX_SIDE / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        codes = np.asarray(cv2.resize(codes, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, encoded = cv2.imencode(".jpg", codes[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


_STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c1f23; --soft: #5c6470; --rule: #d7dbe0;
  --better: #0b6e99; --worse: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --page: #15181c; --ink: #e6e8eb; --soft: #9aa3ad; --rule: #343a42;
  --better: #5cc0ea; --worse: #fb8b54; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1480px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 8px; }
h2 { font-size: 18px; margin: 40px 0 8px; }
p { margin: 4px 0; max-width: 90ch; overflow-wrap: anywhere; }
.note { color: var(--soft); font-size: 13px; }
.wide { overflow-x: auto; margin: 18px 0 4px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: 6px; }
thead th { border-bottom: 1px solid var(--ink); font-weight: 600; }
tbody tr + tr > * { border-top: 1px solid var(--rule); }
th, td { padding: 4px 14px 4px 0; text-align: right; font-weight: 400; white-space: nowrap; }
th:first-child { text-align: left; }
td.best { font-weight: 700; }
.panels { display: flex; flex-wrap: wrap; gap: 20px; margin-top: 12px; }
figure { margin: 0; }
figcaption { font-size: 13px; padding-left: 60px; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
svg line.grid { stroke: var(--rule); }
svg line.diagonal { stroke: var(--soft); stroke-dasharray: 4 3; }
svg circle { fill-opacity: 0.55; }
svg circle.better { fill: var(--better); }
svg circle.worse { fill: var(--worse); }
svg circle.same { fill: var(--soft); }
.strip td { padding: 0 6px 6px 0; text-align: left; vertical-align: bottom; }
.strip span { display: block; font-size: 13px; }
.strip em { font-style: normal; color: var(--soft); }
.strip { table-layout: fixed; }
.strip tr > * { border: 0; }
.strip img { display: block; width: 100%; min-width: 120px; }
"""
