"""The quality benchmark: every method on several kinds of mismatch, in one table.

A method trained on one way of making composites learns its inverse. Each set therefore changes foregrounds in another
way, and one set changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from chromacord.errors import InputError
from chromacord.lab.bench.provenance import code_version, provenance
from chromacord.lab.color.adjustments import ADJUSTMENTS, UNCHANGED
from chromacord.lab.composites.synthesis import Recipe
from chromacord.lab.composites.synthesis_job import synthesize
from chromacord.lab.data import open_dataset
from chromacord.lab.data.luts import read_luts
from chromacord.lab.data.pool import Processes
from chromacord.lab.evaluation.benchmark import evaluate, make_folder
from chromacord.lab.evaluation.measuring import COMPOSITE, Plan
from chromacord.lab.metrics.protocols import PROTOCOLS
from chromacord.lab.metrics.ratios import COLUMNS, RATIO_NOTE, compare_items
from chromacord.lab.reporting.results import Summary
from chromacord.lab.reporting.tables import Column, Row, Table, as_values

PROTOCOL = "foreground"
"""Protocol whose error the table shows."""

METHODS = (
    "identity",
    "reinhard",
    "mkl",
    "histogram",
    "poisson",
    "shotgrade",
    "shotgrade:caution=0",
    "chen2024",
)
"""Default rows of the table."""

DEV = "dev"
"""The clips' use in the manifest, and the split of data sets made from them."""

TWELVE = tuple(name for name in ADJUSTMENTS if name != UNCHANGED)


@dataclass(frozen=True)
class Setting:
    """What to measure, and where."""

    footage: Path
    """Clips with masks and a manifest, luts/dev.zip and pairs_dev."""

    runs: Path
    """Folder for synthesized data sets and for each set's records; an interrupted run resumes there."""

    methods: tuple[str, ...] = METHODS
    sets: tuple[str, ...] = ()
    """Keys of `SETS`; empty: all."""

    jobs: int = 1
    command: str = ""
    """The command line, for the tables."""


class QualitySet(NamedTuple):
    """One kind of mismatch."""

    description: str
    """One-line description for the table's notes."""

    plan: Callable[[Setting], Plan]
    """Synthesizes the data set if necessary, and returns what to measure on it."""


def _lut_plan(setting: Setting) -> Plan:
    folder = _recoloured(setting, "davis-lut", Recipe(10, 0, enhance=True))
    return Plan(folder, setting.methods, split=DEV, protocols=tuple(PROTOCOLS))


def _drift_plan(setting: Setting) -> Plan:
    recipe = Recipe(1, 0, enhance=True, drift=True, num_frames=40)
    folder = _recoloured(setting, "davis-lut-drift", recipe)
    return Plan(folder, setting.methods, split=DEV, size=None, full=True, protocols=tuple(PROTOCOLS))


def _pairs_plan(setting: Setting) -> Plan:
    return Plan(setting.footage / "pairs_dev", setting.methods, stills=True, protocols=(PROTOCOL,))


def _adjust_plan(setting: Setting) -> Plan:
    return Plan(setting.footage, setting.methods, use=DEV, num_frames=4, adjustments=TWELVE, protocols=(PROTOCOL,))


def _real_plan(setting: Setting) -> Plan:
    return Plan(setting.footage, setting.methods, use=DEV, adjustments=(UNCHANGED,), protocols=(PROTOCOL,))


SETS: dict[str, QualitySet] = {
    "davis-lut-dev": QualitySet(
        "ten DAVIS clips by ten LUTs each, made as HYouTube was: 100 items of 20 frames at 256×256", _lut_plan
    ),
    "pairs-dev": QualitySet(
        "17 photographs whose foreground is another version of itself (a retouch, another light, a colour transfer), "
        "256×256",
        _pairs_plan,
    ),
    "adjust-dev": QualitySet(
        "the ten clips by twelve adjustments of one kind, six and their opposites: 120 items of 4 frames, evenly "
        "spaced, at 256×256",
        _adjust_plan,
    ),
    "real-dev": QualitySet(
        "the ten clips as they are, 10 items of 40 frames at 256×256: the result's error is harm", _real_plan
    ),
    "davis-lut-drift-dev": QualitySet(
        "the ten clips by a LUT that drifts: 10 items of 40 frames, whole pipeline, 854×480", _drift_plan
    ),
}
"""Sets by name, in table order."""


