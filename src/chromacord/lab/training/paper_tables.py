"""Reproduce the tables of Chen et al. 2024: train a recipe for every row and measure it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Literal, NamedTuple

from chromacord.errors import InputError
from chromacord.io.writing.staging import check_folder, output_errors, write_text
from chromacord.lab.bench.method_speed import MethodSetting, measure_methods
from chromacord.lab.data import open_dataset
from chromacord.lab.data.pool import HERE, Engine, Tell
from chromacord.lab.evaluation.benchmark import evaluate
from chromacord.lab.evaluation.measuring import Plan
from chromacord.lab.objectives.paper_stages import check_flow_weights, num_frames
from chromacord.lab.objectives.protocol import check_objectives
from chromacord.lab.reporting.literature import PROTOCOL, paper_tables
from chromacord.lab.reporting.tables import Row, Table, Value, markdown
from chromacord.lab.training.draws import ClipData
from chromacord.lab.training.loop import Device, is_launched, train
from chromacord.lab.training.recipe import Recipe, read_recipe
from chromacord.methods import METHODS, load_method
from chromacord.methods.spec import parse_spec
from chromacord.typed_tables import build
from chromacord.types import Progress, Size

Budget = Literal["full", "small"]

RECIPES = Path("recipes")
"""Folder of recipes in a checkout of the repository."""

_STAGE_1 = "table2_row2"


class PaperRow(NamedTuple):
    """One row of a table."""

    recipe: str
    start: str | None = None
    """Recipe of the row whose weights it starts from."""

    backbone: str | None = None
    """Recipe of the row that is its backbone (CO2Net)."""


ROWS: Mapping[int, tuple[PaperRow, ...]] = {
    1: (
        PaperRow("dovenet"),
        PaperRow("iih"),
        PaperRow("rainnet"),
        PaperRow("issam"),
        PaperRow("huang2019"),
        PaperRow("co2net", backbone="issam"),
        PaperRow("chen2024_stage2", start="chen2024_stage1"),
    ),
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
"""The rows to train, in the paper's order. Rows that appear in two tables are trained once."""


@dataclass(frozen=True)
class TableRun:
    """Which table to reproduce, from which data, and where."""

    number: int
    data: Path
    output: Path
    recipes: Path | None = None
    """Folder of the rows' recipes. None: the repository's."""

    budget: Budget = "full"
    """Scale of the repository's recipes: the published settings, or narrow networks and few steps."""

    test: Path | None = None
    """Data set to measure on. None: the training data."""

    split: str = "test"
    """Split of that data set."""

    device: Device = "cpu"
    next_frames: Path | None = None
    """HYouTube's set for TL. None: no TL, unless the data's frames are consecutive."""

    engine: Engine = HERE
    """Where rows that do not start from each other are trained at the same time, and where clips are measured. Time is
    measured in this process, on `device`; other measurements run on the CPU."""


def train_table(run: TableRun, *, progress: Callable[[Progress], object] | None = None) -> str | None:
    """Train and measure all rows of a table, resuming where it was interrupted.

    Args:
        run: what to do, and where: each row gets a folder in `output`, and the table is written to `table<N>.md` there.
        progress: called as by `train` and `evaluate`.

    Returns:
        The table as Markdown, followed by the paper's if the training data's own test set was measured. None in all
        processes but the main one.

    Raises:
        InputError: the table does not exist, a recipe is missing or cannot be compared with the others, or the data has
            no test set. This is checked before the first row is trained.
        OutputError: the folder cannot be written to.
    """
    if run.number not in ROWS:
        raise InputError(f"table {run.number} has no rows to train; choose one of {', '.join(map(str, ROWS))}")
    rows = ROWS[run.number]
    names = dict.fromkeys(name for row in rows for name in (row.start, row.backbone, row.recipe) if name is not None)
    known, folder = {row.recipe: row for row in rows}, _folder(run)
    recipes = {name: _recipe(run, folder, known.get(name, PaperRow(name))) for name in names}
    measured = [recipes[row.recipe] for row in rows]
    for recipe in recipes.values():  # check all rows first: an error in the last one must not waste days of training
        check_objectives(recipe)
        check_flow_weights(recipe)
    plan = _checked_plan(run, measured)
    check_folder(run.output if run.output.exists() else run.output.absolute().parent, wanted=run.output)
    with output_errors(run.output):
        run.output.mkdir(exist_ok=True)
    if not _train_rows(run, rows, recipes, progress):
        return None
    table = _measured(run, plan, measured, progress)
    # Figures on other data than HYouTube cannot be compared with the literature's.
    text = markdown([table, *([paper_tables()[run.number - 1]] if run.test is None else [])])
    write_text(run.output / f"table{run.number}.md", text, force=True)
    return text


class _RowTask(NamedTuple):
    """A row to train."""

    recipe: Recipe
    data: Path
    output: Path
    device: Device


