"""Tables 2, 3 and 4 of Chen et al. 2024 anew: every row is trained from a recipe of its own, and measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from chromacord.data import open_dataset
from chromacord.errors import InputError
from chromacord.evaluation.benchmark import evaluate
from chromacord.evaluation.literature import PROTOCOL, paper_tables
from chromacord.evaluation.measuring import Plan
from chromacord.evaluation.method_speed import MethodSetting, measure_methods
from chromacord.evaluation.tables import Row, Table, Value, markdown
from chromacord.io.staging import check_folder, output_errors, write_text
from chromacord.methods import load_method
from chromacord.methods.spec import parse_spec
from chromacord.training.clips import ClipData
from chromacord.training.harmonizing import check_flow_weights, num_frames
from chromacord.training.loop import Device, train
from chromacord.training.objectives import check_objectives
from chromacord.training.recipe import Recipe, parse, read_recipe
from chromacord.types import Progress, Size

RECIPES = Path("recipes/ablations")
"""Where the rows' recipes lie, in a copy of the repository."""

_STAGE_1 = "table2_row2"


class PaperRow(NamedTuple):
    """One row."""

    recipe: str
    start: str | None = None
    """The recipe of the row that it starts from."""


ROWS: Mapping[int, tuple[PaperRow, ...]] = {
    2: (
        PaperRow("table2_row1"),
        PaperRow(_STAGE_1),
        *(PaperRow(f"table2_row{number}", _STAGE_1) for number in range(3, 7)),
    ),
    3: (
        PaperRow("table2_row1"),
        PaperRow("table3_levels1"),
        PaperRow(_STAGE_1),
        PaperRow("table3_levels3"),
    ),
    4: tuple(PaperRow(f"table4_frames{number}", _STAGE_1) for number in (3, 5, 7)),
}
"""The rows of each table, in the paper's order. Rows of two tables that are the same are trained once."""


@dataclass(frozen=True)
class TableRun:
    """Which table is made, of what, and where."""

    number: int
    data: Path
    output: Path
    recipes: Path = RECIPES
    device: Device = "cpu"
    next_frames: Path | None = None
    """HYouTube's set for TL. None: no TL, unless the data's frames follow each other."""

    jobs: int = 1
    """Processes that measure. Time is measured in one, on `device`; all else on the CPU."""


def train_table(run: TableRun, *, progress: Callable[[Progress], object] | None = None) -> str | None:
    """Train and measure all rows of a table; go on where it was stopped.

    Args:
        run: what, and where: each row gets a folder in `output`, and the table is `table<N>.md` there.
        progress: called as `train` and `evaluate` call it.

    Returns:
        The table and the paper's own below it, as Markdown. None in a process beside the main one.

    Raises:
        InputError: there is no such table, a recipe is missing or cannot be measured beside the others, or the data
            has no test set. All of that is found before the first row is trained.
        OutputError: the folder cannot be written to.
    """
    if run.number not in ROWS:
        raise InputError(
            f"there is no table {run.number} of rows that are trained; choose of {', '.join(map(str, ROWS))}"
        )
    rows = ROWS[run.number]
    names = dict.fromkeys(name for row in rows for name in (row.start, row.recipe) if name is not None)
    starts = {row.recipe: row.start for row in rows}
    recipes = {name: _recipe(run, name, starts.get(name)) for name in names}
    measured = [recipes[row.recipe] for row in rows]
    for recipe in recipes.values():  # a slip in the last row must not cost the days of those before it
        check_objectives(recipe)
        check_flow_weights(recipe)
    plan = _checked_plan(run, measured)
    check_folder(run.output if run.output.exists() else run.output.absolute().parent, wanted=run.output)
    with output_errors(run.output):
        run.output.mkdir(exist_ok=True)
    done = [
        train(recipe, run.data, run.output / name, device=run.device, progress=progress)
        for name, recipe in recipes.items()
    ]
    if None in done:
        return None
    table = _measured(run, plan, measured, progress)
    text = markdown([table, paper_tables()[run.number - 1]])
    write_text(run.output / f"table{run.number}.md", text, force=True)
    return text