def measure_quality(setting: Setting, *, tell: Callable[[str], object] = lambda _: None) -> dict[str, Summary]:
    """Measure methods on sets. Records that exist in `setting.runs` are not measured again.

    Args:
        setting: what to measure, and where.
        tell: called with a progress line before each set.

    Returns:
        A summary for each set.

    Raises:
        InputError: a set or method does not exist, or the footage cannot be read.
        OutputError: the folder cannot be written to.
    """
    for name in setting.sets:
        if name not in SETS:
            raise InputError(f"there is no set {name!r}; choose one of {', '.join(SETS)}")
    make_folder(setting.runs)
    summaries = {}
    for name in setting.sets or tuple(SETS):
        tell(f"{name}: {SETS[name].description}")
        plan = SETS[name].plan(setting)
        folder = setting.runs / f"{name}{'-full' if plan.full else ''}-run"
        summaries[name] = evaluate(plan, folder, engine=Processes(setting.jobs), command=setting.command)
    return summaries


def quality_table(summaries: dict[str, Summary], methods: Sequence[str]) -> Table:
    """Make one table of all sets: for each method the error, the ratio, and the share of worsened items.

    Args:
        summaries: summaries by set.
        methods: rows of each set.
    """
    columns = (Column("method", "method"), *COLUMNS[:-1])
    rows = tuple(_row(name, summary, method) for name, summary in summaries.items() for method in methods)
    notes = (
        f"Mean squared error over the foreground (mask > 127), codes 0 to 255. {RATIO_NOTE}",
        *(f"{name}: {SETS[name].description}." for name in summaries),
    )
    return Table("quality", "What is left of the composites' error", columns, rows, "data set", notes, grouped=True)


def adjustment_table(summary: Summary, methods: Sequence[str]) -> Table:
    """Make a table of each method's ratio by adjustment, beside the composites' error.

    Args:
        summary: of adjusted clips, named `<clip>/<adjustment>`.
        methods: columns.
    """
    errors = {label: _by_adjustment(summary, label) for label in (COMPOSITE, *methods)}
    columns = (Column("composite", "composite", 1), *(Column(name, f"`{name}`", 2) for name in methods))
    rows = []
    for name, before in errors[COMPOSITE].items():
        found = [compare_items(before, errors[method][name]) for method in methods]
        composite = found[0].composite if found else None
        rows.append(Row(name, (composite, *(ratios.ratio for ratios in found))))
    notes = ("Composite: mean error. Below each method: the ratio of the sums.",)
    return Table("adjustments", "adjust-dev, ratio by adjustment", columns, tuple(rows), "adjustment", notes)


def quality_tables(summaries: dict[str, Summary], methods: Sequence[str]) -> tuple[Table, ...]:
    """Return the table of all sets and, if measured, the table by adjustment."""
    tables = (quality_table(summaries, methods),)
    adjusted = summaries.get("adjust-dev")
    return (*tables, adjustment_table(adjusted, methods)) if adjusted is not None else tables


def quality_report(summaries: dict[str, Summary], setting: Setting) -> dict[str, object]:
    """Return the contents of the JSON file: tables, fingerprints, command, commit and machine."""
    sets = {
        name: {
            "description": SETS[name].description,
            "fingerprint": summary.header.fingerprint,
            "items": summary.header.num_clips,
            "frames": summary.num_frames,
        }
        for name, summary in summaries.items()
    }
    return {
        "command": setting.command,
        "version": code_version(),
        "protocol": PROTOCOLS[PROTOCOL].description,
        "sets": sets,
        "tables": as_values(quality_tables(summaries, setting.methods)),
        **provenance(),
    }


def _row(name: str, summary: Summary, method: str) -> Row:
    before, after = summary.by_clip(COMPOSITE, PROTOCOL), summary.by_clip(method, PROTOCOL)
    found = compare_items(before, after)
    if found.composite is None:
        # The foreground was not changed, so the result's whole error is harm.
        found = found._replace(composite=0.0, result=found.harm)
    return Row(name, (method, *found[:-1]), method == "identity")


def _by_adjustment(summary: Summary, label: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for item, error in summary.by_clip(label, PROTOCOL).items():
        clip, _, adjustment = item.rpartition("/")
        found.setdefault(adjustment, {})[clip] = error
    return {name: found[name] for name in ADJUSTMENTS if name in found}


def _recoloured(setting: Setting, name: str, recipe: Recipe) -> Path:
    """Synthesize a data set from the dev clips, or what is missing of it."""
    clips = open_dataset(setting.footage, split=DEV, size=None, use=DEV)
    luts = read_luts(setting.footage / "luts" / "dev.zip")
    synthesize(clips, luts, setting.runs / name, recipe=recipe, split=DEV, engine=Processes(setting.jobs))
    return setting.runs / name