def _train_rows(
    run: TableRun,
    rows: Sequence[PaperRow],
    recipes: Mapping[str, Recipe],
    progress: Callable[[Progress], object] | None,
) -> bool:
    """Train all rows; those that others start from come first. Return whether this is the main process."""
    needed = {name for row in rows for name in (row.start, row.backbone) if name is not None}
    is_main = True
    for names in ([name for name in recipes if name in needed], [name for name in recipes if name not in needed]):

        def tell(index: int, told: Progress, names: Sequence[str] = names) -> None:
            if progress is not None:
                progress(told._replace(stage=f"{told.stage} {names[index]}"))

        tasks = [_RowTask(recipes[name], run.data, run.output / name, run.device) for name in names]
        # Processes of `accelerate launch` train each row together.
        engine = HERE if is_launched() else run.engine
        with closing(engine.run(_train_row, tasks, progress=tell, on_gpu=run.device == "cuda")) as done:
            is_main = all(list(done)) and is_main
    return is_main


def _train_row(task: _RowTask, tell: Tell) -> bool:
    """Train one row; return whether this is the main process."""
    return train(task.recipe, task.data, task.output, device=task.device, progress=tell) is not None


def _folder(run: TableRun) -> Path:
    if run.recipes is not None:
        return run.recipes
    folder = RECIPES / "small" if run.budget == "small" else RECIPES
    return folder if run.number == 1 else folder / "ablations"


def _recipe(run: TableRun, folder: Path, row: PaperRow) -> Recipe:
    recipe = read_recipe(folder / f"{row.recipe}.toml")
    if row.backbone is not None:
        named = {"backbone_weights": str(_weights(run, row.backbone))}
        stages = [replace(stage, options={**stage.options, **named}) for stage in recipe.stages]
        recipe = replace(recipe, stages=tuple(stages))
    return recipe if row.start is None else replace(recipe, start=str(_weights(run, row.start)))


def _weights(run: TableRun, name: str) -> Path:
    return run.output / name / f"{name}.safetensors"


def method_of(recipe: Recipe, weights: Path) -> str:
    """Return the `load_method` name for a recipe's weights, at the side that they were trained for."""
    side = {"working_side": _data(recipe).side}
    known = signature(METHODS[recipe.method]).parameters
    options = {"weights": weights, **{name: value for name, value in side.items() if name in known}, **recipe.network}
    texts = [f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in options.items()]
    return ":".join([recipe.method, *texts])


def _data(recipe: Recipe) -> ClipData:
    values = {name: value for name, value in recipe.data.items() if name != "augmentation"}
    return build(ClipData, values, where=f"recipe {recipe.name} [data]")


def _checked_plan(run: TableRun, recipes: list[Recipe]) -> Plan:
    """Return how to measure the rows, after checking all that can be checked without their weights.

    Raises:
        InputError: a row cannot be measured; names the reason.
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
                f"{run.output}: paths of options cannot contain a colon or end in spaces; choose another folder with -o"
            )
        load_method(recipe.method, **{**parse_spec(method).options, "weights": None})
        methods.append(method)
    if run.test is None and (made := [recipe.name for recipe in recipes if _data(recipe).layout == "photographs"]):
        raise InputError(
            f"recipe {made[0]}: its training data are pictures, which have no test set; name a data set to measure on "
            "with --test"
        )
    plan = Plan(
        run.test or run.data,
        tuple(methods),
        split=run.split,
        size=Size(side, side),
        protocols=(PROTOCOL,),
        next_frames=run.next_frames,
    )
    open_dataset(plan.data, split=plan.split, size=plan.size)
    plan.open_next_frames()
    return plan


def _measured(run: TableRun, plan: Plan, recipes: list[Recipe], progress: Callable[[Progress], object] | None) -> Table:
    folder = run.output / f"evaluation{run.number}"
    tables = evaluate(plan, folder, engine=run.engine, num_strips=0, progress=progress).tables()
    methods = plan.methods
    paper = paper_tables()[run.number - 1]
    found: dict[str, dict[str, Value]] = {label: {} for label in ("composite", *methods)}
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
    trained = iter(methods)
    rows = []
    for label, values, is_reference in paper.rows:
        ticks = {key: value for key, value in zip(columns, values, strict=True) if isinstance(value, str)}
        figures = ticks | found["composite" if is_reference else next(trained)]
        rows.append(Row(label, tuple(figures.get(key) for key in columns), is_reference))
    notes = [f"{tables[0].title}.", *(note for table in tables for note in table.notes)]
    if run.budget == "small":
        notes.append("Reduced: narrow networks, few steps. The order of the rows is no judgement of the methods.")
    if "time" in columns:
        notes.append(f"Time on {run.device}, of a window all of whose frames come out, flow included.")
    title = f"Table {run.number} of the paper, trained and measured anew"
    return Table(f"table{run.number}", title, tuple(columns.values()), tuple(rows), paper.first, tuple(notes))


def _seconds(method: str, device: Device) -> float:
    """Return the seconds per window."""
    report = measure_methods(MethodSetting((method,), repeats=3, device=device))
    return float(report["methods"][method]["wall_ms_per_window"]["median"]) / 1000  # type: ignore[index, call-overload]
