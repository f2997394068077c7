"""Aggregate records into tables and charts."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from chromacord.errors import counted
from chromacord.lab.evaluation.measuring import COMPOSITE
from chromacord.lab.evaluation.records import Header, Record, Series
from chromacord.lab.metrics.protocols import METRICS, PROTOCOLS, FrameMean, aggregate
from chromacord.lab.metrics.ratios import ratio_table
from chromacord.lab.metrics.temporal import FLOW_SOURCES, TEMPORAL_METRICS
from chromacord.lab.reporting.charts import Point
from chromacord.lab.reporting.literature import NUM_CLIPS, NUM_FRAMES
from chromacord.lab.reporting.report import Scatter
from chromacord.lab.reporting.tables import Column, Row, Table
from chromacord.methods import METHODS
from chromacord.methods.spec import base_name

SHOWN = "fmse"
"""The metric in charts and captions."""

_UNCHANGED = (COMPOSITE, "identity")
"""Rows without harmonization, which are never marked as best."""


@dataclass(frozen=True)
class Summary:
    """Records of one measurement. Rows with missing clips are left out, and listed in `unfinished`."""

    header: Header
    records: tuple[Record, ...]

    @cached_property
    def _by_label(self) -> Mapping[str, Mapping[str, Record]]:
        """Records by row and clip, with rows in table order.

        The order is: composite; our methods, each followed by its variants with options; then others.
        """
        found: dict[str, dict[str, Record]] = {}
        for record in self.records:
            found.setdefault(record.method, {})[record.clip] = record
        order = {name: place for place, name in enumerate((COMPOSITE, *METHODS))}
        places = {label: order.get(base_name(label), len(order)) for label in found}
        return {label: found[label] for label in sorted(found, key=lambda label: (places[label], label))}

    @property
    def labels(self) -> tuple[str, ...]:
        """The rows with all clips."""
        return tuple(label for label, clips in self._by_label.items() if len(clips) == self.header.num_clips)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """A message for each row with missing clips."""
        return tuple(
            f"skipped, because clips are missing: {label} ({len(clips)} of {self.header.num_clips})"
            for label, clips in self._by_label.items()
            if label not in self.labels
        )

    @property
    def num_frames(self) -> int:
        """Number of frames in all clips."""
        return sum(record.num_frames for record in self._by_label.get(COMPOSITE, {}).values())

    @property
    def is_hyoutube(self) -> bool:
        """Whether this is HYouTube's whole test set at the literature's size: only then are figures comparable."""
        return (
            self.header.dataset == "hyoutube-test"
            and (self.header.num_clips, self.num_frames) == (NUM_CLIPS, NUM_FRAMES)
            and not self.header.full
            and self.header.size == PROTOCOLS["hyoutube"].size
        )

    def tables(self) -> tuple[Table, ...]:
        """Return a table for each protocol, one of temporal metrics, and one of ratios, as far as measured."""
        tables = [self._table(protocol) for protocol in self.header.protocols]
        return (*tables, *self._temporal_table(), *self._ratio_table())

    def cost(self) -> dict[str, dict[str, float]]:
        """Return CPU ms per frame of each row: of the method, and of scoring."""
        return {
            label: {
                "method": _ms([record.method_seconds for record in self._by_label[label].values()], self.num_frames),
                "figures": _ms([record.score_seconds for record in self._by_label[label].values()], self.num_frames),
            }
            for label in self.labels
        }

    def by_clip(self, label: str, protocol: str | None = None) -> dict[str, float]:
        """Return the mean fMSE of each clip; NaN without foreground.

        Args:
            label: name of the row.
            protocol: protocol of the fMSE; None: the first one.
        """
        protocol = protocol or self.header.protocols[0]
        return {clip: _mean(record.scores[protocol][SHOWN]) for clip, record in self._by_label[label].items()}

    def scatters(self) -> list[Scatter]:
        """Return a scatter plot of each method's fMSE against the composite's, by clip."""
        before = self.by_clip(COMPOSITE)
        return [
            Scatter(
                label,
                tuple(
                    Point(clip, before[clip], after)
                    for clip, after in sorted(self.by_clip(label).items())
                    if not math.isnan(after)
                ),
            )
            for label in self.labels
            if label != COMPOSITE
        ]

    def examples(self, count: int) -> list[str]:
        """Return clips for pictures, spread evenly over the composite's fMSE from easy to hard."""
        known = {clip: value for clip, value in self.by_clip(COMPOSITE).items() if not math.isnan(value)}
        ranked = sorted(known, key=lambda clip: (known[clip], clip))
        count = min(count, len(ranked))
        return [ranked[(2 * number + 1) * len(ranked) // (2 * count)] for number in range(count)]

    @property
    def where(self) -> str:
        """Data set and size, for titles."""
        if self.header.size is None:
            return f"{self.header.dataset}, whole pipeline at each clip's own size"
        height, width = self.header.size
        return f"{self.header.dataset}, {width}×{height}"

    def _table(self, name: str) -> Table:
        protocol = PROTOCOLS[name]
        means = {
            label: aggregate(record.scores[name] for record in self._by_label[label].values()) for label in self.labels
        }
        columns = tuple(_column(key) for key in protocol.metrics)
        skipped = max((mean.num_skipped for mean in means[COMPOSITE].values()), default=0)
        notes = [
            f"Protocol {name}: {protocol.description}.",
            f"Means over all {counted(self.num_frames, 'frame')} of "
            f"{counted(self.header.num_clips, 'clip')}; errors on a scale of 0 to 255.",
        ]
        if skipped:
            notes.append(f"Skipped for figures of the foreground: {counted(skipped, 'frame')} without foreground.")
        title = f"{self.where}, protocol {name}"
        return Table(name, title, columns, _rows(means, columns), notes=(*notes, *self.unfinished))

    def _temporal_table(self) -> list[Table]:
        records = {label: list(self._by_label[label].values()) for label in self.labels}
        if not any(record.temporal for record in records[COMPOSITE]):
            return []
        means = {label: aggregate(record.temporal for record in rows) for label, rows in records.items()}
        flow = FLOW_SOURCES[self.header.flow].name
        columns = tuple(
            _column(key, "" if key == "flicker" else f" ({flow})") for key in METRICS if key in TEMPORAL_METRICS
        )
        counts = means[COMPOSITE]["tl"]
        notes = [
            f"Optical flow by {flow}: TL and rTL compare with no figure that has its flow from elsewhere. "
            "TL is lowest for who does least: read it beside the error.",
            f"Means over {counted(counts.num_frames, 'pair')} of consecutive frames.",
        ]
        if counts.num_skipped:
            notes.append(f"Skipped: {counted(counts.num_skipped, 'pair')} without foreground.")
        return [
            Table("temporal", f"{self.where}, temporal figures", columns, _rows(means, columns), notes=tuple(notes))
        ]

    def _ratio_table(self) -> list[Table]:
        methods = [label for label in self.labels if label != COMPOSITE]
        if self.header.input != COMPOSITE or not methods:
            return []
        note = f"Mean fMSE of each item's frames, protocol {self.header.protocols[0]}."
        errors = {label: self.by_clip(label) for label in methods}
        return [ratio_table(self.where, self.by_clip(COMPOSITE), errors, note)]


def _column(key: str, suffix: str = "") -> Column:
    metric = METRICS[key]
    return Column(key, metric.title + suffix, metric.decimals, "higher" if metric.higher_is_better else "lower")


def _rows(means: Mapping[str, Mapping[str, FrameMean]], columns: Sequence[Column]) -> tuple[Row, ...]:
    return tuple(
        Row(label, tuple(_known(by_key.get(column.key)) for column in columns), label in _UNCHANGED)
        for label, by_key in means.items()
    )


def _known(figure: FrameMean | None) -> float | None:
    return None if figure is None or math.isnan(figure.mean) else figure.mean


def _mean(values: Series) -> float:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else math.nan


def _ms(seconds: Iterable[float], num_frames: int) -> float:
    return round(1000 * math.fsum(seconds) / max(num_frames, 1), 2)