def _recipe(run: TableRun, name: str, start: str | None) -> Recipe:
    recipe = read_recipe(run.recipes / f"{name}.toml")
    return recipe if start is None else replace(recipe, start=str(_weights(run, start)))


def _weights(run: TableRun, name: str) -> Path:
    return run.output / name / f"{name}.safetensors"


def method_of(recipe: Recipe, weights: Path) -> str:
    """Return what `load_method` takes for the weights of a recipe, at the side that it was trained at."""
    options = {"weights": weights, "working_side": _data(recipe).side, **recipe.network}
    texts = [f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in options.items()]
    return ":".join([recipe.method, *texts])


def _data(recipe: Recipe) -> ClipData:
    values = {name: value for name, value in recipe.data.items() if name != "augmentation"}
    return parse(ClipData, values, where=f"recipe {recipe.name} [data]")


def _checked_plan(run: TableRun, recipes: list[Recipe]) -> Plan:
    """Return how the rows are measured; refuse what would end that, as far as it can be known before their weights.

    Raises:
        InputError: names what.
    """
    sides = {recipe.name: _data(recipe).side for recipe in recipes}
    side = sides[recipes[0].name]
    for name, other in sides.items():
        if other != side:
            raise InputError(
                f"recipe {name} [data]: side must be {side}, as that of {recipes[0].name}: the rows of a table are "
                f"measured on the same pictures; got {other}"
            )
    methods = []
    for recipe in recipes:
        weights = _weights(run, recipe.name)
        method = method_of(recipe, weights)
        if ":" in str(weights) or parse_spec(method).options["weights"] != str(weights):
            raise InputError(
                f"{run.output}: a method's options cannot name files there, for a colon or spaces at the ends; choose "
                "another folder with -o"
            )
        load_method(recipe.method, **{**parse_spec(method).options, "weights": None})
        methods.append(method)
    plan = Plan(run.data, tuple(methods), size=Size(side, side), protocols=(PROTOCOL,), next_frames=run.next_frames)
    open_dataset(plan.data, split=plan.split, size=plan.size)
    plan.open_next_frames()
    return plan


def _measured(run: TableRun, plan: Plan, recipes: list[Recipe], progress: Callable[[Progress], object] | None) -> Table:
    folder = run.output / f"evaluation{run.number}"
    tables = evaluate(plan, folder, jobs=run.jobs, num_strips=0, progress=progress).tables()
    methods = plan.methods
    paper = paper_tables()[run.number - 1]
    found: dict[str, dict[str, Value]] = {method: {} for method in methods}
    columns = {column.key: column for column in paper.columns}
    for table in tables:
        columns |= {column.key: column for column in table.columns if column.key in columns}
        keys = [column.key for column in table.columns]
        for row in table.rows:
            if row.label in found:
                found[row.label] |= dict(zip(keys, row.values, strict=True))
    if "time" in columns:
        for recipe, method in zip(recipes, methods, strict=True):
            found[method]["time"] = _seconds(f"{method}:hop={num_frames(recipe)}", run.device)
    rows = [
        Row(label, tuple(found[method].get(key) for key in columns))
        for (label, *_), method in zip(paper.rows, methods, strict=True)
    ]
    notes = [f"{tables[0].title}.", *(note for table in tables for note in table.notes)]
    if "time" in columns:
        notes.append(f"Time on {run.device}, of a window all of whose frames come out, flow included.")
    title = f"Table {run.number} of the paper, trained and measured anew"
    return Table(f"table{run.number}", title, tuple(columns.values()), tuple(rows), paper.first, tuple(notes))


def _seconds(method: str, device: Device) -> float:
    """Return the seconds that a window takes."""
    report = measure_methods(MethodSetting((method,), repeats=3, device=device))
    return float(report["methods"][method]["wall_ms_per_window"]["median"]) / 1000  # type: ignore[index, call-overload]
